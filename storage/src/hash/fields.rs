//! The fields of a big hash: a table of elements, and when those expire that do.

use std::sync::Arc;

use super::FieldTtl;
use super::deadlines::Deadlines;
use crate::blob::Blob;
use crate::hashing::hash;
use crate::listpack::Item;
use crate::snapshot::{Element, Parts, Piece, Piecemeal, finish};
use crate::table::HashTable;

/// How often a random pick is tried again while fields are hidden.
const DRAWS: usize = 64;

/// See the module's description.
#[derive(Default)]
pub struct FieldTable {
    table: HashTable<Blob>,
    /// Knows all fields that have a link, and no others.
    deadlines: Deadlines,
    /// Fields that expire before this time are hidden: they are due, and only not removed yet. 0 when there are none.
    hidden_before: i64,
    /// Bytes of the elements.
    bytes: usize,
    /// There while a snapshot of it is written in pieces.
    parts: Option<Box<Parts>>,
}

impl FieldTable {
    /// The number of fields. While many are hidden, this takes a look at all that expire.
    pub(super) fn len(&self) -> usize {
        let hidden = if self.hides() { self.deadlines.count_before(self.hidden_before) } else { 0 };
        self.table.len() - hidden
    }

    /// Whether there is no field, nor one that is hidden.
    pub(super) fn is_spent(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether some fields are due, and only not removed yet.
    #[inline]
    pub(super) fn hides(&self) -> bool {
        self.hidden_before > 0
    }

    #[inline]
    fn shows(&self, blob: &Blob) -> bool {
        !self.hides() || self.expiry_of(blob).is_none_or(|when| when >= self.hidden_before)
    }

    #[inline]
    fn find(&self, field: &[u8]) -> Option<&Blob> {
        self.table.find(hash(field), |blob| blob.name() == field).filter(|blob| self.shows(blob))
    }

    #[inline]
    pub(super) fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.find(field).and_then(Blob::value)
    }

    pub(super) fn expiry(&self, field: &[u8]) -> Option<Option<i64>> {
        self.find(field).map(|blob| self.expiry_of(blob))
    }

    fn expiry_of(&self, blob: &Blob) -> Option<i64> {
        blob.link().map(|link| self.deadlines.when(link))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<i64>)> {
        self.table.iter().filter(|blob| self.shows(blob)).map(|blob| {
            let (name, value) = parts(blob);
            (name, value, self.expiry_of(blob))
        })
    }

    pub(super) fn random(&self, mut random: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        if !self.hides() {
            return self.table.random(random).map(parts);
        }
        // Draws until one shows. Where next to all are hidden, a walk over all ends sooner.
        for _ in 0..DRAWS {
            let drawn = self.table.random(&mut random);
            if let Some(blob) = drawn.filter(|blob| self.shows(blob)) {
                return Some(parts(blob));
            }
        }
        let index = (u128::from(random()) * self.len() as u128) >> 64;
        self.table.iter().filter(|blob| self.shows(blob)).nth(index as usize).map(parts)
    }

    pub(super) fn scan(&self, cursor: u64, mut each: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        self.table.scan(cursor, |blob| {
            if self.shows(blob) {
                let (name, value) = parts(blob);
                each(name, value);
            }
        })
    }

    pub(super) fn set(&mut self, field: &[u8], value: &[u8], ttl: FieldTtl) -> bool {
        self.before_change(field);
        let hash = hash(field);
        if self.hides() && self.find(field).is_none() {
            self.discard(field);
        }
        let Some(blob) = self.table.find_mut(hash, |blob| blob.name() == field) else {
            let mut blob = Blob::pair(field, value);
            if let FieldTtl::At(when) = ttl {
                self.deadlines.put(&mut blob, Some(when));
            }
            self.bytes += blob.memory();
            self.table.insert_unique(hash, blob, |blob| crate::hashing::hash(blob.name()));
            return true;
        };
        self.bytes -= blob.memory();
        if blob.set_value(value) {
            self.deadlines.moved(blob);
        }
        match ttl {
            FieldTtl::Keep => {}
            FieldTtl::Clear => self.deadlines.put(blob, None),
            FieldTtl::At(when) => self.deadlines.put(blob, Some(when)),
        }
        self.bytes += blob.memory();
        false
    }

    pub(super) fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>) -> bool {
        if self.hides() && self.find(field).is_none() {
            return false;
        }
        self.before_change(field);
        let Some(blob) = self.table.find_mut(hash(field), |blob| blob.name() == field) else { return false };
        self.bytes -= blob.memory();
        self.deadlines.put(blob, expiry);
        self.bytes += blob.memory();
        true
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        // What is hidden stays: the key goes with its last field, and only if that was told to be removed.
        !(self.hides() && self.find(field).is_none()) && self.discard(field)
    }

    /// Removes a field, hidden or not.
    fn discard(&mut self, field: &[u8]) -> bool {
        self.before_change(field);
        let removed = self.table.remove(hash(field), |blob| blob.name() == field);
        removed.map(|blob| self.free(blob)).is_some()
    }

    /// As [`FieldTable::before_change`], for the field that expires first. Tells whether there is one.
    fn before_expiry(&mut self) -> bool {
        let FieldTable { deadlines, parts, .. } = self;
        if let (Some(parts), Some(field)) = (parts, deadlines.first_field()) {
            parts.hand_over(hash(field.name()), element(field, deadlines));
        }
        deadlines.first().is_some()
    }

    /// Hands a field, as it is, over to the snapshot that is being written.
    #[inline]
    fn before_change(&mut self, field: &[u8]) {
        if self.parts.is_some() {
            self.hand_over(field);
        }
    }

    #[cold]
    fn hand_over(&mut self, field: &[u8]) {
        let FieldTable { table, deadlines, parts, .. } = self;
        let (Some(parts), hash) = (parts, hash(field)) else { return };
        match table.find(hash, |blob| blob.name() == field) {
            Some(blob) => parts.hand_over(hash, element(blob, deadlines)),
            None => parts.keep_out(hash, field),
        }
    }

    /// Frees an element that is in the table no more.
    fn free(&mut self, blob: Blob) {
        if let Some(link) = blob.link() {
            self.deadlines.remove(link);
        }
        self.bytes -= blob.memory();
        blob.free();
    }

    /// When the first of the fields that are not hidden expires. Where some are hidden, this looks at all that expire.
    pub(super) fn earliest_shown(&self) -> Option<i64> {
        if self.hides() { self.deadlines.first_from(self.hidden_before) } else { self.deadlines.first() }
    }

    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.deadlines.first()
    }

    pub(super) fn expire(&mut self, now_ms: i64, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        let mut removed = 0;
        while removed < most
            && self.before_expiry()
            && self.deadlines.first().is_some_and(|when| when < now_ms)
            && let Some(due) = self.deadlines.first_field()
            && let Some(blob) = self.table.remove(hash(due.name()), |blob| blob.is(due))
        {
            each(blob.name());
            self.free(blob);
            removed += 1;
        }
        let more = self.deadlines.first().is_some_and(|when| when < now_ms);
        self.hidden_before = if more { now_ms } else { 0 };
        removed
    }

    pub(super) fn prefetch(&self, fields: &[&[u8]]) {
        self.table.prefetch_all(fields.iter().map(|field| hash(field)), Blob::prefetch);
    }

    pub(super) fn memory(&self) -> usize {
        self.table.memory() + self.bytes + self.deadlines.memory()
    }
}

fn element<'a>(blob: &'a Blob, deadlines: &Deadlines) -> Element<'a> {
    let expiry = blob.link().map(|link| deadlines.when(link));
    Element::Field(blob.name(), blob.value().unwrap_or_default(), expiry)
}

impl Piecemeal for FieldTable {
    fn begin(&mut self, piece: Arc<Piece>) {
        self.parts = Some(Box::new(Parts::new(piece)));
    }

    fn piece(&self) -> Option<&Arc<Piece>> {
        self.parts.as_ref().map(|parts| parts.piece())
    }

    fn end(&mut self) {
        self.parts = None;
    }

    fn elements(&self) -> usize {
        self.table.len()
    }

    fn earliest(&self) -> Option<i64> {
        self.deadlines.first()
    }

    fn step(&mut self, to: &mut Vec<u8>) -> bool {
        let FieldTable { table, deadlines, parts, .. } = self;
        parts.as_mut().is_some_and(|parts| parts.step(to, table, |blob| element(blob, deadlines)))
    }
}

fn parts(blob: &Blob) -> (Item<'_>, Item<'_>) {
    (Item::Str(blob.name()), Item::Str(blob.value().unwrap_or_default()))
}

impl Clone for FieldTable {
    fn clone(&self) -> FieldTable {
        let mut copy = FieldTable::default();
        for blob in self.table.iter() {
            let ttl = self.expiry_of(blob).map_or(FieldTtl::Clear, FieldTtl::At);
            copy.set(blob.name(), blob.value().unwrap_or_default(), ttl);
        }
        copy.hidden_before = self.hidden_before;
        copy
    }
}

impl Drop for FieldTable {
    fn drop(&mut self) {
        finish(self);
        self.table.drain(Blob::free);
    }
}
