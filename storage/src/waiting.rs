//! Those who wait for keys to get data.
//!
//! A waiter parks under its keys, in the shards where they live, while these are locked. Whoever changes such a key
//! serves it under the same locks: first come first served, before anybody else can see the data.
//!
//! Serving may touch a key of another shard (BLMOVE's destination). Locks are only ever taken all at once and in the
//! order of the shards' numbers, so a shard tells which others its waiters need ([`WaitList::needed`]), and whoever
//! locks the one locks the others with it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ahash::AHashMap;

use crate::view::View;

/// What became of an attempt to serve a waiter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Served {
    /// It has what it waited for, or has left: it is taken off the key's list.
    Done,
    /// There is nothing for it.
    NotYet,
}

/// Somebody who waits for keys.
pub trait Waiter: Send + Sync {
    /// Tries to serve, after one of the keys has changed. Only keys that the view holds may be touched.
    fn serve(&self, view: &mut View<'_>) -> Served;

    /// Whether it wants to hear when a key goes, too.
    fn hears_of_removal(&self) -> bool;

    /// The shards, other than those of the keys it waits for, that serving needs.
    fn extra_shards(&self) -> &[usize];
}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<Arc<dyn Waiter>>,
    /// How many of them hear of removals.
    removal: usize,
}

/// The waiters of one shard.
#[derive(Default)]
pub(crate) struct WaitList {
    queues: AHashMap<(usize, Box<[u8]>), Queue>,
    /// Other shards that serving needs, and for how many waiters.
    needed: BTreeMap<usize, usize>,
}

impl WaitList {
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// How many keys are waited for, and how many of these by somebody who hears of removals.
    pub(crate) fn keys(&self) -> (usize, usize) {
        (self.queues.len(), self.queues.values().filter(|queue| queue.removal > 0).count())
    }

    pub(crate) fn contains(&self, db: usize, key: &[u8]) -> bool {
        self.queues.contains_key(&(db, key.into()) as &(usize, Box<[u8]>))
    }

    /// The keys of a database that are waited for.
    pub(crate) fn keys_of(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        self.queues.keys().filter(move |(of, _)| *of == db).map(|(_, key)| &**key)
    }

    /// The shards that must be locked along with this one.
    pub(crate) fn needed(&self) -> impl Iterator<Item = usize> {
        self.needed.keys().copied()
    }

    pub(crate) fn park(&mut self, db: usize, key: &[u8], waiter: Arc<dyn Waiter>) {
        for shard in waiter.extra_shards() {
            *self.needed.entry(*shard).or_default() += 1;
        }
        let queue = self.queues.entry((db, key.into())).or_default();
        queue.removal += usize::from(waiter.hears_of_removal());
        queue.waiters.push_back(waiter);
    }

    /// The `index`th waiter of a key, if it may be interested.
    pub(crate) fn waiter(&self, db: usize, key: &[u8], index: usize, exists: bool) -> Option<Arc<dyn Waiter>> {
        let queue = self.queues.get(&(db, key.into()) as &(usize, Box<[u8]>))?;
        if !exists && queue.removal == 0 {
            return None;
        }
        queue.waiters.get(index).cloned()
    }

    /// Takes a waiter off a key's list.
    pub(crate) fn leave(&mut self, db: usize, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let name = (db, Box::from(key));
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let Some(at) = queue.waiters.iter().position(|parked| Arc::ptr_eq(parked, waiter)) else { return };
        queue.waiters.remove(at);
        queue.removal -= usize::from(waiter.hears_of_removal());
        if queue.waiters.is_empty() {
            self.queues.remove(&name);
        }
        for shard in waiter.extra_shards() {
            if let Some(count) = self.needed.get_mut(shard) {
                *count -= 1;
                if *count == 0 {
                    self.needed.remove(shard);
                }
            }
        }
    }
}
