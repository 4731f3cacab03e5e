//! A connected client: what its own connection works with, and what others may see of it and do to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

use parking_lot::{Mutex, RwLock};
use protocol::{Mark, Reply};

use crate::acl::{DEFAULT_USER, Session};
use crate::blocking::Parked;
use crate::command::Error;
use crate::command::dispatch::Executor;
use crate::command::table::Command;
use crate::commands::Logged;
use crate::config::Permission;
use crate::mail::{Bell, Mailbox};
use crate::pubsub::{Kind, Subscriptions};
use crate::server::{Server, unix_ms};
use crate::tracking::{Mode, Tracker};
use crate::transaction::{Transaction, Watching};

/// Where a connection came in and from where.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// `host:port`, or the socket's path with port 0.
    pub addr: String,
    pub laddr: String,
    pub fd: i32,
    pub unix: bool,
    /// Came to the HTTP port.
    pub http: bool,
    /// Speaks TLS.
    pub tls: bool,
    /// Came from this machine: what protected mode and `local` permissions ask.
    pub local: bool,
}

/// What every client of the server can be seen by: CLIENT LIST reads it and CLIENT KILL acts on it from any thread.
/// Its own connection is the only one that writes the figures.
#[derive(Default)]
pub struct Shared {
    pub id: u64,
    pub peer: Peer,
    /// Unix milliseconds.
    pub created_ms: i64,
    pub last_active_ms: AtomicI64,
    pub db: AtomicUsize,
    pub resp: AtomicU8,
    pub name: Mutex<Vec<u8>>,
    pub lib_name: Mutex<Vec<u8>>,
    pub lib_ver: Mutex<Vec<u8>>,
    pub user: Mutex<Vec<u8>>,
    pub monitor: AtomicBool,
    pub no_evict: AtomicBool,
    pub no_touch: AtomicBool,
    pub blocked: AtomicBool,
    /// Whether the wait, if there is one, ends by itself.
    pub wait_is_timed: AtomicBool,
    /// Held back by CLIENT PAUSE, which CLIENT UNBLOCK does not end.
    pub held_back: AtomicBool,
    /// The id of the last command, plus one.
    pub last_command: AtomicUsize,
    pub query_buffered: AtomicUsize,
    pub query_free: AtomicUsize,
    /// The most bytes that waited since the worker last looked.
    pub query_peak: AtomicUsize,
    pub argv_memory: AtomicUsize,
    pub output_buffered: AtomicUsize,
    pub output_memory: AtomicUsize,
    /// The most output that waited at once, since a moment in Unix milliseconds.
    pub output_peak: AtomicUsize,
    pub output_peak_since_ms: AtomicI64,
    pub net_in: AtomicU64,
    pub net_out: AtomicU64,
    pub commands: AtomicU64,
    /// Commands queued since MULTI, plus one.
    pub queued: AtomicUsize,
    pub transaction_memory: AtomicUsize,
    /// Keys that are watched.
    pub watched: AtomicUsize,
    pub worker: AtomicU32,
    /// What is counted of its memory against `maxmemory-clients`.
    pub counted_memory: AtomicUsize,
    /// What was counted of it when it was evicted; `usize::MAX` once it is over.
    pub evicted_memory: AtomicUsize,
    /// Asked to give back the memory of its buffers.
    pub trim: AtomicBool,
    /// About to close, once what is pending is written; it gets no more mail.
    pub leaving: AtomicBool,
    /// Asked to close: at once, without writing what is pending.
    killed: AtomicBool,
    /// The wait that CLIENT UNBLOCK can end.
    open_wait: Mutex<OpenWait>,
    /// What others send it.
    pub mailbox: Mailbox,
    /// How it tracks keys, if it does.
    pub tracking: Mutex<Option<Mode>>,
    /// What the prefixes take that it tracks keys by.
    pub prefix_memory: AtomicUsize,
    /// How many channels, patterns and shard channels it is subscribed to, by [`Kind`].
    pub subscriptions: [AtomicUsize; Kind::ALL.len()],
    bell: Arc<Bell>,
    waker: Mutex<Option<Waker>>,
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblock {
    Timeout,
    Error,
}

impl Unblock {
    /// What the client hears of [`Unblock::Error`].
    pub const ERROR: Error = Error::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");
}

/// A wait as others see it.
#[derive(Default)]
pub enum OpenWait {
    #[default]
    None,
    /// For nothing that another client could serve; and how it was ended.
    Plain(Option<Unblock>),
    /// It is the parked command that knows whether it was served or ended first.
    Parked(Arc<Parked>),
}

impl Shared {
    pub fn new(id: u64, peer: Peer, worker: usize, bell: Arc<Bell>) -> Shared {
        let now = unix_ms();
        Shared {
            id,
            peer,
            created_ms: now,
            last_active_ms: now.into(),
            resp: 2.into(),
            user: Mutex::new(DEFAULT_USER.to_vec()),
            worker: (worker as u32).into(),
            bell,
            ..Shared::default()
        }
    }

    /// Bytes that the client takes: its buffers, and what is known about it.
    pub fn memory(&self) -> usize {
        // A name in the client's list and one in the keyspace's, or in that of channels.
        const WATCHED_KEY: usize = 128;
        const SUBSCRIPTION: usize = 128;
        let input = [&self.query_buffered, &self.query_free, &self.argv_memory];
        let buffers = [&self.output_memory, &self.transaction_memory, &self.prefix_memory];
        let buffers: usize = input.into_iter().chain(buffers).map(|bytes| bytes.load(Relaxed)).sum();
        let subscriptions: usize = self.subscriptions.iter().map(|count| count.load(Relaxed)).sum();
        let names = self.watched.load(Relaxed) * WATCHED_KEY + subscriptions * SUBSCRIPTION;
        size_of::<Shared>() + self.name.lock().capacity() + self.mailbox.memory() + buffers + names
    }

    /// Closes the client's connection, from any thread.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.wake();
    }

    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Ends the client's wait in a blocking command. Tells whether it was waiting.
    pub fn unblock(&self, how: Unblock) -> bool {
        let mut open_wait = self.open_wait.lock();
        let ended = match &mut *open_wait {
            OpenWait::Parked(parked) => parked.unblock(how),
            OpenWait::Plain(ended @ None) => {
                *ended = Some(how);
                true
            }
            OpenWait::Plain(Some(_)) | OpenWait::None => false,
        };
        if ended {
            // `timeout` applies again, but not to the time spent waiting.
            self.last_active_ms.store(unix_ms(), Relaxed);
            self.blocked.store(false, Relaxed);
        }
        drop(open_wait);
        if ended {
            self.wake();
        }
        ended
    }

    /// From now on the wait can be ended by others.
    pub(crate) fn open_wait(&self, wait: OpenWait) {
        *self.open_wait.lock() = wait;
    }

    /// From now on others cannot end the wait.
    pub(crate) fn close_wait(&self) -> OpenWait {
        let mut open_wait = self.open_wait.lock();
        self.blocked.store(false, Relaxed);
        std::mem::take(&mut *open_wait)
    }

    /// Whether others have ended a wait for nothing that could be served.
    pub(crate) fn is_unblocked(&self) -> bool {
        matches!(*self.open_wait.lock(), OpenWait::Plain(Some(_)))
    }

    /// Counts as waiting, unless somebody has ended the wait already.
    pub(crate) fn note_blocked(&self) {
        let open_wait = self.open_wait.lock();
        let over = match &*open_wait {
            OpenWait::Parked(parked) => parked.is_over(),
            OpenWait::Plain(ended) => ended.is_some(),
            OpenWait::None => true,
        };
        self.blocked.store(!over, Relaxed);
    }

    /// Puts something behind what the client is being sent, from any thread.
    pub fn push(&self, write: impl FnOnce(&mut Reply)) {
        if self.mailbox.put(write) {
            self.wake();
        }
    }

    /// Sends news of keys, unasked.
    pub fn push_news(&self, write: impl FnOnce(&mut Reply)) {
        if self.mailbox.put_news(write) {
            self.wake();
        }
    }

    /// Whether it is subscribed to anything.
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Relaxed) > 0)
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock() = Some(waker.clone());
    }

    pub(crate) fn waker(&self) -> Option<Waker> {
        self.waker.lock().clone()
    }

    /// Makes the client's connection look at what changed.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            self.bell.ring(waker.clone());
        }
    }

    /// The name of the last command as CLIENT LIST prints it.
    pub fn last_command_name(&self, commands: &[&'static Command]) -> String {
        match self.last_command.load(Relaxed).checked_sub(1).and_then(|id| commands.get(id)) {
            Some(command) => command.full_name.clone(),
            None => "NULL".into(),
        }
    }
}

/// What CLIENT REPLY asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    On,
    Off,
    /// The next command's reply is left out.
    SkipNext,
    /// This command's reply is left out.
    Skip,
}

impl ReplyMode {
    /// Whether what is replied now is left out.
    pub fn leaves_out(self) -> bool {
        matches!(self, ReplyMode::Off | ReplyMode::Skip)
    }
}

/// A wait, during which nothing is carried out for the client.
#[derive(Default)]
pub struct Wait {
    /// Unix milliseconds; `None` waits for ever.
    pub until_ms: Option<i64>,
    /// When to try again in between.
    pub retry_ms: Option<i64>,
    /// The reply when the time is over.
    pub reply: Vec<u8>,
    /// In place of the reply, what WAITAOF waits for.
    pub logged: Option<Logged>,
    /// What may end the wait before.
    pub parked: Option<Arc<Parked>>,
    /// How long the command has worked so far.
    pub spent_nanos: u64,
}

impl Wait {
    /// When something is to be done about it at the latest.
    pub fn next_ms(&self) -> Option<i64> {
        self.until_ms.into_iter().chain(self.retry_ms).min()
    }
}

/// A client as its own connection sees it.
pub struct Client {
    pub shared: Arc<Shared>,
    pub session: Session,
    pub reply_mode: ReplyMode,
    /// How far the reply is that [`Client::settle_reply`] leaves as it is, set by a command that has settled it in parts.
    pub settled: Option<Mark>,
    /// Close after the replies so far are written.
    pub closing: bool,
    /// Set by a command that makes the client wait; its reply comes later.
    pub wait: Option<Wait>,
    pub subscriptions: Subscriptions,
    /// What has been queued since MULTI.
    pub transaction: Option<Box<Transaction>>,
    pub watching: Option<Box<Watching>>,
    /// There while it tracks keys.
    pub tracker: Option<Box<Tracker>>,
}

impl Client {
    pub fn new(shared: Arc<Shared>, session: Session) -> Client {
        Client {
            shared,
            session,
            reply_mode: ReplyMode::On,
            settled: None,
            closing: false,
            wait: None,
            subscriptions: Subscriptions::default(),
            transaction: None,
            watching: None,
            tracker: None,
        }
    }

    pub fn id(&self) -> u64 {
        self.shared.id
    }

    #[inline]
    pub fn db(&self) -> usize {
        self.shared.db.load(Relaxed)
    }

    pub fn select(&mut self, db: usize) {
        self.shared.db.store(db, Relaxed);
    }

    /// Decides what becomes of the reply behind a mark, which is that to a whole request: the one place where CLIENT
    /// REPLY takes effect. The reply of a command that waits is still to come.
    #[inline(always)]
    pub fn settle_reply(&mut self, reply: &mut Reply, mark: Mark) {
        if self.reply_mode != ReplyMode::On && self.wait.is_none() {
            self.leave_out_reply(reply, mark);
        }
    }

    #[cold]
    fn leave_out_reply(&mut self, reply: &mut Reply, mark: Mark) {
        if self.reply_mode.leaves_out() {
            reply.truncate_to(self.settled.take().unwrap_or(mark));
        }
        self.reply_mode = match self.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
    }

    /// Whether this client has a permission that a directive gives.
    pub fn is_permitted(&self, permission: Permission) -> bool {
        match permission {
            Permission::No => false,
            Permission::Yes => true,
            Permission::Local => self.shared.peer.local,
        }
    }

    /// Puts everything back into the state of a new client, which acts for somebody.
    pub fn start_over(&mut self, server: &Server, session: Session) {
        server.pubsub.leave_all(self);
        self.take_transaction();
        self.unwatch(&server.keyspace);
        server.tracking.turn_off(self);
        let shared = &self.shared;
        server.clients.remove_monitor(shared);
        shared.name.lock().clear();
        shared.no_evict.store(false, Relaxed);
        shared.no_touch.store(false, Relaxed);
        self.act_for(session);
        self.select(0);
    }

    /// The connection is over: nothing is left of it on the server.
    pub fn leave(&mut self, executor: &Executor) {
        let server = executor.server;
        server.pubsub.leave_all(self);
        server.tracking.turn_off(self);
        self.unwatch(&server.keyspace);
        server.clients.remove(&self.shared);
        executor.clients.borrow_mut().remove(&self.shared.id);
        server.client_memory.forget(&self.shared);
        server.connected.fetch_sub(1, Relaxed);
    }

    /// Acts for a user from now on.
    pub fn act_for(&mut self, session: Session) {
        *self.shared.user.lock() = session.user().name().to_vec();
        self.session = session;
    }

    /// Whether it sees all commands, and may touch no keys.
    #[inline]
    pub fn is_monitor(&self) -> bool {
        self.shared.monitor.load(Relaxed)
    }

    /// Whether it may only change its subscriptions: a client that cannot tell messages from replies.
    #[inline]
    pub fn only_listens(&self) -> bool {
        !self.subscriptions.is_empty() && self.shared.resp.load(Relaxed) == 2
    }
}

/// All connected clients by id.
#[derive(Default)]
pub struct Registry {
    clients: RwLock<BTreeMap<u64, Arc<Shared>>>,
    next_id: AtomicU64,
    /// Those who see all commands.
    monitors: Mutex<Vec<Arc<Shared>>>,
    monitor_count: AtomicUsize,
}

impl Registry {
    /// A fresh id; ids only grow.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed) + 1
    }

    pub fn add(&self, client: Arc<Shared>) {
        self.clients.write().insert(client.id, client);
    }

    /// Takes a client off the list, if it is still there.
    pub fn remove(&self, client: &Shared) {
        if self.clients.write().remove(&client.id).is_some() {
            self.remove_monitor(client);
        }
    }

    pub fn get(&self, id: u64) -> Option<Arc<Shared>> {
        self.clients.read().get(&id).filter(|client| !client.is_killed()).cloned()
    }

    pub fn len(&self) -> usize {
        self.clients.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every client, oldest first. One that was killed counts as gone, although its connection may not know it yet.
    pub fn all(&self) -> Vec<Arc<Shared>> {
        self.clients.read().values().filter(|client| !client.is_killed()).cloned().collect()
    }

    /// Has a client see all commands.
    pub fn add_monitor(&self, client: &Arc<Shared>) {
        if !client.monitor.swap(true, Relaxed) {
            self.monitors.lock().push(client.clone());
            self.monitor_count.fetch_add(1, Relaxed);
        }
    }

    pub fn remove_monitor(&self, client: &Shared) {
        if client.monitor.swap(false, Relaxed) {
            self.monitors.lock().retain(|other| other.id != client.id);
            self.monitor_count.fetch_sub(1, Relaxed);
        }
    }

    /// Whether anybody watches.
    #[inline]
    pub fn monitored(&self) -> bool {
        self.monitor_count.load(Relaxed) > 0
    }

    /// Sends a line to every client that watches, but for one.
    pub fn feed_monitors(&self, line: &[u8], but: u64) {
        let monitors = self.monitors.lock();
        monitors.iter().filter(|client| client.id != but).for_each(|client| client.push(|out| out.raw(line)));
    }
}
