//! Running scripts and functions.

use std::cell::RefMut;
use std::fmt::Display;
use std::iter::Take;

use protocol::{ArgsIter, Reply};
use scripting::{End, Flags as ScriptFlags, Host, Sha};
use smallvec::SmallVec;
use storage::Key;

use crate::command::{CommandResult, Context, Error};
use crate::eviction::Room;
use crate::monitor;
use crate::persistence;
use crate::scripts::{Conduct, Known, Limits, Lua, Origin, ScriptHost, Subject};
use crate::server::os_error_text;

const NO_SCRIPT: Error = Error::fixed("NOSCRIPT No matching script. Please use EVAL.");

pub(super) fn eval(cx: &mut Context<'_>) -> CommandResult {
    eval_text(cx, false)
}

pub(super) fn eval_ro(cx: &mut Context<'_>) -> CommandResult {
    eval_text(cx, true)
}

pub(super) fn evalsha(cx: &mut Context<'_>) -> CommandResult {
    eval_sha(cx, false)
}

pub(super) fn evalsha_ro(cx: &mut Context<'_>) -> CommandResult {
    eval_sha(cx, true)
}

/// This worker's engines.
pub(super) fn lua<'a>(cx: &Context<'a>) -> RefMut<'a, Lua> {
    RefMut::map(cx.executor.lua.borrow_mut(), |lua| {
        &mut **lua.get_or_insert_with(|| Box::new(Lua::new(&cx.server.scripts)))
    })
}

fn eval_text(cx: &mut Context<'_>, read_only: bool) -> CommandResult {
    feed_monitors(cx);
    let keys = declared_keys(cx)?;
    let mut lua = lua(cx);
    let known = lua.load(&cx.server.scripts, cx.arg(1), Origin::Eval)?;
    run_script(cx, &mut lua, &known, read_only, keys)
}

fn eval_sha(cx: &mut Context<'_>, read_only: bool) -> CommandResult {
    feed_monitors(cx);
    if cx.arg(1).len() != Sha::DIGITS {
        return Err(NO_SCRIPT);
    }
    let keys = declared_keys(cx)?;
    let mut lua = lua(cx);
    let known = lua.find(&cx.server.scripts, cx.arg(1)).ok_or(NO_SCRIPT)?;
    run_script(cx, &mut lua, &known, read_only, keys)
}

fn run_script(cx: &mut Context<'_>, lua: &mut Lua, known: &Known, read_only: bool, keys: usize) -> CommandResult {
    let script = &known.script;
    let call = Call { name: &script.sha, is_function: false, read_only, flags: script.flags, keys };
    run(cx, lua, &script.conduct, call, |lua, keys, args, host, reply| lua.run(known, keys, args, host, reply))
}

pub(super) fn fcall(cx: &mut Context<'_>) -> CommandResult {
    call_function(cx, false)
}

pub(super) fn fcall_ro(cx: &mut Context<'_>) -> CommandResult {
    call_function(cx, true)
}

fn call_function(cx: &mut Context<'_>, read_only: bool) -> CommandResult {
    feed_monitors(cx);
    let mut lua = lua(cx);
    lua.follow(&cx.server.scripts);
    let at = lua.function(cx.arg(1)).ok_or(Error::fixed("ERR Function not found"))?;
    let keys = declared_keys(cx).map_err(|error| {
        if error == Error::NOT_AN_INTEGER { Error::fixed("ERR Bad number of keys provided") } else { error }
    })?;
    let function = &at.library.functions[at.index];
    let call = Call { name: &function.name, is_function: true, read_only, flags: Some(function.flags), keys };
    run(cx, &mut lua, at.conduct(), call, |lua, keys, args, host, reply| lua.call(&at, keys, args, host, reply))
}

/// Monitors see a script before what it does.
fn feed_monitors(cx: &mut Context<'_>) {
    if cx.server.clients.monitored() {
        monitor::feed(cx.server, cx.client, cx.command, cx.args, cx.reply, cx.within);
    }
}

/// How many of the arguments are keys.
fn declared_keys(cx: &Context<'_>) -> Result<usize, Error> {
    let number = cx.integer(2)?;
    if number > cx.args.len() as i64 - 3 {
        return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(number).map_err(|_| Error::fixed("ERR Number of keys can't be negative"))
}

/// What is to be run.
struct Call<'a> {
    name: &'a dyn Display,
    is_function: bool,
    /// It was asked for by a command that writes nothing.
    read_only: bool,
    /// What it says of itself; `None` if it says nothing.
    flags: Option<ScriptFlags>,
    /// How many keys are declared.
    keys: usize,
}

impl Call<'_> {
    /// What the script may do, if it may run.
    fn limits(&self, cx: &Context<'_>) -> Result<Limits, Error> {
        let out_of_memory = cx.executor.room() == Room::None;
        let Some(flags) = self.flags else { return Ok(Limits { read_only: self.read_only, out_of_memory }) };
        let writes = !flags.contains(ScriptFlags::NO_WRITES);
        if writes && persistence::refuses_unsaved(cx.server) {
            return Err(Error::fixed(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable \
                 scripts are blocked. Use 'no-writes' flag for read only scripts.",
            ));
        }
        if writes && self.read_only {
            return Err(Error::fixed("ERR Can not execute a script with write flag using *_ro command."));
        }
        if writes && let Some(error) = cx.server.aof.error() {
            return Err(Error::new(format!(
                "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. \
                 Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {}",
                os_error_text(&error)
            )));
        }
        let may_lack_memory = flags.contains(ScriptFlags::ALLOW_OOM) || !writes;
        if out_of_memory && !may_lack_memory {
            return Err(Error::OUT_OF_MEMORY);
        }
        Ok(Limits { read_only: self.read_only || !writes, out_of_memory: out_of_memory && !may_lack_memory })
    }
}

/// Runs a script: with the shards of its keys if it is known to keep to them, otherwise with all.
fn run(
    cx: &mut Context<'_>,
    lua: &mut Lua,
    conduct: &Conduct,
    call: Call<'_>,
    mut start: impl FnMut(&mut Lua, Take<ArgsIter<'_>>, ArgsIter<'_>, &mut dyn Host, &mut Reply) -> End,
) -> CommandResult {
    let limits = call.limits(cx)?;
    let args = cx.args;
    let (keys, rest) = (args.tail(3), args.tail(3 + call.keys));
    let names: SmallVec<[Key<'_>; 8]> = keys.iter().take(call.keys).map(|name| cx.server.keyspace.key(name)).collect();
    let subject = Subject { name: call.name, is_function: call.is_function, args, keys: &names };
    let mut all_locked = cx.is_nested() || !conduct.keeps();
    let mark = cx.reply.mark();
    loop {
        if all_locked {
            cx.lock_all()?;
        } else {
            cx.lock(&names)?;
        }
        let mut host = ScriptHost::new(cx.executor, cx.client, cx.db, limits, subject, all_locked, conduct.strays());
        let end = start(lua, keys.iter().take(call.keys), rest.iter(), &mut host, cx.reply);
        let (strayed, left_traces) = (host.strayed, host.left_traces);
        drop(host);
        conduct.note(strayed);
        match end {
            End::Replied => {
                cx.failed = cx.reply.is_error_since(mark);
                break;
            }
            End::Abandoned if !all_locked && !left_traces => {
                cx.reply.truncate_to(mark);
                cx.unlock();
                all_locked = true;
            }
            End::Abandoned => return Err(Error::fixed("ERR Error running script: it was given up")),
        }
    }
    lua.note_memory(&cx.server.scripts);
    Ok(())
}
