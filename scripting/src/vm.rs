//! A virtual machine: a Lua state with everything that scripts find in it.

use std::ffi::c_int;
use std::fmt::Display;

use protocol::Reply;

use crate::Options;
use crate::host::Host;
use crate::libs::{base, bit, cjson, cmsgpack, math, strings, structs};
use crate::lua::errors::CallInfo;
use crate::lua::machine::{GLOBALS, Machine};
use crate::lua::protect::{point, protect, push_behind, show_metatable};
use crate::lua::{Ending, Kind, Outcome, Raise, State, guards, hook};
use crate::redis::{self, Api, Version, write_reply};

/// How a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a reply, which may be an error.
    Replied,
    /// Without a reply, because the host wanted it so.
    Abandoned,
}

/// A script or function that a virtual machine keeps; good until it is removed there.
#[derive(Clone, Copy, Debug)]
pub struct Compiled(pub(crate) c_int);

/// Whom a virtual machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// EVAL: keys and arguments are globals.
    Scripts,
    /// FCALL: they are handed to the function.
    Functions,
}

/// Libraries that scripts find, all of them read-only.
const LIBRARIES: [&str; 9] = ["string", "table", "math", "coroutine", "os", "bit", "struct", "cjson", "cmsgpack"];

pub(crate) struct Vm {
    /// `KEYS` and `ARGV`, for scripts. Functions are handed theirs.
    lists: Option<[List; 2]>,
    /// Kept values: the error handler, the table of globals, and of functions the globals while a library loads.
    handler: c_int,
    globals: c_int,
    loading_globals: c_int,
    machine: Machine,
}

impl Vm {
    pub(crate) fn new(purpose: Purpose, options: &Options) -> Self {
        let machine = Machine::new(options.memory_limit);
        let state = machine.state();
        machine.open_libraries();
        state.set_top(0);
        state.push_value(GLOBALS);
        let globals = state.top();
        let version = Version::new(&options.redis_version);

        guards::install(&state, globals);
        base::install(&state, globals);
        change_library(&state, globals, "string", strings::install);
        change_library(&state, globals, "math", math::install);
        bit::push(&state);
        state.set_field(globals, "bit");
        structs::push(&state);
        state.set_field(globals, "struct");
        cjson::push(&state);
        state.set_field(globals, "cjson");
        cmsgpack::push(&state);
        state.set_field(globals, "cmsgpack");
        for library in LIBRARIES {
            state.raw_field(globals, library);
            protect(&state);
            state.set_field(globals, library);
        }
        protect_strings(&state, globals);

        let api = if purpose == Purpose::Scripts { Api::Scripts } else { Api::Functions };
        redis::install(&state, api, &version);
        state.set_field(globals, "redis");
        state.push_function(handle_error);
        if purpose == Purpose::Scripts {
            state.push_value(state.top());
            state.set_field(globals, "__redis__err__handler");
        }
        let handler = state.keep();

        refuse_missing(&state, globals);
        let loading_globals = match purpose {
            Purpose::Scripts => 0,
            Purpose::Functions => keep_loading_globals(&state, &version),
        };
        install_globals(&state, globals);
        state.set_top(globals);
        let globals = state.keep();
        let lists = (purpose == Purpose::Scripts).then(|| ["KEYS", "ARGV"].map(|name| List::new(&state, name)));
        hook::install(&state);
        state.collect_garbage();
        Self { lists, handler, globals, loading_globals, machine }
    }

    pub(crate) fn state(&self) -> State {
        self.machine.state()
    }

    /// See [`Machine::take_freed`].
    pub(crate) fn take_freed(&self) -> usize {
        self.machine.take_freed()
    }

    /// Keeps the compiled script that is on top (popped). One that assigns to no global variable gets the table of globals
    /// itself instead of the view of it, which is the quicker of the two to read.
    pub(crate) fn keep_script(&self) -> c_int {
        let state = self.state();
        if !state.assigns_globals() {
            state.push_kept(self.globals);
            state.set_environment(state.top() - 1);
        }
        state.keep()
    }

    /// Bytes of memory that the machine holds.
    pub(crate) fn memory(&self) -> usize {
        self.machine.memory()
    }

    /// Runs a kept function and writes what it returns, or its error. `name` is what errors call it.
    pub(crate) fn run<'a>(
        &mut self,
        function: c_int,
        name: &dyn Display,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> End {
        let state = self.state();
        let (start, used) = (reply.mark(), state.shared().used());
        let ((), ending) = state.shared().with_run(host, || {
            state.set_top(0);
            state.push_kept(self.handler);
            state.push_kept(function);
            let arguments = match &mut self.lists {
                Some([key_list, arg_list]) => {
                    key_list.fill(&state, self.globals, keys);
                    arg_list.fill(&state, self.globals, args);
                    0
                }
                None => {
                    push_strings(&state, keys);
                    push_strings(&state, args);
                    2
                }
            };
            let mut on_error = |error: &[u8]| {
                state.shared().with_host(|host| host.error_replied(error));
            };
            let outcome = match state.protected_call(arguments, Some(1), 1) {
                Ok(()) => write_reply(&state, reply, &mut on_error),
                Err(raise) => Err(raise),
            };
            if let Err(raise) = outcome
                && state.shared().ending() != Some(Ending::Abandoned)
            {
                reply.truncate_to(start);
                write_error(&state, name, reply, &mut on_error, raise);
            }
            state.set_top(0);
            if state.has_left_much(used) {
                self.lists.iter_mut().flatten().for_each(|list| list.fill(&state, self.globals, [].into_iter()));
                state.collect_garbage();
            }
            state.shared().trim_scratch();
        });
        if ending == Some(Ending::Abandoned) {
            reply.truncate_to(start);
            return End::Abandoned;
        }
        End::Replied
    }

    /// Runs a compiled library, which is on top of the stack, with nothing but `redis` to be seen.
    pub(crate) fn run_library(&mut self, host: &mut dyn Host) -> Result<(), Vec<u8>> {
        let state = self.state();
        self.point_globals(self.loading_globals);
        let (result, _) = state.shared().with_run(host, || match state.protected_call(0, Some(0), 0) {
            Ok(()) => Ok(()),
            Err(raise) => Err(error_text(&state, raise)),
        });
        self.point_globals(self.globals);
        state.set_top(0);
        result
    }

    /// Chooses what the view of the globals shows.
    fn point_globals(&self, kept: c_int) {
        let state = self.state();
        state.push_value(GLOBALS);
        let view = state.top();
        if state.metatable(view) {
            state.push_kept(kept);
            point(&state, view + 1);
        }
        state.set_top(view - 1);
    }
}

/// A table of strings that scripts find as a global. It is made anew only if there is another number of strings than in the
/// run before, or the script has left something of its own in it; no script can keep it beyond its run.
struct List {
    /// The name and the table, kept.
    name: c_int,
    table: c_int,
    length: usize,
}

impl List {
    fn new(state: &State, name: &str) -> Self {
        state.push_bytes(name.as_bytes());
        let name = state.keep();
        state.push_table(0, 0);
        // No list is as long, so the first one is made anew.
        Self { name, table: state.keep(), length: usize::MAX }
    }

    /// Makes these strings the list.
    fn fill<'a>(&mut self, state: &State, globals: c_int, strings: impl ExactSizeIterator<Item = &'a [u8]>) {
        let length = strings.len();
        let base = state.top();
        state.push_kept(self.table);
        if length != self.length || !self.is_untouched(state, base + 1) {
            state.push_table(length, 0);
            state.push_value(base + 2);
            state.keep_as(self.table);
            self.length = length;
            state.push_kept(globals);
            state.push_kept(self.name);
            state.push_value(base + 2);
            state.raw_set(base + 3);
            state.set_top(base + 2);
        }
        put_strings(state, state.top(), strings);
        state.set_top(base);
    }

    /// Whether the table, which is on top, has the elements that it was filled with, in their order, and nothing else.
    fn is_untouched(&self, state: &State, table: c_int) -> bool {
        if state.metatable(table) {
            state.set_top(table);
            return false;
        }
        let mut seen = 0;
        state.push_nil();
        while state.next(table) {
            state.pop(1);
            seen += 1;
            // A text that reads as the number is another key.
            let top = state.top();
            if state.kind(top) != Kind::Number || state.number(top) != Some(seen as f64) {
                state.set_top(table);
                return false;
            }
        }
        seen == self.length
    }
}

impl Version {
    fn new(text: &str) -> Self {
        let number = text.split('.').fold(0, |number, part| number << 8 | part.parse::<u32>().unwrap_or(0) & 0xff);
        Self { text: text.to_string(), number }
    }
}

fn change_library(state: &State, globals: c_int, name: &str, change: fn(&State, c_int)) {
    state.raw_field(globals, name);
    change(state, state.top());
    state.pop(1);
}

/// Lets scripts see the metatable of strings only through a view. Lua itself goes on to use the real one.
fn protect_strings(state: &State, globals: c_int) {
    state.push_bytes(b"");
    if state.metatable(state.top()) {
        guards::remember_string_metatable(state);
        state.pop(1);
    }
    state.pop(1);
    state.push_table(0, 1);
    state.raw_field(globals, "string");
    state.set_field(state.top() - 1, "__index");
    protect(state);
    guards::install_getmetatable(state, globals);
}

/// Makes reading a field that a table does not have an error.
fn refuse_missing(state: &State, table: c_int) {
    push_missing_metatable(state);
    state.set_metatable(table);
}

fn push_missing_metatable(state: &State) {
    state.push_table(0, 1);
    state.push_function(missing_global);
    state.set_field(state.top() - 1, "__index");
}

/// What the code of a library sees while it is loaded: a `redis` that can register functions, and nothing else.
fn keep_loading_globals(state: &State, version: &Version) -> c_int {
    state.push_table(0, 1);
    let table = state.top();
    redis::install(state, Api::Loading, version);
    refuse_missing(state, state.top());
    protect(state);
    state.set_field(table, "redis");
    refuse_missing(state, table);
    state.keep()
}

/// Puts a view of the globals in their place.
fn install_globals(state: &State, globals: c_int) {
    state.push_value(globals);
    protect(state);
    let view = state.top();
    push_missing_metatable(state);
    protect(state);
    show_metatable(state, view);
    state.push_value(view);
    state.set_field(globals, "_G");
    state.replace_globals();
}

fn missing_global(state: State) -> Outcome {
    if state.top() != 2 {
        return Err(state.error("Wrong number of arguments to luaProtectedTableError"));
    }
    match state.bytes(2) {
        Some(name) => {
            Err(state.error_bytes(&[b"Script attempted to access nonexistent global variable '", name, b"'"].concat()))
        }
        None => Err(state.error("Second argument to luaProtectedTableError must be a string or number")),
    }
}

fn push_strings<'a>(state: &State, strings: impl ExactSizeIterator<Item = &'a [u8]>) {
    state.push_table(strings.len(), 0);
    put_strings(state, state.top(), strings);
}

/// Makes strings the first elements of a table.
fn put_strings<'a>(state: &State, table: c_int, strings: impl Iterator<Item = &'a [u8]>) {
    for (index, string) in strings.enumerate() {
        state.push_bytes(string);
        state.raw_set_index(table, index as c_int + 1);
    }
}

/// The error handler: makes a table of whatever was raised, and notes where that was.
fn handle_error(state: State) -> Outcome {
    state.set_top(1);
    let mut place = CallInfo::at(&state, 1);
    if place.as_ref().is_some_and(|place| place.is_native) {
        place = CallInfo::at(&state, 2);
    }
    if state.kind(1) != Kind::Table {
        let text = describe(&state, 1);
        state.set_top(0);
        state.push_error_table(&[b"ERR ", &text[..]].concat());
    } else if push_behind(&state, 1) {
        state.set_top(1);
        return Ok(1);
    }
    if let Some(place) = place {
        state.push_bytes(&place.source);
        state.set_field(1, "source");
        state.push_number(place.line.into());
        state.set_field(1, "line");
    }
    Ok(1)
}

/// What `tostring` makes of a value without a metatable.
fn describe(state: &State, index: c_int) -> Vec<u8> {
    match state.kind(index) {
        Kind::String | Kind::Number => state.bytes(index).unwrap_or_default().to_vec(),
        Kind::Boolean => state.truth(index).to_string().into_bytes(),
        Kind::Nil | Kind::None => b"nil".to_vec(),
        kind => format!("{}: {:p}", kind.name(), state.address(index)).into_bytes(),
    }
}

/// A field of an error, as text up to its first zero byte.
fn error_field(state: &State, table: c_int, name: &str) -> Option<Vec<u8>> {
    state.raw_field(table, name);
    let text = state.c_text(state.top()).map(|text| text.to_bytes().to_vec());
    state.pop(1);
    text
}

/// The text of an error that is on top.
fn error_text(state: &State, _: Raise) -> Vec<u8> {
    const UNKNOWN: &[u8] = b"ERR unknown error";
    let top = state.top();
    match state.kind(top) {
        Kind::Table => error_field(state, top, "err").unwrap_or_else(|| UNKNOWN.to_vec()),
        Kind::String | Kind::Number => [b"ERR ", state.c_text(top).unwrap_or_default().to_bytes()].concat(),
        _ => UNKNOWN.to_vec(),
    }
}

/// Replies with the error on top.
fn write_error(state: &State, name: &dyn Display, reply: &mut Reply, on_error: &mut dyn FnMut(&[u8]), raise: Raise) {
    /// Longest part of a message that did not come through the error handler.
    const LONGEST: usize = 100;
    let (top, name) = (state.top(), name.to_string().into_bytes());
    let mut is_counted = false;
    let text = if state.kind(top) == Kind::Table {
        let mut text = error_text(state, raise);
        let source = error_field(state, top, "source");
        let line = error_field(state, top, "line");
        if let (Some(source), Some(line)) = (source, line) {
            text.extend([b" script: ", &name[..], b", on ", &source[..], b":", &line[..], b"."].concat());
        }
        is_counted = state.raw_field(top, "ignore_error_stats_update") == Kind::Boolean && state.truth(top + 1);
        text
    } else {
        let message = match state.kind(top) {
            Kind::String | Kind::Number => state.c_text(top).unwrap_or_default().to_bytes(),
            _ => b"execution failure",
        };
        [b"ERR Error running script ", &name[..], b", ", &message[..message.len().min(LONGEST)]].concat()
    };
    reply.error_bytes(&text);
    if !is_counted {
        on_error(&text);
    }
}
