//! What a client says about itself and wants of its connection.

use super::*;
use crate::client::ReplyMode;
use crate::command::error::shown;

/// Names stand in lists between spaces: only printable ASCII without spaces is allowed.
fn is_attribute(value: &[u8]) -> bool {
    // What follows a NUL is not looked at, as in Redis.
    shown(value, usize::MAX).iter().all(u8::is_ascii_graphic)
}

/// Refuses a connection name with characters that lists could not show.
pub(in crate::commands::connection) fn check_name(name: &[u8]) -> Result<(), Error> {
    if is_attribute(name) {
        Ok(())
    } else {
        Err(Error::fixed("ERR Client names cannot contain spaces, newlines or special characters."))
    }
}

const ALL_NODES_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const ON_OR_OFF: &[Arg] = &[Arg::one_of("enabled", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")])];

pub(super) const SETNAME: Spec = subcommand(Spec::new("setname", 3, setname))
    .doc(Group::Connection, "2.6.9", "O(1)", "Names the connection; an empty name takes its name away.")
    .tips(ALL_NODES_TIPS)
    .args(&[Arg::new("connection-name", ArgKind::String)]);

fn setname(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.arg(2);
    check_name(name)?;
    *cx.client.shared.name.lock() = name.to_vec();
    cx.reply.ok();
    Ok(())
}

pub(super) const GETNAME: Spec = subcommand(Spec::new("getname", 2, getname)).doc(
    Group::Connection,
    "2.6.9",
    "O(1)",
    "Tells the connection's name.",
);

fn getname(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.client.shared.name.lock();
    if name.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(&name);
    }
    Ok(())
}

pub(super) const SETINFO: Spec = subcommand(Spec::new("setinfo", 4, setinfo))
    .doc(Group::Connection, "7.2.0", "O(1)", "Tells the server about the client's library.")
    .tips(ALL_NODES_TIPS)
    .args(&[Arg::one_of(
        "attr",
        &[Arg::new("libname", ArgKind::String).token("LIB-NAME"), Arg::new("libver", ArgKind::String).token("LIB-VER")],
    )]);

fn setinfo(cx: &mut Context<'_>) -> CommandResult {
    let shared = &cx.client.shared;
    let option = cx.arg(2);
    let attribute = if cx.arg_is(2, "lib-name") {
        &shared.lib_name
    } else if cx.arg_is(2, "lib-ver") {
        &shared.lib_ver
    } else {
        return Err(Error::quoting("ERR Unrecognized option '", option, "'"));
    };
    let value = cx.arg(3);
    if !is_attribute(value) {
        return Err(Error::quoting("ERR ", option, " cannot contain spaces, newlines or special characters."));
    }
    *attribute.lock() = value.to_vec();
    cx.reply.ok();
    Ok(())
}

pub(super) const REPLY: Spec = subcommand(Spec::new("reply", 3, reply))
    .doc(Group::Connection, "3.2.0", "O(1)", "Turns replies to this connection on and off.")
    .args(&[Arg::one_of("action", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF"), Arg::flag("skip", "SKIP")])]);

fn reply(cx: &mut Context<'_>) -> CommandResult {
    if cx.arg_is(2, "on") {
        cx.client.reply_mode = ReplyMode::On;
        cx.reply.ok();
    } else if cx.arg_is(2, "off") {
        cx.client.reply_mode = ReplyMode::Off;
    } else if !cx.arg_is(2, "skip") {
        return Err(Error::SYNTAX);
    } else if cx.client.reply_mode != ReplyMode::Off {
        cx.client.reply_mode = ReplyMode::SkipNext;
    }
    Ok(())
}

pub(super) const NO_EVICT: Spec = admin(Spec::new("no-evict", 3, no_evict))
    .doc(Group::Connection, "7.0.0", "O(1)", "Spares the connection when clients use too much memory.")
    .args(ON_OR_OFF);

fn no_evict(cx: &mut Context<'_>) -> CommandResult {
    let on = on_or_off(cx, 2)?;
    cx.client.shared.no_evict.store(on, Relaxed);
    cx.server.client_memory.limit_changed(cx.server);
    cx.reply.ok();
    Ok(())
}

pub(super) const NO_TOUCH: Spec = subcommand(Spec::new("no-touch", 3, no_touch))
    .doc(Group::Connection, "7.2.0", "O(1)", "Lets the connection's commands not count as uses of their keys.")
    .args(ON_OR_OFF);

fn no_touch(cx: &mut Context<'_>) -> CommandResult {
    let on = on_or_off(cx, 2)?;
    cx.client.shared.no_touch.store(on, Relaxed);
    cx.reply.ok();
    Ok(())
}
