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
use smallvec::SmallVec;

use crate::value::Type;
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
    /// The type of the values that it waits for.
    fn wants(&self) -> Type;

    /// Tries to serve, after one of the keys has changed. Only keys that the view holds may be touched.
    fn serve(&self, view: &mut View<'_>) -> Served;

    /// Whether it wants to hear when a key goes or gets another type, too.
    fn hears_of_removal(&self) -> bool;

    /// The shards, other than those of the keys it waits for, that serving needs.
    fn extra_shards(&self) -> &[usize];
}

/// Those who wait for one key, by the types that they want: only those who want the type that the key has are run.
#[derive(Default)]
struct Queue {
    lines: SmallVec<[Line; 1]>,
}

struct Line {
    wants: Type,
    waiters: VecDeque<Arc<dyn Waiter>>,
    /// How many of them hear of removals.
    removal: usize,
}

impl Queue {
    fn hears_of_removal(&self) -> bool {
        self.lines.iter().any(|line| line.removal > 0)
    }
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
        (self.queues.len(), self.queues.values().filter(|queue| queue.hears_of_removal()).count())
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
        let (wants, removal) = (waiter.wants(), usize::from(waiter.hears_of_removal()));
        match queue.lines.iter_mut().find(|line| line.wants == wants) {
            Some(line) => {
                line.removal += removal;
                line.waiters.push_back(waiter);
            }
            None => queue.lines.push(Line { wants, waiters: VecDeque::from([waiter]), removal }),
        }
    }

    /// The first waiter of a key, from `index` on, whom it helps that the key has this type or is not there; and the
    /// index.
    pub(crate) fn waiter(
        &self,
        db: usize,
        key: &[u8],
        kind: Option<Type>,
        index: usize,
    ) -> Option<(usize, Arc<dyn Waiter>)> {
        let queue = self.queues.get(&(db, key.into()) as &(usize, Box<[u8]>))?;
        if let Some(line) = queue.lines.iter().find(|line| Some(line.wants) == kind)
            && let Some(waiter) = line.waiters.get(index)
        {
            return Some((index, Arc::clone(waiter)));
        }
        // Behind them come those who want another type and hear that the key has none such.
        let mut place = queue.lines.iter().find(|line| Some(line.wants) == kind).map_or(0, |line| line.waiters.len());
        for line in queue.lines.iter().filter(|line| Some(line.wants) != kind) {
            let skipped = index.saturating_sub(place);
            if line.removal > 0 {
                let mut waiters = line.waiters.iter().enumerate().skip(skipped);
                if let Some((at, waiter)) = waiters.find(|(_, waiter)| waiter.hears_of_removal()) {
                    return Some((place + at, Arc::clone(waiter)));
                }
            }
            place += line.waiters.len();
        }
        None
    }

    /// Takes a waiter off a key's list.
    pub(crate) fn leave(&mut self, db: usize, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let name = (db, Box::from(key));
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let wants = waiter.wants();
        let Some(line_at) = queue.lines.iter().position(|line| line.wants == wants) else { return };
        let line = &mut queue.lines[line_at];
        let Some(at) = line.waiters.iter().position(|parked| Arc::ptr_eq(parked, waiter)) else { return };
        line.waiters.remove(at);
        line.removal -= usize::from(waiter.hears_of_removal());
        if line.waiters.is_empty() {
            queue.lines.remove(line_at);
        }
        if queue.lines.is_empty() {
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
