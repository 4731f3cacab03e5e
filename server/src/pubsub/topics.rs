//! What is listened to, and by whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ahash::{AHashMap, RandomState};
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, RwLock};

use super::Name;
use super::subscribers::Subscribers;
use crate::client::Shared;

/// Subscribers by name. A name goes with its last subscriber.
#[derive(Default)]
struct Topics(AHashMap<Name, Subscribers>);

impl Topics {
    /// Adds a subscriber. Returns the name to keep, and whether nobody had subscribed to it.
    fn add(&mut self, name: &[u8], client: &Arc<Shared>) -> (Name, bool) {
        let known = self.0.get_key_value(name).map(|(name, _)| Arc::clone(name));
        let fresh = known.is_none();
        let name = known.unwrap_or_else(|| Arc::from(name));
        self.0.entry(Arc::clone(&name)).or_default().add(Arc::clone(client));
        (name, fresh)
    }

    /// Removes a subscriber. Tells whether it was the last one.
    fn remove(&mut self, name: &[u8], client: u64) -> bool {
        let Some(subscribers) = self.0.get_mut(name) else { return false };
        subscribers.remove(client);
        let last = subscribers.len() == 0;
        if last {
            self.0.remove(name);
            if self.0.capacity() > 4 * self.0.len() + 64 {
                self.0.shrink_to_fit();
            }
        }
        last
    }
}

/// Locks that the channels are spread over.
const PARTS: usize = 64;

/// The subscribers of channels. Two channels are seldom behind the same lock.
pub(super) struct Channels {
    parts: Box<[CachePadded<Mutex<Topics>>]>,
    hasher: RandomState,
    count: AtomicUsize,
}

impl Default for Channels {
    fn default() -> Channels {
        let parts = (0..PARTS).map(|_| CachePadded::new(Mutex::default())).collect();
        Channels { parts, hasher: RandomState::new(), count: AtomicUsize::new(0) }
    }
}

impl Channels {
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    pub(super) fn add(&self, name: &[u8], client: &Arc<Shared>) -> Name {
        let (name, fresh) = self.part(name).lock().add(name, client);
        if fresh {
            self.count.fetch_add(1, Relaxed);
        }
        name
    }

    pub(super) fn remove(&self, name: &[u8], client: u64) {
        if self.part(name).lock().remove(name, client) {
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// Looks at the subscribers of a channel, if there are any, while it is locked.
    pub(super) fn with<R>(&self, name: &[u8], look: impl FnOnce(Option<&Subscribers>) -> R) -> R {
        look(self.part(name).lock().0.get(name))
    }

    /// All names that `accept` wants.
    pub(super) fn names(&self, accept: impl Fn(&[u8]) -> bool) -> Vec<Name> {
        let mut names = Vec::new();
        for part in &self.parts {
            names.extend(part.lock().0.keys().filter(|name| accept(name)).cloned());
        }
        names
    }

    /// Looks at all channels, some of which are locked meanwhile.
    pub(super) fn for_each(&self, mut each: impl FnMut(&[u8], &Subscribers)) {
        for part in &self.parts {
            part.lock().0.iter().for_each(|(name, subscribers)| each(name, subscribers));
        }
    }

    fn part(&self, name: &[u8]) -> &Mutex<Topics> {
        &self.parts[self.hasher.hash_one(name) as usize % PARTS]
    }
}

/// The subscribers of patterns: gone through for every message, so that there is nothing to spread.
#[derive(Default)]
pub(super) struct Patterns {
    topics: RwLock<Topics>,
    count: AtomicUsize,
}

impl Patterns {
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(super) fn add(&self, name: &[u8], client: &Arc<Shared>) -> Name {
        let mut topics = self.topics.write();
        let (name, fresh) = topics.add(name, client);
        if fresh {
            self.count.fetch_add(1, Relaxed);
        }
        name
    }

    pub(super) fn remove(&self, name: &[u8], client: u64) {
        let mut topics = self.topics.write();
        if topics.remove(name, client) {
            self.count.fetch_sub(1, Relaxed);
        }
    }

    pub(super) fn for_each(&self, mut each: impl FnMut(&[u8], &Subscribers)) {
        self.topics.read().0.iter().for_each(|(name, subscribers)| each(name, subscribers));
    }
}
