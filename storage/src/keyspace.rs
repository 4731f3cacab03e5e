//! The shards, their locks and what belongs to all of them.

use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use ahash::RandomState;
use crossbeam::utils::CachePadded;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::access::AccessPolicy;
use crate::effects::{Class, Effects, Happening, Observer};
use crate::entry::Slot;
use crate::journal::Journal;
use crate::leaving::LateOnes;
use crate::locks::{Contention, Locked, Patience, Scope};
use crate::reclaim::Reclaimer;
use crate::snapshot::Mark;
use crate::table::{HashTable, prefetch};
use crate::value::Type;
use crate::view::View;
use crate::waiting::{WaitList, Waiter};
use crate::watching::{Watch, WatchList};

/// Shards in a keyspace. Many more than cores, so that two commands seldom want the same one.
pub const SHARDS: usize = 256;
/// Where in a hash the shard's number stands: apart from the bits that the table uses for its pages (low) and tags (high).
const SHARD_SHIFT: u32 = 44;

/// A key and its hash, computed once per request.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
}

impl Key<'_> {
    #[inline]
    pub fn shard(&self) -> usize {
        (self.hash >> SHARD_SHIFT) as usize % SHARDS
    }
}

/// One numbered database's part of one shard.
#[derive(Default)]
pub(crate) struct Db {
    pub(crate) table: HashTable<Slot>,
    /// Keys that have an expiry.
    pub(crate) expiring: usize,
    /// Keys with values in which something expires.
    pub(crate) timed: usize,
    /// There while a snapshot that the table is a part of is being written.
    pub(crate) mark: Option<Box<Mark>>,
}

/// A slice of every database, behind one lock.
#[derive(Default)]
pub(crate) struct Shard {
    /// Databases up to the highest that was ever written to in this shard.
    dbs: Vec<Db>,
    /// Those who wait for keys of this shard; no box while there are none.
    waiting: Option<Box<WaitList>>,
    /// Keys of this shard that are watched; no box while there are none.
    watched: Option<Box<WatchList>>,
}

impl Shard {
    pub(crate) fn dbs(&self) -> impl Iterator<Item = &Db> {
        self.dbs.iter()
    }

    pub(crate) fn dbs_mut(&mut self) -> impl Iterator<Item = &mut Db> {
        self.dbs.iter_mut()
    }

    /// How many databases there may be something in.
    pub(crate) fn len(&self) -> usize {
        self.dbs.len()
    }

    pub(crate) fn db(&self, db: usize) -> Option<&Db> {
        self.dbs.get(db)
    }

    /// The databases with something in this shard, and their numbers.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, &Db)> {
        self.dbs.iter().enumerate().filter(|(_, db)| !db.table.is_empty())
    }

    #[inline]
    pub(crate) fn db_mut(&mut self, db: usize) -> &mut Db {
        if db >= self.dbs.len() {
            self.dbs.resize_with(db + 1, Db::default);
        }
        &mut self.dbs[db]
    }

    pub(crate) fn waiting(&self) -> Option<&WaitList> {
        self.waiting.as_deref()
    }

    pub(crate) fn park(&mut self, db: usize, key: &[u8], waiter: Arc<dyn Waiter>) {
        self.waiting.get_or_insert_default().park(db, key, waiter);
    }

    pub(crate) fn leave(&mut self, db: usize, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let Some(list) = &mut self.waiting else { return };
        list.leave(db, key, waiter);
        if list.is_empty() {
            self.waiting = None;
        }
    }

    pub(crate) fn watched(&self) -> Option<&WatchList> {
        self.watched.as_deref()
    }

    pub(crate) fn watch(&mut self, db: usize, key: &[u8], watch: Arc<Watch>) {
        self.watched.get_or_insert_default().add(db, key, watch);
    }

    pub(crate) fn unwatch(&mut self, db: usize, key: &[u8], watch: &Arc<Watch>) {
        let Some(list) = &mut self.watched else { return };
        list.remove(db, key, watch);
        if list.is_empty() {
            self.watched = None;
        }
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        self.db_mut(a.max(b));
        self.dbs.swap(a, b);
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        crate::reclaim::free_table(std::mem::take(&mut self.table));
    }
}

/// All data of a server.
pub struct Keyspace {
    pub(crate) shards: Box<[CachePadded<Mutex<Shard>>]>,
    databases: usize,
    hasher: RandomState,
    /// How accesses are recorded on keys.
    pub access: AccessPolicy,
    /// Frees big things in the background.
    pub reclaimer: Reclaimer,
    observer: OnceLock<Observer>,
    /// The classes of events that it hears of, one bit each.
    observed: AtomicU16,
    journal: OnceLock<Box<dyn Journal>>,
    pub(crate) contention: Contention,
    pub(crate) late_ones: LateOnes,
}

/// Counts of one database.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct DbCounts {
    pub keys: usize,
    pub expiring: usize,
    /// Keys with values in which something expires.
    pub timed: usize,
}

impl Keyspace {
    pub fn new(databases: usize) -> Keyspace {
        Keyspace {
            shards: (0..SHARDS).map(|_| CachePadded::new(Mutex::new(Shard::default()))).collect(),
            databases,
            hasher: RandomState::new(),
            access: AccessPolicy::new(),
            reclaimer: Reclaimer::start(),
            observer: OnceLock::new(),
            observed: AtomicU16::new(0),
            journal: OnceLock::new(),
            contention: Contention::default(),
            late_ones: LateOnes::default(),
        }
    }

    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Whether somebody wants to hear of events of a class.
    #[inline]
    pub(crate) fn observes(&self, class: Class) -> bool {
        self.observed.load(Relaxed) & class as u16 != 0
    }

    /// Whether somebody wants to hear when a value is replaced by another.
    #[inline]
    pub(crate) fn observes_replacing(&self) -> bool {
        self.observed.load(Relaxed) & (Class::Overwritten as u16 | Class::TypeChanged as u16) != 0
    }

    /// Lets the observer hear of an event.
    pub(crate) fn tell(&self, happening: &Happening<'_>) {
        if let Some(observer) = self.observer.get() {
            observer(happening);
        }
    }

    /// Sets, once and for all, who hears of events.
    pub fn set_observer(&self, observer: Observer) {
        // A second one would be a mistake, and is not heard of.
        let _ = self.observer.set(observer);
    }

    /// Lets the observer hear of events of these classes, and no others but changes as such.
    pub fn observe(&self, classes: impl IntoIterator<Item = Class>) {
        let wanted = classes.into_iter().fold(0, |all, class| all | class as u16);
        self.observed.update(Relaxed, Relaxed, |now| now & Class::Change as u16 | wanted);
    }

    /// Lets the observer hear of changes as such, or no more.
    pub fn observe_changes(&self, wanted: bool) {
        if wanted {
            self.observed.fetch_or(Class::Change as u16, Relaxed);
        } else {
            self.observed.fetch_and(!(Class::Change as u16), Relaxed);
        }
    }

    /// Sets, once and for all, who writes down what makes changes anew.
    pub fn set_journal(&self, journal: Box<dyn Journal>) {
        // As with the observer.
        let _ = self.journal.set(journal);
    }

    /// Who writes changes down, if anybody does at the moment. That changes only while all shards are locked.
    pub(crate) fn journal(&self) -> Option<&dyn Journal> {
        self.journal.get().map(|journal| &**journal).filter(|journal| journal.is_on())
    }

    /// Something that is written down is complete.
    #[cold]
    pub(crate) fn complete_journal(&self) {
        if let Some(journal) = self.journal.get() {
            journal.complete();
        }
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash(bytes) }
    }

    /// A view without keys, for commands that have none.
    #[inline]
    pub fn view_none(&self, db: usize, now_ms: i64) -> View<'_> {
        View::new(self, Locked::None, db, now_ms)
    }

    /// A view of one key.
    #[inline]
    pub fn view_one(&self, db: usize, key: &Key<'_>, now_ms: i64) -> View<'_> {
        self.view_shard(db, key.shard(), now_ms)
    }

    /// A view of several keys.
    pub fn view_keys(&self, db: usize, keys: &[Key<'_>], now_ms: i64) -> View<'_> {
        View::new(self, self.lock_patiently(Scope::Keys(keys)), db, now_ms)
    }

    /// A view of everything.
    pub fn view_all(&self, db: usize, now_ms: i64) -> View<'_> {
        View::new(self, self.lock_patiently(Scope::Everything), db, now_ms)
    }

    /// A view of one whole shard, for walking over the keyspace bit by bit.
    #[inline]
    pub fn view_shard(&self, db: usize, shard: usize, now_ms: i64) -> View<'_> {
        View::new(self, self.lock_patiently(Scope::Shard(shard)), db, now_ms)
    }

    /// A view, unless somebody holds for long what it needs (see [`Keyspace::set_stalled`]).
    #[inline]
    pub fn view_unless_stalled(&self, db: usize, scope: Scope<'_>, now_ms: i64) -> Option<View<'_>> {
        Some(View::new(self, self.lock(scope, Patience::UntilStalled)?, db, now_ms))
    }

    /// Asks the processor to fetch the page that a key is found through. A hint: skipped when the shard is busy.
    #[inline]
    pub fn prefetch_page(&self, db: usize, key: &Key<'_>) {
        if let Some(shard) = self.shards[key.shard()].try_lock()
            && let Some(db) = shard.db(db)
        {
            db.table.prefetch(key.hash);
        }
    }

    /// The second step of prefetching: the entry, once the page is there.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, key: &Key<'_>) {
        if let Some(shard) = self.shards[key.shard()].try_lock()
            && let Some(db) = shard.db(db)
        {
            db.table.prefetch_item(key.hash, |slot| prefetch(slot.address()));
        }
    }

    /// The same for members of a big collection that several commands in a row are about. `members` tells them, as
    /// far as that can be told from the collection's type.
    pub fn prefetch_members<'m>(
        &self,
        db: usize,
        key: &Key<'_>,
        members: impl FnOnce(Type) -> SmallVec<[&'m [u8]; 64]>,
    ) {
        if let Some(shard) = self.shards[key.shard()].try_lock()
            && let Some(db) = shard.db(db)
            && let Some(slot) = db.table.find(key.hash, |slot| slot.key() == key.bytes)
            && let Some(boxed) = slot.boxed()
        {
            boxed.prefetch(&members(boxed.as_ref().kind()));
        }
    }

    /// About how many keys there are, as far as one can see without waiting for anybody; `None` where most shards are held.
    pub fn about_keys(&self) -> Option<usize> {
        let (mut keys, mut seen) = (0, 0);
        for shard in self.shards.iter().filter_map(|shard| shard.try_lock()) {
            keys += shard.dbs().map(|db| db.table.len()).sum::<usize>();
            seen += 1;
        }
        (seen > SHARDS / 2).then(|| keys * SHARDS / seen)
    }

    /// One step of the active expiry: goes on looking through one shard, at no more than about `budget` entries, and
    /// removes what has expired. `None` if somebody holds the shard: upkeep waits for no one.
    pub fn expire_shard(&self, shard: usize, from: SweepAt, now_ms: i64, budget: usize) -> Option<ExpirySweep> {
        let locked = self.lock(Scope::Shard(shard), Patience::None)?;
        let mut view = View::new(self, locked, from.db, now_ms);
        let dbs = view.shard_len(shard);
        let mut next = None;
        for db in from.db..dbs {
            view.select(db);
            if !view.shard_expires(shard) {
                continue;
            }
            let page = if db == from.db { from.page } else { 0 };
            if let Some(page) = view.sweep_expired(shard, page, budget) {
                next = Some(SweepAt { db, page });
                break;
            }
        }
        view.serve_waiters();
        Some(ExpirySweep { effects: std::mem::take(&mut view.effects), next })
    }

    pub(crate) fn slot_hash(&self, slot: &Slot) -> u64 {
        self.hash(slot.key())
    }
}

/// How far a sweep over a shard has got.
#[derive(Clone, Copy, Default, Debug)]
pub struct SweepAt {
    db: usize,
    page: usize,
}

/// What a step of the active expiry did.
pub struct ExpirySweep {
    pub effects: Effects,
    /// Where to go on, unless the shard was looked through to its end.
    pub next: Option<SweepAt>,
}
