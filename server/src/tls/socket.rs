//! The socket below TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// So much is read at once from a client that sends much.
const CHUNK: usize = 32 << 10;

/// A socket that is read in larger pieces than rustls asks for, which are of 4 KiB, while a client sends more than fits
/// into those: a system call costs more than moving the bytes once more. Of a client that sends little nothing is kept.
pub struct Socket {
    stream: TcpStream,
    /// Whether the last read has filled all the room that there was.
    streaming: bool,
    chunk: Box<[u8]>,
    /// What of the chunk is still to be handed on.
    from: usize,
    to: usize,
}

impl Socket {
    pub fn new(stream: TcpStream) -> Socket {
        Socket { stream, streaming: false, chunk: Box::default(), from: 0, to: 0 }
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
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut room);
        let count = room.filled().len();
        (self.from, self.to) = (0, count);
        self.streaming = count == CHUNK;
        if count == 0 {
            self.chunk = Box::default();
        }
        outcome
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.from == this.to {
            if !this.streaming {
                ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
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
