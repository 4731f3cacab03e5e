//! SCRIPT.

use scripting::Sha;

use super::run::lua;
use crate::command::{CommandResult, Context, Error};
use crate::scripts::Origin;

pub(super) fn load(cx: &mut Context<'_>) -> CommandResult {
    let known = lua(cx).load(&cx.server.scripts, cx.arg(2), Origin::Load)?;
    cx.reply.bulk(&known.script.sha.to_hex());
    Ok(())
}

pub(super) fn exists(cx: &mut Context<'_>) -> CommandResult {
    let digests = cx.args.tail(2);
    cx.reply.array(digests.len());
    for digest in digests.iter() {
        let known = Sha::parse(digest).is_some_and(|sha| cx.server.scripts.get(&sha).is_some());
        cx.reply.integer(known.into());
    }
    Ok(())
}

pub(super) fn flush(cx: &mut Context<'_>) -> CommandResult {
    let known_mode = cx.args.len() == 3 && (cx.arg_is(2, "sync") || cx.arg_is(2, "async"));
    if cx.args.len() != 2 && !known_mode {
        return Err(Error::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.server.scripts.flush();
    // Other workers give their memory back when they get round to it.
    cx.executor.tidy_scripts();
    cx.reply.ok();
    Ok(())
}

pub(super) fn show(cx: &mut Context<'_>) -> CommandResult {
    let script = Sha::parse(cx.arg(2)).and_then(|sha| cx.server.scripts.get(&sha));
    let script = script.ok_or(Error::fixed("NOSCRIPT No matching script. Please use EVAL."))?;
    cx.reply.bulk_shared(script.body.clone());
    Ok(())
}

pub(super) fn kill(cx: &mut Context<'_>) -> CommandResult {
    cx.server.scripts.kill(false)?;
    cx.reply.ok();
    Ok(())
}

pub(super) fn debug(cx: &mut Context<'_>) -> CommandResult {
    if cx.arg_is(2, "no") {
        cx.reply.ok();
        return Ok(());
    }
    if cx.arg_is(2, "yes") || cx.arg_is(2, "sync") {
        return Err(Error::fixed("ERR The debugger for scripts is not supported"));
    }
    Err(Error::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

pub(super) fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "DEBUG (YES|SYNC|NO)",
        "    The debugger for scripts, which is not supported.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Which scripts are known.",
        "FLUSH [ASYNC|SYNC]",
        "    Forgets all scripts.",
        "KILL",
        "    Ends the script that is running, unless it has written.",
        "LOAD <script>",
        "    Keeps a script, to be run by its digest.",
        "SHOW <sha1>",
        "    The text of a script.",
    ])
}
