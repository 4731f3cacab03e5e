//! Counts what goes over a connection, as a connection of RESP does itself, and has what comes in followed.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use crate::client::Shared;
use crate::command::dispatch::Executor;

/// A stream whose bytes are counted and followed.
pub struct Counted<S> {
    stream: S,
    client: Arc<Shared>,
    executor: &'static Executor,
    framing: Rc<RefCell<Framing>>,
}

impl<S> Counted<S> {
    pub fn new(
        stream: S,
        client: Arc<Shared>,
        executor: &'static Executor,
        framing: Rc<RefCell<Framing>>,
    ) -> Counted<S> {
        Counted { stream, client, executor, framing }
    }

    fn read(&self, count: usize) {
        self.executor.stats.reads.add(1);
        self.executor.stats.net_in.add(count as u64);
        self.client.net_in.fetch_add(count as u64, Relaxed);
        self.client.last_active_ms.store(self.executor.refresh_clock(), Relaxed);
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = outcome {
            self.executor.stats.writes.add(1);
            self.executor.stats.net_out.add(count as u64);
            self.client.net_out.fetch_add(count as u64, Relaxed);
            // What stands around the events was not counted.
            let waiting = self.client.output_buffered.load(Relaxed);
            self.client.output_buffered.store(waiting.saturating_sub(count), Relaxed);
            self.client.last_active_ms.store(self.executor.now_ms(), Relaxed);
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let arrived = &buffer.filled()[before..];
        if !arrived.is_empty() {
            self.read(arrived.len());
            self.framing.borrow_mut().follow(arrived);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
