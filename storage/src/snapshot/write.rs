//! The thread that writes a snapshot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::frozen::Frozen;
use super::pieces::{Access, Piece, Piecemeal, Rest};
use super::{File, Left, MAX_QUEUED, Mark, Snapshot, Target};
use crate::entry::Slot;
use crate::keyspace::{Key, Keyspace, SHARDS, Shard};
use crate::reclaim::free_table;
use crate::table::HashTable;

/// A shard is locked for about so many bytes, or so many pages where these are mostly empty.
const STEP_BYTES: usize = 16 * 1024;
const STEP_PAGES: usize = 16;
/// Queues of all shards are written when they hold so much together, before anybody has to write his own.
const MUCH_QUEUED: usize = MAX_QUEUED / 2;

/// How the writing of a snapshot ended, if nothing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    Whole,
    /// It was given up ([`Snapshot::stop`]).
    Stopped,
}

/// What a snapshot's writer asks of the one who has it written.
pub trait Supervisor {
    /// The time, in Unix milliseconds.
    fn now_ms(&self) -> i64;

    /// How long to rest after so many keys.
    fn rest_after(&self, keys: u64) -> Duration;
}

impl Snapshot {
    /// Writes everything. Meant for a thread of its own: it takes as long as the file does.
    pub fn write(
        self: &Arc<Snapshot>,
        keyspace: &Keyspace,
        target: Box<dyn Target>,
        supervisor: &impl Supervisor,
    ) -> io::Result<Written> {
        let counts = self.counts.iter().map(|counts| Some(*counts)).collect();
        *self.file.lock() = Some(File { target, db: None, counts, within_entry: false });
        // However this ends, nobody is to hand anything over any more.
        let _end = Unmark(self, keyspace);
        self.walk(keyspace, supervisor);
        match self.file.lock().take() {
            Some(file) if !self.is_stopped() => file.target.finish().map(|()| Written::Whole),
            _ => Ok(Written::Stopped),
        }
    }

    /// Goes over all shards, unless something goes wrong.
    fn walk(self: &Arc<Snapshot>, keyspace: &Keyspace, supervisor: &impl Supervisor) {
        let mut buffer = Vec::with_capacity(2 * STEP_BYTES);
        for shard in 0..SHARDS {
            loop {
                let before = self.keys_done();
                buffer.clear();
                let Some(db) = self.step(keyspace, shard, &mut buffer, supervisor.now_ms()) else { break };
                let goes_on = self.put(db, &buffer) && self.put_left(keyspace, supervisor);
                if !goes_on || !self.put_pieces(keyspace, supervisor) {
                    return;
                }
                if self.waiting.load(Relaxed) > MUCH_QUEUED {
                    self.put_queues(keyspace);
                }
                self.rest(supervisor.rest_after(self.keys_done() - before));
            }
        }
        let _ = self.put_left(keyspace, supervisor) && self.put_pieces(keyspace, supervisor);
    }

    /// Hands bytes to the file. Tells whether to go on.
    fn put(&self, db: usize, bytes: &[u8]) -> bool {
        let mut file = self.file.lock();
        let Some(file) = &mut *file else { return false };
        file.put(db, bytes);
        file.target.is_well() && !self.is_stopped()
    }

    /// Writes some pages of a shard, and what waits in the queue of their table, to a buffer. Returns the number of their
    /// database, or `None` if nothing of this snapshot is left in the shard.
    fn step(
        self: &Arc<Snapshot>,
        keyspace: &Keyspace,
        shard: usize,
        buffer: &mut Vec<u8>,
        now_ms: i64,
    ) -> Option<usize> {
        let mut shard = Fair::lock(&keyspace.shards[shard]);
        let db = shard.shard()?.dbs_mut().find(|db| db.mark.as_ref().is_some_and(|mark| self.is_of(mark)))?;
        let mark = db.mark.as_mut()?;
        let number = mark.db;
        self.was_written(mark.queue.len());
        std::mem::swap(&mut mark.queue, buffer);
        mark.queue = Vec::new();
        let enough = buffer.len() + STEP_BYTES;
        let access = Access { policy: &keyspace.access, now_ms };
        for _ in 0..STEP_PAGES {
            let more = self.step_table(keyspace, &mut db.table, &mut mark.frozen, buffer, access, |slot, key| {
                self.set_aside(number, key, slot, access)
            });
            if !more {
                // As long as collections are written in pieces it has to be known when they are removed.
                if self.pieces.lock().is_empty() {
                    db.mark = None;
                }
                break;
            }
            mark.count();
            if buffer.len() >= enough {
                break;
            }
        }
        Some(number)
    }

    /// Writes the next page of a table to a buffer, but for large entries that `set_aside` takes. Tells whether there are more
    /// pages.
    fn step_table(
        &self,
        keyspace: &Keyspace,
        table: &mut HashTable<Slot>,
        frozen: &mut Frozen,
        buffer: &mut Vec<u8>,
        access: Access<'_>,
        mut set_aside: impl FnMut(&mut Slot, &Key<'_>) -> bool,
    ) -> bool {
        let mut large = Vec::new();
        let more = frozen.step(
            &*table,
            |slot| keyspace.slot_hash(slot),
            Slot::key,
            |slot| match slot.is_big() {
                true => large.push(slot.key().to_vec()),
                false => self.put_entry(buffer, keyspace, slot, access.now_ms),
            },
        );
        for name in large {
            let key = keyspace.key(&name);
            let Some(slot) = table.find_mut(key.hash, |slot| slot.key() == key.bytes) else { continue };
            if !set_aside(slot, &key) {
                self.put_entry(buffer, keyspace, slot, access.now_ms);
            }
        }
        more
    }

    /// Writes what is in no table any more. Tells whether to go on.
    fn put_left(self: &Arc<Snapshot>, keyspace: &Keyspace, supervisor: &impl Supervisor) -> bool {
        loop {
            let Some((left, memory)) = self.left.lock().pop() else { return !self.is_stopped() };
            let access = Access { policy: &keyspace.access, now_ms: supervisor.now_ms() };
            let goes_on = match left {
                Left::Queue(db, queue) => {
                    self.was_written(queue.len());
                    self.put(db, &queue)
                }
                Left::Entry(db, mut slot) => {
                    let goes_on = self.put_owned(keyspace, db, &mut slot, access);
                    slot.free();
                    goes_on
                }
                Left::Table(db, mut table, mut frozen) => {
                    let (mut buffer, mut goes_on, mut more) = (Vec::new(), true, true);
                    while goes_on && more {
                        buffer.clear();
                        let mut well = true;
                        more = self.step_table(keyspace, &mut table, &mut frozen, &mut buffer, access, |slot, _| {
                            well = well && self.put_owned(keyspace, db, slot, access);
                            true
                        });
                        goes_on = well && self.put(db, &buffer);
                    }
                    free_table(table);
                    goes_on
                }
            };
            self.was_written(memory);
            if !goes_on {
                return false;
            }
        }
    }

    /// Writes an entry that nobody else can reach. Tells whether to go on.
    fn put_owned(self: &Arc<Snapshot>, keyspace: &Keyspace, db: usize, slot: &mut Slot, access: Access<'_>) -> bool {
        let name = slot.key().to_vec();
        let Some(piece) = Piece::begin(self, db, &keyspace.key(&name), slot, access) else {
            let mut buffer = Vec::new();
            self.put_entry(&mut buffer, keyspace, slot, access.now_ms);
            return self.put(db, &buffer);
        };
        self.put_piece(&piece, |buffer| {
            Some(piece.of(slot).is_some_and(|collection| Piece::step(collection, buffer, STEP_BYTES)))
        })
    }

    /// Writes the collections that are to be written in pieces. Tells whether to go on.
    fn put_pieces(&self, keyspace: &Keyspace, supervisor: &impl Supervisor) -> bool {
        loop {
            // It stays there until it is written, so that it is known whose elements are not needed any more.
            let Some(piece) = self.pieces.lock().front().cloned() else { return true };
            let mut removed = None;
            let goes_on = self.put_piece(&piece, |buffer| {
                self.rest(supervisor.rest_after(0));
                if removed.is_none() {
                    if let Some(more) = self.step_piece(keyspace, &piece, buffer) {
                        return Some(more);
                    }
                    match self.take_rest(&piece)? {
                        Rest::Entry(slot, memory) => removed = Some((slot, memory)),
                        Rest::Written(rest) => {
                            self.was_written(rest.len());
                            *buffer = rest;
                        }
                        Rest::Unknown | Rest::Unwanted => {}
                    }
                }
                let collection = removed.as_mut().and_then(|(slot, _)| piece.of(slot));
                Some(collection.is_some_and(|collection| Piece::step(collection, buffer, STEP_BYTES)))
            });
            if let Some((slot, memory)) = removed {
                self.was_written(memory);
                slot.free();
            }
            if !goes_on {
                return false;
            }
            self.pieces.lock().pop_front();
        }
    }

    /// Writes elements of a collection that is in its shard. Tells whether there are more, or nothing if it is not there.
    fn step_piece(&self, keyspace: &Keyspace, piece: &Piece, buffer: &mut Vec<u8>) -> Option<bool> {
        self.at_place(keyspace, piece, |collection| Piece::step(collection, buffer, STEP_BYTES))
    }

    /// Does something with a collection, if it is in its shard.
    fn at_place<R>(&self, keyspace: &Keyspace, piece: &Piece, act: impl FnOnce(&mut dyn Piecemeal) -> R) -> Option<R> {
        let mut place = piece.place();
        loop {
            let mut shard = Fair::lock(&keyspace.shards[place.shard()]);
            if let Some(collection) = shard.shard().and_then(|shard| piece.find(shard, &place)) {
                return Some(act(collection));
            }
            // It may have been renamed before its shard was locked.
            let now = piece.place();
            drop(shard);
            if now == place {
                return None;
            }
            place = now;
        }
    }

    /// Gets the rest of a collection that is not in its shard any more: it was removed, or its database was. `None` if
    /// the snapshot is given up.
    fn take_rest(&self, piece: &Piece) -> Option<Rest> {
        for (left, _) in self.left.lock().iter_mut() {
            if let Left::Table(_, table, _) = left
                && let Some(slot) = piece.take_from(table)
            {
                // It was counted with its table.
                return Some(Rest::Entry(slot, 0));
            }
        }
        piece.wait_for_rest()
    }

    /// Writes a collection, piece by piece, as `step` gives them and tells whether there are more. Tells whether to go on.
    fn put_piece(&self, piece: &Piece, mut step: impl FnMut(&mut Vec<u8>) -> Option<bool>) -> bool {
        let (mut buffer, mut more) = (Vec::new(), true);
        let mut goes_on = self.put_within(piece, &piece.head);
        while goes_on && more {
            buffer.clear();
            let Some(still) = step(&mut buffer) else { return false };
            more = still;
            goes_on = self.put_within(piece, &buffer);
        }
        goes_on = goes_on && self.put_within(piece, &piece.tail);
        if let Some(file) = &mut *self.file.lock() {
            file.within_entry = false;
        }
        goes_on
    }

    fn put_within(&self, piece: &Piece, bytes: &[u8]) -> bool {
        if let Some(file) = &mut *self.file.lock() {
            file.within_entry = true;
        }
        self.put(piece.db, bytes)
    }

    /// Writes the queues of all tables.
    fn put_queues(&self, keyspace: &Keyspace) {
        for shard in &keyspace.shards {
            loop {
                let found = take_queue(&mut shard.lock(), |mark| self.is_of(mark));
                let Some((db, queue)) = found else { break };
                self.was_written(queue.len());
                if !self.put(db, &queue) {
                    return;
                }
            }
        }
    }

    fn is_of(&self, mark: &Mark) -> bool {
        std::ptr::eq(Arc::as_ptr(mark.snapshot()), self)
    }

    /// Takes the marks of this snapshot from all tables.
    fn unmark(&self, keyspace: &Keyspace) {
        self.stop();
        for shard in &keyspace.shards {
            for db in shard.lock().dbs_mut() {
                if db.mark.as_ref().is_some_and(|mark| self.is_of(mark)) {
                    db.mark = None;
                }
            }
        }
        while let Some(piece) = self.pieces.lock().pop_front() {
            self.at_place(keyspace, &piece, |collection| collection.end());
            piece.close();
        }
    }

    /// Sleeps, unless the snapshot is given up.
    fn rest(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let mut resting = self.rest.0.lock();
        if !self.is_stopped() {
            self.rest.1.wait_for(&mut resting, duration);
        }
    }
}

/// A shard's lock that goes to whoever waits for it when it is let go of. The thread that writes comes back to the same
/// shard at once, and would mostly be there before those who wait have woken up.
struct Fair<'s>(Option<MutexGuard<'s, Shard>>);

impl<'s> Fair<'s> {
    fn lock(shard: &'s Mutex<Shard>) -> Fair<'s> {
        Fair(Some(shard.lock()))
    }

    /// The shard; there until the lock goes.
    fn shard(&mut self) -> Option<&mut Shard> {
        self.0.as_deref_mut()
    }
}

impl Drop for Fair<'_> {
    fn drop(&mut self) {
        if let Some(shard) = self.0.take() {
            MutexGuard::unlock_fair(shard);
        }
    }
}

/// Ends what a snapshot asks of others.
struct Unmark<'a>(&'a Snapshot, &'a Keyspace);

impl Drop for Unmark<'_> {
    fn drop(&mut self) {
        self.0.unmark(self.1);
    }
}

/// Takes the queue of a table of a shard, if there is one that is not empty.
fn take_queue(shard: &mut Shard, wanted: impl Fn(&Mark) -> bool) -> Option<(usize, Vec<u8>)> {
    let mut marks = shard.dbs_mut().filter_map(|db| db.mark.as_mut());
    let mark = marks.find(|mark| wanted(mark) && !mark.queue.is_empty())?;
    Some((mark.db, std::mem::take(&mut mark.queue)))
}
