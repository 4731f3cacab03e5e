//! Sets of strings.

mod members;

use crate::intset::{IntSet, IntSetBuf};
use crate::listpack::{Item, ListPack, ListPackBuf, parse_canonical};
use crate::memory::good_size;
use crate::value::{Collection, PackLimits, Type};

pub use members::MemberTable;

/// A set. Small ones are, as in Redis, intsets or listpacks.
#[derive(Clone)]
pub enum Set {
    Ints(IntSetBuf),
    Packed(ListPackBuf),
    Table(Box<MemberTable>),
}

/// A set to be read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    Ints(IntSet<'a>),
    Packed(ListPack<'a>),
    Table(&'a MemberTable),
}

/// Up to where a set is small.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Members of an intset.
    pub ints: usize,
    /// Members of a listpack, and bytes of each.
    pub packed: PackLimits,
}

/// The form of an intset, and that of a listpack, inside an entry.
pub(crate) const INTS: u8 = 0;
pub(crate) const PACKED: u8 = 1;

impl<'a> SetRef<'a> {
    pub fn encoding(self) -> &'static str {
        match self {
            SetRef::Ints(_) => "intset",
            SetRef::Packed(_) => "listpack",
            SetRef::Table(_) => "hashtable",
        }
    }

    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(pack) => pack.len(),
            SetRef::Table(table) => table.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Ints(ints) => parse_canonical(member).is_some_and(|number| ints.contains(number)),
            SetRef::Packed(pack) => pack.find(pack.start(), member, 1).is_some(),
            SetRef::Table(table) => table.contains(member),
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Item<'a>> {
        let (ints, pack, table) = match self {
            SetRef::Ints(ints) => (Some(ints), None, None),
            SetRef::Packed(pack) => (None, Some(pack), None),
            SetRef::Table(table) => (None, None, Some(table)),
        };
        let ints = ints.into_iter().flat_map(|ints| ints.iter().map(Item::Int));
        let pack = pack.into_iter().flat_map(ListPack::iter);
        ints.chain(pack).chain(table.into_iter().flat_map(MemberTable::iter))
    }

    /// A member, each with the same chance.
    pub fn random(self, mut random: impl FnMut() -> u64) -> Option<Item<'a>> {
        let mut index = |len: usize| ((u128::from(random()) * len as u128) >> 64) as usize;
        match self {
            SetRef::Ints(ints) => ints.get(index(ints.len())).map(Item::Int),
            SetRef::Packed(pack) => pack.get(index(pack.len())),
            SetRef::Table(table) => table.random(random),
        }
    }

    /// One step of SSCAN: passes the members of the next page on and returns the cursor of the one after it, 0 at the
    /// end. A small set is one page.
    pub fn scan(self, cursor: u64, mut each: impl FnMut(Item<'_>)) -> u64 {
        if let SetRef::Table(table) = self {
            return table.scan(cursor, each);
        }
        self.iter().for_each(&mut each);
        0
    }
}

impl Set {
    /// An empty set for about `size` members of which this is the first.
    pub fn for_members(first: &[u8], size: usize, limits: SetLimits) -> Set {
        if size <= limits.ints && parse_canonical(first).is_some() {
            Set::Ints(IntSetBuf::new())
        } else if size <= limits.packed.entries {
            Set::Packed(ListPackBuf::new())
        } else {
            Set::Table(Box::default())
        }
    }

    /// Makes ready for adding so many members: goes over to a table if they are too many for a small form.
    pub fn prepare(&mut self, members: usize, limits: SetLimits) {
        let most = match self {
            Set::Ints(_) => limits.ints,
            Set::Packed(_) => limits.packed.entries,
            Set::Table(_) => usize::MAX,
        };
        if members > most {
            self.make_table();
        }
    }

    /// Adds a member. Tells whether it is new.
    pub fn add(&mut self, member: &[u8], limits: SetLimits) -> bool {
        match self {
            Set::Ints(ints) => {
                if let Some(number) = parse_canonical(member) {
                    let new = ints.add(number);
                    if ints.as_ref().len() > limits.ints {
                        self.make_table();
                    }
                    return new;
                }
                let ints = ints.as_ref();
                let edges = [ints.get(0), ints.len().checked_sub(1).and_then(|last| ints.get(last))];
                let longest = edges.into_iter().flatten().map(|number| Item::Int(number).text_len()).max();
                let longest = longest.unwrap_or(0).max(member.len());
                if ints.len() < limits.packed.entries && longest <= limits.packed.value {
                    let mut pack = ListPackBuf::new();
                    ints.iter().for_each(|number| pack.push_back(Item::Int(number)));
                    pack.push_back(Item::Str(member));
                    *self = Set::Packed(pack);
                    return true;
                }
                self.make_table();
            }
            Set::Packed(pack) => {
                let borrowed = pack.as_ref();
                if borrowed.find(borrowed.start(), member, 1).is_some() {
                    return false;
                }
                let fits = borrowed.len() < limits.packed.entries && member.len() <= limits.packed.value;
                if fits && pack.has_room(member.len()) {
                    pack.push_back(Item::from_text(member));
                    return true;
                }
                self.make_table();
            }
            Set::Table(_) => {}
        }
        if let Set::Table(table) = self { table.add(member) } else { false }
    }

    /// Removes a member. Tells whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_canonical(member).is_some_and(|number| ints.remove(number)),
            Set::Packed(pack) => {
                let found = pack.as_ref().find(pack.as_ref().start(), member, 1);
                found.is_some_and(|at| pack.remove(at, 1) > 0)
            }
            Set::Table(table) => table.remove(member),
        }
    }

    /// Takes out a member, each with the same chance.
    pub fn pop(&mut self, random: impl FnMut() -> u64) -> Option<Vec<u8>> {
        let member = self.as_ref().random(random)?.to_vec();
        self.remove(&member);
        Some(member)
    }

    /// Goes back to an intset if all members are integers, and few enough.
    pub fn make_ints(&mut self, limits: SetLimits) {
        if matches!(self, Set::Ints(_)) || self.as_ref().len() > limits.ints {
            return;
        }
        let mut ints = IntSetBuf::new();
        let mut digits = itoa::Buffer::new();
        for member in self.as_ref().iter() {
            let Some(number) = parse_canonical(member.bytes(&mut digits)) else { return };
            ints.add(number);
        }
        *self = Set::Ints(ints);
    }

    fn make_table(&mut self) {
        if matches!(self, Set::Table(_)) {
            return;
        }
        let mut table = MemberTable::default();
        let mut digits = itoa::Buffer::new();
        for member in self.as_ref().iter() {
            table.add(member.bytes(&mut digits));
        }
        *self = Set::Table(Box::new(table));
    }
}

impl Collection for Set {
    type Ref<'a> = SetRef<'a>;
    const TYPE: Type = Type::Set;

    fn new() -> Set {
        Set::Ints(IntSetBuf::new())
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match self {
            Set::Ints(ints) => Some((INTS, ints.as_ref().as_bytes())),
            Set::Packed(pack) => Some((PACKED, pack.as_ref().as_bytes())),
            Set::Table(_) => None,
        }
    }

    fn validate(form: u8, bytes: &[u8]) -> bool {
        match form {
            INTS => IntSet::validate(bytes).is_some_and(|ints| !ints.is_empty()),
            _ => ListPack::validate(bytes).is_some_and(|pack| pack.is_keyed(1)),
        }
    }

    fn from_packed(form: u8, bytes: Vec<u8>) -> Set {
        match form {
            INTS => Set::Ints(IntSetBuf::from_vec(bytes)),
            _ => Set::Packed(ListPackBuf::from_vec(bytes)),
        }
    }

    fn into_buffer(self) -> Vec<u8> {
        match self {
            Set::Ints(ints) => ints.into_vec(),
            Set::Packed(pack) => pack.into_vec(),
            Set::Table(_) => Vec::new(),
        }
    }

    fn as_ref(&self) -> SetRef<'_> {
        match self {
            Set::Ints(ints) => SetRef::Ints(ints.as_ref()),
            Set::Packed(pack) => SetRef::Packed(pack.as_ref()),
            Set::Table(table) => SetRef::Table(table),
        }
    }

    fn packed_ref(form: u8, bytes: &[u8]) -> SetRef<'_> {
        match form {
            INTS => SetRef::Ints(IntSet::from_bytes(bytes)),
            _ => SetRef::Packed(ListPack::from_bytes(bytes)),
        }
    }

    fn prefetch(&self, members: &[&[u8]]) {
        if let Set::Table(table) = self {
            table.prefetch(members);
        }
    }

    fn memory(&self) -> usize {
        match self {
            Set::Ints(ints) => good_size(ints.capacity()),
            Set::Packed(pack) => good_size(pack.capacity()),
            Set::Table(table) => good_size(size_of::<MemberTable>()) + table.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        if let Set::Table(table) = self { table.len() } else { 1 }
    }
}
