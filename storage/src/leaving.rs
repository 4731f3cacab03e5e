//! Taking those who waited for keys, or watched them, off the lists of the shards.
//!
//! Somebody may hold a shard for long, and who leaves must not wait for that: his worker has other clients, and may even
//! be the one that holds the shard. Then he is taken off later. What the list says of him until then does no harm: a
//! waiter that waits no more is passed over when its turn comes, and a watch that nobody will ask may be touched.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::keyspace::{Keyspace, Shard};
use crate::waiting::Waiter;
use crate::watching::Watch;

/// Who is on a list.
enum Who {
    Waiter(Arc<dyn Waiter>),
    Watch(Arc<Watch>),
}

/// Somebody who is still on the list of a key.
struct Late {
    db: usize,
    key: Box<[u8]>,
    who: Who,
}

/// All those who are still on lists.
#[derive(Default)]
pub(crate) struct LateOnes(Mutex<Vec<Late>>);

impl LateOnes {
    fn add(&self, db: usize, key: &[u8], who: Who) {
        self.0.lock().push(Late { db, key: key.into(), who });
    }
}

impl Keyspace {
    /// Takes a waiter off the list of a key. One that was served is off that key's list already, not the others'.
    pub fn leave(&self, db: usize, key: &[u8], waiter: &Arc<dyn Waiter>) {
        match self.lists_of(key) {
            Some(mut shard) => shard.leave(db, key, waiter),
            None => self.late_ones.add(db, key, Who::Waiter(waiter.clone())),
        }
    }

    /// Ends the watch over a key.
    pub fn unwatch(&self, db: usize, key: &[u8], watch: &Arc<Watch>) {
        match self.lists_of(key) {
            Some(mut shard) => shard.unwatch(db, key, watch),
            None => self.late_ones.add(db, key, Who::Watch(watch.clone())),
        }
    }

    /// The shard of a key, unless somebody holds it for long.
    fn lists_of(&self, key: &[u8]) -> Option<MutexGuard<'_, Shard>> {
        self.lock_alone(self.key(key).shard())
    }

    /// To be called now and then: those who could not be taken off their lists are, where nothing is in the way.
    pub fn take_late_ones_off(&self) {
        let mut late = std::mem::take(&mut *self.late_ones.0.lock());
        late.retain(|Late { db, key, who }| match (self.shards[self.key(key).shard()].try_lock(), who) {
            (None, _) => true,
            (Some(mut shard), Who::Waiter(waiter)) => {
                shard.leave(*db, key, waiter);
                false
            }
            (Some(mut shard), Who::Watch(watch)) => {
                shard.unwatch(*db, key, watch);
                false
            }
        });
        if !late.is_empty() {
            self.late_ones.0.lock().append(&mut late);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::Keyspace;
    use crate::watching::Watch;

    #[test]
    fn who_leaves_does_not_wait_for_a_shard_that_is_held_for_long() {
        let keyspace = Keyspace::new(1);
        let watch = Arc::new(Watch::default());
        let key = keyspace.key(b"key");
        keyspace.view_all(0, 0).watch(&key, watch.clone());
        let holder = keyspace.view_all(0, 0);
        keyspace.set_stalled(true);
        keyspace.unwatch(0, b"key", &watch);
        keyspace.take_late_ones_off();
        drop(holder);
        keyspace.set_stalled(false);
        let watched = || keyspace.view_all(0, 0).watched_keys();
        assert_eq!(watched(), 1);
        keyspace.take_late_ones_off();
        assert_eq!(watched(), 0);
        assert!(keyspace.late_ones.0.lock().is_empty());
    }
}
