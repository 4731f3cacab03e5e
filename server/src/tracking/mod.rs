//! Client-side caching: who keeps copies of which keys, and the messages that tell them to throw these away.
//!
//! A client that has it turned on is remembered for each key that a reading command of its names ([`table`]), or it has
//! asked for all keys with some beginnings ([`broadcast`]). What happens to keys comes from the gate's observer, while
//! the key's shard is locked; the reader is remembered under the same lock. So whatever changes a key that somebody has
//! read meets the note of it. Locks are taken in this order: shards of the keyspace, then one of: a part of the table,
//! the prefixes, how a client tracks; then a mailbox.

mod broadcast;
mod message;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bitflags::bitflags;
use parking_lot::Mutex;
use protocol::Args;
use storage::{Event, Happening, Keyspace};

use crate::client::{Client, Registry, Shared};
use crate::command::keys;
use crate::command::spec::{Categories, Flags};
use crate::command::table::Command;
use crate::journal;
use crate::server::{Server, unix_ms};
use broadcast::Prefixes;
use message::Stale;
use table::Table;

bitflags! {
    /// How a client wants to have keys tracked.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Options: u8 {
        /// All keys with some beginnings, whether it has read them or not.
        const BCAST = 1 << 0;
        /// What it reads after CLIENT CACHING YES.
        const OPTIN = 1 << 1;
        /// What it reads, but not after CLIENT CACHING NO.
        const OPTOUT = 1 << 2;
        /// It need not be told of its own changes.
        const NOLOOP = 1 << 3;
    }
}

/// How a client tracks keys, for those who send it messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    pub options: Options,
    /// The client that gets the messages in its place; 0 is none.
    pub redirect: u64,
    /// There was a message for that client after it had gone.
    pub broken: bool,
}

/// A client that tracks keys, as its own connection knows it.
pub struct Tracker {
    pub options: Options,
    /// CLIENT CACHING was called for the next command.
    pub caching: bool,
    /// With [`Options::BCAST`], the beginnings of keys.
    pub prefixes: BTreeSet<Arc<[u8]>>,
}

impl Tracker {
    /// Whether the client is remembered for what it reads now.
    fn remembers(&self) -> bool {
        let has = |option| self.options.contains(option);
        if has(Options::OPTIN) || has(Options::OPTOUT) {
            return has(Options::OPTIN) == self.caching;
        }
        !has(Options::BCAST)
    }
}

/// Keys that are forgotten at most in one go because there are too many.
const TRIM_AT_ONCE: usize = 10_000;

/// So long the keys are kept that clients have read after the last of them has turned tracking off: it may have done so
/// to turn it on in another way.
const KEEP_MS: i64 = 60_000;

/// What the server knows about all clients that track keys.
#[derive(Default)]
pub struct Tracking {
    table: Table,
    prefixes: Prefixes,
    /// While it is locked, changes begin or cease to be observed.
    observed: Mutex<Observed>,
}

/// Why changes are observed, or not.
#[derive(Default)]
struct Observed {
    /// Clients that track keys.
    clients: usize,
    /// While there are none and changes are observed all the same, when the last one ceased, in Unix milliseconds.
    last_left_ms: Option<i64>,
}

impl Tracking {
    /// Has a client track keys, from now on in this way. With [`Options::BCAST`] some prefixes are added to those that it
    /// has.
    pub fn turn_on(&self, keyspace: &Keyspace, client: &mut Client, mode: Mode, prefixes: &[&[u8]]) {
        if client.tracker.is_none() {
            let mut observed = self.observed.lock();
            observed.clients += 1;
            observed.last_left_ms = None;
            keyspace.observe_changes(true);
        }
        *client.shared.tracking.lock() = Some(mode);
        let new = || Tracker { options: mode.options, caching: false, prefixes: BTreeSet::new() };
        let tracker = client.tracker.get_or_insert_with(|| Box::new(new()));
        tracker.options = mode.options;
        for prefix in prefixes {
            if !tracker.prefixes.contains(*prefix) {
                tracker.prefixes.insert(self.prefixes.add(prefix, &client.shared));
            }
        }
        client.shared.prefix_memory.store(tracker.prefixes.iter().map(|prefix| prefix.len() + PREFIX).sum(), Relaxed);
    }

    /// Ends a client's tracking. What was noted about its reading stays until the keys change, and nobody is told then.
    pub fn turn_off(&self, client: &mut Client) {
        let Some(tracker) = client.tracker.take() else { return };
        *client.shared.tracking.lock() = None;
        tracker.prefixes.iter().for_each(|prefix| self.prefixes.remove(prefix, client.id()));
        client.shared.prefix_memory.store(0, Relaxed);
        let mut observed = self.observed.lock();
        observed.clients -= 1;
        if observed.clients == 0 {
            observed.last_left_ms = Some(unix_ms());
        }
    }

    /// Called now and then: forgets what has become too much, or useless.
    pub fn tidy(&self, server: &Server, now_ms: i64) {
        let mut observed = self.observed.lock();
        if observed.last_left_ms.is_some_and(|then| (now_ms - then).abs() >= KEEP_MS) {
            observed.last_left_ms = None;
            server.keyspace.observe_changes(false);
            self.table.clear();
        }
        let anybody = observed.clients > 0;
        drop(observed);
        if anybody {
            self.trim(server);
        }
    }

    /// How many clients track keys.
    pub fn clients(&self) -> usize {
        self.observed.lock().clients
    }

    /// How many keys somebody has read, and in how many cases.
    pub fn totals(&self) -> (usize, usize) {
        self.table.totals()
    }

    /// How many prefixes somebody wants to hear of.
    pub fn prefixes(&self) -> usize {
        self.prefixes.count()
    }

    /// Notes that a client has read the keys of a command, which are still locked.
    pub fn remember(&self, server: &Server, reader: u64, command: &Command, args: Args<'_>) {
        for key in keys::find(&command.spec, args).unwrap_or_default() {
            self.table.add(&args[key.index], reader);
        }
        self.trim(server);
    }

    /// Forgets keys, at random, where there are more than `tracking-table-max-keys`. As nobody would hear of their changes
    /// any more, it is as if they changed now.
    pub fn trim(&self, server: &Server) {
        let limit = match server.config.tracking_table_max_keys() {
            0 => return,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        for _ in 0..TRIM_AT_ONCE {
            let Some((key, readers)) = self.table.take_any_beyond(limit) else { return };
            self.invalidate(&server.clients, &key, &readers, 0);
        }
    }

    /// Hears of a change.
    pub fn heard(&self, server: &'static Server, change: &Happening<'_>) {
        if change.event == Event::FLUSHED {
            self.table.clear();
            return match journal::tells_later(server) {
                true => journal::tell_later(|| server.tracking.invalidate_all(&server.clients)),
                false => self.invalidate_all(&server.clients),
            };
        }
        // For scripts Redis makes this difference, too: only a client that is noted as a reader is spared what its own
        // scripts change.
        let actor = change.actor;
        let author = if change.event == Event::CHANGED && !actor.is_script() { actor.id() } else { 0 };
        self.prefixes.note(change.key, author);
        if let Some(readers) = self.table.take(change.key) {
            if journal::tells_later(server) {
                let key: Box<[u8]> = change.key.into();
                journal::tell_later(move || server.tracking.invalidate(&server.clients, &key, &readers, actor.id()));
            } else {
                self.invalidate(&server.clients, change.key, &readers, actor.id());
            }
        }
    }

    /// Sends what has been noted on this thread for clients that wait for prefixes. Called before the replies of those
    /// who made the changes are sent.
    #[inline]
    pub fn broadcast(&self, clients: &Registry) {
        self.prefixes.for_each_noted(|client, keys| {
            let mode = *client.tracking.lock();
            if let Some(mode) = mode
                && let Some(keys) = keys.for_client(client.id, mode.options.contains(Options::NOLOOP))
            {
                send(clients, client, mode, Stale::Keys(keys));
            }
        });
    }

    fn invalidate(&self, clients: &Registry, key: &[u8], readers: &[u64], actor: u64) {
        for client in readers.iter().filter_map(|id| clients.get(*id)) {
            let Some(mode) = *client.tracking.lock() else { continue };
            let told_anyway = mode.options.contains(Options::BCAST);
            let own = mode.options.contains(Options::NOLOOP) && client.id == actor;
            if !told_anyway && !own {
                send(clients, &client, mode, Stale::Key(key));
            }
        }
    }

    /// Whole databases were emptied. A key is remembered without its database, so that is about all keys.
    fn invalidate_all(&self, clients: &Registry) {
        for client in clients.all() {
            let mode = *client.tracking.lock();
            if let Some(mode) = mode {
                send(clients, &client, mode, Stale::Everything);
            }
        }
    }
}

/// What a prefix takes besides its bytes, in the client's set and in that of all.
const PREFIX: usize = 128;

/// Tells a client, or whom it has named in its place.
fn send(clients: &Registry, client: &Arc<Shared>, mode: Mode, stale: Stale<'_>) {
    if mode.redirect == 0 {
        return client.push_news(|out| stale.write(out, false));
    }
    match clients.get(mode.redirect).filter(|target| !target.leaving.load(Relaxed)) {
        Some(target) => target.push_news(|out| stale.write(out, target.is_subscriber())),
        None => {
            if let Some(mode) = &mut *client.tracking.lock() {
                mode.broken = true;
            }
            client.push(|out| message::write_broken(out, mode.redirect));
        }
    }
}

/// Whether a client is to be remembered for the keys of a command.
pub fn remembers(client: &Client, command: &Command) -> bool {
    let Command { spec, .. } = command;
    // A script is none that reads; its commands are.
    let reads = spec.flags.contains(Flags::READONLY) && !spec.categories.contains(Categories::SCRIPTING);
    reads && client.tracker.as_ref().is_some_and(|tracker| tracker.remembers())
}

/// A command of a client that tracks keys was carried out, and holds its locks still.
#[cold]
pub fn after_command(server: &Server, client: &Client, command: &Command, args: Args<'_>) {
    if remembers(client, command) {
        server.tracking.remember(server, client.id(), command, args);
    }
}

/// A request of a client that tracks keys is over: CLIENT CACHING was about one request, a whole transaction being
/// one, and other calls of CLIENT in between being none.
#[cold]
pub fn after_request(client: &mut Client, command: Option<&Command>) {
    let goes_on = client.transaction.is_some() || client.wait.is_some();
    if let Some(tracker) = &mut client.tracker
        && !goes_on
        && !command.is_some_and(|command| command.full_name.starts_with("client|"))
    {
        tracker.caching = false;
    }
}
