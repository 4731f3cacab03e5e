//! Watched keys, and the news that a value has changed.

use std::sync::Arc;

use super::View;
use crate::effects::Event;
use crate::keyspace::Key;
use crate::watching::Watch;

impl View<'_> {
    /// From now on, whatever happens to a key touches the watch. An expired key is removed first: that is no change.
    pub fn watch(&mut self, key: &Key<'_>, watch: Arc<Watch>) {
        self.exists(key);
        let db = self.db;
        self.locked.shard(key.shard()).watch(db, key.bytes, watch);
    }

    /// Ends the watch over a key of a database. Whether the key has expired in the meantime is found out first.
    pub fn unwatch(&mut self, db: usize, key: &Key<'_>, watch: &Arc<Watch>) {
        let home = std::mem::replace(&mut self.db, db);
        self.exists(key);
        self.db = home;
        self.locked.shard(key.shard()).unwatch(db, key.bytes, watch);
    }

    /// Those who watch the key, and those who keep copies of its value, hear that it has changed.
    #[inline]
    pub(super) fn modified(&mut self, key: &Key<'_>, how: Event) {
        self.touch_watches(key);
        self.tell(key, how);
    }

    /// Those who watch the key hear that its value has changed.
    #[inline]
    pub(super) fn touch_watches(&mut self, key: &Key<'_>) {
        if let Some(watched) = self.locked.shard_ref(key.shard()).watched() {
            watched.touch(self.db, key.bytes);
        }
    }

    /// Removes expired keys from a database that have the names of keys watched in another.
    pub(super) fn expire_watched(&mut self, watched_db: usize, db: usize) {
        let lists = self.locked.all().iter().filter_map(|shard| shard.watched());
        let names: Vec<Box<[u8]>> = lists.flat_map(|list| list.keys_of(watched_db)).map(Box::from).collect();
        let home = std::mem::replace(&mut self.db, db);
        for name in names {
            let key = self.keyspace.key(&name);
            self.exists(&key);
        }
        self.db = home;
    }

    /// A database as a whole is exchanged: who watches a key hears of it, unless the key is in none of `in_any` of the
    /// databases.
    pub(super) fn touch_watched(&mut self, db: usize, in_any: &[usize]) {
        let keyspace = self.keyspace;
        for shard in self.locked.all() {
            let Some(watched) = shard.watched() else { continue };
            watched.touch_all(db, |name| {
                let key = keyspace.key(name);
                let tables = in_any.iter().filter_map(|db| shard.db(*db));
                tables.into_iter().any(|db| db.table.find(key.hash, |slot| slot.key() == name).is_some())
            });
        }
    }
}
