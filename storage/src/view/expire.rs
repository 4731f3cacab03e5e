//! Keys, and fields of hashes, whose time has come.

use super::{Free, View};
use crate::effects::Event;
use crate::journal::Lapse;
use crate::keyspace::Key;
use crate::table::{NO_HINT, Position};

/// Fields that a command removes at most of a hash that it meets. The others that are due are hidden until their turn
/// comes, so that a million of them make nobody wait.
pub(super) const FIELDS_AT_ONCE: usize = 128;

impl View<'_> {
    /// Removes expired keys of one shard and the view's database, from a page of the table on, until about `budget` pages
    /// and entries were looked at and as many fields removed. The page to go on with, unless that was the last.
    pub(crate) fn sweep_expired(&mut self, shard: usize, from: usize, budget: usize) -> Option<usize> {
        let now_ms = self.now_ms;
        let now_seconds = hint_of(now_ms);
        let mut looked_at = 0;
        let mut due: Vec<(usize, Vec<u8>)> = Vec::new();
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
                        due.push((number, slot.key().to_vec()));
                    } else {
                        earliest = earliest.min(hint_of(expiry));
                    }
                }
                page.set_hint(earliest);
            });
            next = (behind > 0).then_some(behind);
        }
        let end = self.effects.expired_fields + budget as u64;
        for (page, name) in due {
            let key = self.keyspace.key(&name);
            let fields_left = end.saturating_sub(self.effects.expired_fields) as usize;
            let found = self.find_expiring(&key, fields_left);
            // Each key by itself, lest a great many become one transaction.
            self.complete();
            let Some(found) = found else { continue };
            // The page's hint knows nothing of what the value has left.
            self.lower_hint(&key, found);
            let rest = self.table_db(&key).table.at(found).inner_expiry();
            if rest.is_some_and(|when| when < now_ms) {
                next = Some(next.map_or(page, |next| next.min(page)));
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

    /// Time has changed a value.
    fn tell_waiting(&mut self, key: &Key<'_>, event: Event) {
        self.tell(key, event);
        self.wake(key, Some(event));
    }

    /// Removes up to so many fields that have expired inside a value. The place of the key, unless it went with the last of it.
    #[cold]
    pub(super) fn expire_inside(&mut self, key: &Key<'_>, handle: Position, most: usize) -> Option<Position> {
        let (horizon_ms, journaled) = (self.horizon_ms, self.keyspace.journal().is_some());
        let db = self.table_db(key);
        let slot = db.table.at_mut(handle);
        if slot.inner_expiry().is_none_or(|when| when >= horizon_ms) {
            return Some(handle);
        }
        self.hand_over(key, handle);
        let mut names: Vec<Box<[u8]>> = Vec::new();
        let slot = self.table_db(key).table.at_mut(handle);
        let removed = slot.expire_inside(horizon_ms, most, |field| {
            if journaled {
                names.push(field.into());
            }
        });
        let db = self.table_db(key);
        let slot = db.table.at_mut(handle);
        db.timed -= usize::from(!slot.is_timed());
        let spent = slot.is_spent();
        if removed > 0 {
            self.effects.expired_fields += removed as u64;
            self.touch_watches(key);
            self.lapsed(key, Lapse::Fields(&names));
            self.tell_waiting(key, Event::HEXPIRED);
            self.tell(key, Event::LAPSED);
        }
        if spent {
            self.discard(key, handle, Free::Later);
            self.tell_waiting(key, Event::DEL);
            return None;
        }
        Some(handle)
    }

    #[cold]
    pub(super) fn expire(&mut self, key: &Key<'_>, handle: Position) {
        if self.keep_expired {
            return;
        }
        self.discard(key, handle, Free::Later);
        self.effects.expired += 1;
        self.lapsed(key, Lapse::Expired);
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
