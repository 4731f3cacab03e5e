//! An ordered map as it was at one moment, shown in its order while it changes.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What is kept of a map that changes while it is shown.
///
/// Whoever is about to change what a key has, or to give a new one something, asks first whether that is *due*, and
/// keeps what was there. What is behind the last key of that moment was not there, and needs no keeping.
pub(crate) struct FrozenMap<K, V> {
    /// The last key at the moment, if there was any.
    end: Option<K>,
    /// Up to here all was shown.
    past: Option<K>,
    /// What keys had that have changed since; nothing, if they are new.
    kept: BTreeMap<K, Option<V>>,
}

/// What a key had.
pub(crate) enum Shown<'a, L, V> {
    /// What it has still.
    Live(&'a L),
    Kept(&'a V),
}

impl<K: Ord + Clone, V> FrozenMap<K, V> {
    pub(crate) fn new<L>(map: &BTreeMap<K, L>) -> FrozenMap<K, V> {
        let end = map.last_key_value().map(|(key, _)| key.clone());
        FrozenMap { end, past: None, kept: BTreeMap::new() }
    }

    /// Whether it is still to be shown what a key has, and nobody has kept it.
    pub(crate) fn is_due<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.was_there(key) && self.past.as_ref().is_none_or(|past| key > past.borrow()) && !self.kept.contains_key(key)
    }

    /// Whether a key is not behind all that there were.
    pub(crate) fn was_there<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.end.as_ref().is_some_and(|end| key <= end.borrow())
    }

    /// Keeps what a key has, which is due.
    pub(crate) fn keep(&mut self, key: K, value: Option<V>) {
        self.kept.insert(key, value);
    }

    /// What was kept for a key.
    pub(crate) fn kept<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.kept.get(key)?.as_ref()
    }

    /// Whether a key has changed, or is new.
    pub(crate) fn has_changed<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        !self.was_there(key) || self.kept.contains_key(key)
    }

    /// Says that all up to a key was shown. Lets go of what was kept for that, showing it to `each`.
    pub(crate) fn pass(&mut self, key: &K, mut each: impl FnMut(&V)) {
        while let Some(first) = self.kept.first_entry().filter(|first| first.key() <= key) {
            first.remove().iter().for_each(&mut each);
        }
        self.past = Some(key.clone());
    }
}

/// Shows what a map had behind a key, in order, as long as `each` wants more. Without a frozen one that is what it has.
pub(crate) fn each_behind<'a, K: Ord + Borrow<Q>, Q: Ord + ?Sized, L, V>(
    frozen: Option<&'a FrozenMap<K, V>>,
    behind: Option<&Q>,
    map: &'a BTreeMap<K, L>,
    mut each: impl FnMut(&'a K, Shown<'a, L, V>) -> bool,
) {
    let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
    let to = match frozen.map(|frozen| &frozen.end) {
        None => Bound::Unbounded,
        Some(Some(end)) if behind.is_none_or(|behind| behind < end.borrow()) => Bound::Included(end.borrow()),
        Some(_) => return,
    };
    let mut live = map.range((from, to)).peekable();
    let mut kept = frozen.into_iter().flat_map(|frozen| frozen.kept.range((from, Bound::Unbounded))).peekable();
    loop {
        let more = match (live.peek(), kept.peek()) {
            (None, None) => return,
            (Some((key, value)), changed) if changed.is_none_or(|(changed, _)| key < changed) => {
                let more = each(key, Shown::Live(value));
                live.next();
                more
            }
            (now, Some((key, value))) => {
                if now.is_some_and(|(now, _)| now == key) {
                    live.next();
                }
                let more = value.as_ref().is_none_or(|value| each(key, Shown::Kept(value)));
                kept.next();
                more
            }
            (Some(_), None) => return,
        };
        if !more {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever happens between two steps, each key of the moment is shown once, with what it had, in order.
        #[test]
        fn shows_what_was_there(
            before in prop::collection::btree_map(0u8..60, any::<u8>(), 0..40),
            changes in prop::collection::vec((0u8..80, prop::option::of(any::<u8>())), 0..200),
            haste in 0usize..9,
        ) {
            let mut map = before.clone();
            let mut frozen = FrozenMap::new(&map);
            let (mut shown, mut behind, mut changes) = (BTreeMap::new(), None, changes.into_iter());
            loop {
                for (key, new) in changes.by_ref().take(haste) {
                    if frozen.is_due(&key) {
                        frozen.keep(key, map.get(&key).copied());
                    }
                    match new {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
                let last = behind;
                each_behind(Some(&frozen), last.as_ref(), &map, |key, value| {
                    let (Shown::Live(value) | Shown::Kept(value)) = value;
                    assert!(last < Some(*key) && shown.insert(*key, *value).is_none());
                    behind = Some(*key);
                    *key % 3 == 0
                });
                if last == behind {
                    break;
                }
                if let Some(key) = &behind {
                    frozen.pass(key, |_| {});
                }
            }
            prop_assert_eq!(shown, before);
        }
    }
}
