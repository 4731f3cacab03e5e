//! Those who want to know whether any of some keys has changed since they asked: WATCH.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ahash::AHashMap;
use smallvec::SmallVec;

/// Whether anything has happened to the keys that are watched through it.
///
/// It is set under the lock of the key's shard. Who holds the locks of all keys that it is about sees what is true.
#[derive(Default, Debug)]
pub struct Watch(AtomicBool);

impl Watch {
    pub fn is_touched(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(crate) fn touch(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Those who watch one key.
type Watches = SmallVec<[Arc<Watch>; 1]>;

/// The watched keys of one shard.
#[derive(Default)]
pub(crate) struct WatchList(AHashMap<(usize, Box<[u8]>), Watches>);

impl WatchList {
    /// How many keys are watched.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, db: usize, key: &[u8], watch: Arc<Watch>) {
        self.0.entry((db, key.into())).or_default().push(watch);
    }

    pub(crate) fn remove(&mut self, db: usize, key: &[u8], watch: &Arc<Watch>) {
        let name = (db, Box::from(key));
        let Some(watches) = self.0.get_mut(&name) else { return };
        watches.retain(|other| !Arc::ptr_eq(other, watch));
        if watches.is_empty() {
            self.0.remove(&name);
        }
    }

    /// Something has happened to a key.
    pub(crate) fn touch(&self, db: usize, key: &[u8]) {
        if let Some(watches) = self.0.get(&(db, key.into()) as &(usize, Box<[u8]>)) {
            watches.iter().for_each(|watch| watch.touch());
        }
    }

    /// The watched keys of a database.
    pub(crate) fn keys_of(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        self.0.keys().filter(move |(of, _)| *of == db).map(|(_, key)| &**key)
    }

    /// Something has happened to all keys of a database that `concerned` is true for.
    pub(crate) fn touch_all(&self, db: usize, concerned: impl Fn(&[u8]) -> bool) {
        for ((_, _), watches) in self.0.iter().filter(|((of, key), _)| *of == db && concerned(key)) {
            watches.iter().for_each(|watch| watch.touch());
        }
    }
}
