//! Snapshots in files: a header, what is known about the server, and all keys with their values.
//!
//! ```text
//! REDIS0010 (about the server: name, value)... (library of functions)...
//! (database, its sizes, (expiry, use, form, key, value)...)... end, checksum
//! ```

mod reader;
mod skip;
mod writer;

use std::{fmt, io};

use super::{Error, opcode};
use crate::access::Usage;

pub use reader::{Batch, Entry, FileReader, Note, Part};
pub use writer::{FileWriter, Options};
pub(crate) use writer::{save_entry, save_head};

/// What stands before the version.
const SIGNATURE: &[u8] = b"REDIS";
/// Digits of the version.
const VERSION_DIGITS: usize = 4;
const CHECKSUM_LEN: usize = 8;
/// Files before this version have no checksum.
const FIRST_WITH_CHECKSUM: u16 = 5;

/// Why a file cannot be read.
#[derive(Debug)]
pub enum FileError {
    Io(io::Error),
    /// It does not begin as a snapshot does.
    Signature,
    /// It has a version that is not known.
    Version(i32),
    /// Its checksum is another: this is expected, that was found.
    Checksum(u64, u64),
    /// What stands at a place makes no sense.
    Content(u64, Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => write!(f, "{error}"),
            FileError::Signature => f.write_str("Wrong signature trying to load DB from file"),
            FileError::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            FileError::Checksum(expected, found) => {
                write!(f, "RDB CRC error: expected ({expected:x}) but got ({found:x})")
            }
            FileError::Content(at, problem) => write!(f, "Internal error in RDB reading offset {at} -> {problem}"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        FileError::Io(error)
    }
}

/// A key in a file.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    pub db: usize,
    /// The number of its value's form.
    pub form: u8,
    /// Unix milliseconds.
    pub expiry: Option<i64>,
    pub usage: Option<Usage>,
}
