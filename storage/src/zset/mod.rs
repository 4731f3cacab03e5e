//! Sorted sets.

mod arena;
mod boxes;
mod elements;
mod order;
mod run;
mod runs;
mod skiplist;
mod towers;

use std::sync::Arc;

use crate::hashing::hash;
use crate::listpack::{Item, ListPack, ListPackBuf};
use crate::memory::good_size;
use crate::snapshot::{Element, Parts, Piece, Piecemeal, finish};
use crate::table::{HashTable, PlainItem};
use crate::value::{Collection, PackLimits, Type};

use elements::Elements;
use order::is_before;
use skiplist::{Path, SkipList};

/// A sorted set. A small one is, as in Redis, a listpack of members and scores in their order.
#[derive(Clone)]
pub enum Zset {
    Packed(ListPackBuf),
    Big(Box<BigZset>),
}

/// A sorted set to be read.
#[derive(Clone, Copy)]
pub enum ZsetRef<'a> {
    Packed(ListPack<'a>),
    Big(&'a BigZset),
}

/// A skiplist, and a table of its members.
pub struct BigZset {
    list: SkipList,
    table: HashTable<Link>,
    /// There while a snapshot of it is written in pieces.
    parts: Option<Box<Parts>>,
}

/// An element of the skiplist.
#[derive(Clone, Copy)]
struct Link([u8; 4]);

// SAFETY: four plain bytes.
unsafe impl PlainItem for Link {}

impl Link {
    fn new(link: u32) -> Link {
        Link(link.to_le_bytes())
    }

    #[inline]
    fn get(self) -> u32 {
        u32::from_le_bytes(self.0)
    }
}

impl BigZset {
    fn new() -> BigZset {
        BigZset { list: SkipList::new(), table: HashTable::new(), parts: None }
    }

    fn find(&self, member: &[u8]) -> Option<u32> {
        self.table.find(hash(member), |link| self.list.member(link.get()) == member).map(|link| link.get())
    }

    /// Sets the score of a member. Returns the one it had.
    fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let Some(link) = self.find(member) else {
            self.insert(member, score);
            return None;
        };
        let old = self.list.score(link);
        if old != score {
            self.before_change(link);
            self.list.set_score(link, score);
        }
        Some(old)
    }

    /// Inserts a member that is not there yet. Nothing happens if there is no room, which callers have looked for.
    fn insert(&mut self, member: &[u8], score: f64) {
        if let Some(link) = self.list.insert(score, member) {
            self.know(member, link);
        }
    }

    fn know(&mut self, member: &[u8], link: u32) {
        if let Some(parts) = &mut self.parts {
            parts.keep_out(hash(member), member);
        }
        let list = &self.list;
        self.table.insert_unique(hash(member), Link::new(link), |link| hash(list.member(link.get())));
    }

    /// As [`BigZset::insert`], behind everything else, where the path leads.
    fn append(&mut self, end: &mut Path, member: &[u8], score: f64) {
        if let Some(link) = self.list.append(end, score, member) {
            self.know(member, link);
        }
    }

    /// Hands an element, as it is, over to the snapshot that is being written.
    #[inline]
    fn before_change(&mut self, link: u32) {
        if let Some(parts) = &mut self.parts {
            let member = self.list.member(link);
            parts.hand_over(hash(member), Element::Scored(member, self.list.score(link)));
        }
    }

    fn remove(&mut self, link: u32) {
        self.before_change(link);
        self.table.remove(hash(self.list.member(link)), |other| other.get() == link);
        self.list.remove(link);
    }

    /// As [`BigZset::before_change`], for so many elements from a rank on.
    #[cold]
    fn before_removal(&mut self, rank: usize, count: usize) {
        let BigZset { list, parts, .. } = self;
        let Some(parts) = parts else { return };
        for link in list.iter_from(rank).take(count) {
            let member = list.member(link);
            parts.hand_over(hash(member), Element::Scored(member, list.score(link)));
        }
    }

    /// To be called when members have been removed. Links are others afterwards.
    fn tidy(&mut self) {
        let table = &mut self.table;
        self.list.tidy(|member, from, to| {
            if let Some(link) = table.find_mut(hash(member), |link| link.get() == from) {
                *link = Link::new(to);
            }
        });
    }
}

impl Clone for BigZset {
    fn clone(&self) -> BigZset {
        let list = self.list.clone();
        let mut table = HashTable::new();
        for link in self.table.iter() {
            table.insert_unique(hash(list.member(link.get())), *link, |link| hash(list.member(link.get())));
        }
        BigZset { list, table, parts: None }
    }
}

impl Piecemeal for BigZset {
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
        self.list.len()
    }

    fn step(&mut self, to: &mut Vec<u8>) -> bool {
        let BigZset { list, table, parts } = self;
        let element = |link: &Link| Element::Scored(list.member(link.get()), list.score(link.get()));
        parts.as_mut().is_some_and(|parts| parts.step(to, table, element))
    }
}

impl Drop for BigZset {
    fn drop(&mut self) {
        finish(self);
    }
}

impl<'a> ZsetRef<'a> {
    pub fn encoding(self) -> &'static str {
        match self {
            ZsetRef::Packed(_) => "listpack",
            ZsetRef::Big(_) => "skiplist",
        }
    }

    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(pack) => pack.len() / 2,
            ZsetRef::Big(big) => big.list.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZsetRef::Packed(pack) => {
                let (_, at) = pack.at(pack.find(pack.start(), member, 2)?)?;
                pack.at(at).map(|(score, _)| score_of(score))
            }
            ZsetRef::Big(big) => big.find(member).map(|link| big.list.score(link)),
        }
    }

    /// How many elements come before this one, if it is there, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZsetRef::Packed(_) => {
                let score = self.score(member)?;
                Some((self.partition_point(|other, name| is_before(other, name, score, member)), score))
            }
            ZsetRef::Big(big) => {
                let link = big.find(member)?;
                Some((big.list.rank(link), big.list.score(link)))
            }
        }
    }

    /// How many elements `before` holds for. It must hold for a beginning of the set, and is asked about members that are
    /// not there.
    pub fn partition_point(self, mut before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        match self {
            ZsetRef::Packed(pack) => {
                let mut digits = itoa::Buffer::new();
                pairs(pack, pack.start())
                    .take_while(|(member, score)| before(*score, member.bytes(&mut digits)))
                    .count()
            }
            ZsetRef::Big(big) => big.list.partition_point(before),
        }
    }

    /// The elements from a rank on.
    pub fn iter_from(self, rank: usize) -> impl Iterator<Item = (Item<'a>, f64)> {
        let (pack, big) = self.parts();
        let packed = pack.into_iter().flat_map(move |pack| pairs(pack, pack.nth(rank * 2).unwrap_or(pack.end())));
        packed.chain(big.into_iter().flat_map(move |big| {
            big.list.iter_from(rank).map(|link| (Item::Str(big.list.member(link)), big.list.score(link)))
        }))
    }

    /// The elements from a rank back to the first.
    pub fn iter_back_from(self, rank: usize) -> impl Iterator<Item = (Item<'a>, f64)> {
        let (pack, big) = self.parts();
        let packed = pack.into_iter().flat_map(move |pack| {
            let behind = pack.len().saturating_sub((rank + 1) * 2);
            let mut items = pack.iter().rev().skip(behind);
            std::iter::from_fn(move || {
                let score = items.next()?;
                Some((items.next()?, score_of(score)))
            })
        });
        packed.chain(big.into_iter().flat_map(move |big| {
            big.list.iter_back_from(rank).map(|link| (Item::Str(big.list.member(link)), big.list.score(link)))
        }))
    }

    fn parts(self) -> (Option<ListPack<'a>>, Option<&'a BigZset>) {
        match self {
            ZsetRef::Packed(pack) => (Some(pack), None),
            ZsetRef::Big(big) => (None, Some(big)),
        }
    }

    pub fn iter(self) -> impl Iterator<Item = (Item<'a>, f64)> {
        self.iter_from(0)
    }

    /// An element, each with the same chance.
    pub fn random(self, mut random: impl FnMut() -> u64) -> Option<(Item<'a>, f64)> {
        let rank = (u128::from(random()) * self.len() as u128) >> 64;
        self.iter_from(rank as usize).next()
    }

    /// One step of ZSCAN: passes the elements of the next page on and returns the cursor of the one after it, 0 at the
    /// end. A packed set is one page.
    pub fn scan(self, cursor: u64, mut each: impl FnMut(Item<'_>, f64)) -> u64 {
        match self {
            ZsetRef::Packed(pack) => {
                pairs(pack, pack.start()).for_each(|(member, score)| each(member, score));
                0
            }
            ZsetRef::Big(big) => {
                big.table.scan(cursor, |link| each(Item::Str(big.list.member(link.get())), big.list.score(link.get())))
            }
        }
    }
}

fn pairs(pack: ListPack<'_>, position: usize) -> impl Iterator<Item = (Item<'_>, f64)> {
    let mut items = pack.iter_from(position);
    std::iter::from_fn(move || {
        let member = items.next()?;
        Some((member, score_of(items.next()?)))
    })
}

/// A score as a listpack holds it.
fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(number) => number as f64,
        Item::Str(text) => parse_score(text).unwrap_or(0.0),
    }
}

fn parse_score(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok())
}

impl Zset {
    /// Makes ready for so many elements, of which the longest member is `longest` bytes.
    pub fn prepare(&mut self, elements: usize, longest: usize, limits: PackLimits) {
        let has_room = match self {
            Zset::Packed(pack) => pack.has_room(elements.saturating_mul(longest)),
            Zset::Big(_) => return,
        };
        if elements > limits.entries || longest > limits.value || !has_room {
            self.make_big();
        }
    }

    /// A set of elements that are sorted and differ; `None` if there is no room for so many.
    pub fn from_sorted<'m>(
        elements: impl ExactSizeIterator<Item = (Item<'m>, f64)> + Clone,
        limits: PackLimits,
    ) -> Option<Zset> {
        let mut zset = Zset::new();
        if !zset.has_room(elements.clone().map(|(member, _)| member.text_len())) {
            return None;
        }
        let longest = elements.clone().map(|(member, _)| member.text_len()).max().unwrap_or(0);
        zset.prepare(elements.len(), longest, limits);
        let (mut end, mut digits) = (Path::new(), itoa::Buffer::new());
        for (member, score) in elements {
            let member = member.bytes(&mut digits);
            match &mut zset {
                Zset::Packed(pack) => append_packed(pack, member, score),
                Zset::Big(big) => big.append(&mut end, member, score),
            }
        }
        Some(zset)
    }

    /// Whether there is room for more members, of these lengths. A sorted set ends at about 16 GiB.
    pub fn has_room(&self, lengths: impl Iterator<Item = usize>) -> bool {
        match self {
            Zset::Packed(_) => Elements::new().has_room(lengths),
            Zset::Big(big) => big.list.has_room(lengths),
        }
    }

    /// Sets the score of a member. Returns the one it had.
    pub fn set(&mut self, member: &[u8], score: f64, limits: PackLimits) -> Option<f64> {
        if let Zset::Big(big) = self {
            return big.set(member, score);
        }
        let old = self.as_ref().score(member);
        if old == Some(score) {
            return old;
        }
        if old.is_none() {
            self.prepare(self.as_ref().len() + 1, member.len(), limits);
        }
        match self {
            Zset::Packed(pack) => {
                if old.is_some()
                    && let Some(at) = pack.as_ref().find(pack.as_ref().start(), member, 2)
                {
                    pack.remove(at, 2);
                }
                insert_packed(pack, member, score);
            }
            Zset::Big(big) => big.insert(member, score),
        }
        old
    }

    /// Removes a member. Tells whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Zset::Packed(pack) => {
                let found = pack.as_ref().find(pack.as_ref().start(), member, 2);
                found.is_some_and(|at| pack.remove(at, 2) > 0)
            }
            Zset::Big(big) => {
                let Some(link) = big.find(member) else { return false };
                big.remove(link);
                big.tidy();
                true
            }
        }
    }

    /// Removes so many elements from a rank on.
    pub fn remove_range(&mut self, rank: usize, count: usize) {
        match self {
            Zset::Packed(pack) => {
                if let Some(at) = pack.as_ref().nth(rank * 2) {
                    pack.remove(at, count.saturating_mul(2));
                }
            }
            Zset::Big(big) => {
                if big.parts.is_some() {
                    big.before_removal(rank, count);
                }
                let table = &mut big.table;
                big.list.remove_range(rank, count, |member, link| {
                    table.remove(hash(member), |other| other.get() == link);
                });
                big.tidy();
            }
        }
    }

    fn make_big(&mut self) {
        if let Zset::Packed(pack) = self {
            let mut big = BigZset::new();
            let mut digits = itoa::Buffer::new();
            let mut end = Path::new();
            for (member, score) in pairs(pack.as_ref(), pack.as_ref().start()) {
                big.append(&mut end, member.bytes(&mut digits), score);
            }
            *self = Zset::Big(Box::new(big));
        }
    }
}

/// Inserts an element that no other one comes after.
fn append_packed(pack: &mut ListPackBuf, member: &[u8], score: f64) {
    put_packed(pack, pack.as_ref().end(), member, score);
}

fn insert_packed(pack: &mut ListPackBuf, member: &[u8], score: f64) {
    let borrowed = pack.as_ref();
    let mut at = borrowed.start();
    let mut digits = itoa::Buffer::new();
    while let Some((other, score_at)) = borrowed.at(at)
        && let Some((other_score, next)) = borrowed.at(score_at)
        && is_before(score_of(other_score), other.bytes(&mut digits), score, member)
    {
        at = next;
    }
    put_packed(pack, at, member, score);
}

fn put_packed(pack: &mut ListPackBuf, at: usize, member: &[u8], score: f64) {
    let text;
    // As in Redis, whole numbers are stored as such.
    let whole = score as i64;
    let score = if whole as f64 == score && whole.unsigned_abs() < 1 << 62 {
        Item::Int(whole)
    } else {
        text = format!("{score:?}");
        Item::Str(text.as_bytes())
    };
    pack.insert(at, &[Item::from_text(member), score]);
}

impl Collection for Zset {
    type Ref<'a> = ZsetRef<'a>;
    const TYPE: Type = Type::Zset;

    fn new() -> Zset {
        Zset::Packed(ListPackBuf::new())
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        if let Zset::Packed(pack) = self { Some((0, pack.as_ref().as_bytes())) } else { None }
    }

    fn validate(_: u8, bytes: &[u8]) -> bool {
        let Some(pack) = ListPack::validate(bytes).filter(|pack| pack.is_keyed(2)) else { return false };
        let has_scores = pack.iter().skip(1).step_by(2).all(|score| match score {
            Item::Int(_) => true,
            Item::Str(text) => parse_score(text).is_some_and(|score| !score.is_nan()),
        });
        let elements = || pairs(pack, pack.start()).map(|(member, score)| (score, member.to_vec()));
        has_scores && elements().zip(elements().skip(1)).all(|(a, b)| is_before(a.0, &a.1, b.0, &b.1))
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> Zset {
        Zset::Packed(ListPackBuf::from_vec(bytes))
    }

    fn into_buffer(self) -> Vec<u8> {
        if let Zset::Packed(pack) = self { pack.into_vec() } else { Vec::new() }
    }

    fn as_ref(&self) -> ZsetRef<'_> {
        match self {
            Zset::Packed(pack) => ZsetRef::Packed(pack.as_ref()),
            Zset::Big(big) => ZsetRef::Big(big),
        }
    }

    fn packed_ref(_: u8, bytes: &[u8]) -> ZsetRef<'_> {
        ZsetRef::Packed(ListPack::from_bytes(bytes))
    }

    fn prefetch(&self, members: &[&[u8]]) {
        if let Zset::Big(big) = self {
            let hashes = members.iter().map(|member| hash(member));
            big.table.prefetch_all(hashes, |link| big.list.prefetch(link.get()));
        }
    }

    fn memory(&self) -> usize {
        match self {
            Zset::Packed(pack) => good_size(pack.capacity()),
            Zset::Big(big) => good_size(size_of::<BigZset>()) + big.list.memory() + big.table.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        // An arena's chunks hold some thousand elements each, runs and a table's pages some dozen.
        if let Zset::Big(big) = self { big.list.len() / 32 + 1 } else { 1 }
    }
}
