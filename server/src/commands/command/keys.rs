//! COMMAND GETKEYS: which arguments of a request are keys.

use protocol::Args;

use super::info::write_names;
use super::subcommand;
use crate::command::keys::{self, KeysAt};
use crate::command::{Arg, ArgKind, CommandResult, Context, Error, Flags, Group, KeyFlags, Spec, dispatch};

const ANY_COMMAND: &[Arg] =
    &[Arg::new("command", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()];

pub(super) const GETKEYS: Spec = subcommand(Spec::new("getkeys", -3, getkeys))
    .doc(
        Group::Server,
        "2.8.13",
        "O(N) where N is the number of the command's arguments.",
        "Finds the keys among the arguments of any command.",
    )
    .args(ANY_COMMAND);

fn getkeys(cx: &mut Context<'_>) -> CommandResult {
    let request = cx.args.tail(2);
    let found = find(cx, request)?;
    cx.reply.array(found.len());
    for key in found {
        cx.reply.bulk(&request[key.index]);
    }
    Ok(())
}

pub(super) const GETKEYSANDFLAGS: Spec = subcommand(Spec::new("getkeysandflags", -3, getkeysandflags))
    .doc(
        Group::Server,
        "7.0.0",
        "O(N) where N is the number of the command's arguments.",
        "Finds the keys among the arguments of any command and tells what it does to them.",
    )
    .args(ANY_COMMAND);

fn getkeysandflags(cx: &mut Context<'_>) -> CommandResult {
    let request = cx.args.tail(2);
    let found = find(cx, request)?;
    cx.reply.array(found.len());
    for key in found {
        cx.reply.array(2);
        cx.reply.bulk(&request[key.index]);
        write_names(cx.reply, "", key.flags.names());
    }
    Ok(())
}

fn find(cx: &Context<'_>, request: Args<'_>) -> Result<KeysAt, Error> {
    let command =
        dispatch::find(&cx.server.commands, request).map_err(|_| Error::fixed("ERR Invalid command specified"))?;
    let spec = &command.spec;
    if spec.keys.iter().all(|key| key.flags.contains(KeyFlags::NOT_KEY)) {
        return Err(Error::fixed("ERR The command has no key arguments"));
    }
    if !spec.accepts(request.len()) {
        return Err(Error::fixed("ERR Invalid number of arguments specified for command"));
    }
    match keys::find_of_each(spec, request) {
        Some(found) if !found.is_empty() => Ok(found),
        _ if spec.flags.contains(Flags::NO_MANDATORY_KEYS) => Ok(KeysAt::new()),
        _ => Err(Error::fixed("ERR Invalid arguments specified for command")),
    }
}
