//! Who a client is, and how it and the server talk: AUTH, HELLO and the way back, RESET.

use std::sync::atomic::Ordering::Relaxed;

use protocol::Resp;

use crate::acl::{DEFAULT_USER, Place};
use crate::client::ReplyMode;
use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::commands::connection::client::check_name;
use crate::{redact, set, version};

pub(super) const AUTH: Spec = Spec::new("auth", -2, auth)
    .doc(
        Group::Connection,
        "1.0.0",
        "O(N) where N is the number of passwords that the user has.",
        "Identifies the client by a password.",
    )
    .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY))
    .acl(Categories::CONNECTION)
    .secrets(|_, index| index > 0)
    .history(&[("6.0.0", "A user name may stand before the password.")])
    .args(&[Arg::new("username", ArgKind::String).optional().since("6.0.0"), Arg::new("password", ArgKind::String)]);

fn auth(cx: &mut Context<'_>) -> CommandResult {
    let (user, password) = match cx.args.len() {
        2 if cx.server.acl.takes_any_password() => {
            return Err(Error::fixed(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        2 => (DEFAULT_USER, cx.arg(1)),
        3 => (cx.arg(1), cx.arg(2)),
        _ => return Err(Error::SYNTAX),
    };
    log_in(cx, user, password)?;
    cx.reply.ok();
    Ok(())
}

fn log_in(cx: &mut Context<'_>, user: &[u8], password: &[u8]) -> CommandResult {
    let Some(session) = cx.server.acl.log_in(user, password) else {
        let place = if cx.is_nested() { Place::Multi } else { Place::Toplevel };
        cx.server.note_failed_login(&cx.client.shared, place, user, cx.args);
        return Err(Error::fixed("WRONGPASS invalid username-password pair or user is disabled."));
    };
    cx.client.act_for(session);
    Ok(())
}

pub(super) const HELLO: Spec = Spec::new("hello", -1, hello)
    .doc(Group::Connection, "6.0.0", "O(1)", "Agrees on a version of the protocol and introduces the server.")
    .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY))
    .acl(Categories::CONNECTION)
    .secrets(|args, index| [1, 2].iter().any(|places| redact::follows(args, index, *places, "auth")))
    .history(&[("6.2.0", "Without a version, it only introduces the server.")])
    .args(&[Arg::block(
        "arguments",
        &[
            Arg::new("protover", ArgKind::Integer),
            Arg::block("auth", &[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)])
                .token("AUTH")
                .optional(),
            Arg::new("clientname", ArgKind::String).token("SETNAME").optional(),
        ],
    )
    .optional()]);

fn hello(cx: &mut Context<'_>) -> CommandResult {
    let resp = match cx.args.get(1).map(protocol::parse_i64) {
        None => None,
        Some(None) => return Err(Error::fixed("ERR Protocol version is not an integer or out of range")),
        Some(Some(2)) => Some(Resp::V2),
        Some(Some(3)) => Some(Resp::V3),
        Some(Some(_)) => return Err(Error::fixed("NOPROTO unsupported protocol version")),
    };
    let (mut login, mut name) = (None, None);
    let mut index = 2;
    while index < cx.args.len() {
        let more = cx.args.len() - index - 1;
        if cx.arg_is(index, "auth") && more >= 2 {
            login = Some((cx.arg(index + 1), cx.arg(index + 2)));
            index += 3;
        } else if cx.arg_is(index, "setname") && more >= 1 {
            let wanted = cx.arg(index + 1);
            check_name(wanted)?;
            name = Some(wanted);
            index += 2;
        } else {
            return Err(Error::quoting("ERR Syntax error in HELLO option '", cx.arg(index), "'"));
        }
    }

    if let Some((user, password)) = login {
        log_in(cx, user, password)?;
    }
    if !cx.client.session.authenticated() {
        return Err(Error::fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        ));
    }
    if let Some(name) = name {
        *cx.client.shared.name.lock() = name.to_vec();
    }
    if let Some(resp) = resp {
        speak(cx, resp);
    }
    introduce(cx);
    Ok(())
}

/// Goes over to another version of the protocol, from this reply on.
fn speak(cx: &mut Context<'_>, resp: Resp) {
    let into = if cx.takes_mail() { Some(&mut *cx.reply) } else { None };
    cx.client.shared.mailbox.switch(resp, into);
    cx.reply.set_resp(resp);
    cx.client.shared.resp.store(resp_number(resp), Relaxed);
}

fn resp_number(resp: Resp) -> u8 {
    match resp {
        Resp::V2 => 2,
        Resp::V3 => 3,
    }
}

fn introduce(cx: &mut Context<'_>) {
    let id = cx.client.id() as i64;
    let reply = &mut cx.reply;
    let resp = reply.resp();
    reply.map(7);
    for (field, value) in [("server", "redis"), ("version", version::REDIS)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(i64::from(resp_number(resp)));
    reply.bulk(b"id");
    reply.integer(id);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

pub(super) const RESET: Spec = Spec::new("reset", 1, reset)
    .doc(Group::Connection, "6.2.0", "O(1)", "Puts the connection back into the state of a new one.")
    .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY))
    .acl(Categories::CONNECTION)
    .immediate();

fn reset(cx: &mut Context<'_>) -> CommandResult {
    cx.server.pubsub.leave_all(cx.client);
    cx.client.take_transaction();
    cx.client.unwatch(&cx.server.keyspace);
    cx.server.tracking.turn_off(cx.client);
    let shared = &cx.client.shared;
    cx.server.clients.remove_monitor(shared);
    shared.name.lock().clear();
    shared.no_evict.store(false, Relaxed);
    shared.no_touch.store(false, Relaxed);
    cx.client.act_for(cx.server.acl.newcomer());
    if cx.client.reply_mode != ReplyMode::Skip {
        // A reply that was to be left out is this one's.
        cx.client.reply_mode = ReplyMode::On;
    }
    cx.client.select(0);
    speak(cx, Resp::V2);
    cx.reply.simple("RESET");
    Ok(())
}
