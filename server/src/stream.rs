//! The transports that clients come over.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::tls;

/// Reads from a socket, which does not block, what is there.
pub(crate) fn receive<'s>(socket: impl Into<SockRef<'s>>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    at_once((&*socket.into()).read(buffer.initialize_unfilled())).map_ok(|count| buffer.advance(count))
}

/// The outcome of a system call on a socket that does not block.
fn at_once(outcome: io::Result<usize>) -> Poll<io::Result<usize>> {
    match outcome {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

/// A client's socket, and what is between it and the protocol.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Boxed, because it is many times as large as the others.
    Tls(Box<tls::Stream>),
}

impl Stream {
    /// Whether there may be something to read, or an end of it.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => stream.poll_read_ready(cx),
            Stream::Unix(stream) => stream.poll_read_ready(cx),
            Stream::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                // A session wants nothing from the socket while there is something of it that was not read.
                if session.wants_read() { socket.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
            }
        }
    }

    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }

    /// Reads what has come without the event loop knowing of it yet: for when the loop stands still.
    pub fn poll_read_past_loop(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => receive(&*stream, buffer),
            Stream::Unix(stream) => receive(&*stream, buffer),
            Stream::Tls(stream) => {
                stream.get_mut().0.set_past_loop(true);
                let outcome = Pin::new(&mut **stream).poll_read(cx, buffer);
                stream.get_mut().0.set_past_loop(false);
                outcome
            }
        }
    }

    /// Writes although the event loop, which stands still, may not know yet that the socket takes anything.
    pub fn poll_write_past_loop(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => at_once((&*SockRef::from(&*stream)).write_vectored(pieces)),
            Stream::Unix(stream) => at_once((&*SockRef::from(&*stream)).write_vectored(pieces)),
            // It has written before, in its handshake.
            Stream::Tls(_) => self.poll_write_vectored(cx, pieces),
        }
    }

    /// Whether something has come that [`Stream::poll_read_past_loop`] would read.
    pub fn has_input(&self) -> bool {
        let socket = match self {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
            Stream::Tls(stream) => SockRef::from(stream.get_ref().0.below()),
        };
        let mut byte = [MaybeUninit::uninit()];
        socket.peek(&mut byte).is_ok_and(|count| count > 0)
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, pieces),
        }
    }

    /// Gets to the socket what was written and is not there yet. TLS takes more than the socket does, and answers some
    /// of what the peer sends by itself.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    /// Tells the peer that nothing more will come.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }

    /// Tells a peer over TLS that nothing more will come. A full socket has no room for that, either, until the peer
    /// reads.
    pub fn poll_take_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Poll::Ready(()),
            // A peer that is gone needs not be told.
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx).map(|_| ()),
        }
    }
}
