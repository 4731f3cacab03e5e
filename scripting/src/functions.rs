//! Functions: FUNCTION and FCALL.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::time::{Duration, Instant};

use ahash::RandomState;
use protocol::{Args, Reply};

use crate::Options;
use crate::host::{Flow, Host, LogLevel, Replication};
use crate::lua::{Kind, Outcome, Raise, State};
use crate::script::{Flags, words};
use crate::vm::{Compiled, End, Purpose, Vm};

const BAD_NAME: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// What is known of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, as it was registered; it is called by it in any case.
    pub name: String,
    /// What its library says of it.
    pub description: Option<Vec<u8>>,
    /// What it says it does and does not do.
    pub flags: Flags,
}

/// What is known of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its functions, by name.
    pub functions: Vec<Function>,
    /// Its whole text.
    pub code: Vec<u8>,
}

/// A function of a library that is being loaded or has been: what is known of it, and the kept Lua function.
#[derive(Debug)]
struct Registered {
    function: Function,
    kept: c_int,
}

/// A library while its code is being run: what it has registered.
#[derive(Debug, Default)]
pub(crate) struct Loading(BTreeMap<String, Registered>);

struct Entry {
    library: Library,
    kept: Vec<c_int>,
}

/// The library and the function, by the function's name in lower case.
type ByName = HashMap<String, (String, usize), RandomState>;

/// The libraries of one thread, and the virtual machine that runs their functions.
pub struct Functions {
    libraries: BTreeMap<String, Entry>,
    by_name: ByName,
    vm: Vm,
}

impl Functions {
    /// An engine without libraries.
    pub fn new(options: &Options) -> Self {
        Self { libraries: BTreeMap::new(), by_name: HashMap::default(), vm: Vm::new(Purpose::Functions, options) }
    }

    /// Loads a library, or changes nothing and says why not, in a text without a code.
    ///
    /// Its code may run for `time_limit`, if there is one; it can log, but cannot run commands.
    pub fn load(
        &mut self,
        code: &[u8],
        replace: bool,
        time_limit: Option<Duration>,
        host: &mut dyn Host,
    ) -> Result<&Library, Vec<u8>> {
        let header = Header::parse(code)?;
        if !is_name(&header.name) {
            return Err(BAD_NAME.into());
        }
        if !header.engine.eq_ignore_ascii_case(b"lua") {
            return Err([b"Engine '", &header.engine[..], b"' not found"].concat());
        }
        let name = String::from_utf8_lossy(&header.name).into_owned();
        if !replace && self.libraries.contains_key(&name) {
            return Err(format!("Library '{name}' already exists").into());
        }
        let registered = self.register(&code[header.length..], time_limit, host)?;
        let entry = Entry {
            kept: registered.iter().map(|registered| registered.kept).collect(),
            library: Library {
                functions: registered.into_iter().map(|registered| registered.function).collect(),
                name: name.clone(),
                code: code.to_vec(),
            },
        };
        if let Err(error) = self.check_new(&entry.library) {
            self.forget(&entry.kept);
            return Err(error);
        }
        self.delete(&name);
        for (index, function) in entry.library.functions.iter().enumerate() {
            self.by_name.insert(function.name.to_ascii_lowercase(), (name.clone(), index));
        }
        Ok(&self.libraries.entry(name).or_insert(entry).library)
    }

    /// Runs a library's code, and answers what it has registered.
    fn register(
        &mut self,
        code: &[u8],
        time_limit: Option<Duration>,
        host: &mut dyn Host,
    ) -> Result<Vec<Registered>, Vec<u8>> {
        let state = self.vm.state();
        state.set_top(0);
        if let Err(message) = state.compile(code, c"@user_function") {
            return Err([b"Error compiling function: ", &message[..]].concat());
        }
        let deadline = time_limit.map(|limit| Instant::now() + limit);
        state.shared().loading.replace(Some(Loading::default()));
        let outcome = self.vm.run_library(&mut LoadingHost { host, deadline });
        let Loading(registered) = state.shared().loading.take().unwrap_or_default();
        let registered: Vec<_> = registered.into_values().collect();
        let problem = match outcome {
            Err(message) => [b"Error registering functions: ", &message[..]].concat(),
            Ok(()) if registered.is_empty() => b"No functions registered".to_vec(),
            Ok(()) => return Ok(registered),
        };
        registered.iter().for_each(|registered| state.forget(registered.kept));
        Err(problem)
    }

    /// Whether none of a library's functions is another library's.
    fn check_new(&self, library: &Library) -> Result<(), Vec<u8>> {
        for function in &library.functions {
            let other = self.by_name.get(&function.name.to_ascii_lowercase());
            if other.is_some_and(|(owner, _)| *owner != library.name) {
                return Err(format!("Function {} already exists", function.name).into());
            }
        }
        Ok(())
    }

    fn forget(&self, kept: &[c_int]) {
        kept.iter().for_each(|&kept| self.vm.state().forget(kept));
    }

    /// Removes a library; `false` if there is none of that name.
    pub fn delete(&mut self, name: &str) -> bool {
        let Some(entry) = self.libraries.remove(name) else { return false };
        self.forget(&entry.kept);
        self.by_name.retain(|_, (library, _)| library != name);
        true
    }

    /// All libraries, by name.
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = &Library> {
        self.libraries.values().map(|entry| &entry.library)
    }

    /// The library of a name.
    pub fn library(&self, name: &str) -> Option<&Library> {
        self.libraries.get(name).map(|entry| &entry.library)
    }

    /// The function of a name, in any case.
    pub fn function(&self, name: &[u8]) -> Option<&Function> {
        let (entry, index) = find(&self.libraries, &self.by_name, name)?;
        entry.library.functions.get(index)
    }

    /// How many functions can be called.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Calls a function and appends its reply, or its error; `None`, with nothing appended, if there is none.
    pub fn call<'a>(
        &mut self,
        name: &[u8],
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Option<End> {
        let (entry, index) = find(&self.libraries, &self.by_name, name)?;
        let (function, kept) = (entry.library.functions.get(index)?, *entry.kept.get(index)?);
        Some(self.vm.run(kept, &function.name, keys, args, host, reply))
    }

    /// A function's library, its number there, and what [`call_compiled`](Self::call_compiled) knows it by.
    pub fn find(&self, name: &[u8]) -> Option<(&Library, usize, Compiled)> {
        let (entry, index) = find(&self.libraries, &self.by_name, name)?;
        Some((&entry.library, index, Compiled(*entry.kept.get(index)?)))
    }

    /// As [`call`](Self::call), for a function that was found and has not been deleted.
    pub fn call_compiled<'a>(
        &mut self,
        Compiled(function): Compiled,
        name: &str,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> End {
        self.vm.run(function, &name, keys, args, host, reply)
    }

    /// Bytes of memory that were freed at once since this was last asked: whether it is worth while to give some back to
    /// the system.
    pub fn take_freed(&mut self) -> usize {
        self.vm.take_freed()
    }

    /// Bytes of memory that the virtual machine holds (`used_memory_vm_functions`).
    pub fn vm_memory(&self) -> usize {
        self.vm.memory()
    }
}

/// The library that has a function, and the function's number there.
fn find<'a>(libraries: &'a BTreeMap<String, Entry>, by_name: &ByName, name: &[u8]) -> Option<(&'a Entry, usize)> {
    let name = std::str::from_utf8(name).ok()?;
    // Most callers use the name in lower case.
    let (library, index) = match by_name.get(name) {
        Some(found) => found,
        None => by_name.get(&name.to_ascii_lowercase())?,
    };
    Some((libraries.get(library)?, *index))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The first line of a library.
struct Header {
    engine: Vec<u8>,
    name: Vec<u8>,
    /// Bytes before the line's end. Compiling begins there, so that lines keep their numbers.
    length: usize,
}

impl Header {
    fn parse(code: &[u8]) -> Result<Self, Vec<u8>> {
        const INVALID: &[u8] = b"Invalid library metadata";
        const NAME: &[u8] = b"name=";
        let Some(rest) = code.strip_prefix(b"#!") else { return Err(b"Missing library metadata".to_vec()) };
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Err(INVALID.to_vec()) };
        let length = end + 2;
        let words = words(&code[..length]).unwrap_or_default();
        let Some((engine, options)) = words.split_first() else { return Err(INVALID.to_vec()) };
        let engine = engine.get(2..).unwrap_or_default().to_vec();
        let mut name = None;
        for option in options {
            let option = option.as_slice();
            match option.split_at_checked(NAME.len()) {
                Some((key, value)) if key.eq_ignore_ascii_case(NAME) => {
                    if name.replace(value.to_vec()).is_some() {
                        return Err(b"Invalid metadata value, name argument was given multiple times".to_vec());
                    }
                }
                _ => return Err([b"Invalid metadata value given: ", option].concat()),
            }
        }
        let Some(name) = name else { return Err(b"Library name was not given".to_vec()) };
        Ok(Self { engine, name, length })
    }
}

/// The host of a library's code: it can do nothing but log, and has only so much time.
struct LoadingHost<'a> {
    host: &'a mut dyn Host,
    deadline: Option<Instant>,
}

impl Host for LoadingHost<'_> {
    fn call(&mut self, _: Args<'_>, reply: &mut Reply) -> Flow {
        reply.error("ERR no commands can be run while a library is loaded");
        Flow::Continue
    }

    fn interrupted(&mut self) -> Flow {
        match self.deadline {
            Some(deadline) if Instant::now() > deadline => Flow::Kill,
            _ => Flow::Continue,
        }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.host.log(level, line);
    }

    fn may_call(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_replication(&mut self, _: Replication) {}

    fn error_replied(&mut self, _: &[u8]) {}
}

/// `redis.register_function`
pub(crate) fn register_function(state: State) -> Outcome {
    if state.shared().loading.borrow().is_none() {
        return Err(state.error_table("redis.register_function can only be called on FUNCTION LOAD command"));
    }
    let registration = match state.top() {
        1 => read_named(&state)?,
        2 => read_positional(&state)?,
        _ => return Err(state.error_table("wrong number of arguments to redis.register_function")),
    };
    if !is_name(&registration.name) {
        return Err(state.error_table(BAD_NAME));
    }
    let name = String::from_utf8_lossy(&registration.name).into_owned();
    let mut loading = state.shared().loading.borrow_mut();
    let Some(Loading(functions)) = &mut *loading else { return Ok(0) };
    if functions.contains_key(&name) {
        return Err(state.error_table("Function already exists in the library"));
    }
    let Registration { description, flags, .. } = registration;
    state.push_value(registration.callback);
    let kept = state.keep();
    functions.insert(name.clone(), Registered { function: Function { name, description, flags }, kept });
    Ok(0)
}

/// What `register_function` was told.
struct Registration {
    name: Vec<u8>,
    /// Place of the function.
    callback: c_int,
    description: Option<Vec<u8>>,
    flags: Flags,
}

fn read_positional(state: &State) -> Result<Registration, Raise> {
    let Some(name) = state.bytes(1) else {
        return Err(state.error_table("first argument to redis.register_function must be a string"));
    };
    if state.kind(2) != Kind::Function {
        return Err(state.error_table("second argument to redis.register_function must be a function"));
    }
    Ok(Registration { name: name.to_vec(), callback: 2, description: None, flags: Flags::default() })
}

fn read_named(state: &State) -> Result<Registration, Raise> {
    /// Place of the callback, and of what is looked at.
    const CALLBACK: c_int = 2;
    const KEY: c_int = 3;
    const VALUE: c_int = 4;
    if state.kind(1) != Kind::Table {
        return Err(state.error_table(
            "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        ));
    }
    let (mut name, mut description, mut flags) = (None, None, Flags::default());
    state.push_nil();
    state.push_nil();
    while state.next(1) {
        // As text in a copy, because a key that is a number must stay one for the next step.
        state.push_value(KEY);
        let Some(key) = state.bytes(VALUE + 1).map(<[u8]>::to_ascii_lowercase) else {
            return Err(state.error_table("named argument key given to redis.register_function is not a string"));
        };
        let text = state.bytes(VALUE).map(<[u8]>::to_vec);
        match (&key[..], text) {
            (b"function_name", Some(text)) => name = Some(text),
            (b"function_name", None) => {
                return Err(
                    state.error_table("function_name argument given to redis.register_function must be a string")
                );
            }
            (b"description", Some(text)) => description = Some(text),
            (b"description", None) => {
                return Err(state.error_table("description argument given to redis.register_function must be a string"));
            }
            (b"callback", _) => {
                if state.kind(VALUE) != Kind::Function {
                    return Err(
                        state.error_table("callback argument given to redis.register_function must be a function")
                    );
                }
                state.push_value(VALUE);
                state.replace(CALLBACK);
            }
            (b"flags", _) => {
                if state.kind(VALUE) != Kind::Table {
                    return Err(state.error_table(
                        "flags argument to redis.register_function must be a table representing function flags",
                    ));
                }
                flags = read_flags(state, VALUE)?;
            }
            _ => return Err(state.error_table("unknown argument given to redis.register_function")),
        }
        state.set_top(KEY);
    }
    let Some(name) = name else {
        return Err(state.error_table("redis.register_function must get a function name argument"));
    };
    if state.kind(CALLBACK) != Kind::Function {
        return Err(state.error_table("redis.register_function must get a callback argument"));
    }
    Ok(Registration { name, callback: CALLBACK, description, flags })
}

fn read_flags(state: &State, table: c_int) -> Result<Flags, Raise> {
    let mut flags = Flags::default();
    for index in 1.. {
        let kind = state.raw_get_index(table, index);
        if kind == Kind::Nil {
            break;
        }
        let flag = state.bytes(state.top()).unwrap_or_default();
        if !flags.add(|name| name.as_bytes().eq_ignore_ascii_case(flag)) {
            return Err(state.error_table("unknown flag given"));
        }
        state.pop(1);
    }
    Ok(flags)
}
