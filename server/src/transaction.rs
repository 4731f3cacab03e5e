//! Transactions: what a client has queued between MULTI and EXEC, and the keys that it watches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Args, OwnedArgs};
use storage::{Key, Keyspace, View, Watch};

use crate::client::Client;
use crate::command::keys;
use crate::command::spec::Flags;
use crate::command::table::Command;
use crate::command::{Context, Error};
use crate::server::Server;

/// A command to be carried out by EXEC.
pub struct Queued {
    pub command: &'static Command,
    pub args: OwnedArgs,
}

/// What has come since MULTI.
#[derive(Default)]
pub struct Transaction {
    pub commands: Vec<Queued>,
    /// A command was refused: nothing will be carried out.
    pub broken: bool,
    /// All that the commands' flags say.
    flags: Flags,
}

/// The keys that a client watches.
#[derive(Default)]
pub struct Watching {
    watch: Arc<Watch>,
    keys: Vec<(usize, Box<[u8]>)>,
}

impl Watching {
    /// Ends the watch, under locks that `view` holds. Tells whether anything has happened to the keys.
    fn end(self, view: &mut View<'_>) -> bool {
        for (db, name) in &self.keys {
            let key = view.keyspace().key(name);
            view.unwatch(*db, &key, &self.watch);
        }
        self.watch.is_touched()
    }
}

impl Client {
    /// Begins to queue commands.
    pub fn begin_transaction(&mut self) {
        self.transaction = Some(Box::default());
        self.note_transaction();
    }

    /// Ends queuing, and hands out what was queued.
    pub fn take_transaction(&mut self) -> Option<Box<Transaction>> {
        let transaction = self.transaction.take();
        self.note_transaction();
        transaction
    }

    /// Queues a call, of which `flags` tell what it does.
    pub fn queue(&mut self, command: &'static Command, args: Args<'_>, flags: Flags) {
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| !transaction.broken) else { return };
        transaction.flags |= flags;
        transaction.commands.push(Queued { command, args: args.into() });
        self.note_transaction();
    }

    /// If a transaction is being queued, it will not be carried out.
    pub fn break_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.broken = true;
        }
    }

    /// What the flags of a command say, and for EXEC those of what it will carry out.
    #[inline]
    pub fn flags_of(&self, command: &Command) -> Flags {
        match &self.transaction {
            Some(transaction) if command.spec.is("exec") => command.spec.flags | transaction.flags,
            _ => command.spec.flags,
        }
    }

    /// Whether a command may be called while data is being loaded: EXEC if all that it will carry out may be.
    #[cold]
    pub fn may_call_while_loading(&self, command: &Command) -> bool {
        let may = |command: &Command| command.spec.flags.contains(Flags::LOADING);
        let mut queued = self.transaction.iter().flat_map(|transaction| &transaction.commands);
        may(command) && (!command.spec.is("exec") || queued.all(|queued| may(queued.command)))
    }

    /// Watches a key of the current database, if it does not do so already.
    pub fn watch(&mut self, view: &mut View<'_>, key: &Key<'_>) {
        let db = self.db();
        let watching = self.watching.get_or_insert_default();
        if watching.keys.iter().any(|(of, name)| *of == db && **name == *key.bytes) {
            return;
        }
        watching.keys.push((db, key.bytes.into()));
        view.watch(key, watching.watch.clone());
        self.shared.watched.store(watching.keys.len(), Relaxed);
    }

    /// Watches nothing any more. No shard may be locked.
    pub fn unwatch(&mut self, keyspace: &Keyspace) {
        if let Some(watching) = self.take_watching() {
            watching.keys.iter().for_each(|(db, key)| keyspace.unwatch(*db, key, &watching.watch));
        }
    }

    fn take_watching(&mut self) -> Option<Box<Watching>> {
        let watching = self.watching.take();
        if watching.is_some() {
            self.shared.watched.store(0, Relaxed);
        }
        watching
    }

    fn set_watching(&mut self, watching: Option<Box<Watching>>) {
        self.shared.watched.store(watching.as_ref().map_or(0, |watching| watching.keys.len()), Relaxed);
        self.watching = watching;
    }

    /// Lets others see how far the transaction is.
    fn note_transaction(&self) {
        let (queued, memory) = match &self.transaction {
            None => (0, 0),
            Some(transaction) => {
                let commands = &transaction.commands;
                let last = commands.last().map_or(0, |queued| queued.args.memory() + size_of::<Queued>());
                let before = if commands.is_empty() { 0 } else { self.shared.transaction_memory.load(Relaxed) };
                (commands.len() + 1, before + last)
            }
        };
        self.shared.queued.store(queued, Relaxed);
        self.shared.transaction_memory.store(memory, Relaxed);
    }
}

/// What EXEC answers when it is refused itself: the transaction is over.
pub fn abort(client: &mut Client, server: &Server, reason: &Error) -> Error {
    client.take_transaction();
    client.unwatch(&server.keyspace);
    let reason = reason.text().strip_prefix(b"ERR ").unwrap_or(reason.text());
    Error::new([b"EXECABORT Transaction discarded because of: ", reason].concat())
}

/// Locks all that a transaction touches, and ends the client's watch. Tells whether something has happened to the keys
/// that it watched.
pub fn enter(cx: &mut Context<'_>, transaction: &Transaction) -> Result<bool, Error> {
    let watching = cx.client.take_watching();
    let keyspace = &cx.server.keyspace;
    let locked = if transaction.commands.iter().any(|queued| queued.command.needs_everything(queued.args.as_args())) {
        cx.lock_all()
    } else {
        let mut keys: Vec<Key<'_>> = Vec::new();
        for queued in &transaction.commands {
            let args = queued.args.as_args();
            let found = keys::find(&queued.command.spec, args).unwrap_or_default();
            keys.extend(found.iter().filter_map(|key| Some(keyspace.key(args.get(key.index)?))));
        }
        keys.extend(watching.iter().flat_map(|watching| &watching.keys).map(|(_, name)| keyspace.key(name)));
        cx.lock(&keys)
    };
    if let Err(error) = locked {
        cx.client.set_watching(watching);
        return Err(abort(cx.client, cx.server, &error));
    }
    Ok(watching.is_some_and(|watching| watching.end(cx.db)))
}
