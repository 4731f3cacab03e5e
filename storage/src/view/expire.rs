//! Keys, and fields of hashes, whose time has come.

use super::{Free, View};
use crate::effects::Event;
use crate::keyspace::Key;
use crate::table::{NO_HINT, Position};

impl View<'_> {
    /// Removes expired keys of one shard and the view's database, from a page of the table on, until about `budget` pages
    /// and entries were looked at. The page to go on with, unless that was the last.
    pub(crate) fn sweep_expired(&mut self, shard: usize, from: usize, budget: usize) -> Option<usize> {
        let now_ms = self.now_ms;
        let now_seconds = hint_of(now_ms);
        let mut looked_at = 0;
        let mut dead: Vec<Vec<u8>> = Vec::new();
        let db = self.locked.shard(shard).db_mut(self.db);
        let mut next = Some(from).filter(|page| *page < db.table.page_count());
        while let Some(number) = next.filter(|_| looked_at < budget) {
            let behind = db.table.visit_page(number, |page| {
                looked_at += 1;
                if page.hint() > now_seconds {
                    return;
                }
                let mut earliest = NO_HINT;
                for slot in page.items() {
                    let expiries = [slot.expiry(), slot.inner_expiry()];
                    let Some(expiry) = expiries.into_iter().flatten().min() else { continue };
                    looked_at += 1;
                    if expiry < now_ms {
                        dead.push(slot.key().to_vec());
                    } else {
                        earliest = earliest.min(hint_of(expiry));
                    }
                }
                page.set_hint(earliest);
            });
            next = (behind > 0).then_some(behind);
        }
        for name in dead {
            let key = self.keyspace.key(&name);
            if let Some(handle) = self.find(&key) {
                // Something inside is over, the rest has its time yet.
                self.lower_hint(&key, handle);
            }
        }
        next
    }

    pub(crate) fn shard_len(&self, shard: usize) -> usize {
        self.locked.shard_ref(shard).len()
    }

    /// Whether anything in the view's database expires.
    pub(crate) fn shard_expires(&self, shard: usize) -> bool {
        self.locked.shard_ref(shard).db(self.db).is_some_and(|db| db.expiring > 0 || db.timed > 0)
    }

    /// Removes what has expired inside a value. The place of the key, unless it went with the last of it.
    #[cold]
    pub(super) fn expire_inside(&mut self, key: &Key<'_>, handle: Position) -> Option<Position> {
        let now_ms = self.now_ms;
        let db = self.table_db(key);
        let slot = db.table.at_mut(handle);
        if slot.inner_expiry().is_none_or(|when| when >= now_ms) {
            return Some(handle);
        }
        let removed = slot.expire_inside(now_ms);
        db.timed -= usize::from(!slot.is_timed());
        let spent = slot.is_spent();
        self.effects.expired_fields += removed as u64;
        self.record(key, Event::HEXPIRED);
        if spent {
            let slot = self.take(key, handle);
            self.release(slot, Free::Later);
            self.record(key, Event::DEL);
            return None;
        }
        Some(handle)
    }

    #[cold]
    pub(super) fn expire(&mut self, key: &Key<'_>, handle: Position) {
        if self.keep_expired {
            return;
        }
        let slot = self.take(key, handle);
        self.release(slot, Free::Later);
        self.effects.expired += 1;
        self.record(key, Event::EXPIRED);
    }

    /// Makes the page's hint true for what a key's value has inside.
    pub(super) fn lower_hint(&mut self, key: &Key<'_>, handle: Position) {
        let db = self.table_db(key);
        if let Some(when) = db.table.at(handle).inner_expiry() {
            db.table.lower_hint(key.hash, hint_of(when));
        }
    }
}

/// Page hints are in whole seconds, rounded down: a lower bound.
pub(super) fn hint_of(ms: i64) -> u32 {
    u32::try_from((ms / 1000).max(0)).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}
