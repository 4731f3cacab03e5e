//! Writing a file.

use std::io::{self, Write};

use super::super::write::Writer;
use super::super::{Checksum, Sink, VERSION, VERSION_OF_7_0, kind_of, save_value};
use super::{SIGNATURE, VERSION_DIGITS, opcode};
use crate::access::Usage;
use crate::value::Value;

/// Bytes that are collected before they are handed on.
const BUFFER: usize = 256 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub compress: bool,
    pub checksum: bool,
    /// Whether fields of hashes expire, which Redis does not know before 7.4.
    pub timed: bool,
}

/// A file in the making.
pub struct FileWriter<W> {
    out: Output<W>,
    compress: bool,
}

/// Where the bytes go. The first error ends it and is told at the end.
struct Output<W> {
    to: W,
    buffer: Vec<u8>,
    checksum: Option<Checksum>,
    error: Option<io::Error>,
}

impl<W: Write> Output<W> {
    fn flush(&mut self) {
        if let Some(checksum) = &mut self.checksum {
            checksum.add(&self.buffer);
        }
        if self.error.is_none() {
            self.error = self.to.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}

impl<W: Write> Sink for Output<W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush();
        }
        if bytes.len() < BUFFER {
            return self.buffer.extend_from_slice(bytes);
        }
        // Too long to be copied for that.
        if let Some(checksum) = &mut self.checksum {
            checksum.add(bytes);
        }
        if self.error.is_none() {
            self.error = self.to.write_all(bytes).err();
        }
    }
}

impl<W: Write> FileWriter<W> {
    /// Begins a file.
    pub fn new(to: W, options: Options) -> FileWriter<W> {
        let checksum = options.checksum.then(Checksum::new);
        let mut out = Output { to, buffer: Vec::with_capacity(BUFFER), checksum, error: None };
        let version = if options.timed { VERSION } else { VERSION_OF_7_0 };
        out.put(SIGNATURE);
        out.put(format!("{version:0VERSION_DIGITS$}").as_bytes());
        FileWriter { out, compress: options.compress }
    }

    /// Whether nothing has gone wrong so far. Afterwards, nothing is written any more.
    pub fn is_well(&self) -> bool {
        self.out.error.is_none()
    }

    fn writer(&mut self) -> Writer<'_, Output<W>> {
        Writer::new(&mut self.out, self.compress)
    }

    /// Something about the server.
    pub fn aux(&mut self, name: &str, value: &str) {
        let mut out = self.writer();
        out.byte(opcode::AUX);
        out.string(name.as_bytes());
        out.string(value.as_bytes());
    }

    /// The text of a library of functions.
    pub fn function(&mut self, code: &[u8]) {
        let mut out = self.writer();
        out.byte(opcode::FUNCTION_2);
        out.raw(code);
    }

    /// The keys that follow are those of a database, which has so many, and so many that expire.
    pub fn database(&mut self, db: usize, keys: usize, expiring: usize) {
        let mut out = self.writer();
        out.byte(opcode::DATABASE);
        out.len(db);
        out.byte(opcode::SIZES);
        out.len(keys);
        out.len(expiring);
    }

    /// A key with its value, of the database that was named last.
    pub fn entry(&mut self, key: &[u8], value: Value<'_>, expiry: Option<i64>, usage: Option<Usage>) {
        if matches!(value, Value::Hash(hash) if hash.is_empty()) {
            // Nothing is left of it but fields that have expired.
            return;
        }
        let mut out = self.writer();
        if let Some(when) = expiry {
            out.byte(opcode::EXPIRY_MS);
            out.int64(when);
        }
        match usage {
            Some(Usage::Idle(seconds)) => {
                out.byte(opcode::IDLE);
                out.count(seconds);
            }
            Some(Usage::Frequency(frequency)) => out.bytes(&[opcode::FREQUENCY, frequency]),
            None => {}
        }
        out.byte(kind_of(value));
        out.string(key);
        let compress = self.compress;
        save_value(&mut self.out, value, compress);
    }

    /// Ends the file and hands back what it was written to, or tells what went wrong.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.put(&[opcode::END]);
        self.out.flush();
        // Zero says that there is none.
        let checksum = self.out.checksum.take().map_or(0, Checksum::finish);
        self.out.put(&checksum.to_le_bytes());
        self.out.flush();
        match self.out.error {
            Some(error) => Err(error),
            None => Ok(self.out.to),
        }
    }
}
