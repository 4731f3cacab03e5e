//! Replacing the log by what it amounts to: a base of all data at one moment, behind which the log goes on in a file of
//! its own.
//!
//! A new file is opened and named in the manifest first. At the moment that the base shows, while all shards are locked,
//! the log is cut: what comes afterwards goes to the new file. When the base is complete, the manifest names it in the
//! place of all that was before the cut. A crash at any time leaves a manifest whose files, in their order, are all data.
//!
//! Turning the log on at run time is a rewrite, too: entries are collected in a temporary file, which the manifest
//! names once there is a base in front of it.

mod base;
mod state;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::Release};
use std::thread;

use super::files::Folder;
use super::manifest::Manifest;
use super::{Aof, Hurry};
use crate::log;
use crate::server::{Server, os_error_text, unix_ms};
use base::Base;
pub use base::write_base;
pub use state::{Outcome, RewriteFigures, Rewrites};

impl Aof {
    /// BGREWRITEAOF. What it must not interrupt makes it come later.
    pub fn rewrite_if_possible(&self, server: &'static Server, within_transaction: bool) -> Outcome {
        let is_running = self.rewrites.is_running();
        if is_running && !self.rewrites.is_cancelled() {
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

    /// Turns the log on or off as it is configured. Tells whether that could be done. While the data is loaded with which
    /// the server starts, nothing is: that comes behind it.
    pub fn switch(&self, server: &'static Server) -> bool {
        let _one_by_one = self.switching.lock();
        if !server.persistence.loaded.load(Relaxed) {
            return true;
        }
        match (server.config.appendonly(), self.is_on() || self.rewrites.is_turning_on()) {
            (true, false) => return self.turn_on(server),
            (false, true) => self.turn_off(server),
            _ => {}
        }
        true
    }

    /// The data is there with which the server starts. Does what was configured meanwhile.
    pub fn settle(&self, server: &'static Server) -> Result<(), String> {
        let switching = self.switching.lock();
        server.persistence.loaded.store(true, Relaxed);
        drop(switching);
        if self.switch(server) { Ok(()) } else { Err("Fatal error: can't turn on the append only file".into()) }
    }

    /// Turns the log on, for which it needs a base. Tells whether that could be begun.
    fn turn_on(&self, server: &'static Server) -> bool {
        let rewrites = &self.rewrites;
        self.write_error.store(0, Relaxed);
        self.sync_error.store(0, Relaxed);
        // Not while a base is being put in place, which depends on it.
        let manifest = self.manifest.lock();
        rewrites.turning_on.store(true, Release);
        let has_cancelled = rewrites.cancel();
        drop(manifest);
        if has_cancelled {
            log::warning!(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and \
                 starting a rewrite now."
            );
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
    fn turn_off(&self, server: &Server) {
        let rewrites = &self.rewrites;
        let manifest = self.manifest.lock();
        rewrites.scheduled.store(false, Relaxed);
        rewrites.turning_on.store(false, Release);
        if rewrites.cancel() {
            tell_of_end();
        }
        drop(manifest);
        self.end(server);
    }

    /// Gives up the rewrite that is running, if any, and has none begin any more, because the server is about to end.
    /// Waits for nothing: from here on the thread of the rewrite touches no name of a file.
    pub fn stop_rewriting(&self, server: &Server) {
        self.rewrites.close(true);
        if !self.rewrites.is_running() {
            return;
        }
        // What is being put in place is, or will never be.
        let _manifest = self.manifest.lock();
        if self.rewrites.cancel() {
            log::warning!("There is a child rewriting the AOF. Killing it!");
            tell_of_end();
            Folder::of(&server.config).remove_temporary();
        }
    }

    /// Lets rewrites begin again, because the server could not end.
    pub fn go_on_rewriting(&self) {
        self.rewrites.close(false);
    }

    /// Deletes what rewrites have replaced, where that is wanted. At the start that is done once everything is loaded.
    pub fn delete_history(&self, server: &Server) {
        if server.persistence.loaded.load(Relaxed) {
            Folder::of(&server.config).delete_history(&mut self.manifest.lock(), &server.config);
        }
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
        if !rewrites.begin() {
            return false;
        }
        let folder = Folder::of(&server.config);
        let started = self.prepare_rewrite(server, &folder).and_then(|increment| {
            rewrites.scheduled.store(false, Release);
            rewrites.begun.fetch_add(1, Relaxed);
            let spare = increment.clone();
            let run = move || server.aof.run_rewrite(server, &folder, increment);
            let thread = thread::Builder::new().name("aof-rewrite".into()).spawn(run);
            thread.map(drop).map_err(|error| {
                self.go_on_in(spare);
                format!("Can't rewrite append only file in background: {}", os_error_text(&error))
            })
        });
        match started {
            Ok(()) => log::notice!("Background append only file rewriting started"),
            Err(reason) => {
                log::warning!("{reason}");
                rewrites.last_failed.store(true, Relaxed);
                rewrites.failures.fetch_add(1, Relaxed);
                rewrites.end();
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
        // What cannot be written now waits in front of the cut.
        self.flush(server, Hurry::Now);
        let (file, name) = if self.is_on() {
            let mut manifest = self.manifest.lock();
            let mut next = manifest.clone();
            let name = next.new_increment(&folder.prefix);
            let file = folder.open(&name, true)?;
            folder.write_manifest(&next).inspect_err(|_| folder.remove(&name))?;
            *manifest = next;
            (file, name)
        } else {
            self.start_sync(server).map_err(|error| os_error_text(&error))?;
            let name = folder.temporary_increment();
            (self.rewrites.unless_cancelled(|_| folder.open(&name, true))?, name)
        };
        log::notice!("Creating AOF incr file {name} on background rewrite");
        Ok(Some(Arc::new(file)))
    }

    /// The thread's part.
    fn run_rewrite(&self, server: &'static Server, folder: &Folder, mut increment: Option<Arc<File>>) {
        let rewrites = &self.rewrites;
        let temporary = folder.file(&folder.temporary_base());
        let was_on = self.is_on();
        let as_snapshot = server.config.aof_use_rdb_preamble();
        let outcome = self.write_new_base(server, &temporary, as_snapshot, &mut increment).and_then(|position| {
            log::notice!("Successfully created the temporary AOF base file {}", temporary.display());
            log::notice!("Background AOF rewrite terminated with success");
            self.put_in_place(server, folder, &temporary, as_snapshot, position)
        });
        match outcome {
            Ok(()) => {
                rewrites.last_failed.store(false, Relaxed);
                rewrites.failures.store(0, Relaxed);
                log::notice!("Background AOF rewrite finished successfully");
            }
            Err(reason) => {
                folder.remove(&folder.temporary_base());
                if rewrites.is_cancelled() {
                    log::warning!("Background AOF rewrite stopped");
                } else {
                    log::warning!("Background AOF rewrite terminated with error: {reason}");
                    rewrites.last_failed.store(true, Relaxed);
                    rewrites.failures.fetch_add(1, Relaxed);
                }
                if was_on {
                    self.go_on_in(increment);
                } else {
                    // What was collected has no base in front of it.
                    self.end(server);
                    folder.remove(&folder.temporary_increment());
                    rewrites.scheduled.fetch_or(rewrites.is_turning_on(), Relaxed);
                }
            }
        }
        rewrites.note_time();
        if rewrites.end() {
            // Whoever has stopped it for another one waits for that.
            self.rewrite_when_due(server);
        }
    }

    /// Writes all data as they are at one moment, at which the log is cut. Answers its position then.
    fn write_new_base(
        &self,
        server: &'static Server,
        path: &Path,
        as_snapshot: bool,
        increment: &mut Option<Arc<File>>,
    ) -> Result<u64, String> {
        let (base, position) = {
            let mut view = server.keyspace.view_all(0, unix_ms());
            self.rewrites.unless_cancelled(|current| {
                if server.persistence.is_saving() {
                    return Err("another snapshot is being written".into());
                }
                let base = Base::begin(server, &mut view, as_snapshot);
                *current = Some(Arc::clone(&base.snapshot));
                if let Some(file) = increment.take() {
                    self.cut(file);
                }
                Ok((base, self.position()))
            })?
        };
        let create = |_: &mut _| File::create(path).map_err(|error| os_error_text(&error));
        base.write(server, &self.rewrites.unless_cancelled(create)?)?;
        Ok(position)
    }

    /// From now on entries go to another file. All shards are locked.
    fn cut(&self, file: Arc<File>) {
        if self.is_on() {
            return self.queue.pending.lock().cut(file);
        }
        let mut writer = self.writer.lock();
        let mut pending = self.queue.pending.lock();
        pending.clear();
        writer.open(file, 0);
        self.note_memory(&writer, &pending);
        self.written.store(self.queue.appended.load(Relaxed), Release);
        self.on.store(true, Release);
    }

    /// Has entries go to a file that the manifest names though there is no new base in front of it: it may as well be at
    /// another moment, and until then it would be named without being the one that is written.
    fn go_on_in(&self, increment: Option<Arc<File>>) {
        let mut pending = self.queue.pending.lock();
        if let Some(file) = increment.filter(|_| self.is_on()) {
            pending.cut(file);
        }
    }

    /// Names the new base in the manifest, and nothing that it replaces. It shows everything up to a position.
    fn put_in_place(
        &self,
        server: &Server,
        folder: &Folder,
        from: &Path,
        as_snapshot: bool,
        position: u64,
    ) -> Result<(), String> {
        let moved = |from: &Path, to: &str| {
            fs::rename(from, folder.file(to)).map_err(|error| {
                format!("Error trying to rename {} into {to}: {}", from.display(), os_error_text(&error))
            })
        };
        let mut manifest = self.manifest.lock();
        // Whether the log waits for this base may have changed since. Who gives it up has the manifest locked.
        self.rewrites.unless_cancelled(|_| Ok(()))?;
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
            files.iter().for_each(|name| folder.remove(name));
            return Err(reason);
        }
        *manifest = next;
        self.rewrites.turning_on.store(false, Release);
        let size = folder.size(&base).unwrap_or_default();
        // What the base replaces must not be missed before it is sure to be found.
        if self.is_on() && folder.settle() {
            self.cover(server, position);
        }
        let size = size + self.writer.lock().size();
        self.size.store(size, Relaxed);
        self.base_size.store(size, Relaxed);
        folder.delete_history(&mut manifest, &server.config);
        Ok(())
    }

    /// The base that is in force shows everything up to a position, where the log was cut: what was before needs neither be
    /// written nor forced to the disk any more.
    fn cover(&self, server: &Server, position: u64) {
        let mut writer = self.writer.lock();
        let mut pending = self.queue.pending.lock();
        let skipped = writer.skip_to_last_cut(&mut pending);
        self.note_memory(&writer, &pending);
        drop(pending);
        if skipped > 0 {
            self.written.fetch_add(skipped, Release);
            // If the file behind the cut has no room either, that is found out with the next entry.
            self.note_written();
        }
        drop(writer);
        self.synced.fetch_max(position, Release);
        self.release_waiting(server);
    }
}

/// In words that are looked for, though it is a thread.
fn tell_of_end() {
    log::notice!("Killing running AOF rewrite child: {}", std::process::id());
}
