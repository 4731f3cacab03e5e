//! Serving those who wait for keys.

use std::sync::Arc;

use super::View;
use crate::keyspace::Key;
use crate::waiting::{Served, Waiter};

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
        if !self.ready.is_empty() {
            self.serve_ready();
        }
    }

    #[cold]
    fn serve_ready(&mut self) {
        let home = self.db;
        while let Some((db, name)) = self.ready.pop_front() {
            let key = self.keyspace.key(&name);
            self.db = db;
            let mut index = 0;
            loop {
                let exists = self.exists(&key);
                let list = self.locked.shard_ref(key.shard()).waiting();
                let Some(waiter) = list.and_then(|list| list.waiter(db, &name, index, exists)) else { break };
                match waiter.serve(self) {
                    Served::Done => self.locked.shard(key.shard()).leave(db, &name, &waiter),
                    Served::NotYet => index += 1,
                }
                self.db = db;
            }
        }
        self.db = home;
    }

    /// All keys of a database that are waited for are looked at again. Needs all shards.
    pub(super) fn wake_all(&mut self, db: usize) {
        for shard in self.locked.all() {
            let Some(waiting) = shard.waiting() else { continue };
            self.ready.extend(waiting.keys_of(db).map(|key| (db, key.into())));
        }
    }
}
