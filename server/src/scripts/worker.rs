//! The engines of one worker, kept in step with what the server has.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ahash::AHashMap;
use bytes::Bytes;
use protocol::{Args, Reply};
use scripting::{Compiled, End, Engine, Flow, Functions, Host, LogLevel, Options, Replication, Sha};

use super::library::{Libraries, LibraryCode};
use super::{Conduct, Origin, Script, Scripts};
use crate::command::Error;
use crate::process::system_memory;
use crate::version;

/// More memory than this no script may hold, and no more than half of what the machine has. What it stores in the keyspace
/// does not count. A string of 512 MB, the longest that can be stored, needs three times as much while it is put together.
const MEMORY_LIMIT: u64 = 2 << 30;

/// As much as this the allocator is not left with when a script has freed it.
const MUCH: usize = 64 << 20;

/// A worker's virtual machines.
pub struct Lua {
    scripts: Engine,
    /// The scripts that are compiled here.
    known: AHashMap<Sha, Known>,
    /// Those that were called last by their digests.
    recent: [Option<Recent>; RECENT],
    /// How many scripts the server had forgotten when this was last looked at.
    forgotten: u64,
    /// How often it had forgotten all of them when the engine here was made.
    flushes: u64,
    functions: Functions,
    libraries: Libraries,
    libraries_version: u64,
    /// The same as `flushes` for libraries.
    library_flushes: u64,
    eval_memory: usize,
    function_memory: usize,
}

/// A script that is compiled here.
#[derive(Clone)]
pub struct Known {
    pub script: Arc<Script>,
    compiled: Compiled,
}

/// A script and the digits that it was called by. Once the script is forgotten this is worth nothing.
struct Recent {
    digits: [u8; Sha::DIGITS],
    known: Known,
}

/// How many scripts are found without reading their digests: one for each of the last hexadecimal digits of their first
/// characters.
const RECENT: usize = 16;

/// After so many scripts that the server has forgotten a worker forgets them, too, without waiting for its upkeep.
const MANY_FORGOTTEN: u64 = 100;

/// How virtual machines are made.
pub(super) fn options() -> Options {
    let memory_limit = MEMORY_LIMIT.min(system_memory() / 2) as usize;
    Options { memory_limit, redis_version: version::REDIS.into() }
}

impl Lua {
    pub fn new(server: &Scripts) -> Lua {
        let options = options();
        Lua {
            scripts: Engine::new(&options),
            known: AHashMap::new(),
            recent: Default::default(),
            forgotten: server.forgotten.load(Relaxed),
            flushes: server.flushes.load(Relaxed),
            functions: Functions::new(&options),
            libraries: Libraries::new(),
            libraries_version: 0,
            library_flushes: server.library_flushes.load(Relaxed),
            eval_memory: 0,
            function_memory: 0,
        }
    }

    /// The script with a digest in hexadecimal digits, compiled.
    pub fn find(&mut self, server: &Scripts, digits: &[u8]) -> Option<Known> {
        let place = usize::from(*digits.first()?) % RECENT;
        if let Some(Recent { digits: recent, known }) = &self.recent[place]
            && recent == digits
            && !known.script.is_forgotten()
        {
            known.script.note_use();
            return Some(known.clone());
        }
        let known = self.find_sha(server, Sha::parse(digits)?)?;
        if let Ok(digits) = digits.try_into() {
            self.recent[place] = Some(Recent { digits, known: known.clone() });
        }
        Some(known)
    }

    fn find_sha(&mut self, server: &Scripts, sha: Sha) -> Option<Known> {
        if let Some(known) = self.known.get(&sha) {
            if !known.script.is_forgotten() {
                known.script.note_use();
                return Some(known.clone());
            }
            self.known.remove(&sha);
            self.scripts.remove(&sha);
        }
        self.renew_after_flush(server);
        let script = server.get(&sha)?;
        // It was compiled when it came, so it can be.
        self.scripts.load_as(sha, &script.body).ok()?;
        self.note_known(script)
    }

    fn note_known(&mut self, script: Arc<Script>) -> Option<Known> {
        let known = Known { compiled: self.scripts.compiled(&script.sha)?, script };
        self.known.insert(known.script.sha, known.clone());
        Some(known)
    }

    /// Compiles a script, unless it is known.
    pub fn load(&mut self, server: &Scripts, body: &[u8], origin: Origin) -> Result<Known, Error> {
        let sha = Sha::of(body);
        if let Some(known) = self.find_sha(server, sha) {
            if origin == Origin::Load {
                server.add(sha, known.script.body.clone(), known.script.flags, origin);
            }
            return Ok(known);
        }
        if server.forgotten.load(Relaxed) - self.forgotten >= MANY_FORGOTTEN {
            self.forget(server);
        }
        self.scripts.load_as(sha, body).map_err(|text| Error::new([b"ERR ", &text[..]].concat()))?;
        let flags = self.scripts.flags(&sha).flatten();
        let script = server.add(sha, Bytes::copy_from_slice(body), flags, origin);
        self.note_memory(server);
        self.note_known(script).ok_or(Error::fixed("ERR the script was lost"))
    }

    /// Forgets the scripts that the server has forgotten. Tells whether there were any.
    fn forget(&mut self, server: &Scripts) -> bool {
        let forgotten = server.forgotten.load(Relaxed);
        if std::mem::replace(&mut self.forgotten, forgotten) == forgotten {
            return false;
        }
        for recent in &mut self.recent {
            recent.take_if(|recent| recent.known.script.is_forgotten());
        }
        self.known.retain(|sha, known| {
            let stays = !known.script.is_forgotten();
            if !stays {
                self.scripts.remove(sha);
            }
            stays
        });
        true
    }

    /// Makes a new engine if the server has forgotten all scripts since this one was made. Scripts leave little behind, but
    /// what they have set in cjson they have set for all. After a flush no script runs that is not compiled first, so this is
    /// looked at there and not before each run.
    fn renew_after_flush(&mut self, server: &Scripts) {
        let flushes = server.flushes.load(Relaxed);
        if std::mem::replace(&mut self.flushes, flushes) == flushes {
            return;
        }
        self.forgotten = server.forgotten.load(Relaxed);
        self.known.clear();
        self.recent = Default::default();
        let freed = self.scripts.vm_memory();
        self.scripts = Engine::new(&options());
        give_back(freed);
        self.note_memory(server);
    }

    /// What is done now and then while no script runs, and behind SCRIPT FLUSH.
    pub fn tidy(&mut self, server: &Scripts) {
        self.renew_after_flush(server);
        if self.forget(server) {
            self.scripts.collect_garbage();
            self.note_memory(server);
        }
    }

    /// Runs a script that was found.
    pub fn run<'a>(
        &mut self,
        known: &Known,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> End {
        self.scripts.run_compiled(known.compiled, &known.script.sha, keys, args, host, reply)
    }

    /// Makes the functions here those of the server.
    pub fn follow(&mut self, server: &Scripts) {
        if server.libraries_version.load(Relaxed) != self.libraries_version {
            self.follow_locked(server, &server.libraries.lock());
        }
    }

    fn follow_locked(&mut self, server: &Scripts, current: &Libraries) {
        let flushes = server.library_flushes.load(Relaxed);
        if std::mem::replace(&mut self.library_flushes, flushes) != flushes {
            self.libraries.clear();
            let freed = self.functions.vm_memory();
            self.functions = Functions::new(&options());
            give_back(freed);
        }
        let gone = |name: &String, old: &Arc<LibraryCode>| !current.get(name).is_some_and(|new| Arc::ptr_eq(new, old));
        let stale: Vec<String> =
            self.libraries.iter().filter(|(name, old)| gone(name, old)).map(|(name, _)| name.clone()).collect();
        for name in stale {
            self.functions.delete(&name);
            self.libraries.remove(&name);
        }
        for (name, library) in current {
            if !self.libraries.contains_key(name)
                && self.functions.load(&library.code, true, None, &mut Loading).is_ok()
            {
                self.libraries.insert(name.clone(), library.clone());
            }
        }
        self.libraries_version = server.libraries_version.load(Relaxed);
        self.note_memory(server);
    }

    /// Loads a library here and for the whole server. Its name.
    pub fn load_library(
        &mut self,
        server: &Scripts,
        code: &[u8],
        replace: bool,
        time_limit: Option<Duration>,
    ) -> Result<String, Error> {
        let mut current = server.libraries.lock();
        self.follow_locked(server, &current);
        let library = self
            .functions
            .load(code, replace, time_limit, &mut Loading)
            .map_err(|text| Error::new([b"ERR ", &text[..]].concat()))?;
        let library = Arc::new(LibraryCode::from(library));
        current.insert(library.name.clone(), library.clone());
        self.libraries.insert(library.name.clone(), library.clone());
        self.libraries_version = server.libraries_version.fetch_add(1, Relaxed) + 1;
        self.note_memory(server);
        Ok(library.name.clone())
    }

    /// The function with a name and its place: its library, and its number there.
    pub fn function(&self, name: &[u8]) -> Option<FunctionAt> {
        let (library, index, compiled) = self.functions.find(name)?;
        Some(FunctionAt { library: self.libraries.get(&library.name)?.clone(), index, compiled })
    }

    /// Calls a function that was found.
    pub fn call<'a>(
        &mut self,
        function: &FunctionAt,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> End {
        let name = &function.library.functions[function.index].name;
        self.functions.call_compiled(function.compiled, name, keys, args, host, reply)
    }

    /// Tells the server how much memory this worker's virtual machines hold. What a script has left behind in quantity
    /// goes back to the system.
    pub fn note_memory(&mut self, server: &Scripts) {
        give_back(self.scripts.take_freed().max(self.functions.take_freed()));
        for (total, noted, now) in [
            (&server.eval_memory, &mut self.eval_memory, self.scripts.vm_memory()),
            (&server.function_memory, &mut self.function_memory, self.functions.vm_memory()),
        ] {
            if now != *noted {
                total.fetch_add(now.wrapping_sub(*noted), Relaxed);
                *noted = now;
            }
        }
    }
}

/// Has the allocator give back what was freed, if that is much.
fn give_back(freed: usize) {
    if freed >= MUCH {
        storage::memory::purge();
    }
}

/// A function of a library.
pub struct FunctionAt {
    pub library: Arc<LibraryCode>,
    pub index: usize,
    compiled: Compiled,
}

impl FunctionAt {
    pub fn conduct(&self) -> &Conduct {
        &self.library.conducts[self.index]
    }
}

/// What a library's code can do while it is being loaded: nothing but log.
pub(super) struct Loading;

impl Host for Loading {
    fn call(&mut self, _: Args<'_>, reply: &mut Reply) -> Flow {
        reply.error("ERR no commands can be run while a library is loaded");
        Flow::Continue
    }

    fn interrupted(&mut self) -> Flow {
        Flow::Continue
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        super::host::log_line(level, line);
    }

    fn may_call(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_replication(&mut self, _: Replication) {}

    fn error_replied(&mut self, _: &[u8]) {}
}
