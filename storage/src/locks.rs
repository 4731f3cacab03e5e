//! Locking shards.
//!
//! A command locks all shards that it needs before its first effect, in the order of their numbers, which is why two
//! commands can never wait for each other.
//!
//! A script may find out late that it needs more, when it has changed something already and cannot begin anew. Then it
//! *reaches* for more while it holds what it has ([`Locked::reach`]). That cannot end in a deadlock either:
//!
//! - A command that holds some of the shards it needs and waits for others has had no effect yet. While somebody reaches,
//!   it lets go of all and begins anew.
//! - A script that runs within the shards that it locked at first waits for nobody, so it ends and lets go.
//! - Of those who reach, only one at a time waits; any other takes what is free, or is refused.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use crate::keyspace::{Key, Keyspace, SHARDS, Shard};
use crate::waiting::WaitList;

/// How long to wait before looking whether waiting still makes sense.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What is to be locked.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    Nothing,
    Shard(usize),
    Keys(&'a [Key<'a>]),
    Everything,
}

/// How long to wait for locks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Only what is free at once.
    None,
    Endless,
    /// Until it is known that somebody holds shards for long.
    UntilStalled,
}

/// What those who wait for locks should know.
#[derive(Default)]
pub(crate) struct Contention {
    /// Somebody holds shards for long.
    stalled: AtomicBool,
    /// Somebody holds shards, and waits for more.
    reaching: AtomicBool,
}

type Guards<'k> = SmallVec<[(usize, MutexGuard<'k, Shard>); 8]>;
type Numbers = SmallVec<[usize; 16]>;

/// The locks that one command holds.
pub(crate) enum Locked<'k> {
    None,
    One(usize, MutexGuard<'k, Shard>),
    /// Sorted by shard number.
    Some(SmallVec<[(usize, MutexGuard<'k, Shard>); 8]>),
    All(Vec<MutexGuard<'k, Shard>>),
}

impl<'k> Locked<'k> {
    /// The shard that a key lives in.
    ///
    /// # Panics
    /// If it was not locked: a command touches only keys that its declaration names.
    #[inline]
    pub(crate) fn shard(&mut self, index: usize) -> &mut Shard {
        match self {
            Locked::One(held, shard) => {
                assert_eq!(*held, index, "a key outside of the locked shard");
                shard
            }
            Locked::Some(shards) => {
                let at = shards.binary_search_by_key(&index, |(held, _)| *held);
                &mut shards[at.expect("a key outside of the locked shards")].1
            }
            Locked::All(shards) => &mut shards[index],
            Locked::None => panic!("a key in a command that declares none"),
        }
    }

    /// As [`Locked::shard`], to look at.
    pub(crate) fn shard_ref(&self, index: usize) -> &Shard {
        match self {
            Locked::One(held, shard) => {
                assert_eq!(*held, index, "a key outside of the locked shard");
                shard
            }
            Locked::Some(shards) => {
                let at = shards.binary_search_by_key(&index, |(held, _)| *held);
                &shards[at.expect("a key outside of the locked shards")].1
            }
            Locked::All(shards) => &shards[index],
            Locked::None => panic!("a key in a command that declares none"),
        }
    }

    pub(crate) fn holds(&self, index: usize) -> bool {
        match self {
            Locked::None => false,
            Locked::One(held, _) => *held == index,
            Locked::Some(shards) => shards.binary_search_by_key(&index, |(held, _)| *held).is_ok(),
            Locked::All(_) => true,
        }
    }

    /// Every shard, for commands about the whole keyspace.
    ///
    /// # Panics
    /// If not all were locked.
    pub(crate) fn all(&mut self) -> &mut [MutexGuard<'k, Shard>] {
        match self {
            Locked::All(shards) => shards,
            _ => panic!("a command about the whole keyspace that did not lock it"),
        }
    }
}

impl<'k> Locked<'k> {
    /// Locks more shards while these are held. Tells whether it did: not if somebody else reaches for what is missing,
    /// too, and would wait for ever for what is held here.
    pub(crate) fn reach(&mut self, keyspace: &'k Keyspace, wanted: impl Iterator<Item = usize>) -> bool {
        let mut wanted: Numbers = wanted.filter(|index| !self.holds(*index)).collect();
        while let Some(index) = wanted.pop() {
            if self.holds(index) {
                continue;
            }
            let guard = match keyspace.shards[index].try_lock() {
                Some(guard) => guard,
                None => match keyspace.contention.wait_reaching(|| keyspace.shards[index].try_lock_for(LOOK_AGAIN)) {
                    Some(guard) => guard,
                    None => return false,
                },
            };
            wanted.extend(guard.waiting().into_iter().flat_map(WaitList::needed));
            self.insert(index, guard);
        }
        true
    }

    /// All shards have been locked one by one.
    pub(crate) fn all_are_held(&mut self) {
        if let Locked::Some(guards) = self
            && guards.len() == SHARDS
        {
            *self = Locked::All(std::mem::take(guards).into_iter().map(|(_, guard)| guard).collect());
        }
    }

    fn insert(&mut self, index: usize, guard: MutexGuard<'k, Shard>) {
        let mut guards: Guards<'k> = match std::mem::replace(self, Locked::None) {
            Locked::None => Guards::new(),
            Locked::One(held, first) => SmallVec::from_iter([(held, first)]),
            Locked::Some(guards) => guards,
            all @ Locked::All(_) => {
                *self = all;
                return;
            }
        };
        let at = guards.partition_point(|(held, _)| *held < index);
        guards.insert(at, (index, guard));
        *self = Locked::Some(guards);
    }
}

impl Contention {
    /// Waits for what `attempt` tries to get, as the only one who does so while holding something; `None` if there is
    /// one already.
    fn wait_reaching<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        if self.reaching.swap(true, Relaxed) {
            return None;
        }
        let got = loop {
            if let Some(got) = attempt() {
                break got;
            }
        };
        self.reaching.store(false, Relaxed);
        Some(got)
    }
}

impl Keyspace {
    /// Says whether somebody holds shards for long, so that those who can had better give up.
    pub fn set_stalled(&self, stalled: bool) {
        self.contention.stalled.store(stalled, Relaxed);
    }

    #[inline]
    pub(crate) fn lock_patiently(&self, scope: Scope<'_>) -> Locked<'_> {
        loop {
            // Without an end to patience there is always an answer.
            if let Some(locked) = self.lock(scope, Patience::Endless) {
                return locked;
            }
        }
    }

    #[inline]
    pub(crate) fn lock(&self, scope: Scope<'_>, patience: Patience) -> Option<Locked<'_>> {
        match scope {
            Scope::Nothing => Some(Locked::None),
            Scope::Shard(index) => self.lock_one(index, patience),
            Scope::Keys([key]) => self.lock_one(key.shard(), patience),
            Scope::Keys(keys) => {
                let mut indices: Numbers = keys.iter().map(Key::shard).collect();
                indices.sort_unstable();
                indices.dedup();
                match indices[..] {
                    [] => Some(Locked::None),
                    [index] => self.lock_one(index, patience),
                    _ => self.lock_some(indices, patience),
                }
            }
            Scope::Everything => {
                let guards = self.lock_in_order(&mut (0..SHARDS), patience)?;
                Some(Locked::All(guards.into_iter().map(|(_, guard)| guard).collect()))
            }
        }
    }

    /// One shard without those that serving its waiters needs, unless somebody holds it for long.
    pub(crate) fn lock_alone(&self, index: usize) -> Option<MutexGuard<'_, Shard>> {
        self.shards[index].try_lock().or_else(|| self.lock_contended(index, Patience::UntilStalled))
    }

    #[inline]
    fn lock_one(&self, index: usize, patience: Patience) -> Option<Locked<'_>> {
        let shard = match self.shards[index].try_lock() {
            Some(shard) => shard,
            None => self.lock_contended(index, patience)?,
        };
        if shard.waiting().is_some() {
            drop(shard);
            return self.lock_some(Numbers::from_slice(&[index]), patience);
        }
        Some(Locked::One(index, shard))
    }

    #[cold]
    fn lock_contended(&self, index: usize, patience: Patience) -> Option<MutexGuard<'_, Shard>> {
        match patience {
            Patience::None => None,
            Patience::Endless => Some(self.shards[index].lock()),
            Patience::UntilStalled => loop {
                if let Some(shard) = self.shards[index].try_lock_for(LOOK_AGAIN) {
                    return Some(shard);
                }
                if self.contention.stalled.load(Relaxed) {
                    return None;
                }
            },
        }
    }

    /// Locks shards, and those that serving their waiters needs. The numbers are sorted and each is there once.
    fn lock_some(&self, mut indices: Numbers, patience: Patience) -> Option<Locked<'_>> {
        loop {
            let shards: Guards<'_> = self.lock_in_order(&mut indices.iter().copied(), patience)?;
            let lists = shards.iter().filter_map(|(_, shard)| shard.waiting());
            let mut more: Numbers = lists.flat_map(WaitList::needed).collect();
            more.extend_from_slice(&indices);
            more.sort_unstable();
            more.dedup();
            if more.len() == indices.len() {
                return Some(Locked::Some(shards));
            }
            // Locks are taken in order, so what is missing cannot be added: once more, from the start.
            indices = more;
        }
    }

    /// Locks shards in the order given, which must be that of their numbers.
    fn lock_in_order(
        &self,
        indices: &mut (impl Iterator<Item = usize> + Clone),
        patience: Patience,
    ) -> Option<Guards<'_>> {
        'anew: loop {
            let mut guards = Guards::new();
            for index in indices.clone() {
                let shard = loop {
                    let shard = &self.shards[index];
                    if let Some(shard) = shard.try_lock() {
                        break shard;
                    }
                    if patience == Patience::None {
                        return None;
                    }
                    if let Some(shard) = shard.try_lock_for(LOOK_AGAIN) {
                        break shard;
                    }
                    if patience == Patience::UntilStalled && self.contention.stalled.load(Relaxed) {
                        return None;
                    }
                    if self.contention.reaching.load(Relaxed) && !guards.is_empty() {
                        drop(guards);
                        while self.contention.reaching.load(Relaxed) {
                            std::thread::yield_now();
                            spin_loop();
                        }
                        continue 'anew;
                    }
                };
                guards.push((index, shard));
            }
            return Some(guards);
        }
    }
}
