//! ACL SETUSER, DELUSER, LOAD and SAVE: what changes users.

use crate::acl::{self, Change, DEFAULT_USER};
use crate::command::{CommandResult, Context, Error};

pub(super) fn setuser(cx: &mut Context<'_>) -> CommandResult {
    let name = cx.arg(2);
    if acl::has_blanks(name) {
        return Err(Error::fixed("ERR Usernames can't contain spaces or null characters"));
    }
    let rules: Vec<&[u8]> = cx.args.tail(3).iter().collect();
    let changed = cx.server.acl.set_user(name, &rules, &cx.server.config);
    let changed = changed.map_err(|reason| Error::new([b"ERR ", reason.as_slice()].concat()))?;
    silence(cx, &changed);
    cx.reply.ok();
    Ok(())
}

/// Disconnects who listens to what his user may not hear any more.
fn silence(cx: &Context<'_>, change: &Change) {
    if let Some(user) = change.loser_of_channels() {
        cx.server.pubsub.silence(user);
    }
}

pub(super) fn deluser(cx: &mut Context<'_>) -> CommandResult {
    let names: Vec<&[u8]> = cx.args.tail(2).iter().collect();
    if names.contains(&DEFAULT_USER) {
        return Err(Error::fixed("ERR The 'default' user cannot be removed"));
    }
    let deleted = names.iter().filter(|name| cx.server.acl.delete_user(name)).count();
    disconnect_the_deleted(cx);
    cx.reply.integer(deleted as i64);
    Ok(())
}

/// Closes the connections of users who do not exist any more.
fn disconnect_the_deleted(cx: &mut Context<'_>) {
    for client in cx.server.clients.all() {
        if cx.server.acl.user(&client.user.lock()).is_some() {
            continue;
        }
        if client.id == cx.client.id() {
            // This one still gets its reply.
            cx.client.closing = true;
        } else {
            client.kill();
        }
    }
}

fn check_has_file(cx: &Context<'_>) -> CommandResult {
    if cx.server.config.aclfile().is_empty() {
        return Err(Error::fixed(
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
             SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in \
             order to store users in the Redis configuration.",
        ));
    }
    Ok(())
}

pub(super) fn load(cx: &mut Context<'_>) -> CommandResult {
    check_has_file(cx)?;
    let loaded = cx.server.acl.load_file(&cx.server.config);
    let changes = loaded.map_err(|errors| Error::new([b"ERR ", errors.as_slice()].concat()))?;
    disconnect_the_deleted(cx);
    changes.iter().for_each(|change| silence(cx, change));
    cx.reply.ok();
    Ok(())
}

pub(super) fn save(cx: &mut Context<'_>) -> CommandResult {
    check_has_file(cx)?;
    cx.server.acl.save_file(&cx.server.config).map_err(|_| {
        Error::fixed(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        )
    })?;
    cx.reply.ok();
    Ok(())
}
