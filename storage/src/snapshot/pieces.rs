//! Big collections that are written in pieces, so that nobody waits for more than a few of their elements.
//!
//! What holds for the keyspace's tables holds within a collection's: it gets [`Parts`], with a walk of its own over its
//! elements, and whoever is about to change one hands it over first. A collection that is freed before it is written
//! hands over all that is left, on whatever thread that is.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::frozen::Frozen;
use super::{Form, Snapshot, commands};
use crate::entry::Slot;
use crate::hash::Hash;
use crate::keyspace::{Key, Shard};
use crate::rdb::save_part;
use crate::set::Set;
use crate::table::{HashTable, PlainItem};
use crate::value::Boxed;
use crate::zset::Zset;

/// Collections of fewer elements are written as a whole.
const BIG: usize = 1000;
/// How often it is looked whether the snapshot is still wanted while a collection is being freed.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// An element of a collection.
#[derive(Clone, Copy)]
pub(crate) enum Element<'a> {
    Member(&'a [u8]),
    Scored(&'a [u8], f64),
    /// A field, its value and its expiry.
    Field(&'a [u8], &'a [u8], Option<i64>),
}

impl<'a> Element<'a> {
    fn name(self) -> &'a [u8] {
        match self {
            Element::Member(name) | Element::Scored(name, _) | Element::Field(name, ..) => name,
        }
    }
}

/// A collection that can be written in pieces.
pub(crate) trait Piecemeal {
    /// There while it is.
    fn parts(&mut self) -> &mut Option<Box<Parts>>;

    /// How many elements there are, with those that are hidden.
    fn elements(&self) -> usize;

    /// When the first of the elements expires.
    fn earliest(&self) -> Option<i64> {
        None
    }

    /// Writes the elements of the next page, and what was handed over. Tells whether there are more pages.
    fn step(&mut self, to: &mut Vec<u8>) -> bool;
}

/// A collection, if it is of a kind that can be written in pieces.
fn piecemeal(boxed: &mut Boxed) -> Option<&mut dyn Piecemeal> {
    let collection: &mut dyn Piecemeal = match boxed {
        Boxed::Hash(Hash::Table(fields)) => &mut **fields,
        Boxed::Set(Set::Table(members)) => &mut **members,
        Boxed::Zset(Zset::Big(elements)) => &mut **elements,
        _ => return None,
    };
    Some(collection)
}

/// How far a collection is written.
pub(crate) struct Parts {
    frozen: Frozen,
    piece: Arc<Piece>,
    /// What was handed over.
    handed: Vec<u8>,
}

impl Parts {
    /// Hands over an element that is about to change or to go.
    pub(crate) fn hand_over(&mut self, hash: u64, element: Element<'_>) {
        if self.frozen.claim(hash, element.name()) {
            let before = self.handed.len();
            self.piece.write(&mut self.handed, element);
            self.piece.snapshot.was_queued(self.handed.len() - before);
        }
    }

    /// Says that an element of this name is new.
    pub(crate) fn keep_out(&mut self, hash: u64, name: &[u8]) {
        self.frozen.claim(hash, name);
    }

    /// What [`Piecemeal::step`] does for the collection's table.
    pub(crate) fn step<'t, T: PlainItem>(
        &mut self,
        to: &mut Vec<u8>,
        table: &'t HashTable<T>,
        element: impl Fn(&'t T) -> Element<'t>,
    ) -> bool {
        self.piece.snapshot.was_written(self.handed.len());
        to.append(&mut self.handed);
        self.handed = Vec::new();
        let name = |item| element(item).name();
        self.frozen.step(
            table,
            |item| crate::hashing::hash(name(item)),
            name,
            |item| self.piece.write(to, element(item)),
        )
    }
}

/// Has a collection hand over all that is left of it, and be done with.
pub(crate) fn finish(collection: &mut dyn Piecemeal) {
    let Some(parts) = collection.parts() else { return };
    let piece = Arc::clone(&parts.piece);
    if piece.snapshot.is_stopped() {
        *collection.parts() = None;
        return;
    }
    let mut rest = Vec::new();
    while collection.step(&mut rest) {}
    *collection.parts() = None;
    piece.snapshot.was_queued(rest.len());
    *piece.rest.lock() = Some(rest);
    piece.over.notify_all();
}

/// As [`finish`], for a value that leaves its key.
pub(crate) fn finish_value(slot: &mut Slot) {
    if let Some(collection) = slot.boxed_mut().and_then(piecemeal) {
        finish(collection);
    }
}

/// A collection in a snapshot.
pub(super) struct Piece {
    snapshot: Arc<Snapshot>,
    /// The database that it is in, in the file.
    pub(super) db: usize,
    key: Box<[u8]>,
    hash: u64,
    earliest: Option<i64>,
    /// What stands in the file before its elements, and behind them.
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    /// What was left when the collection was done with before all was written.
    rest: Mutex<Option<Vec<u8>>>,
    over: Condvar,
}

impl Piece {
    /// Begins to write a big collection in pieces, as it is now; `None` if the key has none.
    pub(super) fn begin(
        snapshot: &Arc<Snapshot>,
        db: usize,
        key: &Key<'_>,
        slot: &mut Slot,
        access: Access<'_>,
    ) -> Option<Arc<Piece>> {
        let (expiry, usage) = (slot.expiry(), access.usage(snapshot, slot));
        let collection = slot.boxed_mut().and_then(piecemeal).filter(|collection| collection.elements() >= BIG)?;
        snapshot.count_done();
        let (count, earliest) = (collection.elements(), collection.earliest());
        *collection.parts() = None;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        match snapshot.form {
            Form::Rdb { .. } => {
                let value = slot.value();
                crate::rdb::file::save_head(&mut head, key.bytes, value, expiry, usage, (count, earliest));
            }
            Form::Commands => commands::expire(&mut tail, key.bytes, expiry),
        }
        let piece = Arc::new(Piece {
            snapshot: Arc::clone(snapshot),
            db,
            key: key.bytes.into(),
            hash: key.hash,
            earliest,
            head,
            tail,
            rest: Mutex::default(),
            over: Condvar::new(),
        });
        let parts = Parts { frozen: Frozen::default(), piece: Arc::clone(&piece), handed: Vec::new() };
        *slot.boxed_mut().and_then(piecemeal)?.parts() = Some(Box::new(parts));
        Some(piece)
    }

    fn write(&self, to: &mut Vec<u8>, element: Element<'_>) {
        match self.snapshot.form {
            Form::Rdb { compress } => save_part(to, element, self.earliest, compress),
            Form::Commands => commands::part(to, &self.key, element),
        }
    }

    /// The number of the shard that it lies in, or lay.
    pub(super) fn shard(&self) -> usize {
        Key { bytes: &self.key, hash: self.hash }.shard()
    }

    /// The collection, if it is still in its shard. SWAPDB may have given its database another number.
    pub(super) fn find<'s>(&self, shard: &'s mut Shard) -> Option<&'s mut dyn Piecemeal> {
        shard.dbs_mut().find_map(|db| self.find_in(&mut db.table))
    }

    /// The collection, if it is that of an entry.
    pub(super) fn of<'t>(&self, slot: &'t mut Slot) -> Option<&'t mut dyn Piecemeal> {
        let collection = slot.boxed_mut().and_then(piecemeal)?;
        let is_this = collection.parts().as_ref().is_some_and(|parts| std::ptr::eq(&*parts.piece, self));
        is_this.then_some(collection)
    }

    /// The collection, if it is in a table.
    fn find_in<'t>(&self, table: &'t mut HashTable<Slot>) -> Option<&'t mut dyn Piecemeal> {
        self.of(table.find_mut(self.hash, |slot| slot.key() == &*self.key)?)
    }

    /// Writes elements of the collection to a buffer, about so many bytes of them. Tells whether there are more.
    pub(super) fn step(collection: &mut dyn Piecemeal, buffer: &mut Vec<u8>, enough: usize) -> bool {
        while collection.step(buffer) {
            if buffer.len() >= enough {
                return true;
            }
        }
        *collection.parts() = None;
        false
    }

    /// Has the collection hand over all that is left of it, if it is in a table.
    pub(super) fn finish_in(&self, table: &mut HashTable<Slot>) {
        if let Some(collection) = self.find_in(table) {
            finish(collection);
        }
    }

    /// Waits for what was left of a collection that is not in its shard any more. `None` if the snapshot is given up.
    pub(super) fn wait_for_rest(&self) -> Option<Vec<u8>> {
        let mut rest = self.rest.lock();
        while rest.is_none() && !self.snapshot.is_stopped() {
            self.over.wait_for(&mut rest, LOOK_AGAIN);
        }
        rest.take()
    }
}

/// What it takes to tell of a key's use.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(super) policy: &'a crate::access::AccessPolicy,
    pub(super) now_ms: i64,
}

impl Access<'_> {
    fn usage(self, snapshot: &Snapshot, slot: &Slot) -> Option<crate::access::Usage> {
        super::usage(self.policy, slot, snapshot.tell_idle, self.now_ms)
    }
}
