//! Snapshots that are written while the server serves: BGSAVE, and the points of `save`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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

/// What is known about such snapshots. Where both locks are needed the one of the names is taken first.
#[derive(Default)]
pub struct Background {
    state: Mutex<State>,
    /// Held by who touches a name of a snapshot's file, and by who gives one up: then it replaces nothing any more.
    naming: Mutex<()>,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// One is to begin when nothing is in its way any more.
    scheduled: bool,
    /// When one was last begun, in Unix seconds.
    tried_s: i64,
    last: Last,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// It is time for one, whose thread waits for all shards. Who has them may begin another one in its place.
    Due,
    Writing(Running),
}

/// A snapshot that is being written.
struct Running {
    snapshot: Arc<Snapshot>,
    draft: Arc<Draft>,
    started_s: i64,
    /// All changes that were ever made when it began.
    changes: u64,
}

/// What the last one took.
#[derive(Clone, Copy)]
pub struct Last {
    /// -1 before there was any.
    pub seconds: i64,
    /// The most memory beside the data.
    pub memory: u64,
    /// Microseconds for which its beginning kept everybody from the data.
    pub instant_us: u64,
}

impl Default for Last {
    fn default() -> Last {
        Last { seconds: -1, memory: 0, instant_us: 0 }
    }
}

impl State {
    fn running(&self) -> Option<&Running> {
        if let Stage::Writing(running) = &self.stage { Some(running) } else { None }
    }

    /// It is not time for one any more.
    fn put_off(&mut self) {
        if let Stage::Due = self.stage {
            self.stage = Stage::Idle;
        }
    }

    /// What was being written is so no more.
    fn end(&mut self) -> Option<Running> {
        self.running()?;
        let Stage::Writing(running) = std::mem::take(&mut self.stage) else { return None };
        self.last.seconds = (unix_ms() / 1000 - running.started_s).max(0);
        self.last.memory = running.snapshot.peak_memory() as u64;
        Some(running)
    }
}

impl Background {
    pub fn is_running(&self) -> bool {
        self.state.lock().running().is_some()
    }

    /// Has one begin when nothing is in its way any more.
    pub fn schedule(&self) {
        self.state.lock().scheduled = true;
    }

    pub fn last(&self) -> Last {
        self.state.lock().last
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self) {
        self.state.lock().last.instant_us = 0;
    }

    /// What is being written, and for how many seconds already.
    pub fn current(&self) -> Option<(Arc<Snapshot>, i64)> {
        let state = self.state.lock();
        let Running { snapshot, started_s, .. } = state.running()?;
        Some((Arc::clone(snapshot), (unix_ms() / 1000 - started_s).max(0)))
    }

    /// Gives up the one that is being written, and nothing is left of it. Tells whether there was one.
    pub fn stop(&self) -> bool {
        let _naming = self.naming.lock();
        let Some(running) = self.state.lock().end() else { return false };
        running.snapshot.stop();
        running.draft.remove();
        log::warning!("Background saving terminated by request");
        true
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
        server.persistence.background.state.lock().stage = Stage::Idle;
        server.persistence.failed.store(true, Relaxed);
        Failed
    })
}

/// Called several times a second: begins a snapshot when it is time.
pub fn begin_if_due(server: &'static Server) {
    let (persistence, background) = (&server.persistence, &server.persistence.background);
    if !persistence.loaded.load(Relaxed) || server.aof.rewrites.is_running() {
        return;
    }
    let mut state = background.state.lock();
    let now_s = unix_ms() / 1000;
    let failed = persistence.failed.load(Relaxed);
    if !matches!(state.stage, Stage::Idle) || (failed && now_s - state.tried_s <= RETRY_SECONDS) {
        return;
    }
    let age_s = now_s - persistence.last_save_s.load(Relaxed);
    let changes = super::unsaved_changes(server) as i64;
    let points = server.config.save();
    let due = points.iter().find(|point| changes >= point.changes.into() && age_s > point.seconds);
    if let Some(point) = due {
        log::notice!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    } else if !state.scheduled {
        return;
    }
    (state.stage, state.scheduled) = (Stage::Due, false);
    // On the thread that will write it: all shards at once are not to be waited for by one who serves.
    let spawned = thread::Builder::new().name("snapshot".into()).spawn(move || {
        let job = {
            let mut view = server.keyspace.view_all(0, unix_ms());
            let is_due = matches!(background.state.lock().stage, Stage::Due);
            if is_due { Job::new(server, &mut view) } else { Err(Failed) }
        };
        match job {
            Ok(job) => job.run(),
            Err(Failed) => background.state.lock().put_off(),
        }
    });
    if let Err(error) = spawned {
        log::warning!("Can't save in background: {}", os_error_text(&error));
        (state.stage, state.tried_s) = (Stage::Idle, now_s);
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
        if background.is_running() || server.aof.rewrites.is_running() {
            return Err(Failed);
        }
        let started = server.clock.raw();
        let preface = Preface::gather(server, view, false);
        let form = Form::Rdb { compress: preface.compresses() };
        let snapshot = view.begin_snapshot(form, server.config.maxmemory_policy().is_by_access());
        let draft = Arc::new(Draft::new(server));
        let started_s = unix_ms() / 1000;
        let changes = changes_until_now(server, view);
        let running = Running { snapshot: Arc::clone(&snapshot), draft: Arc::clone(&draft), started_s, changes };
        server.persistence.saves.fetch_add(1, Relaxed);
        let nanos = server.clock.delta_as_nanos(started, server.clock.raw());
        let mut state = background.state.lock();
        (state.stage, state.tried_s, state.last.instant_us) = (Stage::Writing(running), started_s, nanos / 1000);
        drop(state);
        server.observe_latency("snapshot-instant", nanos);
        log::notice!("Background saving started by pid {}", std::process::id());
        Ok(Job { server, snapshot, preface, draft })
    }

    /// Whether nobody has given it up.
    fn is_running(&self, state: &State) -> bool {
        state.running().is_some_and(|running| Arc::ptr_eq(&running.snapshot, &self.snapshot))
    }

    /// Does something to the names of files unless it was given up, and it is not given up while that lasts.
    fn with_names<T>(&self, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let background = &self.server.persistence.background;
        let _naming = background.naming.lock();
        let is_running = self.is_running(&background.state.lock());
        if is_running { action() } else { Err(io::ErrorKind::Interrupted.into()) }
    }

    /// Writes the snapshot and puts the file in its place.
    fn run(self) {
        let persistence = &self.server.persistence;
        let written = self.write();
        let settled = self
            .with_names(|| match written {
                Ok(()) => self.draft.rename(),
                Err(error) => {
                    self.draft.remove();
                    Err(error)
                }
            })
            .and_then(|()| self.draft.settle());
        // Until all that is known about it has changed: nobody sees half of that.
        let mut state = persistence.background.state.lock();
        if !self.is_running(&state) {
            return;
        }
        let Some(running) = state.end() else { return };
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
        let file = self.with_names(|| self.draft.create())?;
        match self.write_to(&file).inspect_err(|error| tell(error, "rdbSaveRio"))? {
            Written::Whole => file.sync_all().inspect_err(|error| tell(error, "fsync")),
            Written::Stopped => Err(io::ErrorKind::Interrupted.into()),
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
