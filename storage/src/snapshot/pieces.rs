//! Big collections that are written in pieces, so that nobody waits for more than a few of their elements.
//!
//! What holds for the keyspace's tables holds within a collection: it gets a walk of its own over its elements, and whoever
//! is about to change one hands it over first. Tables of elements have [`Parts`] for that; lists and streams, whose order
//! matters, keep what was handed over until the walk comes to its place. A collection that is renamed is found where it is
//! then. One that is removed is given away to the snapshot, or, where nobody knows that it is part of one, hands over all that
//! is left of it when it is freed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::frozen::Frozen;
use super::{Form, Held, Snapshot, commands};
use crate::entry::Slot;
use crate::hash::Hash;
use crate::keyspace::{Key, Shard};
use crate::list::List;
use crate::rdb::save_part;
use crate::set::Set;
use crate::stream::StreamPart;
use crate::table::{HashTable, PlainItem};
use crate::value::Boxed;
use crate::zset::Zset;

/// Collections of fewer elements are written as a whole.
const BIG: usize = 1000;
/// Lists and streams of fewer nodes are.
pub(crate) const MANY_NODES: usize = 64;
/// A shard is not locked for more steps of a collection than this, even where they write little.
const STEPS: usize = 64;
/// How often it is looked whether the snapshot is still wanted while a collection is being freed.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// An element of a collection, as it is written.
#[derive(Clone, Copy)]
pub(crate) enum Element<'a> {
    Member(&'a [u8]),
    Scored(&'a [u8], f64),
    /// A field, its value and its expiry.
    Field(&'a [u8], &'a [u8], Option<i64>),
    /// A node of a list: a listpack, or the text of a single element.
    Node {
        plain: bool,
        bytes: &'a [u8],
    },
    Part(StreamPart<'a>),
}

impl<'a> Element<'a> {
    /// By what it is found in a table; those that follow an order have no names.
    fn name(self) -> &'a [u8] {
        match self {
            Element::Member(name) | Element::Scored(name, _) | Element::Field(name, ..) => name,
            Element::Node { .. } | Element::Part(_) => &[],
        }
    }
}

/// A collection that can be written in pieces.
pub(crate) trait Piecemeal {
    /// Begins to be written, as it is now.
    fn begin(&mut self, piece: Arc<Piece>);

    /// What it is being written as.
    fn piece(&self) -> Option<&Arc<Piece>>;

    /// Is not written any more.
    fn end(&mut self);

    /// How many elements there are, with those that are hidden: the number that stands before them in a file.
    fn elements(&self) -> usize;

    /// Whether it is worth while.
    fn is_big(&self) -> bool {
        self.elements() >= BIG
    }

    /// When the first of the elements expires.
    fn earliest(&self) -> Option<i64> {
        None
    }

    /// Writes the next few elements, and what was handed over in their place. Tells whether there are more.
    fn step(&mut self, to: &mut Vec<u8>) -> bool;
}

/// A collection, if it is of a kind that can be written in pieces.
fn piecemeal(boxed: &mut Boxed) -> Option<&mut dyn Piecemeal> {
    let collection: &mut dyn Piecemeal = match boxed {
        Boxed::Hash(Hash::Table(fields)) => &mut **fields,
        Boxed::Set(Set::Table(members)) => &mut **members,
        Boxed::Zset(Zset::Big(elements)) => &mut **elements,
        Boxed::List(List::Quick(nodes)) => &mut **nodes,
        Boxed::Stream(stream) => stream,
        _ => return None,
    };
    Some(collection)
}

/// How far a table of elements is written.
pub(crate) struct Parts {
    frozen: Frozen,
    piece: Arc<Piece>,
    /// What was handed over.
    handed: Vec<u8>,
}

impl Parts {
    pub(crate) fn new(piece: Arc<Piece>) -> Parts {
        Parts { frozen: Frozen::default(), piece, handed: Vec::new() }
    }

    pub(crate) fn piece(&self) -> &Arc<Piece> {
        &self.piece
    }

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
    let Some(piece) = collection.piece().cloned() else { return };
    if piece.snapshot.is_stopped() {
        return collection.end();
    }
    let mut rest = Vec::new();
    while collection.step(&mut rest) {}
    collection.end();
    piece.snapshot.was_queued(rest.len());
    piece.leave(Rest::Written(rest));
}

/// Says that a collection, if it is one that is being written, has another key from now on. The shards of both are locked.
pub(crate) fn follow(slot: &mut Slot, to: &Key<'_>) {
    if let Some(piece) = slot.boxed_mut().and_then(piecemeal).and_then(|collection| collection.piece()) {
        *piece.place.lock() = Place { key: to.bytes.into(), hash: to.hash };
    }
}

/// A collection in a snapshot.
pub(crate) struct Piece {
    snapshot: Arc<Snapshot>,
    /// The database that it is in, in the file.
    pub(super) db: usize,
    /// The key that it had at the snapshot's moment.
    key: Box<[u8]>,
    place: Mutex<Place>,
    earliest: Option<i64>,
    /// What stands in the file before its elements, and behind them.
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    /// What was left when the collection was removed before all was written.
    rest: Mutex<Rest>,
    over: Condvar,
}

/// Where a collection is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    key: Box<[u8]>,
    hash: u64,
}

impl Place {
    fn key(&self) -> Key<'_> {
        Key { bytes: &self.key, hash: self.hash }
    }

    /// The number of its shard.
    pub(super) fn shard(&self) -> usize {
        self.key().shard()
    }
}

/// What is left of a collection that is not in its shard any more.
pub(super) enum Rest {
    /// Nobody knows yet.
    Unknown,
    /// The rest of its elements, as they are written.
    Written(Vec<u8>),
    /// An entry that nobody else can reach, and what it takes in memory.
    Entry(Slot, usize),
    /// The snapshot has no use for it.
    Unwanted,
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
        let collection = slot.boxed_mut().and_then(piecemeal).filter(|collection| collection.is_big())?;
        snapshot.count_done();
        let (count, earliest) = (collection.elements(), collection.earliest());
        collection.end();
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
            place: Mutex::new(Place { key: key.bytes.into(), hash: key.hash }),
            earliest,
            head,
            tail,
            rest: Mutex::new(Rest::Unknown),
            over: Condvar::new(),
        });
        slot.boxed_mut().and_then(piecemeal)?.begin(Arc::clone(&piece));
        Some(piece)
    }

    /// Counts what a collection holds for its snapshot.
    pub(crate) fn held(&self) -> Held {
        Held::new(&self.snapshot)
    }

    pub(crate) fn write(&self, to: &mut Vec<u8>, element: Element<'_>) {
        match self.snapshot.form {
            Form::Rdb { compress } => save_part(to, element, self.earliest, compress),
            Form::Commands => commands::part(to, &self.key, element),
        }
    }

    /// Where the collection is, as long as nobody renames it.
    pub(super) fn place(&self) -> Place {
        self.place.lock().clone()
    }

    /// The collection, if it is in its shard. SWAPDB may have given its database another number.
    pub(super) fn find<'s>(&self, shard: &'s mut Shard, place: &Place) -> Option<&'s mut dyn Piecemeal> {
        let key = place.key();
        shard.dbs_mut().find_map(|db| self.of(db.table.find_mut(key.hash, |slot| slot.key() == key.bytes)?))
    }

    /// Takes its entry out of a table that nobody else can reach, if it is there.
    pub(super) fn take_from(&self, table: &mut HashTable<Slot>) -> Option<Slot> {
        let place = self.place();
        let slot = table.find_mut(place.hash, |slot| slot.key() == &*place.key)?;
        self.of(slot)?;
        table.remove(place.hash, |slot| slot.key() == &*place.key)
    }

    /// The collection, if it is that of an entry.
    pub(super) fn of<'t>(&self, slot: &'t mut Slot) -> Option<&'t mut dyn Piecemeal> {
        let collection = slot.boxed_mut().and_then(piecemeal)?;
        let is_this = collection.piece().is_some_and(|piece| std::ptr::eq(&**piece, self));
        is_this.then_some(collection)
    }

    /// Writes elements of the collection to a buffer, about so many bytes of them, or less if that takes many steps. Tells
    /// whether there are more.
    pub(super) fn step(collection: &mut dyn Piecemeal, buffer: &mut Vec<u8>, enough: usize) -> bool {
        for _ in 0..STEPS {
            if !collection.step(buffer) {
                collection.end();
                return false;
            }
            if buffer.len() >= enough {
                break;
            }
        }
        true
    }

    fn leave(&self, rest: Rest) {
        *self.rest.lock() = rest;
        self.over.notify_all();
    }

    /// Gives an entry that was removed to the snapshot that is writing its collection. Returns it if there is none.
    pub(super) fn give(mut slot: Slot) -> Option<Slot> {
        let collection = slot.boxed_mut().and_then(piecemeal);
        let Some(piece) = collection.and_then(|collection| collection.piece().cloned()) else { return Some(slot) };
        let memory = slot.memory();
        let mut rest = piece.rest.lock();
        if matches!(*rest, Rest::Unwanted) || piece.snapshot.is_stopped() {
            return Some(slot);
        }
        piece.snapshot.was_queued(memory);
        *rest = Rest::Entry(slot, memory);
        piece.over.notify_all();
        None
    }

    /// Waits for what was left of a collection that is not in its shard any more. `None` if the snapshot is given up.
    pub(super) fn wait_for_rest(&self) -> Option<Rest> {
        let mut rest = self.rest.lock();
        while matches!(*rest, Rest::Unknown) && !self.snapshot.is_stopped() {
            self.over.wait_for(&mut rest, LOOK_AGAIN);
        }
        match std::mem::replace(&mut *rest, Rest::Unwanted) {
            Rest::Unknown | Rest::Unwanted => None,
            left => Some(left),
        }
    }

    /// Says that nothing is needed any more.
    pub(super) fn close(&self) {
        let left = std::mem::replace(&mut *self.rest.lock(), Rest::Unwanted);
        if let Rest::Entry(slot, _) = left {
            slot.free();
        }
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
