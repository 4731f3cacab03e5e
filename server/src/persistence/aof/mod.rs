//! The append-only log: every change as the commands that make it anew, in files that Redis reads and writes as well.
//!
//! [`pending`] takes entries in the order of their effects, [`writer`] writes them, [`sync`] forces them to the disk, and
//! [`gate`] keeps replies from going out before that. [`manifest`] and [`files`] know which files there are. [`load`]
//! reads them at the start, [`rewrite`] replaces them by what they amount to. [`check`] is a tool of its own.

pub mod check;
mod files;
mod gate;
mod load;
pub mod manifest;
mod pending;
mod rewrite;
mod sync;
mod writer;

use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

use crate::config::FsyncPolicy;
use crate::log;
use crate::server::{Server, os_error_text};
use crate::stats::Stats;

pub use files::read_manifest;
pub use gate::Gate;
pub use load::{load_at_start, reload};
use manifest::Manifest;
use pending::Pending;
use rewrite::Rewrites;
pub use rewrite::{Outcome, RewriteFigures};
use sync::SyncThread;
use writer::Writer;

/// The log, whether it is on or not. Positions count bytes from the start of the process.
///
/// Locks are taken in the order shards, writer, pending. Only the writer's is held while something is written, and
/// neither is while something is forced to the disk.
#[derive(Default)]
pub struct Aof {
    on: AtomicBool,
    /// Whether entries tell when they were made.
    timed: AtomicBool,
    /// The error that the last write ended with; 0 for none.
    write_error: AtomicI32,
    /// The same of the last time that something was forced to the disk, in the background.
    sync_error: AtomicI32,
    /// Apart from the above, which all requests read: each change would take that from the caches of the other threads.
    queue: CachePadded<Queue>,
    writer: Mutex<Writer>,
    /// Bytes of memory that the writer holds.
    writer_memory: AtomicUsize,
    /// The position behind all that was written: a crash of the process does not lose it.
    written: AtomicU64,
    /// The position behind all that was forced to the disk: a crash of the machine does not lose it.
    synced: AtomicU64,
    /// The position behind all that clients may be told of with `always`: what is on the disk, unless a rewrite keeps
    /// everything from it.
    released: AtomicU64,
    sync: SyncThread,
    manifest: Mutex<Manifest>,
    /// What commands of the log are counted in: they were counted when they were made.
    replayed: OnceLock<Stats>,
    pub rewrites: Rewrites,
    /// Held by who turns the log on or off.
    switching: Mutex<()>,
    /// How often entries had waited too long for the disk.
    delayed: AtomicU64,
    /// Microseconds to wait before each write, for tests.
    pub write_delay_us: AtomicU64,
    /// Bytes in the base and the last file behind it, and in all files when they were last rewritten.
    size: AtomicU64,
    base_size: AtomicU64,
}

/// What each change changes.
#[derive(Default)]
struct Queue {
    pending: Mutex<Pending>,
    /// The position behind all that was appended.
    appended: AtomicU64,
    /// Bytes of memory that the entries hold until they are taken.
    memory: AtomicUsize,
}

/// How much of a hurry it is to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hurry {
    /// The disk may be busy with what was written before.
    CanWait,
    Now,
}

impl Aof {
    /// Whether changes are to be appended.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Appends one change, which is the commands that make it, for database `db`. Called while the shards of the change
    /// are locked, so that the order of entries is that of effects. Answers the position behind it.
    pub fn append(&self, db: usize, commands: &[u8]) -> u64 {
        let mut pending = self.queue.pending.lock();
        let added = pending.append(db, commands, self.timed.load(Relaxed));
        // Nobody else writes it: the lock is held.
        let position = self.queue.appended.load(Relaxed) + added;
        self.queue.appended.store(position, Relaxed);
        if pending.memory() != self.queue.memory.load(Relaxed) {
            self.queue.memory.store(pending.memory(), Relaxed);
        }
        position
    }

    /// The position behind all that was appended so far.
    pub fn position(&self) -> u64 {
        self.queue.appended.load(Relaxed)
    }

    /// Whether everything up to a position is on the disk. With `no` nobody sees to that.
    pub fn is_on_disk(&self, position: u64) -> bool {
        self.is_on() && self.synced.load(Acquire) >= position
    }

    /// Has entries tell when they were made, or not.
    pub fn tell_time(&self, timed: bool) {
        self.timed.store(timed, Relaxed);
    }

    /// Writes all that was appended, unless the disk is busy and there is no hurry.
    fn flush(&self, server: &Server, hurry: Hurry) {
        let mut writer = self.writer.lock();
        let policy = server.config.appendfsync();
        let syncing = policy == FsyncPolicy::EverySecond && self.sync.is_busy();
        if syncing && hurry == Hurry::CanWait {
            if writer.may_wait() {
                return;
            }
            self.delayed.fetch_add(1, Relaxed);
            log::notice!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for \
                 fsync to complete, this may slow down the server."
            );
        }
        loop {
            if writer.is_done() {
                let mut pending = self.queue.pending.lock();
                if pending.is_empty() {
                    return;
                }
                writer.take(&mut pending);
                self.note_memory(&writer, &pending);
            }
            let delay_us = self.write_delay_us.load(Relaxed);
            if delay_us > 0 {
                std::thread::sleep(Duration::from_micros(delay_us));
            }
            let started = Instant::now();
            let (written, outcome) = writer.write();
            self.writer_memory.store(writer.memory(), Relaxed);
            self.written.fetch_add(written, Release);
            self.size.fetch_add(written, Relaxed);
            let nanos = started.elapsed().as_nanos() as u64;
            let event = if syncing {
                "aof-write-pending-fsync"
            } else if self.others_write(server) {
                "aof-write-active-child"
            } else {
                "aof-write-alone"
            };
            server.observe_latency(event, nanos);
            server.observe_latency("aof-write", nanos);
            if let Err(error) = outcome {
                if policy == FsyncPolicy::Always {
                    // Its clients have been promised that what they see is on the disk, and it cannot be undone.
                    log::warning!(
                        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
                    );
                    std::process::exit(1);
                }
                return self.write_error.store(error.raw_os_error().unwrap_or(libc::EIO), Relaxed);
            }
            self.note_written();
        }
    }

    /// Nothing is left that could not be written.
    fn note_written(&self) {
        if self.write_error.swap(0, Relaxed) != 0 {
            log::warning!("AOF write error looks solved, the server can write again.");
        }
    }

    /// Whether changes cannot be kept at the moment.
    #[inline]
    pub fn is_failing(&self) -> bool {
        self.is_on() && (self.write_error.load(Relaxed) | self.sync_error.load(Relaxed)) != 0
    }

    /// Why changes cannot be kept at the moment, as the system calls it.
    #[inline]
    pub fn error(&self) -> Option<std::io::Error> {
        if self.is_failing() { self.error_while_on() } else { None }
    }

    fn error_while_on(&self) -> Option<std::io::Error> {
        let numbers = [&self.write_error, &self.sync_error].map(|error| error.load(Relaxed));
        numbers.into_iter().find(|number| *number != 0).map(std::io::Error::from_raw_os_error)
    }

    /// Whether something else is being written to the disk in the background.
    fn others_write(&self, server: &Server) -> bool {
        self.rewrites.is_running() || server.persistence.is_saving()
    }

    /// Writes all that was appended and forces it to the disk, for nothing comes behind it.
    pub fn finish(&self, server: &Server) {
        self.flush(server, Hurry::Now);
        if let Err(error) = self.sync_now() {
            log::warning!("Fail to fsync the AOF file: {}", os_error_text(&error));
        }
    }

    /// What is done now and then: entries that no connection writes, rewrites that are due.
    pub fn tick(&self, server: &'static Server) {
        if self.is_on() && self.written.load(Acquire) < self.queue.appended.load(Relaxed) {
            self.flush(server, Hurry::CanWait);
        }
        self.rewrite_when_due(server);
    }

    /// Bytes that were appended and not written yet.
    pub fn unwritten(&self) -> u64 {
        self.queue.appended.load(Relaxed).saturating_sub(self.written.load(Acquire))
    }

    /// Bytes of memory that entries take until they are written.
    pub fn memory(&self) -> usize {
        self.writer_memory.load(Relaxed) + self.queue.memory.load(Relaxed)
    }

    fn note_memory(&self, writer: &Writer, pending: &Pending) {
        self.writer_memory.store(writer.memory(), Relaxed);
        self.queue.memory.store(pending.memory(), Relaxed);
    }

    /// Changes that the log was made of when it was loaded.
    pub fn replayed_changes(&self) -> u64 {
        self.replayed.get().map_or(0, |stats| stats.total(|hand| &hand.dirty))
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self) {
        self.delayed.store(0, Relaxed);
        self.rewrites.reset_stats();
    }

    /// What INFO tells.
    pub fn figures(&self) -> Figures {
        Figures {
            size: self.size.load(Relaxed),
            base_size: self.base_size.load(Relaxed),
            unwritten: self.unwritten(),
            syncing: self.sync.is_busy(),
            delayed: self.delayed.load(Relaxed),
            failed: self.write_error.load(Relaxed) != 0 || self.sync_error.load(Relaxed) != 0,
        }
    }
}

/// What INFO tells of the log.
pub struct Figures {
    pub size: u64,
    pub base_size: u64,
    pub unwritten: u64,
    pub syncing: bool,
    pub delayed: u64,
    /// Whether the last write, or forcing it to the disk, has failed.
    pub failed: bool,
}
