//! What scripts ask of the server.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Args, Reply};
use scripting::{Flow, Host, LogLevel, Replication};
use smallvec::SmallVec;
use storage::{Key, View};

use super::attend::attend;
use super::{Run, Story};
use crate::acl::Place;
use crate::client::Client;
use crate::command::Error;
use crate::command::context::Within;
use crate::command::dispatch::{self, Executor};
use crate::command::keys;
use crate::command::spec::Flags;
use crate::command::table::Command;
use crate::log;

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
    pub run: Arc<Run>,
    /// Everything is locked.
    pub all_locked: bool,
    /// It has needed more than it declared.
    pub strayed: bool,
    is_slow: bool,
    attended_ms: i64,
}

/// How often the other clients of the worker are looked at while a script takes long.
const ATTEND_EVERY_MS: i64 = 5;

impl<'h> ScriptHost<'h> {
    pub fn new(
        executor: &'h Executor,
        client: &'h mut Client,
        db: &'h mut View<'static>,
        limits: Limits,
        subject: Subject<'h>,
        run: Arc<Run>,
        all_locked: bool,
    ) -> ScriptHost<'h> {
        ScriptHost {
            executor,
            client,
            db,
            limits,
            run,
            all_locked,
            subject,
            strayed: false,
            is_slow: false,
            attended_ms: 0,
        }
    }

    /// The command that a script asks for, if it may have it.
    fn check(&self, args: Args<'_>) -> Result<&'static Command, Error> {
        let unknown = |_| Error::fixed("ERR Unknown Redis command called from script");
        let command = dispatch::find(&self.executor.server.commands, args).map_err(unknown)?;
        let (spec, wrote) = (&command.spec, self.run.wrote.load(Relaxed));
        let flags = spec.flags;
        let error = if !spec.accepts(args.len()) {
            Error::fixed("ERR Wrong number of args calling Redis command from script")
        } else if flags.contains(Flags::NOSCRIPT) {
            Error::fixed("ERR This Redis command is not allowed from script")
        } else if self.limits.read_only && flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            Error::fixed("ERR Write commands are not allowed from read-only scripts.")
        } else if self.limits.out_of_memory && !wrote && flags.contains(Flags::DENYOOM) {
            Error::OUT_OF_MEMORY
        } else {
            return Ok(command);
        };
        self.executor.stats.rejected(command.id);
        Err(error)
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
        let server = self.executor.server;
        if command.needs_everything(args) {
            self.strayed = true;
            return self.cover_with(|view| view.reach_all());
        }
        let found = keys::find(&command.spec, args).unwrap_or_default();
        let keys: SmallVec<[Key<'_>; 8]> =
            found.iter().filter_map(|key| Some(server.keyspace.key(args.get(key.index)?))).collect();
        let declared = self.subject.keys;
        if keys.iter().all(|key| declared.iter().any(|other| other.shard() == key.shard())) {
            return Cover::Covered;
        }
        self.strayed = true;
        self.cover_with(|view| view.reach(&keys))
    }

    fn cover_with(&mut self, reach: impl FnOnce(&mut View<'static>) -> bool) -> Cover {
        if self.all_locked {
            return Cover::Covered;
        }
        if !self.run.wrote.load(Relaxed) {
            return Cover::Anew;
        }
        if reach(self.db) { Cover::Covered } else { Cover::Refused }
    }

    /// The script is over.
    pub fn end(self) {
        let server = self.executor.server;
        if self.is_slow && server.scripts.remove_slow(&self.run) {
            server.keyspace.set_stalled(false);
        }
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
        if command.spec.flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            self.run.wrote.store(true, Relaxed);
        }
        self.executor.call_nested(self.client, self.db, command, args, reply, Within::Script);
        self.interrupted()
    }

    fn interrupted(&mut self) -> Flow {
        let server = self.executor.server;
        if self.run.killed.load(Relaxed) {
            return Flow::Kill;
        }
        let now_ms = self.executor.refresh_clock();
        let (threshold, elapsed) = (server.config.busy_reply_threshold(), now_ms - self.run.started_ms);
        if !self.is_slow && threshold > 0 && elapsed >= threshold {
            self.is_slow = true;
            let kill = if self.run.is_function { "FUNCTION KILL" } else { "SCRIPT KILL" };
            log::warning!(
                "Slow script detected: still in execution after {elapsed} milliseconds. You can try killing the script \
                 using the {kill} command. Script name is: {}.",
                self.subject.name
            );
            let request = self.subject.args.iter().map(<[u8]>::to_vec).collect();
            let _ = self.run.story.set(Story { name: self.subject.name.to_string(), request });
            server.scripts.add_slow(self.run.clone());
            server.keyspace.set_stalled(true);
        }
        if self.is_slow && now_ms - self.attended_ms >= ATTEND_EVERY_MS {
            self.attended_ms = now_ms;
            attend(self.executor, self.client);
        }
        Flow::Continue
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        log_line(level, line);
    }

    fn may_call(&mut self, args: Args<'_>) -> Option<bool> {
        let command = dispatch::find(&self.executor.server.commands, args).ok()?;
        Some(command.spec.accepts(args.len()) && self.executor.recheck(self.client, command, args).is_ok())
    }

    fn set_replication(&mut self, _: Replication) {
        // There is neither a journal nor a replica yet.
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
