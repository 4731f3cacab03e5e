//! MULTI, EXEC and WATCH.

use crate::acl::Place;
use crate::command::context::Within;
use crate::command::{Arg, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::transaction::Queued;
use crate::{set, transaction};

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("discard", 1, discard)
        .doc(
            Group::Transactions,
            "2.0.0",
            "O(N), when N is the number of queued commands",
            "Forgets the commands queued since MULTI.",
        )
        .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY))
        .acl(Categories::TRANSACTION)
        .immediate(),
    Spec::new("exec", 1, exec)
        .doc(
            Group::Transactions,
            "1.2.0",
            "Depends on commands in the transaction",
            "Carries out the commands queued since MULTI, at one instant.",
        )
        .flags(set!(Flags: NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG))
        .acl(Categories::TRANSACTION)
        .immediate(),
    Spec::new("multi", 1, multi)
        .doc(Group::Transactions, "1.2.0", "O(1)", "Begins a transaction: commands are queued from now on.")
        .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY))
        .acl(Categories::TRANSACTION)
        .immediate(),
    Spec::new("unwatch", 1, unwatch)
        .doc(Group::Transactions, "2.2.0", "O(1)", "Watches no key any more.")
        .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY))
        .acl(Categories::TRANSACTION),
    Spec::new("watch", -2, watch)
        .doc(
            Group::Transactions,
            "2.2.0",
            "O(1) for every key",
            "Lets the next EXEC carry nothing out if any of the keys has changed by then.",
        )
        .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY))
        .acl(Categories::TRANSACTION)
        .keys(&[KeySpec::range(1, -1, 1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0).multiple()])
        .immediate(),
];

fn multi(cx: &mut Context<'_>) -> CommandResult {
    if cx.client.transaction.is_some() {
        return Err(Error::fixed("ERR MULTI calls can not be nested"));
    }
    cx.client.begin_transaction();
    cx.reply.ok();
    Ok(())
}

fn exec(cx: &mut Context<'_>) -> CommandResult {
    let transaction = cx.client.take_transaction().ok_or(Error::fixed("ERR EXEC without MULTI"))?;
    if transaction.broken {
        cx.client.unwatch(&cx.server.keyspace);
        return Err(Error::fixed("EXECABORT Transaction discarded because of previous errors."));
    }
    if transaction::enter(cx, &transaction)? {
        cx.reply.null_array();
        return Ok(());
    }
    cx.settle_part(|cx| cx.reply.array(transaction.commands.len()));
    for queued in &transaction.commands {
        cx.settle_part(|cx| call_queued(cx, queued));
    }
    Ok(())
}

fn call_queued(cx: &mut Context<'_>, queued: &Queued) {
    let (command, args) = (queued.command, queued.args.as_args());
    match cx.executor.recheck(cx.client, command, args) {
        Ok(()) => {
            cx.executor.call_nested(cx.client, cx.db, command, args, cx.reply, Within::Transaction);
        }
        Err(denial) => {
            let (shared, user) = (&cx.client.shared, cx.client.session.user());
            cx.server.note_denial(shared, user, denial, Place::Multi, command, args);
            let error = denial.exec_error();
            cx.executor.stats.error(error.code());
            cx.reply.error_bytes(error.text());
        }
    }
}

fn discard(cx: &mut Context<'_>) -> CommandResult {
    cx.client.take_transaction().ok_or(Error::fixed("ERR DISCARD without MULTI"))?;
    cx.client.unwatch(&cx.server.keyspace);
    cx.reply.ok();
    Ok(())
}

fn watch(cx: &mut Context<'_>) -> CommandResult {
    if cx.client.transaction.is_some() {
        return Err(Error::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        cx.client.watch(cx.db, &key);
    }
    cx.reply.ok();
    Ok(())
}

fn unwatch(cx: &mut Context<'_>) -> CommandResult {
    cx.client.unwatch(&cx.server.keyspace);
    cx.reply.ok();
    Ok(())
}
