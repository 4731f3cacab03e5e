//! The functions of the table `redis`.

use std::ffi::c_int;

use protocol::{DoubleText, OwnedArgs, Reply, Resp};

use super::from_reply::{Failure, push_reply};
use crate::functions;
use crate::host::{Flow, LogLevel, Replication};
use crate::lua::memory::OUT_OF_MEMORY;
use crate::lua::numbers::truncate;
use crate::lua::protect::protect;
use crate::lua::shared::Scratch;
use crate::lua::{Ending, Kind, Outcome, Raise, State};
use crate::script::Sha;

/// The server's version, as scripts may ask for it.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) text: String,
    pub(crate) number: u32,
}

/// Which of the `redis` tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// For EVAL.
    Scripts,
    /// For functions, when they are called.
    Functions,
    /// For the code of a library, when it is loaded.
    Loading,
}

/// Pushes the table `redis`.
pub(crate) fn install(state: &State, api: Api, version: &Version) {
    state.push_table(0, 32);
    let redis = state.top();
    let numbers = [
        ("LOG_DEBUG", LogLevel::Debug as u8),
        ("LOG_VERBOSE", LogLevel::Verbose as u8),
        ("LOG_NOTICE", LogLevel::Notice as u8),
        ("LOG_WARNING", LogLevel::Warning as u8),
    ];
    for (name, number) in numbers {
        state.push_number(number.into());
        state.set_field(redis, name);
    }
    state.push_number(version.number.into());
    state.set_field(redis, "REDIS_VERSION_NUM");
    state.push_bytes(version.text.as_bytes());
    state.set_field(redis, "REDIS_VERSION");
    state.push_function(log);
    state.set_field(redis, "log");
    if api == Api::Loading {
        state.push_function(functions::register_function);
        state.set_field(redis, "register_function");
        return;
    }

    for (name, number) in [
        ("REPL_NONE", NOWHERE),
        ("REPL_AOF", AOF),
        ("REPL_SLAVE", REPLICAS),
        ("REPL_REPLICA", REPLICAS),
        ("REPL_ALL", AOF | REPLICAS),
    ] {
        state.push_number(number as f64);
        state.set_field(redis, name);
    }
    let with_name = |name, push: &dyn Fn()| {
        push();
        state.set_field(redis, name);
    };
    with_name("call", &|| state.push_function(call));
    with_name("pcall", &|| state.push_function(pcall));
    with_name("error_reply", &|| state.push_function(error_reply));
    with_name("status_reply", &|| state.push_function(status_reply));
    with_name("sha1hex", &|| state.push_function(sha1hex));
    with_name("setresp", &|| state.push_function(setresp));
    with_name("set_repl", &|| state.push_function(set_repl));
    with_name("acl_check_cmd", &|| state.push_function(acl_check_cmd));
    if api == Api::Scripts {
        with_name("breakpoint", &|| state.push_function(breakpoint));
        with_name("debug", &|| state.push_function(debug));
        with_name("replicate_commands", &|| state.push_function(replicate_commands));
    }
    protect(state);
}

const NOWHERE: i64 = 0;
const AOF: i64 = 1;
const REPLICAS: i64 = 2;

fn call(state: State) -> Outcome {
    run_command(state, true)
}

fn pcall(state: State) -> Outcome {
    run_command(state, false)
}

/// Runs a command: an error is raised, or answered as a table.
fn run_command(state: State, raise: bool) -> Outcome {
    let shared = state.shared();
    if shared.ending().is_some() {
        return Err(state.ended());
    }
    if !shared.is_running() {
        return Err(state.error_table("redis.call/pcall can only be called inside a script invocation"));
    }
    let Ok(mut scratch) = shared.scratch.try_borrow_mut() else {
        return Err(state.error_table("redis.call/pcall cannot be called by a command"));
    };
    let Scratch { args, reply } = &mut *scratch;
    if let Err(message) = read_arguments(&state, args) {
        if shared.ending().is_some() {
            return Err(state.ended());
        }
        let error = state.error_table(message);
        return if raise { Err(error) } else { Ok(1) };
    }
    state.set_top(0);
    reply.clear();
    reply.set_resp(shared.resp.get());
    match shared.with_host(|host| host.call(args.as_args(), reply)) {
        Some(Flow::Continue) => {}
        Some(Flow::Abandon) => shared.end(Ending::Abandoned),
        Some(Flow::Kill) | None => shared.end(Ending::Killed),
    }
    if shared.ending().is_some() {
        return Err(state.ended());
    }
    let failed = push_and_clear(&state, reply);
    if failed && raise { Err(Raise::top()) } else { Ok(1) }
}

/// Pushes the value of a reply; answers whether it is an error.
fn push_and_clear(state: &State, reply: &mut Reply) -> bool {
    let failed = match reply.whole() {
        Some(whole) => push_whole(state, whole),
        None if state.shared().has_room(reply.len()) => push_whole(state, &reply.to_vec()),
        None => push_failure(state, OUT_OF_MEMORY),
    };
    reply.clear();
    failed
}

fn push_whole(state: &State, reply: &[u8]) -> bool {
    match push_reply(state, reply) {
        Ok(()) => reply.first() == Some(&b'-'),
        Err(Failure::Malformed) => push_failure(state, "the reply of the command cannot be read"),
        Err(Failure::OutOfMemory) => push_failure(state, OUT_OF_MEMORY),
    }
}

/// Pushes an error in place of a reply.
fn push_failure(state: &State, message: &str) -> bool {
    state.set_top(0);
    let _ = state.error_table(message);
    true
}

/// Collects the arguments of a command.
fn read_arguments(state: &State, args: &mut OwnedArgs) -> Result<(), &'static str> {
    let count = state.top();
    if count == 0 {
        return Err("Please specify at least one argument for this redis lib call");
    }
    args.clear();
    let (shared, mut bytes) = (state.shared(), 0);
    for index in 1..=count {
        match state.kind(index) {
            Kind::String => {
                let text = state.bytes(index).unwrap_or_default();
                bytes += text.len();
                if !shared.has_room(bytes) {
                    return Err(OUT_OF_MEMORY);
                }
                if shared.has_worked(text.len()) && !shared.poll() {
                    return Err("the script must end");
                }
                args.push(text);
            }
            Kind::Number => push_number(args, state.number(index).unwrap_or_default()),
            _ => return Err("Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(())
}

/// Adds a number in the digits that Redis gives it: integers as such, others in the fewest digits that name them.
fn push_number(args: &mut OwnedArgs, value: f64) {
    const SAFE: f64 = (i64::MAX / 2) as f64;
    if (-SAFE..=SAFE).contains(&value) && value.fract() == 0.0 {
        args.push(itoa::Buffer::new().format(value as i64).as_bytes());
    } else if value.is_nan() && value.is_sign_negative() {
        args.push(b"-nan");
    } else {
        args.push(DoubleText::new(value).as_bytes());
    }
}

fn sha1hex(state: State) -> Outcome {
    const PIECE: usize = 1 << 20;
    /// It takes so many times as long as copying.
    const WORK: usize = 4;
    if state.top() != 1 {
        return Err(state.error_table("wrong number of arguments"));
    }
    let pieces = state.bytes(1).unwrap_or_default().chunks(PIECE);
    let sha = Sha::of_pieces(pieces.map(|piece| state.advance(WORK * piece.len(), 0).map(|()| piece)))?;
    state.push_bytes(&sha.to_hex());
    Ok(1)
}

/// The only argument of `error_reply` and `status_reply`, if it is a string; otherwise an error table is pushed.
fn reply_text(state: &State) -> bool {
    let fits = state.top() == 1 && state.kind(1) == Kind::String;
    if !fits {
        let _ = state.error_table("wrong number or type of arguments");
    }
    fits
}

fn error_reply(state: State) -> Outcome {
    if !reply_text(&state) {
        return Ok(1);
    }
    let text = state.c_text(1).unwrap_or_default().to_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    // The first word is the code; alone it is none.
    let mut error = match text.contains(&b' ') {
        true => text.to_vec(),
        false => [b"ERR ", text].concat(),
    };
    while matches!(error.last(), Some(b'\r' | b'\n')) {
        error.pop();
    }
    state.push_error_table(&error);
    Ok(1)
}

fn status_reply(state: State) -> Outcome {
    if reply_text(&state) {
        state.push_table(0, 1);
        state.push_value(1);
        state.set_field(2, "ok");
    }
    Ok(1)
}

fn setresp(state: State) -> Outcome {
    if !state.shared().is_running() {
        return Err(state.error_table("redis.setresp can only be called inside a script invocation"));
    }
    if state.top() != 1 {
        return Err(state.error_table("redis.setresp() requires one argument."));
    }
    let resp = match truncate(state.number(1).unwrap_or_default()) {
        2 => Resp::V2,
        3 => Resp::V3,
        _ => return Err(state.error_table("RESP version must be 2 or 3.")),
    };
    state.shared().resp.set(resp);
    Ok(0)
}

fn set_repl(state: State) -> Outcome {
    if !state.shared().is_running() {
        return Err(state.error_table("redis.set_repl can only be called inside a script invocation"));
    }
    if state.top() != 1 {
        return Err(state.error_table("redis.set_repl() requires one argument."));
    }
    let flags = truncate(state.number(1).unwrap_or_default());
    if flags & !(AOF | REPLICAS) != 0 {
        return Err(state.error_table("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."));
    }
    let replication = Replication { aof: flags & AOF != 0, replicas: flags & REPLICAS != 0 };
    state.shared().with_host(|host| host.set_replication(replication));
    Ok(0)
}

fn acl_check_cmd(state: State) -> Outcome {
    let shared = state.shared();
    let Ok(mut scratch) = shared.scratch.try_borrow_mut() else {
        return Err(state.error_table("redis.acl_check_cmd cannot be called by a command"));
    };
    let args = &mut scratch.args;
    if let Err(message) = read_arguments(&state, args) {
        return Err(state.error_table(message));
    }
    match shared.with_host(|host| host.may_call(args.as_args())) {
        None => Err(state.error_table("redis.acl_check_cmd can only be called inside a script invocation")),
        Some(None) => Err(state.error_table("Invalid command passed to redis.acl_check_cmd()")),
        Some(Some(allowed)) => {
            state.push_boolean(allowed);
            Ok(1)
        }
    }
}

fn log(state: State) -> Outcome {
    let count = state.top();
    if count < 2 {
        return Err(state.error_table("redis.log() requires two arguments or more."));
    }
    let Some(level) = state.number(1) else {
        return Err(state.error_table("First argument must be a number (log level)."));
    };
    let level = match truncate(level) {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return Err(state.error_table("Invalid log level.")),
    };
    let words: Vec<&[u8]> = (2..=count).filter_map(|index: c_int| state.bytes(index)).collect();
    let length = words.iter().map(|word| word.len() + 1).sum();
    state.advance(length, length)?;
    let line = words.join(&b' ');
    state.shared().with_host(|host| host.log(level, &line));
    Ok(0)
}

/// There is no debugger to stop in.
fn breakpoint(state: State) -> Outcome {
    state.push_boolean(false);
    Ok(1)
}

/// There is no debugger to write to.
fn debug(_: State) -> Outcome {
    Ok(0)
}

/// Effects are always what is replicated.
fn replicate_commands(state: State) -> Outcome {
    state.push_boolean(true);
    Ok(1)
}
