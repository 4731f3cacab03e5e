//! Scripts and functions: what is known to the whole server, and the engine that each worker has of its own.
//!
//! A script may touch keys that it did not declare, and all that it does happens at one instant. Both come at the price
//! of all shards, unless the script is known to keep to the keys that it declares: see [`Conduct`].

pub mod attend;
mod host;
mod library;
mod worker;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use ahash::AHashMap;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use protocol::Reply;
use scripting::{Flags, Sha};
use storage::Keyspace;

use crate::command::Error;
use crate::server::unix_ms;

pub use host::{Limits, ScriptHost, Subject};
pub use library::{Libraries, LibraryCode, Policy};
pub use worker::{Known, Lua};

/// Whether a script keeps to the keys that it declares. It is found out by running it once with all shards locked. From
/// then on one that does is run with the shards of its keys alone.
///
/// Should it stray after all, it is run anew with all shards locked if it has not changed anything yet. If it has, it
/// reaches for what it needs while it holds the rest (see `storage::locks`).
#[derive(Default, Debug)]
pub struct Conduct(AtomicU8);

const KEEPS: u8 = 1;
const STRAYS: u8 = 2;

impl Conduct {
    /// Whether the keys that are declared will most likely do.
    pub fn keeps(&self) -> bool {
        self.0.load(Relaxed) == KEEPS
    }

    /// Whether it is known to need more than it declares.
    pub fn strays(&self) -> bool {
        self.0.load(Relaxed) == STRAYS
    }

    /// Notes how a run went.
    pub fn note(&self, strayed: bool) {
        let (before, now) = (self.0.load(Relaxed), if strayed { STRAYS } else { KEEPS });
        // Who has strayed once may do so again.
        if before != STRAYS && before != now {
            self.0.store(now, Relaxed);
        }
    }
}

/// A script that has been loaded.
pub struct Script {
    pub sha: Sha,
    pub body: Bytes,
    /// What its first line says; `None` without such a line.
    pub flags: Option<Flags>,
    pub conduct: Conduct,
    /// Used since the last look at what is seldom used.
    used: AtomicBool,
    /// Forgotten: whoever still knows it must forget it, too.
    forgotten: AtomicBool,
}

impl Script {
    pub fn is_forgotten(&self) -> bool {
        self.forgotten.load(Relaxed)
    }

    fn note_use(&self) {
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
    }
}

/// Scripts that were never loaded by SCRIPT LOAD, of which Redis keeps so many, too.
const MOST_FROM_EVAL: usize = 500;

#[derive(Default)]
struct Cache {
    scripts: AHashMap<Sha, Arc<Script>>,
    /// Those that came with EVAL, in the order in which they may be forgotten.
    from_eval: VecDeque<Sha>,
    body_bytes: usize,
}

impl Cache {
    fn forget(&mut self, sha: &Sha) {
        if let Some(script) = self.scripts.remove(sha) {
            self.body_bytes -= script.body.len();
            script.forgotten.store(true, Relaxed);
        }
    }
}

/// A script or function that has been running for long.
pub struct SlowRun {
    pub is_function: bool,
    pub name: String,
    /// The whole request.
    pub request: Vec<Vec<u8>>,
    pub started_ms: i64,
    /// The worker that it keeps from its clients.
    pub worker: usize,
    fate: AtomicU8,
}

/// Nothing is decided yet, it has changed something and cannot be ended any more, or it is to end.
const OPEN: u8 = 0;
const WROTE: u8 = 1;
const KILLED: u8 = 2;

impl SlowRun {
    /// It is about to change something. Not if it was killed.
    fn may_write(&self) -> bool {
        !matches!(self.fate.compare_exchange(OPEN, WROTE, Relaxed, Relaxed), Err(KILLED))
    }

    /// Has it end, unless it has changed something.
    fn kill(&self) -> bool {
        !matches!(self.fate.compare_exchange(OPEN, KILLED, Relaxed, Relaxed), Err(WROTE))
    }

    fn has_written(&self) -> bool {
        self.fate.load(Relaxed) == WROTE
    }

    fn is_killed(&self) -> bool {
        self.fate.load(Relaxed) == KILLED
    }
}

/// Everybody knows of a slow run as long as this is there: until it is over, or its engine has panicked.
pub struct Announced<'s> {
    scripts: &'s Scripts,
    keyspace: &'s Keyspace,
    run: Arc<SlowRun>,
}

impl<'s> Announced<'s> {
    fn new(scripts: &'s Scripts, keyspace: &'s Keyspace, run: SlowRun) -> Announced<'s> {
        let run = Arc::new(run);
        scripts.add_slow(run.clone());
        keyspace.set_stalled(true);
        Announced { scripts, keyspace, run }
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if self.scripts.remove_slow(&self.run) {
            self.keyspace.set_stalled(false);
        }
    }
}

/// All scripts and functions of the server.
#[derive(Default)]
pub struct Scripts {
    cache: RwLock<Cache>,
    pub libraries: Mutex<Libraries>,
    /// Changes whenever a library comes or goes.
    pub libraries_version: AtomicU64,
    /// How often all of them were removed.
    library_flushes: AtomicU64,
    /// Runs that take longer than `busy-reply-threshold`.
    slow: Mutex<Vec<Arc<SlowRun>>>,
    busy: AtomicBool,
    /// Scripts may call commands that are not meant for them, which DEBUG SET-DISABLE-DENY-SCRIPTS is for.
    pub may_call_all: AtomicBool,
    /// Those that made room for newer ones.
    pub evicted: AtomicU64,
    /// How many scripts were forgotten, for those who have them compiled, and how often all of them.
    forgotten: AtomicU64,
    flushes: AtomicU64,
    /// Memory of the workers' virtual machines, of scripts and of functions.
    pub eval_memory: AtomicUsize,
    pub function_memory: AtomicUsize,
}

/// How a script came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Eval,
    Load,
}

impl Scripts {
    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.cache.read().scripts.get(sha).cloned()
    }

    /// Keeps a script that has been compiled.
    pub fn add(&self, sha: Sha, body: Bytes, flags: Option<Flags>, origin: Origin) -> Arc<Script> {
        let mut cache = self.cache.write();
        if origin == Origin::Load {
            cache.from_eval.retain(|other| *other != sha);
        }
        if let Some(script) = cache.scripts.get(&sha) {
            return script.clone();
        }
        let (used, forgotten) = (AtomicBool::new(true), AtomicBool::new(false));
        cache.body_bytes += body.len();
        let script = Arc::new(Script { sha, body, flags, conduct: Conduct::default(), used, forgotten });
        cache.scripts.insert(sha, script.clone());
        if origin == Origin::Eval {
            cache.from_eval.push_back(sha);
            self.make_room(&mut cache);
        }
        script
    }

    /// Forgets a script that came with EVAL and was not used for long, if there are too many.
    fn make_room(&self, cache: &mut Cache) {
        while cache.from_eval.len() > MOST_FROM_EVAL {
            let Some(sha) = cache.from_eval.pop_front() else { return };
            let used = cache.scripts.get(&sha).is_some_and(|script| script.used.swap(false, Relaxed));
            if used {
                cache.from_eval.push_back(sha);
            } else {
                cache.forget(&sha);
                self.forgotten.fetch_add(1, Relaxed);
                self.evicted.fetch_add(1, Relaxed);
            }
        }
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        let mut cache = self.cache.write();
        cache.scripts.values().for_each(|script| script.forgotten.store(true, Relaxed));
        self.forgotten.fetch_add(cache.scripts.len() as u64, Relaxed);
        self.flushes.fetch_add(1, Relaxed);
        *cache = Cache::default();
    }

    /// How many scripts there are, and how many bytes of text.
    pub fn figures(&self) -> (usize, usize) {
        let cache = self.cache.read();
        (cache.scripts.len(), cache.body_bytes)
    }

    /// Whether a script takes so long that others are told.
    #[inline]
    pub fn busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// What others are told meanwhile.
    pub fn busy_error(&self) -> Error {
        let kill = match self.slow_run() {
            Some(run) if run.is_function => "FUNCTION KILL",
            _ => "SCRIPT KILL",
        };
        Error::new(format!("BUSY Redis is busy running a script. You can only call {kill} or SHUTDOWN NOSAVE."))
    }

    /// The slow run that began first.
    pub fn slow_run(&self) -> Option<Arc<SlowRun>> {
        self.slow.lock().first().cloned()
    }

    /// Whether a slow run keeps a worker from its clients.
    pub fn keeps_busy(&self, worker: usize) -> bool {
        self.busy() && self.slow.lock().iter().any(|run| run.worker == worker)
    }

    /// Ends the slow run, a function or a script, unless it has changed something.
    pub fn kill(&self, function: bool) -> Result<(), Error> {
        let unkillable = Error::fixed(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        );
        let run = self.slow_run().ok_or(Error::fixed("NOTBUSY No scripts in execution right now."))?;
        if run.has_written() {
            return Err(unkillable);
        }
        if run.is_function != function {
            return Err(self.busy_error());
        }
        if run.kill() { Ok(()) } else { Err(unkillable) }
    }

    /// What FUNCTION STATS tells.
    pub fn write_stats(&self, reply: &mut Reply) {
        reply.map(2);
        reply.bulk(b"running_script");
        match self.slow_run() {
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
        let libraries = self.libraries.lock();
        reply.bulk(b"engines");
        reply.map(1);
        reply.bulk(b"LUA");
        reply.map(2);
        reply.bulk(b"libraries_count");
        reply.integer(libraries.len() as i64);
        reply.bulk(b"functions_count");
        reply.integer(libraries.values().map(|library| library.functions.len() as i64).sum());
    }

    fn add_slow(&self, run: Arc<SlowRun>) {
        self.slow.lock().push(run);
        self.busy.store(true, Relaxed);
    }

    /// A slow run is over. Tells whether no other goes on.
    fn remove_slow(&self, run: &Arc<SlowRun>) -> bool {
        let mut slow = self.slow.lock();
        slow.retain(|other| !Arc::ptr_eq(other, run));
        self.busy.store(!slow.is_empty(), Relaxed);
        slow.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(scripts: &Scripts, number: usize, origin: Origin) -> Arc<Script> {
        let body = format!("return {number}");
        scripts.add(Sha::of(body.as_bytes()), body.into(), None, origin)
    }

    #[test]
    fn scripts_from_eval_that_nobody_uses_are_forgotten() {
        let scripts = Scripts::default();
        let loaded = add(&scripts, 0, Origin::Load);
        let first: Vec<Arc<Script>> = (1..=MOST_FROM_EVAL).map(|number| add(&scripts, number, Origin::Eval)).collect();
        // Everything was used once, so the first round only takes that back.
        add(&scripts, 1000, Origin::Eval);
        assert!(first[0].is_forgotten() && !first[1].is_forgotten());
        first[1].note_use();
        add(&scripts, 1001, Origin::Eval);
        assert!(!first[1].is_forgotten() && first[2].is_forgotten() && !loaded.is_forgotten());
        assert_eq!(scripts.figures().0, MOST_FROM_EVAL + 1);
        assert_eq!(scripts.evicted.load(Relaxed), 2);
        scripts.flush();
        assert!(loaded.is_forgotten() && scripts.get(&loaded.sha).is_none());
    }

    #[test]
    fn nobody_is_told_of_a_run_that_has_panicked() {
        let (scripts, keyspace) = (Scripts::default(), Keyspace::new(1));
        let other = Announced::new(&scripts, &keyspace, run(OPEN));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _announced = Announced::new(&scripts, &keyspace, run(OPEN));
            panic!("as an engine would");
        }));
        assert!(panicked.is_err() && scripts.busy() && scripts.slow.lock().len() == 1);
        drop(other);
        assert!(!scripts.busy() && scripts.slow_run().is_none());
    }

    fn run(fate: u8) -> SlowRun {
        let (name, request) = ("name".into(), Vec::new());
        SlowRun { is_function: false, name, request, started_ms: 0, worker: 0, fate: fate.into() }
    }

    #[test]
    fn a_run_is_ended_or_goes_on_to_write_but_never_both() {
        let (writer, late, victim) = (run(OPEN), run(WROTE), run(OPEN));
        assert!(writer.may_write() && !writer.kill() && writer.may_write() && writer.has_written());
        assert!(!late.kill() && !late.is_killed());
        assert!(victim.kill() && !victim.may_write() && victim.kill() && victim.is_killed());
    }

    #[test]
    fn who_has_strayed_once_is_not_trusted_again() {
        let conduct = Conduct::default();
        assert!(!conduct.keeps());
        conduct.note(false);
        assert!(conduct.keeps());
        conduct.note(true);
        conduct.note(false);
        assert!(!conduct.keeps());
    }
}
