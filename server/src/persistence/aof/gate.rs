//! What keeps replies back until the changes that they tell of, or that they have seen, are where `appendfsync` promises.
//!
//! All that a connection sends passes its gate, whoever has made the changes: nobody sees what could be lost more easily
//! than was promised. With `always` connections wait for the thread that forces entries to the disk, which serves all who
//! wait at once, while the workers go on. Otherwise a connection lets the others of its worker that have something to do
//! have their turn first. The first one that comes back writes what all have appended, and what they send goes out in one
//! go: a client that reads replies of several connections is woken once for all of them, which is most of what sending
//! costs.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::task::{Context, Poll};

use super::{Aof, Hurry};
use crate::client::Shared;
use crate::config::FsyncPolicy;
use crate::server::Server;

/// A connection's gate. Open unless something is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Gate {
    #[default]
    Open,
    /// Others have their turn, and then everything up to a position must have been written.
    Turn(u64),
    /// The client is woken when everything up to a position is on the disk.
    Syncing(u64),
}

impl Gate {
    /// Whether something is waited for.
    #[inline]
    pub fn is_closed(self) -> bool {
        self != Gate::Open
    }

    /// Ready when what was done so far may be told. With `after_others`, not before others had their turn.
    #[inline]
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        server: &Server,
        client: &Arc<Shared>,
        after_others: bool,
    ) -> Poll<()> {
        if server.aof.is_on() {
            return self.poll_on(cx, server, client, after_others);
        }
        if *self == Gate::Open && after_others {
            return self.close_for_a_turn(cx, 0);
        }
        *self = Gate::Open;
        Poll::Ready(())
    }

    /// A task that wakes itself stands behind all that can go on already.
    fn close_for_a_turn(&mut self, cx: &Context<'_>, position: u64) -> Poll<()> {
        *self = Gate::Turn(position);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_on(&mut self, cx: &mut Context<'_>, server: &Server, client: &Arc<Shared>, after_others: bool) -> Poll<()> {
        let aof = &server.aof;
        let always = server.config.appendfsync() == FsyncPolicy::Always;
        *self = match *self {
            Gate::Open | Gate::Turn(_) if always => {
                let position = aof.queue.appended.load(Relaxed);
                if aof.wait(position, client) { Gate::Open } else { Gate::Syncing(position) }
            }
            Gate::Open => {
                // Whoever sees a change has got the lock of its shard behind the one who appended it.
                let position = aof.queue.appended.load(Relaxed);
                if after_others || aof.written.load(Acquire) < position {
                    return self.close_for_a_turn(cx, position);
                }
                Gate::Open
            }
            Gate::Turn(position) => {
                if aof.written.load(Acquire) < position {
                    aof.flush(server, Hurry::CanWait);
                }
                // What could not be written is tried again, and writes are refused meanwhile.
                Gate::Open
            }
            Gate::Syncing(position) if aof.released.load(Acquire) >= position => Gate::Open,
            Gate::Syncing(position) => Gate::Syncing(position),
        };
        if self.is_closed() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Aof {
    /// Has a client woken when everything up to a position is on the disk. Tells whether it already is.
    fn wait(&self, position: u64, client: &Arc<Shared>) -> bool {
        self.released.load(Acquire) >= position || self.sync.enlist(position, client, &self.released)
    }
}
