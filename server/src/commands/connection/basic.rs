//! The shortest conversations.

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::set;

pub(super) const PING: Spec = Spec::new("ping", -1, ping)
    .doc(Group::Connection, "1.0.0", "O(1)", "Replies a sign of life.")
    .flags(Flags::FAST)
    .acl(Categories::CONNECTION)
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .args(&[Arg::new("message", ArgKind::String).optional()]);

fn ping(cx: &mut Context<'_>) -> CommandResult {
    match cx.args.len() {
        1 | 2 if cx.client.only_listens() => {
            cx.reply.array(2);
            cx.reply.bulk(b"pong");
            cx.reply.bulk(cx.arg(1));
        }
        1 => cx.reply.simple("PONG"),
        2 => cx.reply.bulk(cx.arg(1)),
        _ => return Err(Error::wrong_arity("ping")),
    }
    Ok(())
}

pub(super) const ECHO: Spec = Spec::new("echo", 2, echo)
    .doc(Group::Connection, "1.0.0", "O(1)", "Replies the string it is given.")
    .flags(set!(Flags: LOADING | STALE | FAST))
    .acl(Categories::CONNECTION)
    .args(&[Arg::new("message", ArgKind::String)]);

fn echo(cx: &mut Context<'_>) -> CommandResult {
    match cx.args.shared(1) {
        Some(message) => cx.reply.bulk_shared(message.clone()),
        None => cx.reply.bulk(cx.arg(1)),
    }
    Ok(())
}

pub(super) const SELECT: Spec = Spec::new("select", 2, select)
    .doc(Group::Connection, "1.0.0", "O(1)", "Turns to another database.")
    .flags(set!(Flags: LOADING | STALE | FAST))
    .acl(Categories::CONNECTION)
    .args(&[Arg::new("index", ArgKind::Integer)]);

fn select(cx: &mut Context<'_>) -> CommandResult {
    let database = cx.database(1)?;
    cx.client.select(database);
    cx.reply.ok();
    Ok(())
}

pub(super) const QUIT: Spec = Spec::new("quit", -1, quit)
    .doc(Group::Connection, "1.0.0", "O(1)", "Ends the connection.")
    .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY))
    .acl(Categories::CONNECTION)
    .deprecated("7.2.0", "just closing the connection")
    .immediate();

fn quit(cx: &mut Context<'_>) -> CommandResult {
    cx.client.closing = true;
    cx.reply.ok();
    Ok(())
}
