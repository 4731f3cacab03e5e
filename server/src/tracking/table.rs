//! Who has read which keys.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ahash::RandomState;
use crossbeam::utils::CachePadded;
use indexmap::IndexMap;
use parking_lot::Mutex;
use smallvec::SmallVec;

/// The numbers of the clients that have read a key, in order. One that has gone stays until the key changes.
pub(super) type Readers = SmallVec<[u64; 2]>;

/// Keys by name alone, whatever their database: a client that keeps copies need not know of databases.
type Part = IndexMap<Box<[u8]>, Readers, RandomState>;

/// Locks that the keys are spread over.
const PARTS: usize = 64;

/// See the module's description. Two keys are seldom behind the same lock.
pub(super) struct Table {
    parts: Box<[CachePadded<Mutex<Part>>]>,
    hasher: RandomState,
    keys: AtomicUsize,
    /// Pairs of a key and a reader.
    items: AtomicUsize,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            parts: (0..PARTS).map(|_| CachePadded::new(Mutex::default())).collect(),
            hasher: RandomState::new(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
        }
    }
}

impl Table {
    /// How many keys there are, and how many pairs of a key and a reader.
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.keys.load(Relaxed), self.items.load(Relaxed))
    }

    /// Notes that somebody has read a key.
    pub(super) fn add(&self, key: &[u8], reader: u64) {
        let mut part = self.part(key).lock();
        // As a rule a key was read before.
        let readers = match part.get_mut(key) {
            Some(readers) => readers,
            None => {
                self.keys.fetch_add(1, Relaxed);
                part.entry(key.into()).or_default()
            }
        };
        if let Err(place) = readers.binary_search(&reader) {
            readers.insert(place, reader);
            self.items.fetch_add(1, Relaxed);
        }
    }

    /// Takes the note of a key out.
    pub(super) fn take(&self, key: &[u8]) -> Option<Readers> {
        if self.keys.load(Relaxed) == 0 {
            return None;
        }
        let mut part = self.part(key).lock();
        let readers = part.swap_remove(key)?;
        self.taken(&mut part, &readers);
        Some(readers)
    }

    /// Takes any key out, picked at random, if there are more than `limit`.
    pub(super) fn take_any_beyond(&self, limit: usize) -> Option<(Box<[u8]>, Readers)> {
        let first: usize = rand::random_range(0..PARTS);
        for number in first..first + PARTS {
            let mut part = self.parts[number % PARTS].lock();
            if self.keys.load(Relaxed) <= limit {
                return None;
            }
            if !part.is_empty() {
                let place = rand::random_range(0..part.len());
                let (key, readers) = part.swap_remove_index(place)?;
                self.taken(&mut part, &readers);
                return Some((key, readers));
            }
        }
        None
    }

    pub(super) fn clear(&self) {
        for part in &self.parts {
            let mut part = part.lock();
            let items = part.values().map(|readers| readers.len()).sum();
            self.keys.fetch_sub(part.len(), Relaxed);
            self.items.fetch_sub(items, Relaxed);
            *part = Part::default();
        }
    }

    /// Counts a note that was taken out of a part, and lets go of memory that is no longer needed.
    fn taken(&self, part: &mut Part, readers: &Readers) {
        self.keys.fetch_sub(1, Relaxed);
        self.items.fetch_sub(readers.len(), Relaxed);
        if part.capacity() > 4 * part.len() + 64 {
            part.shrink_to(2 * part.len());
        }
    }

    fn part(&self, key: &[u8]) -> &Mutex<Part> {
        &self.parts[self.hasher.hash_one(key) as usize % PARTS]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn readers_come_and_go_with_their_keys() {
        let table = Table::default();
        let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
        for _ in 0..50_000 {
            let key = format!("key{}", rand::random_range(0..500)).into_bytes();
            match rand::random_range(0..100) {
                0..80 => {
                    let reader = rand::random_range(1..20);
                    table.add(&key, reader);
                    model.entry(key).or_default().insert(reader);
                }
                80..99 => {
                    let readers = table.take(&key).map(|readers| readers.into_iter().collect());
                    assert_eq!(readers, model.remove(&key));
                }
                _ => {
                    let limit = model.len().saturating_sub(3);
                    while let Some((key, readers)) = table.take_any_beyond(limit) {
                        assert_eq!(Some(readers.into_iter().collect()), model.remove(&*key));
                    }
                    assert_eq!(model.len(), limit);
                }
            }
            let items = model.values().map(|readers| readers.len()).sum();
            assert_eq!(table.totals(), (model.len(), items));
        }
        table.clear();
        assert_eq!((table.totals(), table.take_any_beyond(0)), ((0, 0), None));
    }
}
