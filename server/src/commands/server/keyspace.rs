//! Commands about whole databases.

use storage::Free;

use crate::command::*;
use crate::{journal, persistence, set};

const FLUSH_ARGS: &[Arg] = &[Arg::one_of(
    "flush-type",
    &[Arg::flag("async", "ASYNC").since("4.0.0"), Arg::flag("sync", "SYNC").since("6.2.0")],
)
.optional()];

const FLUSH_HISTORY: &[(&str, &str)] = &[("4.0.0", "`ASYNC` came."), ("6.2.0", "`SYNC` came.")];

pub(super) const DBSIZE: Spec = Spec::new("dbsize", 1, dbsize)
    .doc(Group::Server, "1.0.0", "O(1)", "Counts the keys of the database.")
    .flags(set!(Flags: READONLY | FAST))
    .acl(Categories::KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

pub(super) const FLUSHALL: Spec = Spec::new("flushall", -1, flushall)
    .doc(Group::Server, "1.0.0", "O(N) where N is the number of all keys", "Removes every key of every database.")
    .flags(Flags::WRITE)
    .acl(set!(Categories: KEYSPACE | DANGEROUS))
    .all_shards()
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .history(FLUSH_HISTORY)
    .args(FLUSH_ARGS);

pub(super) const FLUSHDB: Spec = Spec::new("flushdb", -1, flushdb)
    .doc(
        Group::Server,
        "1.0.0",
        "O(N) where N is the number of keys in the database",
        "Removes every key of the database.",
    )
    .flags(Flags::WRITE)
    .acl(set!(Categories: KEYSPACE | DANGEROUS))
    .all_shards()
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .history(FLUSH_HISTORY)
    .args(FLUSH_ARGS);

pub(super) const SWAPDB: Spec = Spec::new("swapdb", 3, swapdb)
    .doc(
        Group::Server,
        "4.0.0",
        "O(N) where N is the number of clients that watch or wait for keys of the two",
        "Exchanges the contents of two databases.",
    )
    .flags(set!(Flags: WRITE | FAST))
    .acl(set!(Categories: KEYSPACE | DANGEROUS))
    .all_shards()
    .args(&[Arg::new("index1", ArgKind::Integer), Arg::new("index2", ArgKind::Integer)]);

fn dbsize(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.db.counts(cx.client.db()).keys as i64);
    Ok(())
}

/// Which thread frees what a flush removes.
fn flush_mode(cx: &Context<'_>) -> Result<Free, Error> {
    match cx.args.len() {
        1 if cx.server.config.lazy_flush() => Ok(Free::Later),
        1 => Ok(Free::Now),
        2 if cx.arg_is(1, "async") => Ok(Free::Later),
        2 if cx.arg_is(1, "sync") => Ok(Free::Now),
        _ => Err(Error::SYNTAX),
    }
}

fn flushdb(cx: &mut Context<'_>) -> CommandResult {
    let (db, free) = (cx.client.db(), flush_mode(cx)?);
    cx.db.flush(db..db + 1, free);
    flushed(cx, free)
}

fn flushed(cx: &mut Context<'_>, free: Free) -> CommandResult {
    // Even if there was nothing: as in Redis.
    journal::anyway(cx);
    if free == Free::Now {
        // As with Redis, which frees in the background even then and replies when that is done.
        cx.server.tracking.broadcast(&cx.server.clients);
        cx.take_mail();
    }
    cx.reply.ok();
    Ok(())
}

fn flushall(cx: &mut Context<'_>) -> CommandResult {
    let free = flush_mode(cx)?;
    // What is being written is of no more use to anybody than what goes now.
    cx.server.persistence.background.stop();
    cx.db.flush(0..cx.server.keyspace.databases(), free);
    if !cx.server.config.save().is_empty() {
        // Why it fails is in the log; the keys are gone all the same.
        let _ = persistence::save(cx.server, cx.db);
    }
    flushed(cx, free)
}

fn swapdb(cx: &mut Context<'_>) -> CommandResult {
    let index = |at: usize| protocol::parse_i64(cx.arg(at)).and_then(|index| i32::try_from(index).ok());
    let first = index(1).ok_or(Error::fixed("ERR invalid first DB index"))?;
    let second = index(2).ok_or(Error::fixed("ERR invalid second DB index"))?;
    let databases = cx.server.keyspace.databases();
    let in_range = |index: i32| usize::try_from(index).ok().filter(|index| *index < databases);
    let (Some(first), Some(second)) = (in_range(first), in_range(second)) else {
        return Err(Error::DB_OUT_OF_RANGE);
    };
    cx.db.swap(first, second);
    cx.reply.ok();
    Ok(())
}
