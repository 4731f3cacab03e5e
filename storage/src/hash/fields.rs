//! The fields of a big hash: a table of elements, and, if some expire, their times in order.

use std::collections::BTreeSet;

use super::FieldTtl;
use crate::blob::Blob;
use crate::hashing::hash;
use crate::listpack::Item;
use crate::table::{HashTable, Position};

/// See the module's description.
#[derive(Default)]
pub struct FieldTable {
    table: HashTable<Blob>,
    /// Expiry and hash of each field that has one. Two fields may share an entry: a removal looks for both.
    expiries: BTreeSet<(i64, u64)>,
    /// Bytes of the elements.
    bytes: usize,
}

impl FieldTable {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn position(&self, field: &[u8]) -> (u64, Option<Position>) {
        let hash = hash(field);
        (hash, self.table.position(hash, |blob| blob.name() == field))
    }

    pub(super) fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.table.find(hash(field), |blob| blob.name() == field).map(Blob::value)
    }

    pub(super) fn expiry(&self, field: &[u8]) -> Option<Option<i64>> {
        self.table.find(hash(field), |blob| blob.name() == field).map(Blob::expiry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<i64>)> {
        self.table.iter().map(|blob| (Item::Str(blob.name()), Item::Str(blob.value()), blob.expiry()))
    }

    pub(super) fn random(&self, random: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        self.table.random(random).map(|blob| (Item::Str(blob.name()), Item::Str(blob.value())))
    }

    pub(super) fn scan(&self, cursor: u64, mut each: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        self.table.scan(cursor, |blob| each(Item::Str(blob.name()), Item::Str(blob.value())))
    }

    pub(super) fn set(&mut self, field: &[u8], value: &[u8], ttl: FieldTtl) -> bool {
        let (hash, found) = self.position(field);
        let Some(position) = found else {
            let expiry = if let FieldTtl::At(when) = ttl { Some(when) } else { None };
            self.insert(hash, Blob::pair(expiry, field, value));
            return true;
        };
        let blob = self.table.at_mut(position);
        let before = blob.memory();
        blob.set_value(value);
        self.bytes = self.bytes + blob.memory() - before;
        match ttl {
            FieldTtl::Keep => {}
            FieldTtl::Clear => self.put_expiry(hash, position, None),
            FieldTtl::At(when) => self.put_expiry(hash, position, Some(when)),
        }
        false
    }

    fn insert(&mut self, hash: u64, blob: Blob) {
        self.bytes += blob.memory();
        if let Some(when) = blob.expiry() {
            self.expiries.insert((when, hash));
        }
        self.table.insert_unique(hash, blob, |blob| crate::hashing::hash(blob.name()));
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let (hash, found) = self.position(field);
        found.is_some_and(|position| {
            self.remove_at(hash, position);
            true
        })
    }

    fn remove_at(&mut self, hash: u64, position: Position) {
        let blob = self.table.remove_at(position);
        self.bytes -= blob.memory();
        let expiry = blob.expiry();
        blob.free();
        if let Some(when) = expiry {
            self.forget(when, hash);
        }
    }

    pub(super) fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>) -> bool {
        let (hash, found) = self.position(field);
        found.is_some_and(|position| {
            self.put_expiry(hash, position, expiry);
            true
        })
    }

    fn put_expiry(&mut self, hash: u64, position: Position, expiry: Option<i64>) {
        let blob = self.table.at_mut(position);
        let (old, before) = (blob.expiry(), blob.memory());
        if old == expiry {
            return;
        }
        blob.set_expiry(expiry);
        self.bytes = self.bytes + blob.memory() - before;
        if let Some(when) = old {
            self.forget(when, hash);
        }
        if let Some(when) = expiry {
            self.expiries.insert((when, hash));
        }
    }

    /// A field has this expiry no more; its entry goes unless another field of the same hash shares it.
    fn forget(&mut self, when: i64, hash: u64) {
        if self
            .table
            .find(hash, |blob| blob.expiry() == Some(when) && crate::hashing::hash(blob.name()) == hash)
            .is_none()
        {
            self.expiries.remove(&(when, hash));
        }
    }

    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.expiries.first().map(|(when, _)| *when)
    }

    pub(super) fn expire(&mut self, now_ms: i64) -> usize {
        let mut removed = 0;
        while let Some(&(when, hash)) = self.expiries.first()
            && when < now_ms
        {
            match self.table.position(hash, |blob| blob.expiry() == Some(when)) {
                Some(position) => {
                    self.remove_at(hash, position);
                    removed += 1;
                }
                // Cannot be; but if it were, it must not be looked for again and again.
                None => drop(self.expiries.remove(&(when, hash))),
            }
        }
        removed
    }

    pub(super) fn memory(&self) -> usize {
        // A tree's node holds up to eleven entries, of which two thirds are usual.
        self.table.memory() + self.bytes + self.expiries.len() * 24
    }
}

impl Clone for FieldTable {
    fn clone(&self) -> FieldTable {
        let mut copy = FieldTable::default();
        for blob in self.table.iter() {
            copy.insert(hash(blob.name()), blob.duplicate());
        }
        copy
    }
}

impl Drop for FieldTable {
    fn drop(&mut self) {
        self.table.drain(Blob::free);
    }
}
