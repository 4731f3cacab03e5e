//! The socket below TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::stream::receive;

/// So much is read at once from a client that sends much.
const CHUNK: usize = 32 << 10;

/// A socket that is read in larger pieces than rustls asks for, which are of 4 KiB, while a client sends more than fits
/// into those: a system call costs more than moving the bytes once more. Of a client that sends little nothing is kept.
pub struct Socket {
    stream: TcpStream,
    /// Whether it is read although its event loop stands still.
    past_loop: bool,
    /// Whether the last read has filled all the room that there was.
    streaming: bool,
    chunk: Box<[u8]>,
    /// What of the chunk is still to be handed on.
    from: usize,
    to: usize,
}

impl Socket {
    pub fn new(stream: TcpStream) -> Socket {
        Socket { stream, past_loop: false, streaming: false, chunk: Box::default(), from: 0, to: 0 }
    }

    /// From now on it is read past its event loop, or no more.
    pub fn set_past_loop(&mut self, past_loop: bool) {
        self.past_loop = past_loop;
    }

    /// The socket of TCP.
    pub fn below(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether there may be something to read.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.from < self.to { Poll::Ready(Ok(())) } else { self.stream.poll_read_ready(cx) }
    }

    /// Reads a chunk, and gives its memory back where there is nothing for it.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.chunk.is_empty() {
            self.chunk = vec![0; CHUNK].into_boxed_slice();
        }
        let mut room = ReadBuf::new(&mut self.chunk);
        let outcome = poll_below(&mut self.stream, self.past_loop, cx, &mut room);
        let count = room.filled().len();
        (self.from, self.to) = (0, count);
        self.streaming = count == CHUNK;
        if count == 0 {
            self.chunk = Box::default();
        }
        outcome
    }
}

fn poll_below(
    stream: &mut TcpStream,
    past_loop: bool,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if past_loop { receive(&*stream, buffer) } else { Pin::new(stream).poll_read(cx, buffer) }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.from == this.to {
            if !this.streaming {
                ready!(poll_below(&mut this.stream, this.past_loop, cx, buffer))?;
                this.streaming = buffer.remaining() == 0;
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_fill(cx))?;
        }
        let waiting = this.chunk.get(this.from..this.to).unwrap_or_default();
        let count = waiting.len().min(buffer.remaining());
        buffer.put_slice(waiting.get(..count).unwrap_or_default());
        this.from += count;
        if this.from == this.to && !this.streaming {
            this.chunk = Box::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
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
