//! Shards, keys, expiry and values in memory. Knows nothing of connections, commands or RESP.
//!
//! [`Keyspace`] holds everything; a command locks what it needs and works through a [`View`].

mod access;
mod blob;
mod effects;
mod entry;
pub mod hash;
mod hashing;
pub mod hyperloglog;
pub mod intset;
mod journal;
mod keyspace;
mod layout;
mod leaving;
pub mod list;
pub mod listpack;
mod locks;
pub mod memory;
mod random;
pub mod rdb;
mod reclaim;
pub mod set;
pub mod snapshot;
pub mod stream;
pub mod table;
mod value;
mod view;
mod waiting;
mod watching;
pub mod zset;

pub use access::{AccessPolicy, Measure, Usage};
pub use effects::{Actor, Class, Effects, Event, Happening, Observer};
pub use entry::{MAX_INLINE, MAX_PACKED, NewValue, StrRef};
pub use journal::{Journal, Lapse};
pub use keyspace::{DbCounts, ExpirySweep, Key, Keyspace, SHARDS, SweepAt};
pub use locks::Scope;
pub use value::{Boxed, Collection, PackLimits, Stored, Type, Value, WrongType};
pub use view::{Candidate, Entry, Evictable, Free, Log, Sampled, SizeCounts, Ttl, View};
pub use waiting::{Served, Waiter};
pub use watching::Watch;

/// Bytes that a key's place in the table of its shard takes.
pub const SLOT_BYTES: usize = size_of::<entry::Slot>();
