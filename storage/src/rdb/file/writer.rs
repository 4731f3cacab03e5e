//! Writing a file.

use std::io::{self, Write};

use super::super::write::Writer;
use super::super::{Buffered, Sink, VERSION, VERSION_OF_7_0, kind_of, kind_of_big, save_count, save_value};
use super::{SIGNATURE, VERSION_DIGITS, opcode};
use crate::access::Usage;
use crate::keyspace::DbCounts;
use crate::snapshot::Target;
use crate::value::Value;

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
    out: Buffered<W>,
    compress: bool,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file.
    pub fn new(to: W, options: Options) -> FileWriter<W> {
        let mut out = Buffered::new(to, options.checksum);
        let version = if options.timed { VERSION } else { VERSION_OF_7_0 };
        out.put(SIGNATURE);
        out.put(format!("{version:0VERSION_DIGITS$}").as_bytes());
        FileWriter { out, compress: options.compress }
    }

    fn writer(&mut self) -> Writer<'_, Buffered<W>> {
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

    /// A key with its value, of the database that was named last.
    pub fn entry(&mut self, key: &[u8], value: Value<'_>, expiry: Option<i64>, usage: Option<Usage>) {
        save_entry(&mut self.out, key, value, expiry, usage, self.compress);
    }

    /// Ends the file and hands back what it was written to, or tells what went wrong.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.put(&[opcode::END]);
        // Zero says that there is none.
        let checksum = self.out.take_checksum();
        self.out.put(&checksum.to_le_bytes());
        self.out.finish()
    }
}

impl<W: Write + Send> Target for FileWriter<W> {
    fn database(&mut self, db: usize, counts: Option<DbCounts>) {
        let mut out = self.writer();
        out.byte(opcode::DATABASE);
        out.len(db);
        if let Some(counts) = counts {
            out.byte(opcode::SIZES);
            out.len(counts.keys);
            out.len(counts.expiring);
        }
    }

    fn entries(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    fn is_well(&self) -> bool {
        self.out.is_well()
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        FileWriter::finish(*self).map(drop)
    }
}

/// Writes a key with its value.
pub(crate) fn save_entry<S: Sink>(
    to: &mut S,
    key: &[u8],
    value: Value<'_>,
    expiry: Option<i64>,
    usage: Option<Usage>,
    compress: bool,
) {
    if matches!(value, Value::Hash(hash) if hash.is_empty()) {
        // Nothing is left of it but fields that have expired.
        return;
    }
    save_attributes(to, key, kind_of(value), expiry, usage);
    save_value(to, value, compress);
}

/// Writes a key with a big collection, up to its elements: how many there are, and when the first of them expires.
pub(crate) fn save_head<S: Sink>(
    to: &mut S,
    key: &[u8],
    value: Value<'_>,
    expiry: Option<i64>,
    usage: Option<Usage>,
    (count, earliest): (usize, Option<i64>),
) {
    save_attributes(to, key, kind_of_big(value, earliest), expiry, usage);
    save_count(to, count, earliest);
}

/// Writes what stands before a value.
fn save_attributes<S: Sink>(to: &mut S, key: &[u8], kind: u8, expiry: Option<i64>, usage: Option<Usage>) {
    let mut out = Writer::new(to, true);
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
    out.byte(kind);
    out.string(key);
}
