//! What scripts ask of the server.

use std::fmt::Display;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Args, Reply};
use scripting::{Flow, Host, LogLevel, Replication};
use smallvec::SmallVec;
use storage::{Key, View};

use super::attend::attend;
use super::{Announced, OPEN, SlowRun, WROTE};
use crate::acl::Place;
use crate::client::Client;
use crate::command::Error;
use crate::command::context::Within;
use crate::command::dispatch::{self, Executor};
use crate::command::keys;
use crate::command::spec::{Flags, Group};
use crate::command::table::Command;
use crate::{journal, log, persistence};

/// What a script may do.
#[derive(Clone, Copy)]
pub struct Limits {
    pub read_only: bool,
    /// It needs memory, of which there is none.
    pub out_of_memory: bool,
}

/// What is run.
#[derive(Clone, Copy)]
pub struct Subject<'h> {
    pub name: &'h dyn Display,
    pub is_function: bool,
    /// The request, of which some keys are declared.
    pub args: Args<'h>,
    pub keys: &'h [Key<'h>],
}

/// How far a script's keys are locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cover {
    Covered,
    /// It must begin anew, with everything locked.
    Anew,
    /// Another script holds what it needs, and needs what it holds.
    Refused,
}

/// One run of a script.
pub struct ScriptHost<'h> {
    pub executor: &'h Executor,
    pub client: &'h mut Client,
    pub db: &'h mut View<'static>,
    pub limits: Limits,
    subject: Subject<'h>,
    /// The client's database. What the script selects is no matter to it.
    home: usize,
    /// Everything is locked.
    all_locked: bool,
    /// It has needed more than it declared.
    pub strayed: bool,
    /// It has changed something.
    wrote: bool,
    /// It has had effects that must not come twice.
    pub left_traces: bool,
    started_ms: i64,
    /// Commands that it has called since the time was last looked at.
    calls: u32,
    looked_ms: i64,
    /// What others know of it, once it takes long.
    slow: Option<Announced<'static>>,
    attended_ms: i64,
    /// What it changes is written down, unless it has asked for the contrary.
    writes_down: bool,
}

/// How often the other clients of the worker are looked at while a script takes long.
const ATTEND_EVERY_MS: i64 = 5;
/// After so many commands it is asked whether to go on, unless one took long.
const CALLS_PER_LOOK: u32 = 64;

impl<'h> ScriptHost<'h> {
    pub fn new(
        executor: &'h Executor,
        client: &'h mut Client,
        db: &'h mut View<'static>,
        limits: Limits,
        subject: Subject<'h>,
        all_locked: bool,
        strayed: bool,
    ) -> ScriptHost<'h> {
        let (home, started_ms) = (client.db(), executor.refresh_clock());
        ScriptHost {
            executor,
            client,
            db,
            limits,
            subject,
            home,
            all_locked,
            strayed,
            wrote: false,
            left_traces: false,
            started_ms,
            calls: 0,
            looked_ms: started_ms,
            slow: None,
            attended_ms: 0,
            writes_down: true,
        }
    }

    /// The command that a script asks for, if it may have it.
    fn check(&self, args: Args<'_>) -> Result<&'static Command, Error> {
        let unknown = |_| Error::fixed("ERR Unknown Redis command called from script");
        let command = dispatch::find(&self.executor.server.commands, args).map_err(unknown)?;
        let spec = &command.spec;
        let flags = spec.flags;
        let error = if !spec.accepts(args.len()) {
            Error::fixed("ERR Wrong number of args calling Redis command from script")
        } else if flags.contains(Flags::NOSCRIPT) && !self.may_call_all(command) {
            Error::fixed("ERR This Redis command is not allowed from script")
        } else if self.limits.read_only && flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            Error::fixed("ERR Write commands are not allowed from read-only scripts.")
        } else if let Some(refusal) =
            persistence::refusal(self.executor.server).filter(|_| !self.wrote && flags.contains(Flags::WRITE))
        {
            refusal
        } else if self.limits.out_of_memory && !self.wrote && flags.contains(Flags::DENYOOM) {
            Error::OUT_OF_MEMORY
        } else {
            return Ok(command);
        };
        self.executor.stats.rejected(command.id);
        Err(error)
    }

    /// Whether a command that scripts cannot have is let through for tests: not what would begin scripts or transactions
    /// within this one.
    #[cold]
    fn may_call_all(&self, command: &Command) -> bool {
        let begins_another = command.spec.script_flags.is_some() || command.spec.group == Group::Transactions;
        !begins_another && self.executor.server.scripts.may_call_all.load(Relaxed)
    }

    /// Whether the client's user may have the command.
    fn check_user(&mut self, command: &Command, args: Args<'_>) -> Result<(), Error> {
        let Err(denial) = self.executor.recheck(self.client, command, args) else { return Ok(()) };
        let (shared, user) = (&self.client.shared, self.client.session.user());
        self.executor.stats.rejected(command.id);
        self.executor.server.note_denial(shared, user, denial, Place::Script, command, args);
        Err(denial.script_error(user, command))
    }

    /// Sees to it that all is locked that a command touches.
    fn cover(&mut self, command: &Command, args: Args<'_>) -> Cover {
        if self.all_locked && self.strayed {
            // Nothing more is to be found out.
            return Cover::Covered;
        }
        if command.needs_everything(args) {
            self.strayed = true;
            return self.cover_with(|view| view.reach_all());
        }
        let keyspace = &self.executor.server.keyspace;
        let (one, several): (Key<'_>, SmallVec<[Key<'_>; 8]>);
        let keys = match keys::only_place(&command.spec) {
            Some(at) => {
                one = keyspace.key(args.get(at).unwrap_or_default());
                std::slice::from_ref(&one)
            }
            None => {
                let found = keys::find(&command.spec, args).unwrap_or_default();
                several = found.iter().filter_map(|key| Some(keyspace.key(args.get(key.index)?))).collect();
                &several[..]
            }
        };
        let declared = self.subject.keys;
        if keys.iter().all(|key| declared.iter().any(|other| other.shard() == key.shard())) {
            return Cover::Covered;
        }
        self.strayed = true;
        self.cover_with(|view| view.reach(keys))
    }

    fn cover_with(&mut self, reach: impl FnOnce(&mut View<'static>) -> bool) -> Cover {
        if self.all_locked {
            return Cover::Covered;
        }
        if !self.left_traces {
            return Cover::Anew;
        }
        if reach(self.db) { Cover::Covered } else { Cover::Refused }
    }

    /// Notes what the command that comes next will do. Tells whether it may still be run.
    fn note_effects(&mut self, flags: Flags) -> bool {
        if !flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            return true;
        }
        self.left_traces = true;
        if flags.contains(Flags::WRITE) && !self.wrote {
            self.wrote = true;
            return self.slow.as_ref().is_none_or(|slow| slow.run.may_write());
        }
        true
    }

    /// The script takes long: everybody is to know.
    #[cold]
    fn become_slow(&mut self, elapsed_ms: i64) {
        let (server, subject) = (self.executor.server, &self.subject);
        let kill = if subject.is_function { "FUNCTION KILL" } else { "SCRIPT KILL" };
        log::warning!(
            "Slow script detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script \
             using the {kill} command. Script name is: {}.",
            subject.name
        );
        let run = SlowRun {
            is_function: subject.is_function,
            name: subject.name.to_string(),
            request: subject.args.iter().map(<[u8]>::to_vec).collect(),
            started_ms: self.started_ms,
            worker: self.client.shared.worker.load(Relaxed) as usize,
            fate: if self.wrote { WROTE } else { OPEN }.into(),
        };
        self.slow = Some(Announced::new(&server.scripts, &server.keyspace, run));
    }
}

impl Drop for ScriptHost<'_> {
    fn drop(&mut self) {
        self.client.select(self.home);
        self.db.select(self.home);
    }
}

impl Host for ScriptHost<'_> {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Flow {
        let checked = self.check(args).and_then(|command| self.check_user(command, args).map(|()| command));
        let command = match checked {
            Ok(command) => command,
            Err(error) => {
                self.executor.stats.error(error.code());
                reply.error_bytes(error.text());
                return Flow::Continue;
            }
        };
        match self.cover(command, args) {
            Cover::Covered => {}
            Cover::Anew => return Flow::Abandon,
            Cover::Refused => {
                reply.error("ERR The script needs a key that it did not declare and another script holds: try again");
                return Flow::Continue;
            }
        }
        if !self.note_effects(command.spec.flags) {
            return Flow::Kill;
        }
        let mut call = || self.executor.call_nested(self.client, self.db, command, args, reply, Within::Script);
        if self.writes_down {
            call();
        } else {
            journal::unwritten(call);
        }
        self.calls += 1;
        if self.calls < CALLS_PER_LOOK && self.executor.now_ms() == self.looked_ms {
            return Flow::Continue;
        }
        self.interrupted()
    }

    fn interrupted(&mut self) -> Flow {
        let now_ms = self.executor.refresh_clock();
        (self.calls, self.looked_ms) = (0, now_ms);
        let (threshold, elapsed_ms) = (self.executor.server.config.busy_reply_threshold(), now_ms - self.started_ms);
        if self.slow.is_none() && threshold > 0 && elapsed_ms >= threshold {
            self.become_slow(elapsed_ms);
        }
        let Some(slow) = &self.slow else { return Flow::Continue };
        if now_ms - self.attended_ms >= ATTEND_EVERY_MS {
            attend(self.executor);
            // However many they are, the script gets its share of the time, too.
            self.attended_ms = self.executor.refresh_clock();
        }
        if slow.run.is_killed() { Flow::Kill } else { Flow::Continue }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        log_line(level, line);
    }

    fn may_call(&mut self, args: Args<'_>) -> Option<bool> {
        let command = dispatch::find(&self.executor.server.commands, args).ok()?;
        // As in Redis, too few arguments are no matter: what is not there, nobody is kept from.
        Some(self.executor.recheck(self.client, command, args).is_ok())
    }

    fn set_replication(&mut self, replication: Replication) {
        // There are no replicas yet.
        self.writes_down = replication.aof;
    }

    fn error_replied(&mut self, error: &[u8]) {
        self.executor.stats.error(Error::new(error).code());
    }
}

pub(super) fn log_line(level: LogLevel, line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    match level {
        LogLevel::Debug => log::debug!("{line}"),
        LogLevel::Verbose => log::verbose!("{line}"),
        LogLevel::Notice => log::notice!("{line}"),
        LogLevel::Warning => log::warning!("{line}"),
    }
}
