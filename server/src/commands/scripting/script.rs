//! SCRIPT.

use std::sync::atomic::Ordering::Relaxed;

use scripting::Sha;

use super::run::lua;
use crate::command::{CommandResult, Context, Error};
use crate::scripts::Origin;

pub(super) fn load(cx: &mut Context<'_>) -> CommandResult {
    let script = lua(cx).load(&cx.server.scripts, cx.arg(2), Origin::Load)?;
    cx.reply.bulk(&script.sha.to_hex());
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
    kill_run(cx, false)
}

/// Ends what is running, a function or a script.
pub(super) fn kill_run(cx: &mut Context<'_>, function: bool) -> CommandResult {
    let run = cx.server.scripts.slow_run();
    let run = run.ok_or(Error::fixed("NOTBUSY No scripts in execution right now."))?;
    if run.wrote.load(Relaxed) {
        return Err(Error::fixed(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        ));
    }
    if run.is_function != function {
        return Err(cx.server.scripts.busy_error());
    }
    run.killed.store(true, Relaxed);
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
