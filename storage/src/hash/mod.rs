//! Hashes: fields with values, each of which may expire by itself.

mod deadlines;
mod fields;

use crate::listpack::{Item, ListPack, ListPackBuf};
use crate::memory::good_size;
use crate::value::{Collection, PackLimits, Type};

pub use deadlines::MAX_EXPIRY;
pub use fields::FieldTable;

/// A hash. Small ones are listpacks, as in Redis: of fields and values, or, once a field was given an expiry, of
/// fields, values and expiries (0 for none), the earliest first.
#[derive(Clone)]
pub enum Hash {
    Packed(ListPackBuf),
    Timed(ListPackBuf),
    Table(Box<FieldTable>),
}

/// A hash to be read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    Packed(ListPack<'a>),
    Timed(ListPack<'a>),
    Table(&'a FieldTable),
}

/// What becomes of a field's expiry when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldTtl {
    Clear,
    Keep,
    /// Unix milliseconds.
    At(i64),
}

impl<'a> HashRef<'a> {
    pub fn encoding(self) -> &'static str {
        match self {
            HashRef::Packed(_) => "listpack",
            HashRef::Timed(_) => "listpackex",
            HashRef::Table(_) => "hashtable",
        }
    }

    /// The number of fields.
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) => pack.len() / 2,
            HashRef::Timed(pack) => pack.len() / 3,
            HashRef::Table(table) => table.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Item<'a>> {
        match self {
            HashRef::Packed(pack) => value_in(pack, pack.find(pack.start(), field, 2)?),
            HashRef::Timed(pack) => value_in(pack, pack.find(pack.start(), field, 3)?),
            HashRef::Table(table) => table.get(field).map(Item::Str),
        }
    }

    /// When a field expires (`Some(None)`: never); `None` if there is no such field.
    pub fn expiry(self, field: &[u8]) -> Option<Option<i64>> {
        match self {
            HashRef::Packed(pack) => pack.find(pack.start(), field, 2).map(|_| None),
            HashRef::Timed(pack) => pack.find(pack.start(), field, 3).map(|at| expiry_in(pack, pack.after(at, 2))),
            HashRef::Table(table) => table.expiry(field),
        }
    }

    /// All fields with their values and expiries.
    pub fn iter(self) -> impl Iterator<Item = (Item<'a>, Item<'a>, Option<i64>)> {
        let (pack, step, table) = match self {
            HashRef::Packed(pack) => (Some(pack), 2, None),
            HashRef::Timed(pack) => (Some(pack), 3, None),
            HashRef::Table(table) => (None, 0, Some(table)),
        };
        let packed = pack.into_iter().flat_map(move |pack| triples(pack, step));
        packed.chain(table.into_iter().flat_map(FieldTable::iter))
    }

    /// The `index`th field with its value, in the order of [`HashRef::iter`], where that is quickly found.
    fn nth_packed(self, index: usize) -> Option<(Item<'a>, Item<'a>)> {
        let (pack, step) = match self {
            HashRef::Packed(pack) => (pack, 2),
            HashRef::Timed(pack) => (pack, 3),
            HashRef::Table(_) => return None,
        };
        let mut items = pack.iter_from(pack.nth(index * step)?);
        Some((items.next()?, items.next()?))
    }

    /// A field with its value, each with the same chance.
    pub fn random(self, mut random: impl FnMut() -> u64) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            HashRef::Table(table) => table.random(random),
            packed => {
                let index = (u128::from(random()) * packed.len() as u128) >> 64;
                packed.nth_packed(index as usize)
            }
        }
    }

    /// One step of HSCAN: passes the fields of the next page on and returns the cursor of the one after it, 0 at the
    /// end. A packed hash is one page.
    pub fn scan(self, cursor: u64, mut each: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        match self {
            HashRef::Table(table) => table.scan(cursor, each),
            packed => {
                packed.iter().for_each(|(field, value, _)| each(field, value));
                0
            }
        }
    }

    /// When the first of the fields expires.
    pub(crate) fn earliest_expiry(self) -> Option<i64> {
        match self {
            HashRef::Packed(_) => None,
            HashRef::Timed(pack) => expiry_in(pack, pack.after(pack.start(), 2)),
            HashRef::Table(table) => table.earliest_shown(),
        }
    }

    /// Whether several fields are better picked by a walk over all than one by one.
    pub fn is_quickly_walked(self) -> bool {
        match self {
            HashRef::Packed(_) | HashRef::Timed(_) => true,
            HashRef::Table(table) => table.hides(),
        }
    }
}

fn triples(pack: ListPack<'_>, step: usize) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<i64>)> {
    let mut items = pack.iter();
    std::iter::from_fn(move || {
        let (field, value) = (items.next()?, items.next()?);
        let expiry = if step == 3 { items.next().and_then(expiry_of) } else { None };
        Some((field, value, expiry))
    })
}

fn value_in(pack: ListPack<'_>, field_at: usize) -> Option<Item<'_>> {
    let (_, value_at) = pack.at(field_at)?;
    pack.at(value_at).map(|(value, _)| value)
}

fn expiry_in(pack: ListPack<'_>, at: usize) -> Option<i64> {
    pack.at(at).and_then(|(item, _)| expiry_of(item))
}

fn expiry_of(item: Item<'_>) -> Option<i64> {
    if let Item::Int(when @ 1..) = item { Some(when) } else { None }
}

/// A time that can be stored: 0 would mean none.
fn bounded(when: i64) -> i64 {
    when.clamp(1, MAX_EXPIRY)
}

impl Hash {
    /// Makes ready for setting so many fields, of which the longest name or value is `longest` bytes: goes over to a
    /// table if they are too much for a listpack.
    pub fn prepare(&mut self, fields: usize, longest: usize, limits: PackLimits) {
        let has_room = match self {
            Hash::Packed(pack) | Hash::Timed(pack) => pack.has_room(fields.saturating_mul(longest).saturating_mul(2)),
            Hash::Table(_) => return,
        };
        if fields > limits.entries || longest > limits.value || !has_room {
            self.make_table();
        }
    }

    /// Sets a field. Tells whether it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], mut ttl: FieldTtl, limits: PackLimits) -> bool {
        self.prepare(1, field.len().max(value.len()), limits);
        if let FieldTtl::At(when) = &mut ttl {
            *when = bounded(*when);
            self.make_timed();
        }
        let new = match self {
            Hash::Packed(pack) => set_packed(pack, field, value),
            Hash::Timed(pack) => set_timed(pack, field, value, ttl),
            Hash::Table(table) => table.set(field, value, ttl),
        };
        let is_packed = !matches!(self, Hash::Table(_));
        if new && is_packed && self.as_ref().len() > limits.entries {
            self.make_table();
        }
        new
    }

    /// Removes a field. Tells whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let (pack, step) = match self {
            Hash::Packed(pack) => (pack, 2),
            Hash::Timed(pack) => (pack, 3),
            Hash::Table(table) => return table.remove(field),
        };
        let found = pack.as_ref().find(pack.as_ref().start(), field, step);
        found.is_some_and(|at| pack.remove(at, step) > 0)
    }

    /// Sets, to a time up to [`MAX_EXPIRY`], or clears the expiry of a field. Tells whether there is such a field.
    pub fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>) -> bool {
        let expiry = expiry.map(bounded);
        if expiry.is_some() {
            self.make_timed();
        }
        match self {
            Hash::Packed(pack) => pack.as_ref().find(pack.as_ref().start(), field, 2).is_some(),
            Hash::Timed(pack) => {
                let Some(at) = pack.as_ref().find(pack.as_ref().start(), field, 3) else { return false };
                let Some(value) = value_in(pack.as_ref(), at).map(Item::to_vec) else { return false };
                pack.remove(at, 3);
                insert_timed(pack, field, &value, expiry);
                true
            }
            Hash::Table(table) => table.set_expiry(field, expiry),
        }
    }

    /// From now on fields may expire: the packed form makes room for it. Tells whether it had to.
    pub fn make_timed(&mut self) -> bool {
        let is_packed = matches!(self, Hash::Packed(_));
        if let Hash::Packed(pack) = self {
            let mut timed = ListPackBuf::new();
            for (field, value, _) in triples(pack.as_ref(), 2) {
                let end = timed.as_ref().end();
                timed.insert(end, &[field, value, Item::Int(0)]);
            }
            *self = Hash::Timed(timed);
        }
        is_packed
    }

    /// The hash in bytes that come from outside, if they are a listpack of fields, values and expiries, not empty,
    /// through and through.
    pub(crate) fn timed_from(bytes: Vec<u8>) -> Option<Hash> {
        let pack = ListPack::validate(&bytes).filter(|pack| pack.is_keyed(3))?;
        let mut latest = Some(1);
        for expiry in pack.iter().skip(2).step_by(3) {
            // The earliest first; those that never expire, at 0, last.
            latest = match (expiry, latest) {
                (Item::Int(0), _) => None,
                (Item::Int(when), Some(latest)) if (latest..=MAX_EXPIRY).contains(&when) => Some(when),
                _ => return None,
            };
        }
        Some(Hash::Timed(ListPackBuf::from_vec(bytes)))
    }

    fn make_table(&mut self) {
        if let Hash::Table(_) = self {
            return;
        }
        let mut table = FieldTable::default();
        let mut digits = (itoa::Buffer::new(), itoa::Buffer::new());
        for (field, value, expiry) in self.as_ref().iter() {
            let ttl = expiry.map_or(FieldTtl::Clear, FieldTtl::At);
            table.set(field.bytes(&mut digits.0), value.bytes(&mut digits.1), ttl);
        }
        *self = Hash::Table(Box::new(table));
    }
}

fn set_packed(pack: &mut ListPackBuf, field: &[u8], value: &[u8]) -> bool {
    let borrowed = pack.as_ref();
    if let Some((_, value_at)) = borrowed.find(borrowed.start(), field, 2).and_then(|at| borrowed.at(at)) {
        pack.replace(value_at, Item::from_text(value));
        return false;
    }
    let end = borrowed.end();
    pack.insert(end, &[Item::from_text(field), Item::from_text(value)]);
    true
}

fn set_timed(pack: &mut ListPackBuf, field: &[u8], value: &[u8], ttl: FieldTtl) -> bool {
    let borrowed = pack.as_ref();
    let found = borrowed.find(borrowed.start(), field, 3);
    let before = found.and_then(|at| expiry_in(borrowed, borrowed.after(at, 2)));
    let expiry = match ttl {
        FieldTtl::Clear => None,
        FieldTtl::Keep => before,
        FieldTtl::At(when) => Some(when),
    };
    match found.and_then(|at| borrowed.at(at)) {
        Some((_, value_at)) if expiry == before && !matches!(ttl, FieldTtl::At(_)) => {
            pack.replace(value_at, Item::from_text(value))
        }
        Some(_) => {
            pack.remove(found.unwrap_or_default(), 3);
            insert_timed(pack, field, value, expiry);
        }
        None => insert_timed(pack, field, value, expiry),
    }
    found.is_none()
}

/// Puts a field where its expiry belongs: before the first that does not expire earlier, or, if it never does, at the
/// end.
fn insert_timed(pack: &mut ListPackBuf, field: &[u8], value: &[u8], expiry: Option<i64>) {
    let borrowed = pack.as_ref();
    let mut at = borrowed.start();
    while let Some(when) = expiry
        && at < borrowed.end()
        && expiry_in(borrowed, borrowed.after(at, 2)).is_some_and(|other| other < when)
    {
        at = borrowed.after(at, 3);
    }
    if expiry.is_none() {
        at = borrowed.end();
    }
    pack.insert(at, &[Item::from_text(field), Item::from_text(value), Item::Int(expiry.unwrap_or(0))]);
}

impl Collection for Hash {
    type Ref<'a> = HashRef<'a>;
    const TYPE: Type = Type::Hash;

    fn new() -> Hash {
        Hash::Packed(ListPackBuf::new())
    }

    fn is_empty(&self) -> bool {
        match self {
            Hash::Packed(pack) | Hash::Timed(pack) => pack.as_ref().is_empty(),
            Hash::Table(table) => table.is_spent(),
        }
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        if let Hash::Packed(pack) = self { Some((0, pack.as_ref().as_bytes())) } else { None }
    }

    fn validate(_: u8, bytes: &[u8]) -> bool {
        ListPack::validate(bytes).is_some_and(|pack| pack.is_keyed(2))
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> Hash {
        Hash::Packed(ListPackBuf::from_vec(bytes))
    }

    fn into_buffer(self) -> Vec<u8> {
        if let Hash::Packed(pack) = self { pack.into_vec() } else { Vec::new() }
    }

    fn as_ref(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(pack) => HashRef::Packed(pack.as_ref()),
            Hash::Timed(pack) => HashRef::Timed(pack.as_ref()),
            Hash::Table(table) => HashRef::Table(table),
        }
    }

    fn packed_ref(_: u8, bytes: &[u8]) -> HashRef<'_> {
        HashRef::Packed(ListPack::from_bytes(bytes))
    }

    fn prefetch(&self, members: &[&[u8]]) {
        if let Hash::Table(table) = self {
            table.prefetch(members);
        }
    }

    fn memory(&self) -> usize {
        match self {
            Hash::Packed(pack) | Hash::Timed(pack) => good_size(pack.capacity()),
            Hash::Table(table) => good_size(size_of::<FieldTable>()) + table.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        if let Hash::Table(table) = self { table.len() } else { 1 }
    }

    fn next_expiry(&self) -> Option<i64> {
        match self {
            Hash::Packed(_) | Hash::Timed(_) => self.as_ref().earliest_expiry(),
            Hash::Table(table) => table.next_expiry(),
        }
    }

    fn expire(&mut self, now_ms: i64, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        match self {
            Hash::Packed(_) => 0,
            Hash::Timed(pack) => {
                let borrowed = pack.as_ref();
                let due = triples(borrowed, 3).take_while(|(.., expiry)| expiry.is_some_and(|when| when < now_ms));
                let count = due.inspect(|(field, ..)| each(field.bytes(&mut itoa::Buffer::new()))).count();
                pack.remove(pack.as_ref().start(), count * 3);
                count
            }
            Hash::Table(table) => table.expire(now_ms, most, each),
        }
    }
}
