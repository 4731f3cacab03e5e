//! FUNCTION.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::run::lua;
use super::script::kill_run;
use crate::command::{CommandResult, Context, Error};
use crate::glob;
use crate::scripts::LibraryCode;
use crate::server::unix_ms;

/// How long the code of a library may run while it is being loaded.
const LOAD_TIME: Duration = Duration::from_millis(500);

pub(super) fn load(cx: &mut Context<'_>) -> CommandResult {
    let code = cx.args.len() - 1;
    let mut replace = false;
    for index in 2..code {
        if !cx.arg_is(index, "replace") {
            return Err(Error::quoting("ERR Unknown option given: ", cx.arg(index), ""));
        }
        replace = true;
    }
    let name = lua(cx).load_library(&cx.server.scripts, cx.arg(code), replace, Some(LOAD_TIME))?;
    cx.db.effects.dirty += 1;
    cx.reply.bulk(name.as_bytes());
    Ok(())
}

pub(super) fn delete(cx: &mut Context<'_>) -> CommandResult {
    let removed = std::str::from_utf8(cx.arg(2)).ok().and_then(|name| cx.server.scripts.libraries.lock().remove(name));
    removed.ok_or(Error::fixed("ERR Library not found"))?;
    cx.server.scripts.libraries_version.fetch_add(1, Relaxed);
    cx.db.effects.dirty += 1;
    cx.reply.ok();
    Ok(())
}

pub(super) fn flush(cx: &mut Context<'_>) -> CommandResult {
    let known_mode = cx.args.len() == 3 && (cx.arg_is(2, "sync") || cx.arg_is(2, "async"));
    if cx.args.len() != 2 && !known_mode {
        return Err(Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    cx.server.scripts.libraries.lock().clear();
    cx.server.scripts.libraries_version.fetch_add(1, Relaxed);
    cx.db.effects.dirty += 1;
    cx.reply.ok();
    Ok(())
}

pub(super) fn list(cx: &mut Context<'_>) -> CommandResult {
    let (mut pattern, mut with_code) = (None, false);
    let mut index = 2;
    while index < cx.args.len() {
        if !with_code && cx.arg_is(index, "withcode") {
            with_code = true;
        } else if pattern.is_none() && cx.arg_is(index, "libraryname") {
            index += 1;
            let name = cx.args.get(index);
            pattern = Some(name.ok_or(Error::fixed("ERR library name argument was not given"))?);
        } else {
            return Err(Error::quoting("ERR Unknown argument ", cx.arg(index), ""));
        }
        index += 1;
    }
    let libraries = cx.server.scripts.libraries.lock();
    let chosen: Vec<&LibraryCode> = libraries
        .values()
        .map(|library| &**library)
        .filter(|library| pattern.is_none_or(|pattern| glob::matches(pattern, library.name.as_bytes(), true)))
        .collect();
    let reply = &mut *cx.reply;
    reply.array(chosen.len());
    for library in chosen {
        reply.map(if with_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(library.name.as_bytes());
        reply.bulk(b"engine");
        reply.bulk(b"LUA");
        reply.bulk(b"functions");
        reply.array(library.functions.len());
        for function in &library.functions {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(function.name.as_bytes());
            reply.bulk(b"description");
            match &function.description {
                Some(text) => reply.bulk(text),
                None => reply.null(),
            }
            reply.bulk(b"flags");
            reply.set(function.flags.names().count());
            function.flags.names().for_each(|name| reply.simple(name));
        }
        if with_code {
            reply.bulk(b"library_code");
            reply.bulk(&library.code);
        }
    }
    Ok(())
}

pub(super) fn stats(cx: &mut Context<'_>) -> CommandResult {
    let reply = &mut *cx.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match cx.server.scripts.slow_run() {
        None => reply.null(),
        Some(run) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(run.name.as_bytes());
            reply.bulk(b"command");
            reply.array(run.request.len());
            run.request.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.integer(unix_ms() - run.started_ms);
        }
    }
    let libraries = cx.server.scripts.libraries.lock();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.integer(libraries.len() as i64);
    reply.bulk(b"functions_count");
    reply.integer(libraries.values().map(|library| library.functions.len() as i64).sum());
    Ok(())
}

pub(super) fn kill(cx: &mut Context<'_>) -> CommandResult {
    kill_run(cx, true)
}

pub(super) fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "DELETE <library>",
        "    Removes a library.",
        "FLUSH [ASYNC|SYNC]",
        "    Removes all libraries.",
        "KILL",
        "    Ends the function that is running, unless it has written.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    The libraries with their functions.",
        "LOAD [REPLACE] <code>",
        "    Adds a library.",
        "STATS",
        "    The function that is running, and how many there are.",
    ])
}
