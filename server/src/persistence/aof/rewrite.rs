//! Replacing the log by what it amounts to: a base of all data at one moment, behind which the log goes on in a file of
//! its own.
//!
//! A new file is opened and named in the manifest first. At the moment that the base shows, while all shards are locked,
//! the log is cut: what comes afterwards goes to the new file. When the base is complete, the manifest names it in the
//! place of all that was before the cut. A crash at any time leaves a manifest whose files, in their order, are all data.
//!
//! Turning the log on at run time is a rewrite, too: entries are collected in a temporary file, which the manifest
//! names once there is a base in front of it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread;

use parking_lot::Mutex;
use protocol::encode_command;
use storage::View;
use storage::snapshot::{CommandWriter, Form, Snapshot, Target, Written};

use super::files::Folder;
use super::manifest::Manifest;
use super::pending::annotate_time;
use super::{Aof, Hurry};
use crate::config::Config;
use crate::log;
use crate::persistence::Pace;
use crate::persistence::file::{Forced, Preface};
use crate::server::{Server, os_error_text, unix_ms};

/// Failures in a row from which on attempts are put off.
const FAILURES_BEFORE_DELAY: u64 = 3;
const MAX_DELAY_MINUTES: i64 = 60;

/// What is known about rewrites.
pub struct Rewrites {
    running: AtomicBool,
    /// One is to begin when nothing else is in its way.
    scheduled: AtomicBool,
    /// The one that is running is of no use any more.
    cancelled: AtomicBool,
    /// Whether the log waits for its first base.
    turning_on: AtomicBool,
    /// Since when one is running, in Unix seconds, and how many seconds the last one took; -1 for none.
    started_s: AtomicI64,
    last_s: AtomicI64,
    /// Bytes that the last one took at most for what changed meanwhile.
    last_memory: AtomicU64,
    last_failed: AtomicBool,
    begun: AtomicU64,
    /// Failures since the last success.
    failures: AtomicU64,
    delay: Mutex<Delay>,
    /// The one that is being written.
    snapshot: Mutex<Option<Arc<Snapshot>>>,
}

/// How attempts are put off that have failed too often.
#[derive(Default)]
struct Delay {
    minutes: i64,
    /// Unix seconds; 0 for none.
    until_s: i64,
}

impl Default for Rewrites {
    fn default() -> Rewrites {
        let flag = || AtomicBool::new(false);
        Rewrites {
            running: flag(),
            scheduled: flag(),
            cancelled: flag(),
            turning_on: flag(),
            started_s: AtomicI64::new(-1),
            last_s: AtomicI64::new(-1),
            last_memory: AtomicU64::new(0),
            last_failed: flag(),
            begun: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            delay: Mutex::default(),
            snapshot: Mutex::default(),
        }
    }
}

/// What INFO tells of rewrites.
pub struct RewriteFigures {
    pub running: bool,
    pub scheduled: bool,
    /// Seconds; -1 for none.
    pub current_s: i64,
    pub last_s: i64,
    pub last_memory: u64,
    pub last_failed: bool,
    pub begun: u64,
    pub failures: u64,
}

/// What became of a rewrite that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Started,
    Scheduled,
    AlreadyRunning,
    Failed,
}

impl Rewrites {
    pub fn is_running(&self) -> bool {
        self.running.load(Acquire)
    }

    pub fn is_turning_on(&self) -> bool {
        self.turning_on.load(Acquire)
    }

    /// What INFO tells.
    pub fn figures(&self) -> RewriteFigures {
        let started_s = self.started_s.load(Relaxed);
        RewriteFigures {
            running: self.is_running(),
            scheduled: self.scheduled.load(Relaxed),
            current_s: if started_s < 0 { -1 } else { (unix_ms() / 1000 - started_s).max(0) },
            last_s: self.last_s.load(Relaxed),
            last_memory: self.last_memory.load(Relaxed),
            last_failed: self.last_failed.load(Relaxed),
            begun: self.begun.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }

    /// Has the one that is running given up.
    fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        if let Some(snapshot) = &*self.snapshot.lock() {
            snapshot.stop();
        }
    }

    /// Whether attempts that nobody asks for are put off, because too many have failed.
    fn is_put_off(&self, now_s: i64) -> bool {
        let mut delay = self.delay.lock();
        if self.failures.load(Relaxed) < FAILURES_BEFORE_DELAY {
            *delay = Delay::default();
            return false;
        }
        if delay.until_s != 0 {
            let over = now_s >= delay.until_s;
            if over {
                delay.until_s = 0;
            }
            return !over;
        }
        delay.minutes = (delay.minutes * 2).clamp(1, MAX_DELAY_MINUTES);
        delay.until_s = now_s + delay.minutes * 60;
        log::warning!(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} minutes",
            delay.minutes
        );
        true
    }
}

impl Aof {
    /// BGREWRITEAOF. What it must not interrupt makes it come later.
    pub fn rewrite_if_possible(&self, server: &'static Server, within_transaction: bool) -> Outcome {
        let is_running = self.rewrites.is_running();
        if is_running && !self.rewrites.cancelled.load(Relaxed) {
            Outcome::AlreadyRunning
        } else if is_running || server.persistence.is_saving() || within_transaction {
            self.rewrites.scheduled.store(true, Relaxed);
            // Who asks for it wants it now.
            self.rewrites.failures.store(0, Relaxed);
            Outcome::Scheduled
        } else if self.start_rewrite(server) {
            Outcome::Started
        } else {
            Outcome::Failed
        }
    }

    /// Turns the log on, for which it needs a base. Tells whether that could be begun.
    pub fn turn_on(&self, server: &'static Server) -> bool {
        let rewrites = &self.rewrites;
        self.write_error.store(0, Relaxed);
        self.sync_error.store(0, Relaxed);
        // Not while a base is being put in place, which depends on it.
        let manifest = self.manifest.lock();
        rewrites.turning_on.store(true, Release);
        drop(manifest);
        if rewrites.is_running() {
            log::warning!(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and \
                 starting a rewrite now."
            );
            rewrites.cancel();
            rewrites.scheduled.store(true, Relaxed);
        } else if server.persistence.is_saving() {
            log::warning!(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to \
                 start when possible."
            );
            rewrites.scheduled.store(true, Relaxed);
        } else if !self.start_rewrite(server) {
            rewrites.turning_on.store(false, Release);
            log::warning!(
                "The server needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the \
                 above logs for more info about the error."
            );
            return false;
        }
        true
    }

    /// Turns the log off, with all that was appended on the disk.
    pub fn turn_off(&self, server: &Server) {
        let rewrites = &self.rewrites;
        let manifest = self.manifest.lock();
        rewrites.scheduled.store(false, Relaxed);
        rewrites.turning_on.store(false, Release);
        if rewrites.is_running() {
            // In words that are looked for, though it is a thread.
            log::notice!("Killing running AOF rewrite child: {}", std::process::id());
            rewrites.cancel();
        }
        drop(manifest);
        self.end(server);
    }

    /// Deletes what rewrites have replaced, where that is wanted.
    pub fn delete_history(&self, config: &Config) {
        Folder::of(config).delete_history(&mut self.manifest.lock(), config);
    }

    /// Rewrites that nobody asks for, and those that had to wait.
    pub(super) fn rewrite_when_due(&self, server: &'static Server) {
        let rewrites = &self.rewrites;
        if rewrites.is_running() || server.persistence.is_saving() {
            return;
        }
        let now_s = unix_ms() / 1000;
        if rewrites.scheduled.load(Relaxed) {
            if !rewrites.is_put_off(now_s) {
                self.start_rewrite(server);
            }
            return;
        }
        let config = &server.config;
        let (percent, least) = (config.auto_aof_rewrite_percentage(), config.auto_aof_rewrite_min_size());
        let size = self.size.load(Relaxed);
        if !self.is_on() || percent == 0 || size <= u64::try_from(least).unwrap_or_default() {
            return;
        }
        let base = self.base_size.load(Relaxed).max(1);
        let growth = (u128::from(size) * 100 / u128::from(base)).saturating_sub(100);
        if growth >= percent as u128 && !rewrites.is_put_off(now_s) {
            log::notice!("Starting automatic rewriting of AOF on {growth}% growth");
            self.start_rewrite(server);
        }
    }

    /// Prepares the file behind the base and has a thread write that. Tells whether that could be done.
    fn start_rewrite(&self, server: &'static Server) -> bool {
        let rewrites = &self.rewrites;
        if rewrites.running.swap(true, Acquire) {
            return false;
        }
        rewrites.cancelled.store(false, Relaxed);
        let folder = Folder::of(&server.config);
        let started = self.prepare_rewrite(server, &folder).and_then(|increment| {
            rewrites.scheduled.store(false, Relaxed);
            rewrites.begun.fetch_add(1, Relaxed);
            rewrites.started_s.store(unix_ms() / 1000, Relaxed);
            let run = move || server.aof.run_rewrite(server, &folder, increment);
            let thread = thread::Builder::new().name("aof-rewrite".into()).spawn(run);
            thread.map(drop).map_err(|error| {
                rewrites.started_s.store(-1, Relaxed);
                format!("Can't rewrite append only file in background: {}", os_error_text(&error))
            })
        });
        match started {
            Ok(()) => log::notice!("Background append only file rewriting started"),
            Err(reason) => {
                log::warning!("{reason}");
                rewrites.last_failed.store(true, Relaxed);
                rewrites.running.store(false, Release);
                return false;
            }
        }
        true
    }

    /// Opens the file that the log goes on in, if it is on or about to be.
    fn prepare_rewrite(&self, server: &'static Server, folder: &Folder) -> Result<Option<Arc<File>>, String> {
        folder.create()?;
        if !self.is_on() && !self.rewrites.is_turning_on() {
            return Ok(None);
        }
        self.flush(server, Hurry::Now);
        if !self.writer.lock().is_done() {
            return Err("Can't rewrite append only file: it cannot be written at the moment".into());
        }
        let (file, name) = if self.is_on() {
            let mut manifest = self.manifest.lock();
            let mut next = manifest.clone();
            let name = next.new_increment(&folder.prefix);
            let file = folder.open(&name, true)?;
            folder.write_manifest(&next)?;
            *manifest = next;
            (file, name)
        } else {
            self.start_sync(server).map_err(|error| os_error_text(&error))?;
            let name = folder.temporary_increment();
            (folder.open(&name, true)?, name)
        };
        log::notice!("Creating AOF incr file {name} on background rewrite");
        Ok(Some(Arc::new(file)))
    }

    /// The thread's part.
    fn run_rewrite(&self, server: &'static Server, folder: &Folder, increment: Option<Arc<File>>) {
        let rewrites = &self.rewrites;
        let temporary = folder.file(&folder.temporary_base());
        let was_on = self.is_on();
        let as_snapshot = server.config.aof_use_rdb_preamble();
        let outcome = self.write_new_base(server, &temporary, as_snapshot, increment).and_then(|()| {
            log::notice!("Successfully created the temporary AOF base file {}", temporary.display());
            log::notice!("Background AOF rewrite terminated with success");
            self.put_in_place(server, folder, &temporary, as_snapshot)
        });
        match outcome {
            Ok(()) => {
                rewrites.last_failed.store(false, Relaxed);
                rewrites.failures.store(0, Relaxed);
                log::notice!("Background AOF rewrite finished successfully");
            }
            Err(reason) => {
                let _ = fs::remove_file(&temporary);
                if rewrites.cancelled.load(Relaxed) {
                    log::warning!("Background AOF rewrite stopped");
                } else {
                    log::warning!("Background AOF rewrite terminated with error: {reason}");
                    rewrites.last_failed.store(true, Relaxed);
                    rewrites.failures.fetch_add(1, Relaxed);
                }
                if !was_on {
                    // What was collected has no base in front of it.
                    self.end(server);
                    let _ = fs::remove_file(folder.file(&folder.temporary_increment()));
                    rewrites.scheduled.fetch_or(rewrites.is_turning_on(), Relaxed);
                }
            }
        }
        let started_s = rewrites.started_s.swap(-1, Relaxed);
        rewrites.last_s.store((unix_ms() / 1000 - started_s).max(0), Relaxed);
        rewrites.running.store(false, Release);
        if rewrites.cancelled.load(Relaxed) {
            // Whoever has stopped it for another one waits for that.
            self.rewrite_when_due(server);
        }
    }

    /// Writes all data as they are at one moment, at which the log is cut.
    fn write_new_base(
        &self,
        server: &'static Server,
        path: &Path,
        as_snapshot: bool,
        increment: Option<Arc<File>>,
    ) -> Result<(), String> {
        let base = {
            let mut view = server.keyspace.view_all(0, unix_ms());
            let mut current = self.rewrites.snapshot.lock();
            if self.rewrites.cancelled.load(Relaxed) {
                return Err("it was stopped".into());
            }
            if server.persistence.is_saving() {
                return Err("another snapshot is being written".into());
            }
            let base = Base::begin(server, &mut view, as_snapshot);
            *current = Some(Arc::clone(&base.snapshot));
            if let Some(file) = increment {
                self.cut(file);
            }
            base
        };
        let written = base.write(server, path);
        self.rewrites.snapshot.lock().take();
        written
    }

    /// From now on entries go to another file. All shards are locked.
    fn cut(&self, file: Arc<File>) {
        if self.is_on() {
            return self.pending.lock().cut(file);
        }
        let mut writer = self.writer.lock();
        let mut pending = self.pending.lock();
        pending.clear();
        writer.open(file, 0);
        self.written.store(self.appended.load(Relaxed), Release);
        self.on.store(true, Release);
    }

    /// Names the new base in the manifest, and nothing that it replaces.
    fn put_in_place(&self, server: &Server, folder: &Folder, from: &Path, as_snapshot: bool) -> Result<(), String> {
        let moved = |from: &Path, to: &str| {
            fs::rename(from, folder.file(to)).map_err(|error| {
                format!("Error trying to rename {} into {to}: {}", from.display(), os_error_text(&error))
            })
        };
        let mut manifest = self.manifest.lock();
        // Whether the log waits for this base may have changed since.
        if self.rewrites.cancelled.load(Relaxed) {
            return Err("it was stopped".into());
        }
        let mut next: Manifest = manifest.clone();
        let base = next.new_base(&folder.prefix, as_snapshot);
        moved(from, &base)?;
        log::notice!("Successfully renamed the temporary AOF base file {} into {base}", from.display());
        let turning_on = self.rewrites.is_turning_on();
        let mut files = vec![base.clone()];
        let named = (|| {
            if turning_on {
                let (temporary, name) = (folder.temporary_increment(), next.new_increment(&folder.prefix));
                moved(&folder.file(&temporary), &name)?;
                log::notice!("Successfully renamed the temporary AOF incr file {temporary} into {name}");
                files.push(name);
            }
            next.retire_increments(usize::from(self.is_on()));
            folder.write_manifest(&next)
        })();
        if let Err(reason) = named {
            files.iter().for_each(|name| drop(fs::remove_file(folder.file(name))));
            return Err(reason);
        }
        *manifest = next;
        self.rewrites.turning_on.store(false, Release);
        let size = folder.size(&base).unwrap_or_default() + self.writer.lock().size();
        self.size.store(size, Relaxed);
        self.base_size.store(size, Relaxed);
        folder.delete_history(&mut manifest, &server.config);
        Ok(())
    }
}

/// A base in the making: all data as they were at one moment.
struct Base {
    snapshot: Arc<Snapshot>,
    preface: Preface,
    as_snapshot: bool,
}

impl Base {
    /// Begins one of the data as they are now. Needs all shards.
    fn begin(server: &Server, view: &mut View<'_>, as_snapshot: bool) -> Base {
        let preface = Preface::gather(server, view, true);
        let form = if as_snapshot { Form::Rdb { compress: preface.compresses() } } else { Form::Commands };
        let snapshot = view.begin_snapshot(form, server.config.maxmemory_policy().is_by_access());
        Base { snapshot, preface, as_snapshot }
    }

    /// Writes it to a new file, safe on the disk.
    fn write(&self, server: &'static Server, path: &Path) -> Result<(), String> {
        let written = self
            .try_to_write(server, path)
            .map_err(|error| format!("Write error writing append only file on disk: {}", os_error_text(&error)));
        match written? {
            Written::Whole => Ok(()),
            Written::Stopped => Err("it was stopped".into()),
        }
    }

    fn try_to_write(&self, server: &'static Server, path: &Path) -> io::Result<Written> {
        let config = &server.config;
        let file = File::create(path)?;
        let to = Forced::new(&file, config.aof_rewrite_incremental_fsync())?;
        let target: Box<dyn Target> = if self.as_snapshot {
            Box::new(self.preface.begin(to))
        } else {
            let mut writer = CommandWriter::new(to);
            let mut commands = Vec::new();
            if config.aof_timestamp_enabled() {
                annotate_time(&mut commands, unix_ms() / 1000);
            }
            for code in self.preface.libraries() {
                encode_command(&mut commands, [&b"FUNCTION"[..], b"LOAD", code]);
            }
            writer.commands(&commands);
            Box::new(writer)
        };
        let written = self.snapshot.write(&server.keyspace, target, &Pace(server));
        server.aof.rewrites.last_memory.store(self.snapshot.peak_memory() as u64, Relaxed);
        let written = written?;
        file.sync_all()?;
        Ok(written)
    }
}

/// Writes a base of the data as they are now.
pub fn write_base(server: &'static Server, path: &Path, as_snapshot: bool) -> Result<(), String> {
    let base = Base::begin(server, &mut server.keyspace.view_all(0, unix_ms()), as_snapshot);
    base.write(server, path)
}
