//! FUNCTION.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::run::lua;
use storage::rdb::{self, PayloadError};

use crate::command::{CommandResult, Context, Error};
use crate::glob;
use crate::scripts::{LibraryCode, Policy};

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
    if cx.args.len() > 3 {
        return Err(Error::unknown_subcommand(cx.args));
    }
    let known_mode = cx.args.len() == 3 && (cx.arg_is(2, "sync") || cx.arg_is(2, "async"));
    if cx.args.len() != 2 && !known_mode {
        return Err(Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    cx.server.scripts.forget_libraries();
    cx.db.effects.dirty += 1;
    cx.reply.ok();
    Ok(())
}

pub(super) fn dump(cx: &mut Context<'_>) -> CommandResult {
    let libraries = cx.server.scripts.libraries.lock();
    let codes = libraries.values().map(|library| library.code.as_slice());
    let payload = rdb::dump_functions(codes, cx.server.config.rdbcompression());
    drop(libraries);
    cx.reply.bulk(&payload);
    Ok(())
}

pub(super) fn restore(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 4 {
        return Err(Error::unknown_subcommand(cx.args));
    }
    let policy = match cx.args.get(3).unwrap_or(b"append").to_ascii_lowercase().as_slice() {
        b"append" => Policy::Append,
        b"replace" => Policy::Replace,
        b"flush" => Policy::Flush,
        _ => {
            let text = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
            return Err(Error::fixed(text));
        }
    };
    let check = !cx.server.skips_checksums.load(Relaxed);
    let codes = rdb::restore_functions(cx.arg(2), check).map_err(|problem| {
        Error::fixed(match problem {
            PayloadError::Footer => "ERR DUMP payload version or checksum are wrong",
            PayloadError::Content(rdb::Error::UnknownKind(_)) => "ERR given type is not a function",
            PayloadError::Content(_) => "ERR Failed loading library payload",
        })
    })?;
    cx.server.scripts.restore_libraries(&codes, policy)?;
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
    let scripts = &cx.server.scripts;
    if scripts.slow_run().is_some_and(|run| !run.is_function) {
        return Err(scripts.busy_error());
    }
    scripts.write_stats(cx.reply);
    Ok(())
}

pub(super) fn kill(cx: &mut Context<'_>) -> CommandResult {
    cx.server.scripts.kill(true)?;
    cx.reply.ok();
    Ok(())
}

pub(super) fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "DELETE <library>",
        "    Removes a library.",
        "DUMP",
        "    All libraries, serialized.",
        "FLUSH [ASYNC|SYNC]",
        "    Removes all libraries.",
        "KILL",
        "    Ends the function that is running, unless it has written.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    The libraries with their functions.",
        "LOAD [REPLACE] <code>",
        "    Adds a library.",
        "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
        "    Adds libraries that were serialized: in the place of all others, beside those of other names, or in the",
        "    place of those that have their names.",
        "STATS",
        "    The function that is running, and how many there are.",
    ])
}
