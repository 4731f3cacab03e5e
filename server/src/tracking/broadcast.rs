//! Those who want to hear of all keys that begin in some way.
//!
//! Changes are collected by the thread on which they happen, and sent when it has carried out all that has come from one
//! client: a client that hears of many changes gets them in few messages.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::RwLock;

use crate::client::Shared;

thread_local! {
    /// Keys that have changed on this thread, and the client that changed each of them last; 0 is nobody.
    static NOTED: RefCell<BTreeMap<Box<[u8]>, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// The clients that wait for keys with one beginning.
type Listeners = Vec<Arc<Shared>>;

/// See the module's description.
#[derive(Default)]
pub(super) struct Prefixes {
    listeners: RwLock<BTreeMap<Arc<[u8]>, Listeners>>,
    count: AtomicUsize,
}

impl Prefixes {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Adds a client that does not yet wait for a prefix. Returns the prefix to keep.
    pub(super) fn add(&self, prefix: &[u8], client: &Arc<Shared>) -> Arc<[u8]> {
        let mut listeners = self.listeners.write();
        let known = listeners.get_key_value(prefix).map(|(prefix, _)| Arc::clone(prefix));
        let prefix = known.unwrap_or_else(|| Arc::from(prefix));
        listeners.entry(Arc::clone(&prefix)).or_default().push(Arc::clone(client));
        self.count.store(listeners.len(), Relaxed);
        prefix
    }

    pub(super) fn remove(&self, prefix: &[u8], client: u64) {
        let mut listeners = self.listeners.write();
        let Some(of_prefix) = listeners.get_mut(prefix) else { return };
        of_prefix.retain(|other| other.id != client);
        if of_prefix.is_empty() {
            listeners.remove(prefix);
        }
        self.count.store(listeners.len(), Relaxed);
    }

    /// Notes that a client has changed a key.
    pub(super) fn note(&self, key: &[u8], author: u64) {
        if self.count() == 0 {
            return;
        }
        NOTED.with_borrow_mut(|noted| match noted.get_mut(key) {
            Some(last) => *last = author,
            None => {
                noted.insert(key.into(), author);
            }
        });
    }

    /// Takes what was noted on this thread: shows `each` the clients that wait for it, and the keys, which are those of
    /// one prefix.
    #[inline]
    pub(super) fn for_each_noted(&self, each: impl FnMut(&Arc<Shared>, &mut Batch<'_>)) {
        if NOTED.with_borrow(|noted| !noted.is_empty()) {
            self.send_noted(each);
        }
    }

    #[cold]
    fn send_noted(&self, mut each: impl FnMut(&Arc<Shared>, &mut Batch<'_>)) {
        let noted = NOTED.take();
        let listeners = self.listeners.read();
        let mut batches: BTreeMap<&[u8], Batch<'_>> = BTreeMap::new();
        for (key, author) in &noted {
            for_each_prefix(&listeners, key, |prefix| batches.entry(prefix).or_default().keys.push((key, *author)));
        }
        for (prefix, mut batch) in batches {
            for client in listeners.get(prefix).into_iter().flatten() {
                each(client, &mut batch);
            }
        }
    }
}

/// Finds all names in a map that a key begins with, longest first.
fn for_each_prefix<'m, V>(names: &'m BTreeMap<Arc<[u8]>, V>, key: &[u8], mut each: impl FnMut(&'m [u8])) {
    let mut rest = key;
    // Whatever `rest` begins with is no longer than what it has in common with the greatest name up to it: a name in
    // between begins with it, too.
    while let Some((name, _)) = names.range::<[u8], _>((Bound::Unbounded, Bound::Included(rest))).next_back() {
        let common = name.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if common < name.len() {
            rest = &rest[..common];
            continue;
        }
        each(name);
        let Some(shorter) = common.checked_sub(1) else { return };
        rest = &rest[..shorter];
    }
}

/// Keys that are sent together, and who changed them.
#[derive(Default)]
pub(super) struct Batch<'a> {
    keys: Vec<(&'a [u8], u64)>,
    /// All of them, encoded once for all.
    encoded: Option<Vec<u8>>,
    /// Those that somebody has not changed himself.
    of_others: Vec<u8>,
}

impl Batch<'_> {
    /// The keys as an array to be sent to a client, if there is one that it wants to hear of.
    pub(super) fn for_client(&mut self, client: u64, but_own: bool) -> Option<&[u8]> {
        if but_own && self.keys.iter().any(|(_, author)| *author == client) {
            let keys = self.keys.iter().filter(|(_, author)| *author != client);
            self.of_others = encode(keys.map(|(key, _)| *key));
            return Some(&self.of_others[..]).filter(|_| self.keys.iter().any(|(_, author)| *author != client));
        }
        Some(self.encoded.get_or_insert_with(|| encode(self.keys.iter().map(|(key, _)| *key))))
    }
}

/// An array of strings, which looks the same in both versions of the protocol.
fn encode<'a>(keys: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut number = itoa::Buffer::new();
    let mut encoded = Vec::new();
    let mut header = |encoded: &mut Vec<u8>, kind: u8, count: usize| {
        encoded.push(kind);
        encoded.extend_from_slice(number.format(count).as_bytes());
        encoded.extend_from_slice(b"\r\n");
    };
    header(&mut encoded, b'*', keys.clone().count());
    for key in keys {
        header(&mut encoded, b'$', key.len());
        encoded.extend_from_slice(key);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_prefixes() {
        for _ in 0..2000 {
            let word = || -> Vec<u8> {
                (0..rand::random_range(0..6)).map(|_| b"ab\0\xff"[rand::random_range(0..4)]).collect()
            };
            let names: BTreeMap<Arc<[u8]>, ()> = (0..12).map(|_| (Arc::from(word()), ())).collect();
            let key = word();
            let mut found = Vec::new();
            for_each_prefix(&names, &key, |name| found.push(name));
            found.reverse();
            let expected: Vec<&[u8]> = names.keys().map(|name| &**name).filter(|name| key.starts_with(name)).collect();
            assert_eq!(found, expected, "{names:?} {key:?}");
        }
    }

    #[test]
    fn an_author_can_be_spared_his_own_keys() {
        let mut batch = Batch { keys: vec![(b"a", 1), (b"bc", 2)], ..Batch::default() };
        let all: &[u8] = b"*2\r\n$1\r\na\r\n$2\r\nbc\r\n";
        assert_eq!(batch.for_client(1, false), Some(all));
        assert_eq!(batch.for_client(1, true), Some(&b"*1\r\n$2\r\nbc\r\n"[..]));
        assert_eq!(batch.for_client(3, true), Some(all));
        batch.keys.truncate(1);
        assert_eq!(batch.for_client(1, true), None);
    }
}
