//! How it is written down that entries were handed to a consumer.

use storage::stream::{Entries, Group, StreamId};
use storage::{Key, View};

use super::id;
use crate::journal;

/// What one command has handed to a consumer of a group, and otherwise done to the group.
pub(super) struct Handed {
    /// Whether it is written down at all.
    wanted: bool,
    /// The consumer was made for it.
    pub new_consumer: bool,
    claimed: Vec<Claimed>,
    /// Up to where the group has read now, and how many entries these are, if known.
    read: Option<(StreamId, Option<i64>)>,
}

/// An entry that is pending for the consumer now, or one that is not there any more.
struct Claimed {
    id: StreamId,
    gone: bool,
    /// Who had it, if it is gone and somebody had.
    owner: Option<Box<[u8]>>,
    delivered_ms: i64,
    deliveries: i64,
    /// How far the group had read by then.
    last_id: StreamId,
}

impl Handed {
    pub fn new(db: &mut View<'_>) -> Handed {
        Handed { wanted: db.writes_down(), new_consumer: false, claimed: Vec::new(), read: None }
    }

    /// The consumer has got an entry.
    pub fn claimed(&mut self, group: &Group, id: StreamId) {
        self.add(group, id, false);
    }

    /// An entry, which is not there any more, is about to stop being pending: claiming it does that.
    pub fn drops(&mut self, group: &Group, id: StreamId) {
        self.add(group, id, true);
    }

    fn add(&mut self, group: &Group, id: StreamId, gone: bool) {
        if self.wanted
            && let Some(pending) = group.pending(id)
        {
            let (delivered_ms, deliveries) = (pending.delivered_ms, pending.deliveries);
            let owner = group.owner(pending).filter(|_| gone).map(|owner| owner.name().into());
            self.claimed.push(Claimed { id, gone, owner, delivered_ms, deliveries, last_id: group.last_id });
        }
    }

    /// Has what was claimed written down in the order of the entries.
    pub fn in_order(&mut self) {
        self.claimed.sort_by_key(|claimed| claimed.id);
    }

    /// The group has read on behind an ID, and if that was `kept`, it is the consumer's.
    pub fn delivered(&mut self, entries: &Entries, group: &Group, behind: StreamId, kept: bool) {
        self.read(group);
        let Some(first) = behind.next().filter(|_| self.wanted && kept) else { return };
        for entry in entries.range(first, group.last_id) {
            self.claimed(group, entry.id);
            if let Some(claimed) = self.claimed.last_mut().filter(|claimed| claimed.id == entry.id) {
                claimed.last_id = entry.id;
            }
        }
    }

    /// The group has read on.
    pub fn read(&mut self, group: &Group) {
        self.read = Some((group.last_id, group.entries_read));
    }

    /// Has all that written down.
    pub fn write_down(&self, db: &mut View<'_>, key: &Key<'_>, group: &[u8], consumer: &[u8]) {
        journal::instead(db, |entries| {
            if self.new_consumer && self.claimed.iter().all(|claimed| claimed.gone) {
                entries.command([b"XGROUP", &b"CREATECONSUMER"[..], key.bytes, group, consumer]);
            }
            for Claimed { id, owner, delivered_ms, deliveries, last_id, .. } in &self.claimed {
                let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
                entries.command([
                    b"XCLAIM",
                    key.bytes,
                    group,
                    owner.as_deref().unwrap_or(consumer),
                    b"0",
                    &id::text(*id),
                    b"TIME",
                    time.format(*delivered_ms).as_bytes(),
                    b"RETRYCOUNT",
                    count.format(*deliveries).as_bytes(),
                    b"FORCE",
                    b"JUSTID",
                    b"LASTID",
                    &id::text(*last_id),
                ]);
            }
            if let Some((last_id, entries_read)) = self.read {
                let (last_id, mut count) = (id::text(last_id), itoa::Buffer::new());
                let count = count.format(entries_read.unwrap_or(-1)).as_bytes();
                entries.command([b"XGROUP", &b"SETID"[..], key.bytes, group, &last_id, b"ENTRIESREAD", count]);
            }
        });
    }
}
