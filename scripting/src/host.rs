//! What a script may ask of the server that runs it.

use protocol::{Args, Reply};

/// Whether a script goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends with the error that SCRIPT KILL gives it.
    Kill,
    /// It ends at once and without a reply: [`End::Abandoned`](crate::End::Abandoned). No script can catch it.
    Abandon,
}

/// Severity of a line for the server's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

/// Where the effects of a script's commands go from now on, as `redis.set_repl` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Into the append-only file.
    pub aof: bool,
    /// To the replicas.
    pub replicas: bool,
}

/// The server, as a script sees it.
///
/// A panic in one of these ends the script and goes on in the caller of the engine.
pub trait Host {
    /// Runs a command for `redis.call` and appends its reply, in the version that `reply` is in.
    ///
    /// A command that cannot be run replies with an error.
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Flow;

    /// Asked now and then while a script runs, the first time after 100,000 instructions.
    fn interrupted(&mut self) -> Flow;

    /// Writes a line to the server's log, if it logs such lines.
    fn log(&mut self, level: LogLevel, line: &[u8]);

    /// Whether the client that runs the script may run a command; `None` if there is no such command.
    fn may_call(&mut self, args: Args<'_>) -> Option<bool>;

    /// Chooses where the effects of later commands go.
    fn set_replication(&mut self, replication: Replication);

    /// Told of each error in a script's reply that no command has reported before: for the server's counters.
    fn error_replied(&mut self, error: &[u8]);
}
