//! All data into a file, and out of it.

use std::io::Write;

use super::View;
use crate::access::Usage;
use crate::entry::Slot;
use crate::keyspace::Key;
use crate::rdb::Loaded;
use crate::rdb::file::FileWriter;

impl View<'_> {
    /// Writes all keys. Needs all shards.
    pub fn save<W: Write>(&mut self, to: &mut FileWriter<W>, tell_idle: bool) {
        let (access, now_ms) = (&self.keyspace.access, self.now_ms);
        let usage = |slot: &Slot| match access.is_lfu() {
            true => Some(Usage::Frequency(access.frequency(slot.access(), now_ms) as u8)),
            false => tell_idle.then(|| Usage::Idle(access.idle_seconds(slot.access(), now_ms))),
        };
        for db in 0..self.keyspace.databases() {
            let counts = self.counts(db);
            if counts.keys == 0 {
                continue;
            }
            to.database(db, counts.keys, counts.expiring);
            for shard in self.locked.all() {
                // Keys that have expired, too: whoever loads the file leaves them out, and counts them.
                for slot in shard.db(db).into_iter().flat_map(|db| db.table.iter()) {
                    to.entry(slot.key(), slot.value(), slot.expiry(), usage(slot));
                }
                if !to.is_well() {
                    return;
                }
            }
        }
    }

    /// Whether fields of hashes expire in any database.
    pub fn has_timed(&self) -> bool {
        (0..self.keyspace.databases()).any(|db| self.counts(db).timed > 0)
    }

    /// Adds a key that comes from a file; nobody hears of it. Where there is one of that name, it is replaced if that is
    /// wanted. Tells whether the key was added.
    pub fn load(
        &mut self,
        key: &Key<'_>,
        value: Loaded,
        expiry: Option<i64>,
        usage: Option<Usage>,
        replace: bool,
    ) -> bool {
        if replace {
            self.vacate(key);
        } else if self.exists(key) {
            return false;
        }
        self.bring(key, value, expiry, usage);
        true
    }
}
