//! Snapshots that are written while the server serves: BGSAVE, and the points of `save`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use storage::View;
use storage::snapshot::{Form, Snapshot, Supervisor, Written};

use super::file::{Draft, Forced, Preface, tell};
use super::{Failed, changes_until_now};
use crate::log;
use crate::server::{Server, os_error_text, unix_ms};

/// After a failure, the next attempt that nobody asks for comes no sooner.
const RETRY_SECONDS: i64 = 5;

/// What is known about such snapshots.
pub struct Background {
    running: Mutex<Option<Running>>,
    /// One is about to begin because it is time.
    beginning: AtomicBool,
    /// One is to begin when nothing is in its way any more.
    scheduled: AtomicBool,
    /// When one was last begun, in Unix seconds.
    tried_s: AtomicI64,
    /// Seconds that the last one took; -1 before there was any.
    last_s: AtomicI64,
    /// The most memory that the last one took beside the data.
    last_memory: AtomicU64,
    /// Microseconds for which the beginning of the last one kept everybody from the data.
    pub last_instant_us: AtomicU64,
}

/// A snapshot that is being written.
struct Running {
    snapshot: Arc<Snapshot>,
    draft: Arc<Draft>,
    started_s: i64,
    /// All changes that were ever made when it began.
    changes: u64,
}

impl Default for Background {
    fn default() -> Background {
        Background {
            running: Mutex::default(),
            beginning: AtomicBool::new(false),
            scheduled: AtomicBool::new(false),
            tried_s: AtomicI64::new(0),
            last_s: AtomicI64::new(-1),
            last_memory: AtomicU64::new(0),
            last_instant_us: AtomicU64::new(0),
        }
    }
}

impl Background {
    pub fn is_running(&self) -> bool {
        self.running.lock().is_some()
    }

    /// Has one begin when nothing is in its way any more.
    pub fn schedule(&self) {
        self.scheduled.store(true, Relaxed);
    }

    /// Seconds that the last one took.
    pub fn last_seconds(&self) -> i64 {
        self.last_s.load(Relaxed)
    }

    /// The most memory that the last one took beside the data.
    pub fn last_memory(&self) -> u64 {
        self.last_memory.load(Relaxed)
    }

    /// What is being written, and for how many seconds already.
    pub fn current(&self) -> Option<(Arc<Snapshot>, i64)> {
        let running = self.running.lock();
        let Running { snapshot, started_s, .. } = running.as_ref()?;
        Some((Arc::clone(snapshot), (unix_ms() / 1000 - started_s).max(0)))
    }

    /// Gives up the one that is being written, and nothing is left of it. Tells whether there was one.
    pub fn stop(&self) -> bool {
        let Some(running) = self.running.lock().take() else { return false };
        running.snapshot.stop();
        // Its thread does not touch the file's name any more, because it is not the one that is running.
        running.draft.remove();
        self.note_end(&running);
        log::warning!("Background saving terminated by request");
        true
    }

    fn note_end(&self, running: &Running) {
        self.last_s.store((unix_ms() / 1000 - running.started_s).max(0), Relaxed);
        self.last_memory.store(running.snapshot.peak_memory() as u64, Relaxed);
    }
}

/// Begins a snapshot of the data as it is now, if none is being written. Needs all shards.
pub fn begin(server: &'static Server, view: &mut View<'_>) -> Result<(), Failed> {
    let job = Job::new(server, view)?;
    let snapshot = Arc::clone(&job.snapshot);
    let spawned = thread::Builder::new().name("snapshot".into()).spawn(move || job.run());
    spawned.map(drop).map_err(|error| {
        log::warning!("Can't save in background: {}", os_error_text(&error));
        snapshot.stop();
        server.persistence.background.running.lock().take();
        server.persistence.failed.store(true, Relaxed);
        Failed
    })
}

/// Called several times a second: begins a snapshot when it is time.
pub fn begin_if_due(server: &'static Server) {
    let (persistence, background) = (&server.persistence, &server.persistence.background);
    let is_rewriting = server.aof.rewrites.is_running();
    if !persistence.loaded.load(Relaxed)
        || is_rewriting
        || background.is_running()
        || background.beginning.load(Relaxed)
    {
        return;
    }
    let now_s = unix_ms() / 1000;
    let failed = persistence.failed.load(Relaxed);
    if failed && now_s - background.tried_s.load(Relaxed) <= RETRY_SECONDS {
        return;
    }
    let age_s = now_s - persistence.last_save_s.load(Relaxed);
    let changes = super::unsaved_changes(server) as i64;
    let points = server.config.save();
    let due = points.iter().find(|point| changes >= point.changes.into() && age_s > point.seconds);
    if let Some(point) = due {
        log::notice!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    } else if !background.scheduled.load(Relaxed) {
        return;
    }
    background.scheduled.store(false, Relaxed);
    background.beginning.store(true, Relaxed);
    // On the thread that will write it: all shards at once are not to be waited for by one who serves.
    let spawned = thread::Builder::new().name("snapshot".into()).spawn(move || {
        let job = Job::new(server, &mut server.keyspace.view_all(0, unix_ms()));
        background.beginning.store(false, Relaxed);
        if let Ok(job) = job {
            job.run();
        }
    });
    if let Err(error) = spawned {
        log::warning!("Can't save in background: {}", os_error_text(&error));
        background.beginning.store(false, Relaxed);
        background.tried_s.store(now_s, Relaxed);
        persistence.failed.store(true, Relaxed);
    }
}

/// A snapshot and its file, on the way to each other.
struct Job {
    server: &'static Server,
    snapshot: Arc<Snapshot>,
    preface: Preface,
    draft: Arc<Draft>,
}

impl Job {
    /// Begins the snapshot. Needs all shards.
    fn new(server: &'static Server, view: &mut View<'_>) -> Result<Job, Failed> {
        let background = &server.persistence.background;
        let mut running = background.running.lock();
        if running.is_some() || server.aof.rewrites.is_running() {
            return Err(Failed);
        }
        let started = server.clock.raw();
        let preface = Preface::gather(server, view, false);
        let form = Form::Rdb { compress: preface.compresses() };
        let snapshot = view.begin_snapshot(form, server.config.maxmemory_policy().is_by_access());
        let draft = Arc::new(Draft::new(server));
        let started_s = unix_ms() / 1000;
        *running = Some(Running {
            snapshot: Arc::clone(&snapshot),
            draft: Arc::clone(&draft),
            started_s,
            changes: changes_until_now(server, view),
        });
        server.persistence.saves.fetch_add(1, Relaxed);
        background.tried_s.store(started_s, Relaxed);
        let nanos = server.clock.delta_as_nanos(started, server.clock.raw());
        background.last_instant_us.store(nanos / 1000, Relaxed);
        server.observe_latency("snapshot-instant", nanos);
        log::notice!("Background saving started by pid {}", std::process::id());
        Ok(Job { server, snapshot, preface, draft })
    }

    /// Whether nobody has given it up.
    fn is_running(&self, running: &Option<Running>) -> bool {
        running.as_ref().is_some_and(|running| Arc::ptr_eq(&running.snapshot, &self.snapshot))
    }

    /// Writes the snapshot and puts the file in its place.
    fn run(self) {
        let persistence = &self.server.persistence;
        let written = self.write();
        let renamed = {
            // Who gives it up now is too late, or has prevented it.
            let running = persistence.background.running.lock();
            if !self.is_running(&running) {
                return;
            }
            if written.is_err() {
                self.draft.remove();
            }
            written.and_then(|()| self.draft.rename())
        };
        let settled = renamed.and_then(|()| self.draft.settle());
        let mut current = persistence.background.running.lock();
        if !self.is_running(&current) {
            return;
        }
        let Some(running) = current.take() else { return };
        persistence.background.note_end(&running);
        match settled {
            Ok(()) => {
                log::notice!("DB saved on disk");
                let (peak, keys) = (self.snapshot.peak_memory() >> 20, self.snapshot.keys_done());
                log::notice!("RDB: {keys} keys written, at most {peak} MB held for what changed meanwhile");
                log::notice!("Background saving terminated with success");
                persistence.note_saved(running.changes);
            }
            Err(_) => {
                log::warning!("Background saving error");
                persistence.failed.store(true, Relaxed);
            }
        }
    }

    /// Writes the file, whole and on the disk. What goes wrong is logged.
    fn write(&self) -> io::Result<()> {
        let file = self.create()?;
        match self.write_to(&file).inspect_err(|error| tell(error, "rdbSaveRio"))? {
            Written::Whole => file.sync_all().inspect_err(|error| tell(error, "fsync")),
            Written::Stopped => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    fn create(&self) -> io::Result<File> {
        let running = self.server.persistence.background.running.lock();
        match self.is_running(&running) {
            true => self.draft.create(),
            false => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    fn write_to(&self, file: &File) -> io::Result<Written> {
        let to = Forced::new(file, self.server.config.rdb_save_incremental_fsync())?;
        let target = Box::new(self.preface.begin(to));
        self.snapshot.write(&self.server.keyspace, target, &Pace(self.server))
    }
}

/// How quickly a snapshot is written.
pub struct Pace(pub &'static Server);

impl Supervisor for Pace {
    fn now_ms(&self) -> i64 {
        unix_ms()
    }

    fn rest_after(&self, keys: u64) -> Duration {
        // Below zero it is how many keys there are to a microsecond.
        match self.0.config.rdb_key_save_delay() {
            0 => Duration::ZERO,
            delay @ 1.. => Duration::from_micros(keys.saturating_mul(delay.unsigned_abs())),
            keys_each => Duration::from_micros(keys / keys_each.unsigned_abs()),
        }
    }
}
