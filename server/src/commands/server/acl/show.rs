//! ACL CAT, GETUSER, LIST, USERS and WHOAMI: what there is.

use crate::acl::{self, Selector};
use crate::command::error::shown;
use crate::command::spec::CATEGORY_NAMES;
use crate::command::{CommandResult, CommandTable, Context, Error};

pub(super) fn cat(cx: &mut Context<'_>) -> CommandResult {
    let names: Vec<&str> = match cx.args.len() {
        2 => CATEGORY_NAMES.iter().map(|(_, name)| *name).collect(),
        3 => {
            let unknown = || Error::quoting("ERR Unknown category '", shown(cx.arg(2), 128), "'");
            let category = acl::category_named(cx.arg(2)).ok_or_else(unknown)?;
            let commands = CommandTable::declared().iter_all();
            let inside = commands.filter(|command| command.spec.all_categories().contains(category));
            inside.map(|command| command.full_name.as_str()).collect()
        }
        _ => return Err(Error::unknown_subcommand(cx.args)),
    };
    cx.reply.array(names.len());
    for name in names {
        cx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

pub(super) fn getuser(cx: &mut Context<'_>) -> CommandResult {
    let Some(user) = cx.server.acl.user(cx.arg(2)) else {
        cx.reply.null();
        return Ok(());
    };
    cx.reply.map(6);
    cx.reply.bulk(b"flags");
    let flags: Vec<&str> = user.flags().collect();
    cx.reply.set(flags.len());
    for flag in flags {
        cx.reply.bulk(flag.as_bytes());
    }
    cx.reply.bulk(b"passwords");
    let hashes: Vec<String> = user.password_hashes().collect();
    cx.reply.array(hashes.len());
    for hash in hashes {
        cx.reply.bulk(hash.as_bytes());
    }
    show_selector(cx, user.root());
    cx.reply.bulk(b"selectors");
    cx.reply.array(user.further_selectors().len());
    for selector in user.further_selectors() {
        cx.reply.map(3);
        show_selector(cx, selector);
    }
    Ok(())
}

fn show_selector(cx: &mut Context<'_>, selector: &Selector) {
    let parts = [
        ("commands", selector.command_rules()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ];
    for (name, rules) in parts {
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(&rules);
    }
}

pub(super) fn list(cx: &mut Context<'_>) -> CommandResult {
    let users = cx.server.acl.users();
    cx.reply.array(users.len());
    for user in users {
        cx.reply.bulk(&[b"user ", user.declaration().as_slice()].concat());
    }
    Ok(())
}

pub(super) fn users(cx: &mut Context<'_>) -> CommandResult {
    let users = cx.server.acl.users();
    cx.reply.array(users.len());
    for user in users {
        cx.reply.bulk(user.name());
    }
    Ok(())
}

pub(super) fn whoami(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.bulk(cx.client.session.user().name());
    Ok(())
}
