//! The members of a big set.

use std::sync::Arc;

use crate::blob::Blob;
use crate::hashing::hash;
use crate::listpack::Item;
use crate::snapshot::{Element, Parts, Piece, Piecemeal, finish};
use crate::table::HashTable;

/// A table of members, each an allocation of its own.
#[derive(Default)]
pub struct MemberTable {
    table: HashTable<Blob>,
    /// Bytes of the members.
    bytes: usize,
    /// There while a snapshot of it is written in pieces.
    parts: Option<Box<Parts>>,
}

impl MemberTable {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub(super) fn contains(&self, member: &[u8]) -> bool {
        self.table.find(hash(member), |blob| blob.name() == member).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        self.table.iter().map(|blob| Item::Str(blob.name()))
    }

    pub(super) fn random(&self, random: impl FnMut() -> u64) -> Option<Item<'_>> {
        self.table.random(random).map(|blob| Item::Str(blob.name()))
    }

    pub(super) fn scan(&self, cursor: u64, mut each: impl FnMut(Item<'_>)) -> u64 {
        self.table.scan(cursor, |blob| each(Item::Str(blob.name())))
    }

    /// Hands a member over to the snapshot that is being written.
    #[inline]
    fn before_change(&mut self, member: &[u8]) {
        if self.parts.is_some() {
            self.hand_over(member);
        }
    }

    #[cold]
    fn hand_over(&mut self, member: &[u8]) {
        let (contains, hash) = (self.contains(member), hash(member));
        match &mut self.parts {
            Some(parts) if contains => parts.hand_over(hash, Element::Member(member)),
            Some(parts) => parts.keep_out(hash, member),
            None => {}
        }
    }

    pub(crate) fn add(&mut self, member: &[u8]) -> bool {
        self.before_change(member);
        let hash_of = hash(member);
        let make = || Blob::new(member);
        let (position, new) =
            self.table.find_or_insert_with(hash_of, |blob| blob.name() == member, make, |blob| hash(blob.name()));
        if new {
            self.bytes += self.table.at(position).memory();
        }
        new
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        self.before_change(member);
        let Some(blob) = self.table.remove(hash(member), |blob| blob.name() == member) else { return false };
        self.bytes -= blob.memory();
        blob.free();
        true
    }

    pub(super) fn prefetch(&self, members: &[&[u8]]) {
        self.table.prefetch_all(members.iter().map(|member| hash(member)), Blob::prefetch);
    }

    pub(crate) fn memory(&self) -> usize {
        self.table.memory() + self.bytes
    }
}

impl Piecemeal for MemberTable {
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
        self.len()
    }

    fn step(&mut self, to: &mut Vec<u8>) -> bool {
        let MemberTable { table, parts, .. } = self;
        parts.as_mut().is_some_and(|parts| parts.step(to, table, |blob| Element::Member(blob.name())))
    }
}

impl Clone for MemberTable {
    fn clone(&self) -> MemberTable {
        let mut copy = MemberTable { table: HashTable::new(), bytes: self.bytes, parts: None };
        for blob in self.table.iter() {
            copy.table.insert_unique(hash(blob.name()), Blob::new(blob.name()), |blob| hash(blob.name()));
        }
        copy
    }
}

impl Drop for MemberTable {
    fn drop(&mut self) {
        finish(self);
        self.table.drain(Blob::free);
    }
}
