//! The one way of every request: look the command up, check whether it may run, lock its keys, run it, account for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Args, Reply};
use smallvec::SmallVec;
use storage::{Actor, Key, Scope, View};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::acl::{self, Denial, Place};
use crate::client::{Client, Shared};
use crate::command::context::{Context, Within};
use crate::command::error::{Error, shown};
use crate::command::keys::{self, KeysAt};
use crate::command::spec::{Flags, KeyFlags};
use crate::command::table::{Command, CommandTable};
use crate::eviction::{Eviction, Room};
use crate::log;
use crate::persistence;
use crate::pubsub;
use crate::scripts::Lua;
use crate::scripts::attend::Attendable;
use crate::server::{Pause, Server, unix_nanos};
use crate::stats::WorkerStats;
use crate::worker::Incoming;
use crate::{journal, tracking, transaction};

/// What a worker carries requests out with.
pub struct Executor {
    pub server: &'static Server,
    pub stats: &'static WorkerStats,
    /// Where new connections come from.
    pub inbox: RefCell<UnboundedReceiver<Incoming>>,
    /// The clients of this worker by their ids.
    pub clients: RefCell<BTreeMap<u64, Arc<Shared>>>,
    /// Their connections.
    pub connections: RefCell<BTreeMap<u64, Attendable>>,
    /// The time that commands see, in Unix milliseconds: read once for all that arrived together.
    now_ms: Cell<i64>,
    /// A reading of the server's clock and the Unix nanoseconds at that moment.
    synced: Cell<(u64, i64)>,
    /// Whether prefetching is worth its while.
    pub(super) large: Cell<bool>,
    pub eviction: Eviction,
    /// The engines of scripts and functions, from the first one on.
    pub lua: RefCell<Option<Box<Lua>>>,
}

/// When a call began, and what it was.
#[derive(Clone, Copy)]
struct Timing {
    started: u64,
    failed: bool,
    within: Within,
}

/// Why a request is refused before it runs.
enum Objection {
    Error(Error),
    Denied(Denial),
}

/// A command that took this long makes the time that the next one sees be read again.
const CLOCK_SLACK_NANOS: u64 = 200_000;

impl Executor {
    pub fn new(server: &'static Server, stats: &'static WorkerStats, inbox: UnboundedReceiver<Incoming>) -> Executor {
        let executor = Executor {
            server,
            stats,
            inbox: RefCell::new(inbox),
            clients: RefCell::default(),
            connections: RefCell::default(),
            now_ms: Cell::default(),
            synced: Cell::default(),
            large: Cell::new(false),
            eviction: Eviction::default(),
            lua: RefCell::default(),
        };
        executor.sync_clock();
        executor
    }

    /// Sets the time that commands see by the system's clock. Asking that for every request would cost more than the
    /// processor's counter, from which [`Executor::refresh_clock`] goes on.
    pub fn sync_clock(&self) -> i64 {
        self.synced.set((self.server.clock.raw(), unix_nanos()));
        self.refresh_clock()
    }

    /// Reads the time that commands see from now on.
    pub fn refresh_clock(&self) -> i64 {
        let (raw, nanos) = self.synced.get();
        let elapsed = self.server.clock.delta_as_nanos(raw, self.server.clock.raw());
        let (last, now) = (self.now_ms.get(), (nanos + elapsed as i64) / 1_000_000);
        // The counter may have been a little ahead: then time stands still. Only a clock that was set goes back.
        const SET_BACK_MS: i64 = 1000;
        if now >= last || last - now > SET_BACK_MS {
            self.now_ms.set(now);
        }
        self.now_ms.get()
    }

    /// The time that commands see.
    pub fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    /// Has this worker's engines, if there are any, give back what the server has forgotten.
    pub fn tidy_scripts(&self) {
        if let Some(lua) = self.lua.borrow_mut().as_deref_mut() {
            lua.tidy(&self.server.scripts);
        }
    }

    /// Carries one request out and writes its reply. `started` is a reading of the server's clock, taken after the
    /// request before; the reading after this one is returned.
    // Into the loops of both transports, and what it calls as well: it used to have one caller, and the calls cost some
    // percent of a GET.
    #[inline(always)]
    pub fn execute(&self, client: &mut Client, args: Args<'_>, reply: &mut Reply, started: u64) -> u64 {
        let resolved = self.resolve(client, args);
        // Looking for room may have evicted what this client, or another through it, is to hear of before the reply.
        if client.shared.mailbox.is_full() {
            client.shared.mailbox.take(reply);
        }
        let mark = reply.mark();
        let ended = match resolved {
            Ok(command) if client.transaction.is_some() && !command.spec.immediate => {
                client.queue(command, args, self.flags_of(client, command, args));
                reply.simple("QUEUED");
                started
            }
            Ok(command) => self.run(client, command, args, reply, started),
            Err(_) if is_http(args) && !client.shared.peer.http => {
                self.server.note_attack(client);
                client.shared.kill();
                client.closing = true;
                started
            }
            Err(error) => {
                self.refuse(&error, reply);
                if client.tracker.is_some() {
                    tracking::after_request(client, find(&self.server.commands, args).ok());
                }
                started
            }
        };
        client.settle_reply(reply, mark);
        ended
    }

    fn refuse(&self, error: &Error, reply: &mut Reply) {
        self.stats.error(error.code());
        reply.error_bytes(error.text());
    }

    /// The command of a request, if the client may call it like this. A transaction that is being queued is broken by
    /// one that it may not.
    #[inline(always)]
    fn resolve(&self, client: &mut Client, args: Args<'_>) -> Result<&'static Command, Error> {
        let command = find(&self.server.commands, args).inspect_err(|_| client.break_transaction())?;
        client.shared.last_command.store(command.id + 1, Relaxed);
        let Some(objection) = self.objection(client, command, args) else { return Ok(command) };
        self.stats.rejected(command.id);
        client.break_transaction();
        let error = match objection {
            Objection::Error(error) => error,
            Objection::Denied(denial) => {
                let (shared, user) = (&client.shared, client.session.user());
                let place = if client.transaction.is_some() { Place::Multi } else { Place::Toplevel };
                self.server.note_denial(shared, user, denial, place, command, args);
                denial.error(user, command)
            }
        };
        Err(if command.spec.is("exec") { transaction::abort(client, self.server, &error) } else { error })
    }

    /// Why the client may not call the command like this.
    fn objection(&self, client: &mut Client, command: &Command, args: Args<'_>) -> Option<Objection> {
        if !command.spec.accepts(args.len()) {
            return Some(Objection::Error(Error::wrong_arity(&command.full_name)));
        }
        let free = self.server.acl.is_free(&client.session);
        if !free && !self.is_logged_in(client) && !command.spec.flags.contains(Flags::NO_AUTH) {
            return Some(Objection::Error(Error::NO_AUTH));
        }
        if client.transaction.is_some() && command.spec.flags.contains(Flags::NO_MULTI) {
            return Some(Objection::Error(Error::fixed("ERR Command not allowed inside a transaction")));
        }
        if !free && let Err(denial) = acl::check(client.session.user(), command, args) {
            return Some(Objection::Denied(denial));
        }
        let flags = client.flags_of(command);
        // Whatever the command is, it is a moment at which nothing is locked.
        let room = self.find_room(flags.intersects(Flags::DENYOOM | Flags::MAY_REPLICATE));
        if room == Room::None && self.flags_of(client, command, args).contains(Flags::DENYOOM) {
            return Some(Objection::Error(Error::OUT_OF_MEMORY));
        }
        let changes = || self.flags_of(client, command, args).contains(Flags::WRITE) || command.spec.is("ping");
        if let Some(error) = persistence::refusal(self.server).filter(|_| changes()) {
            return Some(Objection::Error(error));
        }
        if client.only_listens() && !pubsub::allowed_to_listeners(command) {
            return Some(Objection::Error(Error::new(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context",
                command.full_name
            ))));
        }
        if self.server.persistence.loading.is_on() && !client.may_call_while_loading(command) {
            return Some(Objection::Error(Error::LOADING));
        }
        if self.server.scripts.busy() && !command.may_run_beside_a_slow_script(args) {
            return Some(Objection::Error(self.server.scripts.busy_error()));
        }
        if client.is_monitor() && flags.intersects(Flags::READONLY | Flags::WRITE | Flags::MAY_REPLICATE) {
            // Redis counts monitors among the replicas, which no pause holds back.
            return Some(Objection::Error(Error::fixed("ERR Replica can't interact with the keyspace")));
        }
        None
    }

    /// Whether the client is somebody, after all that has changed about users.
    #[cold]
    pub fn is_logged_in(&self, client: &mut Client) -> bool {
        if self.server.acl.refresh(&mut client.session).is_err() {
            // Its user was deleted, so that it is about to be disconnected anyway.
            client.shared.kill();
            return false;
        }
        !client.session.needs_login()
    }

    /// Whether the client's user may still make a call that comes later than its request.
    pub fn recheck(&self, client: &mut Client, command: &Command, args: Args<'_>) -> Result<(), Denial> {
        if self.server.acl.is_free(&client.session) {
            return Ok(());
        }
        // One who has just deleted his own user ends what he began.
        let _ = self.server.acl.refresh(&mut client.session);
        acl::check(client.session.user(), command, args)
    }

    /// What the flags of a call say: of a script that says itself what it does, that; of EXEC, also those of all that it
    /// will carry out.
    fn flags_of(&self, client: &Client, command: &Command, args: Args<'_>) -> Flags {
        let flags = client.flags_of(command);
        let of_script = command.spec.script_flags.and_then(|of_script| of_script(&self.server.scripts, args));
        of_script.map_or(flags, |of_script| flags.of_script(of_script))
    }

    /// Whether CLIENT PAUSE holds this request back. One that is refused anyway is not.
    #[inline]
    pub fn is_paused(&self, client: &mut Client, args: Args<'_>) -> bool {
        let pause = self.server.pause_state();
        pause != Pause::None && self.is_held_back(client, args, pause)
    }

    #[cold]
    fn is_held_back(&self, client: &mut Client, args: Args<'_>, pause: Pause) -> bool {
        let Ok(command) = find(&self.server.commands, args) else { return false };
        let flags = self.flags_of(client, command, args);
        let held = pause == Pause::All || flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE);
        let held = held && !client.is_monitor() && self.objection(client, command, args).is_none();
        if held {
            client.shared.last_command.store(command.id + 1, Relaxed);
        }
        held
    }

    #[inline(always)]
    fn run(
        &self,
        client: &mut Client,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
        started: u64,
    ) -> u64 {
        let server = self.server;
        let Some(mut db) = lock(server, command, client, args, self.now_ms.get()) else {
            self.stats.rejected(command.id);
            self.refuse(&server.scripts.busy_error(), reply);
            tracking::after_request(client, Some(command));
            return server.clock.raw();
        };
        db.act_for(Actor::client(client.id()));
        db.set_touch(!client.shared.no_touch.load(Relaxed));
        if server.pause_state() != Pause::None && self.flags_of(client, command, args).contains(Flags::READONLY) {
            // A pause is for copying the data to another server, which is to see all of it the same.
            db.keep_expired();
        }
        let mut cx = Context {
            server,
            executor: self,
            client: &mut *client,
            command,
            args,
            reply: &mut *reply,
            db: &mut db,
            within: Within::Nothing,
            failed: false,
        };
        let mark = cx.reply.mark();
        let mut failed = invoke(&mut cx);
        if db.gave_up() {
            reply.truncate_to(mark);
            self.refuse(&server.scripts.busy_error(), reply);
            failed = true;
        }
        self.stats.took_effect(&db.effects);
        if client.tracker.is_some() {
            tracking::after_command(server, client, command, args);
            tracking::after_request(client, Some(command));
        }
        drop(db);
        self.account(client, command, args, reply, Timing { started, failed, within: Within::Nothing })
    }

    /// Carries out a request of the log: whoever made it was allowed to, and it is not counted again. What it needs is
    /// locked unless all is locked already. Tells whether it failed.
    pub fn replay(
        &self,
        client: &mut Client,
        locked: Option<&mut View<'static>>,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> bool {
        if !command.belongs_in_log() {
            let text = format!("ERR {} has no place in an append only file", command.full_name);
            self.refuse(&Error::new(text), reply);
            return true;
        }
        if client.transaction.is_some() && !command.spec.immediate {
            client.queue(command, args, command.spec.flags);
            return false;
        }
        let mut own = None;
        let (db, within) = match locked {
            // What it changes counts for who has locked everything.
            Some(locked) => {
                locked.select(client.db());
                (locked, Within::Transaction)
            }
            None => {
                let Some(view) = lock(self.server, command, client, args, self.now_ms.get()) else {
                    self.refuse(&self.server.scripts.busy_error(), reply);
                    return true;
                };
                // Nobody would end a wait, so none begins.
                let waits = command.spec.flags.contains(Flags::BLOCKING);
                (own.insert(view), if waits { Within::Transaction } else { Within::Nothing })
            }
        };
        db.keep_all();
        let (server, executor) = (self.server, self);
        let mut cx = Context { server, executor, client, command, args, reply, db, within, failed: false };
        let failed = invoke(&mut cx);
        if let Some(own) = own {
            self.stats.took_effect(&own.effects);
        }
        failed
    }

    /// Carries out one of several commands that happen at one instant. What it needs is locked in `db`. Tells whether it
    /// failed.
    pub fn call_nested(
        &self,
        client: &mut Client,
        db: &mut View<'static>,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
        within: Within,
    ) -> bool {
        let started = self.server.clock.raw();
        db.select(client.db());
        let actor = if within == Within::Script { Actor::script(client.id()) } else { Actor::client(client.id()) };
        let actor = db.act_for(actor);
        let mut cx = Context {
            server: self.server,
            executor: self,
            client: &mut *client,
            command,
            args,
            reply: &mut *reply,
            db,
            within,
            failed: false,
        };
        let failed = invoke(&mut cx);
        db.act_for(actor);
        if client.tracker.is_some() {
            tracking::after_command(self.server, client, command, args);
        }
        self.account(client, command, args, reply, Timing { started, failed, within });
        failed
    }

    /// Counts a call that took from `started` until now. Returns the clock's reading.
    fn account(
        &self,
        client: &mut Client,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
        Timing { started, failed, within }: Timing,
    ) -> u64 {
        let server = self.server;
        let ended = server.clock.raw();
        let nanos = server.clock.delta_as_nanos(started, ended);
        if server.clients.monitored() && !command.spec.flags.intersects(Flags::SKIP_MONITOR | Flags::ADMIN) {
            crate::monitor::feed(server, client, command, args, reply, within);
        }
        match &mut client.wait {
            // Counted when it is over.
            Some(wait) => wait.spent_nanos = nanos,
            None => self.count(client, command, args, nanos, failed),
        }
        if nanos > CLOCK_SLACK_NANOS {
            self.refresh_clock();
        }
        ended
    }

    fn count(&self, client: &Client, command: &'static Command, args: Args<'_>, nanos: u64, failed: bool) {
        self.stats.called(command.id, nanos, failed, self.server.config.latency_tracking());
        self.server.observe_duration(command, client, args, nanos);
    }

    /// Replies for a command whose client has waited, and counts it; it had worked for `spent_nanos` before that.
    pub fn finish(
        &self,
        client: &mut Client,
        args: Args<'_>,
        spent_nanos: u64,
        outcome: Result<Vec<u8>, Error>,
        reply: &mut Reply,
    ) {
        let failed = outcome.is_err();
        let mark = reply.mark();
        match outcome {
            Ok(bytes) => reply.raw(&bytes),
            Err(error) => {
                reply.error_bytes(error.text());
                self.stats.error(error.code());
            }
        }
        client.settle_reply(reply, mark);
        if let Ok(command) = find(&self.server.commands, args) {
            self.count(client, command, args, spent_nanos, failed);
            tracking::after_request(client, Some(command));
        }
    }
}

/// Has a command do its work and writes the error if it fails. Tells whether it did.
fn invoke(cx: &mut Context<'_>) -> bool {
    let mark = cx.reply.mark();
    // A panic is a bug of ours; the client and everybody else must not pay for it. What the command held is released
    // while unwinding, and the keyspace's structures are whole between any two of their operations.
    let result = catch_unwind(AssertUnwindSafe(|| {
        let result = (cx.command.spec.run)(cx);
        journal::after_command(cx);
        if !cx.is_nested() {
            cx.db.serve_waiters();
        }
        result
    }));
    let result = result.unwrap_or_else(|_| {
        let request = match cx.server.config.hide_user_data_from_log() {
            true => format!("{} with {} arguments", cx.command.full_name, cx.args.len() - 1),
            false => crate::monitor::quoted(cx.command, cx.args),
        };
        log::warning!("A command panicked, which is a bug: {request}");
        journal::after_command(cx);
        Err(Error::fixed("ERR internal error while executing the command, see the server's log"))
    });
    let Err(error) = result else { return cx.failed };
    cx.reply.truncate_to(mark);
    cx.reply.error_bytes(error.text());
    cx.executor.stats.error(error.code());
    true
}

/// Finds a request's command and, in a container, its subcommand.
pub fn find(commands: &CommandTable, args: Args<'_>) -> Result<&'static Command, Error> {
    let name = args.get(0).unwrap_or_default();
    let Some(command) = commands.get(name) else { return Err(unknown_command(name, args)) };
    if command.subcommands.is_empty() || args.len() < 2 {
        return Ok(command);
    }
    command.subcommand(&args[1]).ok_or_else(|| Error::see_help("ERR unknown subcommand '", args))
}

/// Whether a request is a line of HTTP that a browser may have been made to send: the body could hold commands.
fn is_http(args: Args<'_>) -> bool {
    args.get(0).is_some_and(|name| name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:"))
}

fn unknown_command(name: &[u8], args: Args<'_>) -> Error {
    // The preview, quotes and spaces included, ends with the argument that makes it long enough.
    let mut preview = Vec::new();
    for arg in args.tail(1) {
        let Some(room) = 128usize.checked_sub(preview.len()).filter(|room| *room > 0) else { break };
        preview.push(b'\'');
        preview.extend_from_slice(shown(arg, room));
        preview.extend_from_slice(b"' ");
    }
    let mut text =
        Error::quoting("ERR unknown command '", shown(name, 128), "', with args beginning with: ").text().to_vec();
    text.append(&mut preview);
    Error::new(text)
}

/// Locks the keys of a request, unless a slow script holds them.
#[inline]
fn lock(
    server: &'static Server,
    command: &Command,
    client: &Client,
    args: Args<'_>,
    now_ms: i64,
) -> Option<View<'static>> {
    let (keyspace, db) = (&server.keyspace, client.db());
    let spec = &command.spec;
    if spec.all_shards.is_some_and(|wanted| wanted(args)) {
        return keyspace.view_unless_stalled(db, Scope::Everything, now_ms);
    }
    match spec.keys {
        _ if spec.locks_itself => Some(keyspace.view_none(db, now_ms)),
        [] => Some(keyspace.view_none(db, now_ms)),
        // Shard channels are declared as keys are, but are none.
        [one] if one.flags.contains(KeyFlags::NOT_KEY) => Some(keyspace.view_none(db, now_ms)),
        _ => match keys::only_place(spec) {
            Some(at) => {
                let key = keyspace.key(args.get(at).unwrap_or_default());
                keyspace.view_unless_stalled(db, Scope::Shard(key.shard()), now_ms)
            }
            None => lock_found(server, keys::find(spec, args), args, db, now_ms),
        },
    }
}

fn lock_found(
    server: &'static Server,
    at: Option<KeysAt>,
    args: Args<'_>,
    db: usize,
    now_ms: i64,
) -> Option<View<'static>> {
    let at = at.unwrap_or_default();
    let keys: SmallVec<[Key<'_>; 8]> = at.iter().map(|key| server.keyspace.key(&args[key.index])).collect();
    server.keyspace.view_unless_stalled(db, Scope::Keys(&keys), now_ms)
}
