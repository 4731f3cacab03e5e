//! Commands that wait for data.
//!
//! Such a command is parsed once, into a value that can be served again and again. Where it finds nothing, it is parked
//! under its keys (see [`storage::Waiter`]) and its client carries nothing else out. Whoever changes one of the keys
//! serves it, on whatever thread that is, under the locks that he holds; the reply then waits for the client's own
//! connection, which is woken to send it.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::{OwnedArgs, Reply, Resp};
use smallvec::SmallVec;
use storage::{Actor, Effects, Key, Keyspace, Scope, Served, Type, View, Waiter};

use crate::acl::{Denial, Place, Session};
use crate::client::{OpenWait, Shared, Unblock, Wait};
use crate::command::{Command, CommandResult, Context, Error};
use crate::longdouble::LongDouble;
use crate::server::Server;
use crate::tracking;

/// While a slow script holds the keys of a command whose time has come, it is tried again so much later.
const BUSY_RETRY_MS: i64 = 50;

/// A command that can wait for data.
pub trait Blocking: Send + Sync + 'static {
    /// The keys that may bring data.
    fn keys(&self) -> &[Vec<u8>];

    /// The type of the values that can bring data.
    fn wants(&self) -> Type;

    /// Another key that serving changes.
    fn destination(&self) -> Option<&[u8]> {
        None
    }

    /// Whether the client must hear when a key goes or changes its type.
    fn hears_of_removal(&self) -> bool {
        false
    }

    /// Serves the client if there is something for it, and tells whether it did. A command that was `woken` passes over
    /// keys that the view does not hold and keys of other types.
    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error>;

    /// The reply when the time is over.
    fn timed_out(&self, reply: &mut Reply);

    /// The reply where the command may not wait: as if the time were over at once, unless Redis answers otherwise.
    fn cannot_wait(&self, reply: &mut Reply) {
        self.timed_out(reply);
    }

    /// When the command is to be tried again although nobody has changed a key, in Unix milliseconds.
    fn next_try_ms(&self, _db: &mut View<'_>) -> Option<i64> {
        None
    }
}

/// What became of a parked command.
enum State {
    Waiting,
    Served(Outcome),
    /// There was data, but its user may not make the call any more.
    Denied(Denial),
    /// CLIENT UNBLOCK has ended the wait.
    Unblocked(Unblock),
    /// Its client waits no more.
    Over,
}

/// What a command that waited ends with.
pub struct Outcome {
    /// Mail that had come for the client before it was served.
    earlier: Option<Reply>,
    /// The reply, unless that is the one to a wait in vain.
    reply: Option<Result<Vec<u8>, Error>>,
}

impl Outcome {
    fn of(reply: Result<Vec<u8>, Error>) -> Outcome {
        Outcome { earlier: None, reply: Some(reply) }
    }

    /// The reply, after what has to stand in front of it is written.
    pub fn into_reply(self, out: &mut Reply) -> Option<Result<Vec<u8>, Error>> {
        if let Some(mut earlier) = self.earlier {
            out.append(&mut earlier);
        }
        self.reply
    }
}

/// A command that waits.
pub struct Parked {
    client: Arc<Shared>,
    db: usize,
    resp: Resp,
    extra_shards: SmallVec<[usize; 1]>,
    command: Box<dyn Blocking>,
    call: Call,
    state: Mutex<State>,
}

/// The request behind a command that waits, and for whom it was allowed.
struct Call {
    server: &'static Server,
    session: Session,
    command: &'static Command,
    args: OwnedArgs,
    /// Whether the client is remembered for the keys that it reads.
    remembered: bool,
}

impl Waiter for Parked {
    fn wants(&self) -> Type {
        self.command.wants()
    }

    fn serve(&self, view: &mut View<'_>) -> Served {
        // Its client takes this lock without holding any shard, so that nobody waits for each other.
        let mut state = self.state.lock();
        // One that was killed gets nothing more, although its connection may not know it yet.
        if !matches!(*state, State::Waiting) || self.client.is_killed() {
            return Served::Done;
        }
        let Call { server, session, command, args, remembered } = &self.call;
        if let Err(denial) = server.acl.recheck(session, command, args.as_args()) {
            *state = State::Denied(denial);
            drop(state);
            self.client.wake();
            return Served::Done;
        }
        // What the client hears of because of what it does now comes behind its reply.
        let earlier = self.client.mailbox.take_out();
        view.select(self.db);
        let actor = view.act_for(Actor::client(self.client.id));
        let mut reply = Reply::new(self.resp);
        let served = self.command.serve(view, &mut reply, true);
        view.act_for(actor);
        let reply = match served {
            Ok(false) => {
                earlier.into_iter().for_each(|mail| self.client.mailbox.put_back(mail));
                return Served::NotYet;
            }
            Ok(true) => Ok(reply.to_vec()),
            Err(error) => Err(error),
        };
        if *remembered {
            server.tracking.remember(server, self.client.id, command, args.as_args());
        }
        *state = State::Served(Outcome { earlier, reply: Some(reply) });
        drop(state);
        self.client.wake();
        Served::Done
    }

    fn hears_of_removal(&self) -> bool {
        self.command.hears_of_removal()
    }

    fn extra_shards(&self) -> &[usize] {
        &self.extra_shards
    }
}

impl Parked {
    /// Whether there is nothing more to wait for.
    pub fn is_over(&self) -> bool {
        !matches!(*self.state.lock(), State::Waiting)
    }

    /// Takes the client's mail, unless the command has been served: then its reply has to be taken first.
    pub fn take_mail(&self, into: &mut Reply) {
        let state = self.state.lock();
        if matches!(*state, State::Waiting) {
            self.client.mailbox.take(into);
        }
    }

    /// Ends the wait, so that from now on nobody serves the command. Tells whether it was still waiting.
    pub fn unblock(&self, how: Unblock) -> bool {
        let mut state = self.state.lock();
        let waits = matches!(*state, State::Waiting) && !self.client.is_killed();
        if waits {
            *state = State::Unblocked(how);
        }
        waits
    }

    /// Tries to serve the command because its time has come, and tells when to try again.
    pub fn try_again(&self, keyspace: &Keyspace, now_ms: i64, effects: impl FnOnce(&Effects)) -> Option<i64> {
        let names = self.command.keys().iter().map(Vec::as_slice).chain(self.command.destination());
        let keys: SmallVec<[Key<'_>; 4]> = names.map(|name| keyspace.key(name)).collect();
        let Some(mut view) = keyspace.view_unless_stalled(self.db, Scope::Keys(&keys), now_ms) else {
            return Some(now_ms + BUSY_RETRY_MS);
        };
        let next = match self.serve(&mut view) {
            Served::Done => None,
            Served::NotYet => self.command.next_try_ms(&mut view),
        };
        view.serve_waiters();
        effects(&view.effects);
        next
    }

    /// Ends the wait: from now on nobody serves the command.
    pub fn end(self: Arc<Self>, server: &Server) -> Outcome {
        let state = std::mem::replace(&mut *self.state.lock(), State::Over);
        let waiter: Arc<dyn Waiter> = self.clone();
        for key in self.command.keys() {
            server.keyspace.leave(self.db, key, &waiter);
        }
        match state {
            State::Served(outcome) => outcome,
            State::Denied(denial) => {
                let Call { session, command, args, .. } = &self.call;
                server.note_denial(&self.client, session.user(), denial, Place::Toplevel, command, args.as_args());
                Outcome::of(Err(denial.error(session.user(), command)))
            }
            State::Unblocked(Unblock::Error) => Outcome::of(Err(Unblock::ERROR)),
            State::Unblocked(Unblock::Timeout) | State::Waiting | State::Over => Outcome { earlier: None, reply: None },
        }
    }
}

/// Serves a command, or has its client wait until `until_ms` (for ever without).
pub fn serve_or_wait(cx: &mut Context<'_>, until_ms: Option<i64>, command: impl Blocking) -> CommandResult {
    if command.serve(cx.db, cx.reply, false)? {
        return Ok(());
    }
    if cx.is_nested() {
        command.cannot_wait(cx.reply);
        return Ok(());
    }
    let keyspace = &cx.server.keyspace;
    let resp = cx.reply.resp();
    let mut timed_out = Reply::new(resp);
    command.timed_out(&mut timed_out);
    let retry_ms = command.next_try_ms(cx.db);
    let parked = Arc::new(Parked {
        client: Arc::clone(&cx.client.shared),
        db: cx.client.db(),
        resp,
        extra_shards: command.destination().map(|key| keyspace.key(key).shard()).into_iter().collect(),
        command: Box::new(command),
        call: Call {
            server: cx.server,
            session: cx.client.session.clone(),
            command: cx.command,
            args: cx.args.iter().collect(),
            remembered: tracking::remembers(cx.client, cx.command),
        },
        state: Mutex::new(State::Waiting),
    });
    // Before anybody can serve it or end it.
    cx.client.shared.open_wait(OpenWait::Parked(Arc::clone(&parked)));
    for key in parked.command.keys() {
        let waiter: Arc<dyn Waiter> = parked.clone();
        cx.db.park(&keyspace.key(key), waiter);
    }
    cx.client.wait =
        Some(Wait { until_ms, retry_ms, reply: timed_out.to_vec(), parked: Some(parked), ..Wait::default() });
    Ok(())
}

/// The first of some keys that the view holds and `serve` is content with. What a woken command cannot use, it passes
/// over.
pub fn first_served(
    keys: &[Vec<u8>],
    db: &mut View<'_>,
    woken: bool,
    mut serve: impl FnMut(&Key<'_>, &mut View<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    for key in keys {
        let key = db.keyspace().key(key);
        if woken && !db.holds(&key) {
            continue;
        }
        match serve(&key, db) {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            Err(error) if woken && error == Error::WRONG_TYPE => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

impl Context<'_> {
    /// The argument at `index`, seconds from now, as the Unix time in milliseconds at which to stop waiting; `None`,
    /// written as 0, is never.
    pub fn deadline_seconds(&self, index: usize) -> Result<Option<i64>, Error> {
        let seconds =
            LongDouble::parse(self.arg(index)).ok_or(Error::fixed("ERR timeout is not a float or out of range"))?;
        let too_far = Error::fixed("ERR timeout is out of range");
        let timeout = match seconds {
            LongDouble::Infinite { negative: true } => -1,
            seconds => seconds.scaled_ceil(1000).ok_or(too_far.clone())?,
        };
        if timeout < 0 {
            return Err(Error::fixed("ERR timeout is negative"));
        }
        let until_ms = timeout.checked_add(self.now_ms()).ok_or(too_far)?;
        Ok((timeout > 0).then_some(until_ms))
    }

    /// The keys behind their number at `index`, of LMPOP and ZMPOP, and the place behind them, where something stands.
    pub fn counted_keys(&self, index: usize) -> Result<(Vec<Vec<u8>>, usize), Error> {
        let number = protocol::parse_i64(self.arg(index)).filter(|number| *number > 0);
        let number = number.ok_or(Error::fixed("ERR numkeys should be greater than 0"))?;
        let first = index + 1;
        let behind = usize::try_from(number).ok().and_then(|number| first.checked_add(number));
        let behind = behind.filter(|behind| *behind < self.args.len()).ok_or(Error::SYNTAX)?;
        Ok(((first..behind).map(|index| self.arg(index).to_vec()).collect(), behind))
    }

    /// `COUNT count` from `index` on, if there is anything; 1 if not.
    pub fn pop_count(&self, index: usize) -> Result<usize, Error> {
        match self.args.len() - index {
            0 => Ok(1),
            2 if self.arg_is(index, "count") => self.positive_count(index + 1),
            _ => Err(Error::SYNTAX),
        }
    }

    /// The argument at `index` as a number of elements, at least one.
    pub fn positive_count(&self, index: usize) -> Result<usize, Error> {
        let count = protocol::parse_i64(self.arg(index)).filter(|count| *count > 0);
        let count = count.ok_or(Error::fixed("ERR count should be greater than 0"))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}
