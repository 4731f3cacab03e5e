//! Looking at a key without using it: no hit or miss is counted, and nothing is kept from being evicted.

use protocol::{OwnedArgs, ReplyFrame};
use storage::{Entry, Scope};

use crate::command::Error;
use crate::http::session::Session;

/// What there is to see of a key.
pub enum Look<T> {
    Seen(T),
    Missing,
    /// A script holds it for long.
    Held,
}

/// Whether the user may call a command, given by its full name, as `args`. Nobody is told of a denial.
pub fn check(session: &mut Session, name: &str, args: &OwnedArgs) -> Result<(), Error> {
    let executor = session.executor;
    let unknown = || Error::new(format!("ERR unknown command '{name}'"));
    let command = executor.server.commands.get_full(name.as_bytes()).ok_or_else(unknown)?;
    let denial = executor.recheck(&mut session.client, command, args.as_args());
    denial.map_err(|denial| denial.error(session.client.session.user(), command))
}

/// Shows the key, as it is now (Unix milliseconds), to `see`.
pub fn look<T>(session: &Session, key: &[u8], see: impl FnOnce(Entry<'_>, i64) -> T) -> Look<T> {
    let executor = session.executor;
    let keyspace = &executor.server.keyspace;
    let key = keyspace.key(key);
    let scope = Scope::Shard(key.shard());
    let Some(mut db) = keyspace.view_unless_stalled(session.client.db(), scope, executor.now_ms()) else {
        return Look::Held;
    };
    // Nothing changes by being looked at.
    db.keep_expired();
    let now_ms = db.now_ms();
    db.peek(&key).map_or(Look::Missing, |entry| Look::Seen(see(entry, now_ms)))
}

/// The type of a key, its bytes of memory, and its remaining milliseconds (-1 without an expiry).
pub fn facts(entry: Entry<'_>, now_ms: i64) -> [ReplyFrame; 3] {
    let left_ms = entry.expiry().map_or(-1, |deadline| deadline.saturating_sub(now_ms).max(0));
    [text(entry.kind().name().as_bytes()), number(entry.memory() as i64), number(left_ms)]
}

pub fn array(data: Vec<ReplyFrame>) -> ReplyFrame {
    ReplyFrame::Array { data, attributes: None }
}

pub fn number(data: i64) -> ReplyFrame {
    ReplyFrame::Number { data, attributes: None }
}

pub fn text(bytes: &[u8]) -> ReplyFrame {
    ReplyFrame::BlobString { data: bytes.to_vec().into(), attributes: None }
}
