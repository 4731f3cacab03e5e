//! Streams: entries that are added at the end, each with an ID and fields, and the groups of consumers that read them.

mod delivery;
mod entries;
mod group;
mod id;
mod node;
mod parts;
mod then;
mod trim;

use std::collections::BTreeMap;

use crate::memory::good_size;
use crate::snapshot::Aside;
use crate::value::{Collection, Type};

pub use entries::Entries;
pub use group::{Consumer, ConsumerAt, Group, Pending};
pub use id::StreamId;
pub use node::{Entry, StreamLimits};
pub(crate) use parts::StreamPart;
pub use trim::{Keep, Trim};

/// The groups by their names.
type Groups = BTreeMap<Box<[u8]>, Group>;

/// A stream. It stays when its last entry goes.
#[derive(Clone)]
pub struct Stream(Box<Body>);

#[derive(Clone, Default)]
struct Body {
    entries: Entries,
    groups: Groups,
    /// There while a snapshot of it is written in pieces.
    parts: Aside<parts::Parts>,
}

/// What becomes of the groups' pending entries when entries are deleted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum References {
    /// They stay, though there is nothing any more that they refer to.
    #[default]
    Keep,
    /// They go, too.
    Delete,
    /// Only entries are deleted that every group has read and acknowledged.
    Acknowledged,
}

/// What became of an entry that was to be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deletion {
    NotFound,
    Deleted,
    /// Somebody still needs it.
    Needed,
}

impl Stream {
    pub fn entries(&self) -> &Entries {
        &self.0.entries
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Adds an entry. Names and values take turns in `fields`. Tells whether it did: only above the last ID.
    pub fn append(&mut self, id: StreamId, fields: &[&[u8]], limits: StreamLimits) -> bool {
        self.0.entries.append(id, fields, limits)
    }

    /// Adds a node of entries that comes from outside. Tells whether it did: only one that is whole, and above the last
    /// ID. What is known about entries that are not there any more is to be set afterwards.
    pub fn append_node(&mut self, first: StreamId, bytes: Vec<u8>) -> bool {
        self.0.entries.append_node(first, bytes)
    }

    /// Deletes an entry, whoever refers to it. Tells whether it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        self.0.entries.remove(id)
    }

    /// Deletes an entry and what refers to it, as `references` says.
    pub fn remove_with(&mut self, id: StreamId, references: References) -> Deletion {
        let (entries, groups) = self.parts_mut(references);
        match references {
            References::Keep => {}
            References::Delete => groups.values_mut().for_each(|group| {
                group.acknowledge(id);
            }),
            References::Acknowledged => {
                if groups.is_empty() || !groups.values().all(|group| group.is_done_with(id)) {
                    return if entries.get(id).is_some() { Deletion::Needed } else { Deletion::NotFound };
                }
            }
        }
        if entries.remove(id) { Deletion::Deleted } else { Deletion::NotFound }
    }

    /// Sets what is known about entries that are not there any more.
    pub fn set_history(&mut self, last_id: StreamId, added: Option<u64>, max_deleted_id: Option<StreamId>) {
        let entries = &mut self.0.entries;
        entries.last_id = last_id;
        entries.added = added.unwrap_or(entries.added);
        entries.max_deleted_id = max_deleted_id.unwrap_or(entries.max_deleted_id);
    }

    /// The groups, in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.0.groups.iter().map(|(name, group)| (&**name, group))
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// A group to be changed, and the entries that it is about.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<(&Entries, &mut Group)> {
        if self.0.parts.is_some() {
            self.0.freeze_group(name);
        }
        let Body { entries, groups, .. } = &mut *self.0;
        groups.get_mut(name).map(|group| (&*entries, group))
    }

    /// Makes a group that has read up to an ID. Tells whether it did: not if there is one with the name.
    pub fn add_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<i64>) -> bool {
        let vacant = !self.0.groups.contains_key(name);
        if vacant {
            if self.0.parts.is_some() {
                self.0.keep_group(name, None);
            }
            self.0.groups.insert(name.into(), Group::new(last_id, entries_read));
        }
        vacant
    }

    /// Removes a group. Tells whether it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        if self.0.parts.is_some() {
            self.0.freeze_group(name);
        }
        let Some(group) = self.0.groups.remove(name) else { return false };
        if self.0.parts.is_some() {
            self.0.keep_group(name, Some(group));
        }
        true
    }

    /// The entries, and the groups if something is to become of these, too.
    fn parts_mut(&mut self, references: References) -> (&mut Entries, &mut Groups) {
        if references == References::Delete && self.0.parts.is_some() {
            self.0.freeze_groups();
        }
        let Body { entries, groups, .. } = &mut *self.0;
        (entries, groups)
    }
}

impl Collection for Stream {
    type Ref<'a> = &'a Stream;
    const TYPE: Type = Type::Stream;
    const REMOVED_WHEN_EMPTY: bool = false;

    fn new() -> Stream {
        Stream(Box::default())
    }

    fn is_empty(&self) -> bool {
        Stream::is_empty(self)
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        None
    }

    fn validate(_: u8, _: &[u8]) -> bool {
        false
    }

    fn from_packed(_: u8, _: Vec<u8>) -> Stream {
        Stream::new()
    }

    fn into_buffer(self) -> Vec<u8> {
        Vec::new()
    }

    fn as_ref(&self) -> &Stream {
        self
    }

    fn packed_ref(form: u8, _: &[u8]) -> &Stream {
        unreachable!("no stream was ever packed, nor in form {form}")
    }

    fn memory(&self) -> usize {
        let groups: usize = self.0.groups.iter().map(|(name, group)| good_size(name.len()) + group.memory()).sum();
        good_size(size_of::<Body>())
            + self.0.entries.memory()
            + group::tree::<(Box<[u8]>, Group)>(self.0.groups.len())
            + groups
    }

    fn free_effort(&self) -> usize {
        let groups: usize = self.0.groups.values().map(|group| 1 + group.pending_len() / 4).sum();
        self.0.entries.nodes() + groups
    }
}
