//! Frees big things on a thread of its own, so that no client waits for it, and gives memory that is free back to the
//! system.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::entry::Slot;
use crate::memory;
use crate::table::HashTable;

/// Free memory goes back to the system so often: what is in use again soon would only have to be asked for anew.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

enum Garbage {
    Entry(Slot),
    Table(HashTable<Slot>),
    /// Answered when everything handed in before it is gone.
    Flush(Sender<()>),
}

/// Garbage, and what was counted for it.
struct Handed {
    garbage: Garbage,
    objects: u64,
    bytes: usize,
}

impl Garbage {
    fn objects(&self) -> u64 {
        match self {
            Garbage::Entry(_) => 1,
            Garbage::Table(table) => table.len() as u64,
            Garbage::Flush(_) => 0,
        }
    }

    /// Bytes that will be free again, as far as it is quick to tell.
    fn bytes(&self) -> usize {
        match self {
            Garbage::Entry(slot) => slot.memory(),
            Garbage::Table(table) => memory_with_entries(table),
            Garbage::Flush(_) => 0,
        }
    }

    fn free(self) {
        match self {
            Garbage::Entry(slot) => slot.free(),
            Garbage::Table(table) => free_table(table),
            Garbage::Flush(done) => drop(done.send(())),
        }
    }
}

/// Frees every entry of a table, on the calling thread.
pub(crate) fn free_table(mut table: HashTable<Slot>) {
    table.drain(|slot| slot.free());
}

/// Bytes of a table and of what its entries take: by the average of some of them, where there are many. It is asked for
/// under locks, so of what takes long to add up, as lists of millions do, nothing is told.
pub(crate) fn memory_with_entries(table: &HashTable<Slot>) -> usize {
    const LOOKED_AT: usize = 64;
    const EFFORT: usize = 4096;
    let (mut count, mut bytes, mut effort) = (0, 0, 0);
    for slot in table.iter().take(LOOKED_AT) {
        effort += slot.free_effort();
        if effort > EFFORT {
            break;
        }
        count += 1;
        bytes += slot.memory();
    }
    table.memory() + (bytes as u128 * table.len() as u128 / count.max(1)) as usize
}

#[derive(Default)]
struct Counters {
    pending: AtomicU64,
    pending_bytes: AtomicUsize,
    freed: AtomicU64,
}

impl Counters {
    fn handed_in(&self, objects: u64, bytes: usize) {
        self.pending.fetch_add(objects, Relaxed);
        self.pending_bytes.fetch_add(bytes, Relaxed);
    }

    fn handed_out(&self, objects: u64, bytes: usize) {
        self.pending.fetch_sub(objects, Relaxed);
        self.pending_bytes.fetch_sub(bytes, Relaxed);
    }
}

/// The way to the thread that frees.
pub struct Reclaimer {
    queue: Sender<Handed>,
    counters: Arc<Counters>,
}

impl Reclaimer {
    pub fn start() -> Reclaimer {
        let (queue, inbox): (_, Receiver<Handed>) = unbounded();
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        memory::purge_only_when_told();
        let work = move || {
            let mut due = Instant::now() + GIVE_BACK_EVERY;
            loop {
                match inbox.recv_deadline(due) {
                    Ok(Handed { garbage, objects, bytes }) => {
                        garbage.free();
                        shared.handed_out(objects, bytes);
                        shared.freed.fetch_add(objects, Relaxed);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if Instant::now() >= due {
                    memory::purge();
                    due = Instant::now() + GIVE_BACK_EVERY;
                }
            }
        };
        // Without the thread the channel has no reader, and `send` frees on the spot.
        let _ = thread::Builder::new().name("reclaim".into()).spawn(work);
        Reclaimer { queue, counters }
    }

    pub fn entry(&self, slot: Slot) {
        self.send(Garbage::Entry(slot));
    }

    pub fn table(&self, table: HashTable<Slot>) {
        self.send(Garbage::Table(table));
    }

    /// Waits until all that was handed in is freed.
    pub fn wait(&self) {
        let (done, finished) = unbounded();
        self.send(Garbage::Flush(done));
        let _ = finished.recv();
    }

    fn send(&self, garbage: Garbage) {
        let (objects, bytes) = (garbage.objects(), garbage.bytes());
        self.counters.handed_in(objects, bytes);
        if let Err(unsent) = self.queue.send(Handed { garbage, objects, bytes }) {
            self.counters.handed_out(objects, bytes);
            unsent.into_inner().garbage.free();
        }
    }

    /// Objects handed in and not freed yet.
    pub fn pending(&self) -> u64 {
        self.counters.pending.load(Relaxed)
    }

    /// Bytes that these take, at least.
    pub fn pending_bytes(&self) -> usize {
        self.counters.pending_bytes.load(Relaxed)
    }

    /// Objects freed since the start or the last reset.
    pub fn freed(&self) -> u64 {
        self.counters.freed.load(Relaxed)
    }

    pub fn reset_freed(&self) {
        self.counters.freed.store(0, Relaxed);
    }
}
