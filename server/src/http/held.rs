//! What is held for a client, counted as its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hyper::body::{Buf, Bytes};

use crate::client::Shared;

/// A part of what is held for a client, counted as its input, as its arguments or as its output for as long as this is there.
pub struct Held {
    client: Arc<Shared>,
    side: Side,
    waiting: usize,
    memory: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Arguments,
    Output,
}

impl Held {
    /// A part of what the client has sent, nothing yet.
    pub fn input(client: &Arc<Shared>) -> Held {
        Held { client: Arc::clone(client), side: Side::Input, waiting: 0, memory: 0 }
    }

    /// A part of what is to be sent to the client, nothing yet.
    pub fn output(client: &Arc<Shared>) -> Held {
        Held { client: Arc::clone(client), side: Side::Output, waiting: 0, memory: 0 }
    }

    /// Arguments that were read from what the client has sent, none yet.
    pub fn arguments(client: &Arc<Shared>) -> Held {
        Held { client: Arc::clone(client), side: Side::Arguments, waiting: 0, memory: 0 }
    }

    /// So many bytes wait in so much memory now.
    pub fn set(&mut self, waiting: usize, memory: usize) {
        let client = &*self.client;
        match self.side {
            Side::Input => {
                // The memory that is not in use is told of beside that which is.
                let (free, freed) = (memory.saturating_sub(waiting), self.memory.saturating_sub(self.waiting));
                change(&client.query_buffered, self.waiting, waiting);
                change(&client.query_free, freed, free);
            }
            Side::Arguments => drop(change(&client.argv_memory, self.memory, memory)),
            Side::Output => {
                let all = change(&client.output_buffered, self.waiting, waiting);
                change(&client.output_memory, self.memory, memory);
                if waiting > self.waiting && all > client.output_peak.load(Relaxed) {
                    client.output_peak.store(all, Relaxed);
                }
            }
        }
        (self.waiting, self.memory) = (waiting, memory);
    }
}

/// Counts a part anew. Returns the sum.
fn change(sum: &AtomicUsize, before: usize, now: usize) -> usize {
    if before == now {
        return sum.load(Relaxed);
    }
    let difference = now.wrapping_sub(before);
    sum.fetch_add(difference, Relaxed).wrapping_add(difference)
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

/// Bytes on their way to a client, counted until they are with the system.
pub struct Piece {
    bytes: Bytes,
    held: Held,
    /// What the bytes take; those that have been sent are not given back before the rest.
    memory: usize,
}

impl Piece {
    pub fn new(bytes: impl Into<Bytes>, client: &Arc<Shared>) -> Piece {
        let bytes = bytes.into();
        let (mut held, memory) = (Held::output(client), bytes.len());
        held.set(memory, memory);
        Piece { bytes, held, memory }
    }

    /// The bytes, counted no more.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Bytes that are still to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.held.set(self.bytes.len(), self.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_until_it_goes() {
        let client = Arc::new(Shared::default());
        let figures = || {
            let all = [&client.query_buffered, &client.query_free, &client.output_buffered, &client.output_memory];
            all.map(|figure| figure.load(Relaxed))
        };
        let mut body = Held::input(&client);
        body.set(10, 64);
        let mut head = Held::input(&client);
        head.set(5, 5);
        assert_eq!(figures(), [15, 54, 0, 0]);
        body.set(64, 64);
        assert_eq!(figures(), [69, 0, 0, 0]);
        let mut piece = Piece::new(&b"abc"[..], &client);
        let other = Piece::new(&b"de"[..], &client);
        piece.advance(2);
        assert_eq!(figures(), [69, 0, 3, 5]);
        assert_eq!(client.output_peak.load(Relaxed), 5);
        drop((piece, body, head));
        assert_eq!(figures(), [0, 0, 2, 2]);
        drop(other);
        assert_eq!(figures(), [0; 4]);
    }
}
