//! Redis's serialized form of values: of DUMP payloads and of snapshot files (RDB).
//!
//! All that Redis ever wrote, up to version 12 of the format, can be read. What comes from outside is checked through
//! and through, whatever it claims: it becomes a value as commands could have made it, or an [`Error`].
//!
//! What is written Redis 7.0 can read (version 10), but for hashes with fields that expire, which it does not know
//! (version 12). Small collections are written as the bytes that they are.

mod buffered;
mod checksum;
pub mod file;
mod legacy;
mod load;
mod lzf;
mod payload;
mod read;
mod save;
mod save_stream;
mod write;

use std::fmt;

use crate::list::NodeLimit;
use crate::set::SetLimits;
use crate::value::{Boxed, PackLimits};

pub(crate) use buffered::Buffered;
pub use checksum::Checksum;
pub use load::load_value;
pub use payload::{PayloadError, dump, dump_functions, restore, restore_functions};
pub use read::Cursor;
pub use save::{kind_of, save_value};
pub(crate) use save::{kind_of_big, save_count, save_part};
pub use write::Sink;

/// The latest version of the format that can be read.
pub const VERSION: u16 = 12;
/// The version that Redis 7.0 can read.
const VERSION_OF_7_0: u16 = 10;

/// The numbers of the forms that values have.
mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM_LISTPACKS: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
    pub const HASH_METADATA_EARLY: u8 = 22;
    pub const HASH_LISTPACK_EX_EARLY: u8 = 23;
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
}

/// What Redis's tools call a form.
pub fn form_name(form: u8) -> &'static str {
    match form {
        kind::STRING => "string",
        kind::LIST => "list-linked",
        kind::SET => "set-hashtable",
        kind::ZSET => "zset-v1",
        kind::HASH => "hash-hashtable",
        kind::ZSET_2 => "zset-v2",
        kind::MODULE => "module-value",
        kind::MODULE_2 => "",
        kind::HASH_ZIPMAP => "hash-zipmap",
        kind::LIST_ZIPLIST => "list-ziplist",
        kind::SET_INTSET => "set-intset",
        kind::ZSET_ZIPLIST => "zset-ziplist",
        kind::HASH_ZIPLIST => "hash-ziplist",
        kind::LIST_QUICKLIST => "quicklist",
        kind::STREAM_LISTPACKS => "stream",
        kind::HASH_LISTPACK => "hash-listpack",
        kind::ZSET_LISTPACK => "zset-listpack",
        kind::LIST_QUICKLIST_2 => "quicklist-v2",
        kind::STREAM_LISTPACKS_2 => "stream-v2",
        kind::SET_LISTPACK => "set-listpack",
        kind::STREAM_LISTPACKS_3 => "stream-v3",
        kind::HASH_METADATA_EARLY => "hash-hashtable-md-pre-release",
        kind::HASH_LISTPACK_EX_EARLY => "hash-listpack-md-pre-release",
        kind::HASH_METADATA => "hash-hashtable-md",
        kind::HASH_LISTPACK_EX => "hash-listpack-md",
        _ => "unknown",
    }
}

/// The numbers of what stands in a file beside values.
mod opcode {
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION_2: u8 = 245;
    pub const FUNCTION: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const SIZES: u8 = 251;
    pub const EXPIRY_MS: u8 = 252;
    pub const EXPIRY_S: u8 = 253;
    pub const DATABASE: u8 = 254;
    pub const END: u8 = 255;
}

/// How the strings among others are written: the upper two bits are set, and the lower six say what follows.
mod encoding {
    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// How a node of a long list is laid out.
mod container {
    pub const PLAIN: u64 = 1;
    pub const PACKED: u64 = 2;
}

/// Why bytes are no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// They end before the value does.
    Truncated,
    /// They contradict themselves, or cannot be held.
    Corrupt(&'static str),
    /// They are a collection without elements.
    Empty,
    /// They belong to a module, which has this name.
    Module(String),
    /// They are of a form that is not known.
    UnknownKind(u8),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated => f.write_str("Unexpected end"),
            Error::Corrupt(what) => f.write_str(what),
            Error::Empty => f.write_str("Empty key"),
            Error::Module(name) => write!(f, "Module data that can't be loaded: no matching module type '{name}'"),
            Error::UnknownKind(kind) => write!(f, "Unknown RDB encoding type {kind}"),
        }
    }
}

impl std::error::Error for Error {}

/// Up to where collections that are read are small, as it is configured.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub list: NodeLimit,
    pub set: SetLimits,
    pub zset: PackLimits,
    pub hash: PackLimits,
}

/// A value that was read.
pub enum Loaded {
    Str(Vec<u8>),
    Collection(Boxed),
}

impl Loaded {
    /// Whether something inside expires.
    pub fn is_timed(&self) -> bool {
        matches!(self, Loaded::Collection(collection) if collection.next_expiry().is_some())
    }
}
