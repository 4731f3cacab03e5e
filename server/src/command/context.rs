//! What a command works with while it runs.

use protocol::{Args, Reply};
use storage::{Key, Scope, View};

use crate::client::Client;
use crate::command::dispatch::Executor;
use crate::command::error::{Error, shown};
use crate::command::table::Command;
use crate::server::Server;

/// A command has written its reply, or has failed and written none (what it wrote before failing is taken back).
pub type CommandResult = Result<(), Error>;

/// One request being carried out.
pub struct Context<'a> {
    pub server: &'static Server,
    pub executor: &'a Executor,
    pub client: &'a mut Client,
    /// The command that was looked up (a subcommand where there is one).
    pub command: &'static Command,
    /// The whole request, the command's name first.
    pub args: Args<'a>,
    pub reply: &'a mut Reply,
    /// The keys that the command's declaration names, locked; nothing else may be touched.
    pub db: &'a mut View<'static>,
    pub within: Within,
    /// Set by a command that has replied an error of its own and reported it.
    pub failed: bool,
}

/// What a command is a part of. Those of a transaction or a script happen at one instant, so what they touch is locked
/// already, and they may not wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Within {
    Nothing,
    Transaction,
    Script,
}

impl<'a> Context<'a> {
    /// Whether this is one of several commands that happen at one instant.
    pub fn is_nested(&self) -> bool {
        self.within != Within::Nothing
    }

    /// The argument at `index`; the declared arity guarantees the first ones.
    #[inline]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).unwrap_or_default()
    }

    /// The argument at `index` as a key.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        self.server.keyspace.key(self.arg(index))
    }

    /// Whether the argument at `index` is this word (lower case), in any case.
    pub fn arg_is(&self, index: usize, word: &str) -> bool {
        self.arg(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The argument at `index` as a 64-bit integer, or Redis's usual error.
    pub fn integer(&self, index: usize) -> Result<i64, Error> {
        protocol::parse_i64(self.arg(index)).ok_or(Error::NOT_AN_INTEGER)
    }

    /// As [`Context::integer`], but without the lowest one, which has no opposite.
    pub fn symmetric_integer(&self, index: usize) -> Result<i64, Error> {
        let text = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        Ok(self.integer(index)?)
            .and_then(|number| if number == i64::MIN { Err(Error::fixed(text)) } else { Ok(number) })
    }

    /// The argument at `index` as the number of a database.
    pub fn database(&self, index: usize) -> Result<usize, Error> {
        let number = i32::try_from(self.integer(index)?)
            .map_err(|_| Error::fixed("ERR value is out of range, value must between -2147483648 and 2147483647"))?;
        let database = usize::try_from(number).ok().filter(|number| *number < self.server.keyspace.databases());
        database.ok_or(Error::DB_OUT_OF_RANGE)
    }

    /// The argument at `index`, a number of milliseconds from now, as the Unix time in milliseconds at which to stop
    /// waiting; `None`, written as 0, is never.
    pub fn deadline_ms(&self, index: usize) -> Result<Option<i64>, Error> {
        let timeout = protocol::parse_i64(self.arg(index))
            .ok_or(Error::fixed("ERR timeout is not an integer or out of range"))?;
        if timeout < 0 {
            return Err(Error::fixed("ERR timeout is negative"));
        }
        let until_ms = timeout.checked_add(self.now_ms()).ok_or(Error::fixed("ERR timeout is out of range"))?;
        Ok((timeout > 0).then_some(until_ms))
    }

    /// Replies what HELP says: how the container is called, by the name that the client used, and then these lines.
    pub fn help(&mut self, lines: &[&str]) -> CommandResult {
        let container = shown(self.arg(0), usize::MAX).to_ascii_uppercase();
        self.reply.array(lines.len() + 3);
        self.reply
            .simple_bytes(&[&container, &b" <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"[..]].concat());
        for line in lines {
            self.reply.simple(line);
        }
        self.reply.simple("HELP");
        self.reply.simple("    This list.");
        Ok(())
    }

    /// Writes a part of the reply, for which CLIENT REPLY counts by itself: what comes behind it may turn that on or off.
    pub fn settle_part(&mut self, write: impl FnOnce(&mut Self)) {
        let mark = self.reply.mark();
        write(self);
        let left_out = self.client.reply_mode.leaves_out();
        if left_out {
            self.reply.truncate_to(mark);
        }
        self.client.settled = left_out.then_some(mark);
    }

    /// Whether what others have sent to this client may be put among what is replied: not where replies are cut off
    /// again, which would lose it, nor between the replies of a transaction.
    pub fn takes_mail(&self) -> bool {
        !self.client.reply_mode.leaves_out() && !self.is_nested()
    }

    /// Puts what others have sent to this client before what is replied from here on.
    pub fn take_mail(&mut self) {
        let mailbox = &self.client.shared.mailbox;
        if mailbox.is_full() && self.takes_mail() {
            mailbox.take(self.reply);
        }
    }

    /// Locks keys that the command's declaration does not name, unless a slow script holds them.
    pub fn lock(&mut self, keys: &[Key<'_>]) -> CommandResult {
        self.lock_scope(Scope::Keys(keys))
    }

    /// Locks all shards, unless a slow script holds some.
    pub fn lock_all(&mut self) -> CommandResult {
        self.lock_scope(Scope::Everything)
    }

    fn lock_scope(&mut self, scope: Scope<'_>) -> CommandResult {
        if !self.is_nested() {
            let view = self.server.keyspace.view_unless_stalled(self.client.db(), scope, self.now_ms());
            self.replace_view(view.ok_or_else(|| self.server.scripts.busy_error())?);
        }
        Ok(())
    }

    /// More output than this ends the connection: what may become endless stops there.
    pub fn most_output(&self) -> usize {
        match self.server.output_limit(&self.client.shared).hard {
            0 => usize::MAX,
            hard => usize::try_from(hard).unwrap_or(usize::MAX),
        }
    }

    /// Lets go of all locks.
    pub fn unlock(&mut self) {
        self.db.serve_waiters();
        self.replace_view(self.server.keyspace.view_none(self.client.db(), self.now_ms()));
    }

    /// Takes another view of the keyspace. The one before must hold no locks.
    fn replace_view(&mut self, view: View<'static>) {
        let mut before = std::mem::replace(self.db, view);
        self.db.take_settings(&before);
        self.db.effects.absorb(std::mem::take(&mut before.effects));
    }

    /// What expires up to this, in Unix milliseconds, has expired.
    pub fn horizon_ms(&self) -> i64 {
        self.db.horizon_ms()
    }

    pub fn now_ms(&self) -> i64 {
        self.db.now_ms()
    }
}

/// Behind a container's name always stands a subcommand; dispatch answers where there is none.
pub(crate) fn unreachable_container(cx: &mut Context<'_>) -> CommandResult {
    Err(Error::wrong_arity(cx.command.spec.name))
}
