//! Serving those who wait for keys.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashSet;

use super::View;
use crate::keyspace::Key;
use crate::waiting::{Served, Waiter};

/// Keys that changed while somebody waits for them, in the order in which they first did.
#[derive(Default)]
pub(super) struct Ready {
    order: VecDeque<Name>,
    known: AHashSet<Name>,
}

/// A key's database and name.
type Name = (usize, Arc<[u8]>);

impl Ready {
    pub(super) fn add(&mut self, db: usize, key: &[u8]) {
        let name = (db, Arc::from(key));
        if self.known.insert(name.clone()) {
            self.order.push_back(name);
        }
    }

    fn take(&mut self) -> Option<Name> {
        let name = self.order.pop_front()?;
        self.known.remove(&name);
        Some(name)
    }
}

impl View<'_> {
    /// Whether the key's shard is locked by this view.
    pub fn holds(&self, key: &Key<'_>) -> bool {
        self.locked.holds(key.shard())
    }

    /// Puts a waiter on the list of a key, which this view holds.
    pub fn park(&mut self, key: &Key<'_>, waiter: Arc<dyn Waiter>) {
        let db = self.db;
        self.locked.shard(key.shard()).park(db, key.bytes, waiter);
    }

    /// Serves those who wait for keys that changed, first come first served, until there is nothing left for anybody:
    /// what is done for one may be what another waits for.
    #[inline]
    pub fn serve_waiters(&mut self) {
        if self.ready.is_some() {
            self.serve_ready();
        }
    }

    #[cold]
    fn serve_ready(&mut self) {
        let home = self.db;
        // Whoever is served has not done what serves him.
        self.complete();
        while let Some((db, name)) = self.ready.as_mut().and_then(|ready| ready.take()) {
            let key = self.keyspace.key(&name);
            self.db = db;
            let (mut index, mut had) = (0, None);
            loop {
                let kind = self.peek(&key).map(|entry| entry.kind());
                if kind != had {
                    (index, had) = (0, kind);
                }
                let list = self.locked.shard_ref(key.shard()).waiting();
                let Some((at, waiter)) = list.and_then(|list| list.waiter(db, &name, kind, index)) else { break };
                index = at;
                let served = waiter.serve(self);
                self.complete();
                match served {
                    Served::Done => self.locked.shard(key.shard()).leave(db, &name, &waiter),
                    Served::NotYet => index += 1,
                }
                self.db = db;
            }
        }
        self.ready = None;
        self.db = home;
    }

    /// All keys of a database that are waited for are looked at again. Needs all shards.
    pub(super) fn wake_all(&mut self, db: usize) {
        for shard in self.locked.all() {
            let Some(waiting) = shard.waiting() else { continue };
            let ready = self.ready.get_or_insert_default();
            waiting.keys_of(db).for_each(|key| ready.add(db, key));
        }
    }
}
