//! Bytes on their way to a file.

use std::io::{self, Write};

use super::{Checksum, Sink};

/// Bytes that are collected before they are handed on.
const BUFFER: usize = 256 * 1024;

/// Where the bytes go. The first error ends it and is told at the end.
pub(crate) struct Buffered<W> {
    to: W,
    buffer: Vec<u8>,
    checksum: Option<Checksum>,
    error: Option<io::Error>,
}

impl<W: Write> Buffered<W> {
    pub(crate) fn new(to: W, with_checksum: bool) -> Buffered<W> {
        let checksum = with_checksum.then(Checksum::new);
        Buffered { to, buffer: Vec::with_capacity(BUFFER), checksum, error: None }
    }

    /// Whether nothing has gone wrong so far. Afterwards, nothing is written any more.
    pub(crate) fn is_well(&self) -> bool {
        self.error.is_none()
    }

    /// The checksum of all so far, which ends with that; 0 if there is none.
    pub(crate) fn take_checksum(&mut self) -> u64 {
        self.flush();
        self.checksum.take().map_or(0, Checksum::finish)
    }

    /// Hands back what was written to, or tells what went wrong.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.flush();
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.to),
        }
    }

    fn flush(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(checksum) = &mut self.checksum {
            checksum.add(bytes);
        }
        if self.error.is_none() {
            self.error = self.to.write_all(bytes).err();
        }
    }
}

impl<W: Write> Sink for Buffered<W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush();
        }
        if bytes.len() < BUFFER {
            self.buffer.extend_from_slice(bytes);
        } else {
            // Too long to be copied for that.
            self.write(bytes);
        }
    }
}
