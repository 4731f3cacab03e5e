//! All data as it was at one moment, written while it changes.
//!
//! At the moment of a snapshot all shards are locked for an instant, and each table gets a [`Mark`]. A thread then walks
//! over the tables, a few pages of one shard at a time ([`Snapshot::write`]), and whoever is about to change an entry
//! that the walk has not come to hands it over as it is ([`Mark::hand_over`]). Which entries those are is for [`Frozen`]
//! to know.
//!
//! What is handed over waits in its table's queue for the thread. Where the queues together become too long, whoever
//! adds to one writes it to the file himself: the file's lock is taken with shards locked, but no shard with the file's,
//! so nobody waits in a circle, and changes become as slow as the file is.

mod aside;
mod commands;
mod frozen;
mod frozen_map;
mod mark;
mod pieces;
mod write;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::{Condvar, Mutex};

use crate::access::{AccessPolicy, Usage};
use crate::entry::{NewValue, Slot};
use crate::keyspace::{DbCounts, Key, Keyspace, Shard};
use crate::rdb::file::save_entry;
use crate::reclaim::{free_table, memory_with_entries};
use crate::table::HashTable;
use frozen::Frozen;
use pieces::Access;

use aside::Beside;
pub(crate) use aside::{Aside, Held};
pub use commands::CommandWriter;
pub(crate) use frozen_map::{FrozenMap, Shown, each_behind};
pub(crate) use mark::Mark;
pub(crate) use pieces::{Element, MANY_NODES, Parts, Piece, Piecemeal, finish, follow};
pub use write::{Supervisor, Written};

/// Bytes of memory that all snapshots hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory that are in use only because snapshots are being written: the counterpart of the pages that are copied
/// after a fork.
pub fn memory_of_snapshots() -> usize {
    HELD.load(Relaxed)
}

/// Bytes of all queues together beyond which those who change something write themselves.
const MAX_QUEUED: usize = 32 << 20;

/// What the entries of a snapshot are written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As in a snapshot's file, to be written by a [`crate::rdb::file::FileWriter`].
    Rdb { compress: bool },
    /// As commands that make the keys, to be written by a [`CommandWriter`].
    Commands,
}

/// Where a snapshot's entries are written to. Errors are kept, and told at the end.
pub trait Target: Send {
    /// What follows belongs to a database. The counts are its keys at the snapshot's moment, and come once.
    fn database(&mut self, db: usize, counts: Option<DbCounts>);

    /// Whole entries.
    fn entries(&mut self, bytes: &[u8]);

    /// Whether nothing has gone wrong so far.
    fn is_well(&self) -> bool;

    /// Ends the file, or tells what went wrong.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What is in no table of the keyspace any more, and still has to be written.
enum Left {
    Entry(usize, Slot),
    Table(usize, HashTable<Slot>, Frozen),
    Queue(usize, Vec<u8>),
}

impl Left {
    /// Bytes that it takes, as far as it is quick to tell.
    fn memory(&self) -> usize {
        match self {
            Left::Entry(_, slot) => slot.memory(),
            Left::Table(_, table, frozen) => memory_with_entries(table) + frozen.memory(),
            // Counted when they were queued.
            Left::Queue(..) => 0,
        }
    }

    fn free(self) {
        match self {
            Left::Entry(_, slot) => slot.free(),
            Left::Table(_, table, _) => free_table(table),
            Left::Queue(..) => {}
        }
    }
}

/// The file while it is written.
struct File {
    target: Box<dyn Target>,
    /// The database that the last entries belonged to.
    db: Option<usize>,
    /// The counts of databases of which nothing was written yet.
    counts: Vec<Option<DbCounts>>,
    /// The last entry is not complete, and nothing else may stand between its pieces.
    within_entry: bool,
}

impl File {
    fn put(&mut self, db: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.db != Some(db) {
            let counts = self.counts.get_mut(db).and_then(Option::take);
            self.target.database(db, counts);
            self.db = Some(db);
        }
        self.target.entries(bytes);
    }
}

/// See the module's description.
pub struct Snapshot {
    form: Form,
    /// Whether it is told how long keys were not used, where it is not told how often they are.
    tell_idle: bool,
    counts: Vec<DbCounts>,
    stopped: AtomicBool,
    /// Entries that were written or handed over.
    done: AtomicU64,
    /// Bytes of what waits to be written: in the queues, and what was left.
    waiting: AtomicUsize,
    /// Bytes of memory that it takes to know what was handed over.
    beside: AtomicUsize,
    /// The most that both have been together.
    peak: AtomicUsize,
    /// With the bytes that were counted for each.
    left: Mutex<Vec<(Left, usize)>>,
    /// Collections that are to be written in pieces, or are being so.
    pieces: Mutex<VecDeque<Arc<Piece>>>,
    /// There from the beginning of [`Snapshot::write`] to its end.
    file: Mutex<Option<File>>,
    /// For whoever sleeps between two steps, and must not when the snapshot is stopped.
    rest: (Mutex<()>, Condvar),
}

impl Snapshot {
    /// Marks all tables. The shards are all that there are, and locked.
    pub(crate) fn begin<'a>(
        shards: impl Iterator<Item = &'a mut Shard>,
        form: Form,
        tell_idle: bool,
        counts: Vec<DbCounts>,
    ) -> Arc<Snapshot> {
        let snapshot = Arc::new(Snapshot {
            form,
            tell_idle,
            counts,
            stopped: AtomicBool::new(false),
            done: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            beside: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            left: Mutex::default(),
            pieces: Mutex::default(),
            file: Mutex::default(),
            rest: Default::default(),
        });
        for shard in shards {
            for (number, db) in shard.dbs_mut().enumerate() {
                // There is one snapshot at a time.
                if let Some(former) = db.mark.take() {
                    former.snapshot().stop();
                }
                if !db.table.is_empty() {
                    db.mark = Some(Box::new(Mark::new(Arc::clone(&snapshot), number)));
                }
            }
        }
        snapshot
    }

    /// Has the snapshot given up.
    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
        let _resting = self.rest.0.lock();
        self.rest.1.notify_all();
    }

    /// Whether it was given up.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// The keys that it has.
    pub fn keys(&self) -> u64 {
        self.counts.iter().map(|counts| counts.keys as u64).sum()
    }

    /// The keys that were written so far, or handed over to be.
    pub fn keys_done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Bytes that it takes in memory now.
    pub fn memory(&self) -> usize {
        self.waiting.load(Relaxed) + self.beside.load(Relaxed)
    }

    /// The most that [`Snapshot::memory`] has been.
    pub fn peak_memory(&self) -> usize {
        self.peak.load(Relaxed)
    }

    fn was_queued(&self, bytes: usize) {
        HELD.fetch_add(bytes, Relaxed);
        self.waiting.fetch_add(bytes, Relaxed);
        self.peak.fetch_max(self.memory(), Relaxed);
    }

    fn was_written(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Relaxed);
        HELD.fetch_sub(bytes, Relaxed);
    }

    /// A part of what it takes beside the data was so much, and is so much now.
    fn beside_changed(&self, before: usize, now: usize) {
        let more = now.wrapping_sub(before);
        HELD.fetch_add(more, Relaxed);
        self.beside.fetch_add(more, Relaxed);
        self.peak.fetch_max(self.memory(), Relaxed);
    }

    /// Writes an entry as it is.
    fn put_entry(&self, to: &mut Vec<u8>, keyspace: &Keyspace, slot: &Slot, now_ms: i64) {
        match self.form {
            Form::Rdb { compress } => {
                let usage = usage(&keyspace.access, slot, self.tell_idle, now_ms);
                save_entry(to, slot.key(), slot.value(), slot.expiry(), usage, compress);
            }
            Form::Commands => commands::rebuild(to, slot.key(), slot.value(), slot.expiry()),
        }
        self.count_done();
    }

    fn count_done(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Has an entry that is large written later, as it is now. Tells whether it is that large.
    fn set_aside(self: &Arc<Snapshot>, db: usize, key: &Key<'_>, slot: &mut Slot, access: Access<'_>) -> bool {
        if let Some(piece) = Piece::begin(self, db, key, slot, access) {
            self.pieces.lock().push_back(piece);
            return true;
        }
        if !slot.is_big() {
            return false;
        }
        // A long string's bytes are shared from now on: that is quicker than to write them.
        let Some(bytes) = slot.share() else { return false };
        let copy = Slot::new(key.bytes, slot.expiry(), NewValue::Shared(bytes), slot.access());
        self.leave(Left::Entry(db, copy));
        true
    }

    fn leave(&self, left: Left) {
        if self.is_stopped() {
            return left.free();
        }
        let memory = left.memory();
        self.was_queued(memory);
        self.left.lock().push((left, memory));
    }

    /// Writes a queue, if all together are too long, and there is a file that takes it. Tells whether it did.
    fn write_queue(&self, db: usize, queue: &[u8]) -> bool {
        if self.waiting.load(Relaxed) <= MAX_QUEUED {
            return false;
        }
        let mut file = self.file.lock();
        let file = file.as_mut().filter(|file| !file.within_entry);
        file.map(|file| file.put(db, queue)).is_some()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.left.get_mut().drain(..).for_each(|(left, _)| left.free());
        HELD.fetch_sub(self.memory(), Relaxed);
    }
}

/// What a snapshot tells of a key's use.
pub(crate) fn usage(access: &AccessPolicy, slot: &Slot, tell_idle: bool, now_ms: i64) -> Option<Usage> {
    match access.is_lfu() {
        true => Some(Usage::Frequency(access.frequency(slot.access(), now_ms) as u8)),
        false => tell_idle.then(|| Usage::Idle(access.idle_seconds(slot.access(), now_ms))),
    }
}
