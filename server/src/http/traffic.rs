//! Counts what goes over a connection, as a connection of RESP does itself, has what comes in followed, and notices the
//! leaving of clients who wait.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use super::held::Held;
use crate::client::Shared;
use crate::command::dispatch::Executor;
use crate::stream::Stream;

/// A stream whose bytes are counted and followed.
pub struct Line {
    stream: Stream,
    client: Arc<Shared>,
    executor: &'static Executor,
    framing: Rc<RefCell<Framing>>,
    /// What was read before hyper asked for it.
    ahead: BytesMut,
    /// Counts it as the client's, and what hyper has of a head that is not whole yet.
    held: Held,
    /// Whether the event loop stands still, so that it is read and written past it.
    pub attended: bool,
}

impl Line {
    pub fn new(
        stream: Stream,
        client: Arc<Shared>,
        executor: &'static Executor,
        framing: Rc<RefCell<Framing>>,
    ) -> Line {
        let held = Held::input(&client);
        Line { stream, client, executor, framing, ahead: BytesMut::new(), held, attended: false }
    }

    fn read(&self, count: usize) {
        self.executor.stats.reads.add(1);
        self.executor.stats.net_in.add(count as u64);
        self.client.net_in.fetch_add(count as u64, Relaxed);
        self.client.last_active_ms.store(self.executor.refresh_clock(), Relaxed);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = match self.attended {
            false => self.stream.poll_write_vectored(cx, pieces),
            true => self.stream.poll_write_past_loop(cx, pieces),
        };
        if let Poll::Ready(Ok(count)) = outcome {
            self.executor.stats.writes.add(1);
            self.executor.stats.net_out.add(count as u64);
            self.client.net_out.fetch_add(count as u64, Relaxed);
            self.client.last_active_ms.store(self.executor.now_ms(), Relaxed);
        }
        outcome
    }

    /// Whether a client that waits for others has gone, or sends more ahead than any client may. hyper reads nothing
    /// while a request is carried out, and would never hear of it.
    pub fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let client = &self.client;
        let waits = [&client.blocked, &client.held_back, &client.monitor].iter().any(|state| state.load(Relaxed));
        if !(waits || client.is_subscriber()) {
            return false;
        }
        let limit = usize::try_from(self.executor.server.config.query_buffer_limit()).unwrap_or(usize::MAX);
        let mut room = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut room);
            match self.poll_arrival(cx, &mut buffer) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.ahead.extend_from_slice(buffer.filled()),
                Poll::Ready(_) => return true,
            }
            self.count();
            if self.ahead.len() > limit {
                self.executor.stats.query_limit_disconnections.add(1);
                return true;
            }
        }
    }

    fn poll_arrival(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = match self.attended {
            false => self.stream.poll_read(cx, buffer),
            true => self.stream.poll_read_past_loop(cx, buffer),
        };
        let arrived = &buffer.filled()[before..];
        if !arrived.is_empty() {
            self.read(arrived.len());
            self.framing.borrow_mut().follow(arrived);
            self.count();
        }
        outcome
    }

    fn count(&mut self) {
        let head = self.framing.borrow().unfinished();
        self.held.set(self.ahead.len() + head, self.ahead.capacity() + head);
    }
}

/// The end of a line that hyper has.
pub struct Counted(pub Rc<RefCell<Line>>);

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        if line.ahead.is_empty() {
            return line.poll_arrival(cx, buffer);
        }
        let count = buffer.remaining().min(line.ahead.len());
        buffer.put_slice(&line.ahead.split_to(count));
        line.count();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().stream.poll_shutdown(cx)
    }
}
