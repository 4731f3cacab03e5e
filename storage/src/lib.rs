//! Shards, keys, expiry and values in memory. Knows nothing of connections, commands or RESP.
//!
//! [`Keyspace`] holds everything; a command locks what it needs and works through a [`View`].

mod access;
mod effects;
mod entry;
mod keyspace;
pub mod memory;
mod reclaim;
pub mod table;
mod view;

pub use access::AccessPolicy;
pub use effects::{Class, Effect, Effects, Event};
pub use entry::{Kind, MAX_INLINE, NewValue, StrRef};
pub use keyspace::{DbCounts, ExpirySweep, Key, Keyspace, SHARDS};
pub use view::{Entry, Free, Ttl, View};
