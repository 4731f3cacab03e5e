//! Snapshots: all data in a file, from which the server starts.

pub mod aof;
mod background;
pub mod check;
mod file;
mod load;
mod loading;
mod save;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

pub use background::{Background, Pace, begin, begin_if_due};
pub use file::Preface;
pub use load::{Existing, delay, load_preamble, reload};
pub use loading::Loading;
pub use save::{Failed, save};

use storage::View;

use crate::command::Error;
use crate::server::{Server, os_error_text, unix_ms};

/// What is known about snapshots.
pub struct Persistence {
    /// When the last one was written, in Unix seconds.
    pub last_save_s: AtomicI64,
    /// Whether the last attempt beside the service failed.
    pub failed: AtomicBool,
    /// How many were begun.
    pub saves: AtomicU64,
    /// Changes that are in the last one, of all that were ever made.
    saved_changes: AtomicU64,
    /// Keys that came from a file, and those that had expired in it.
    pub loaded_keys: AtomicU64,
    pub expired_keys: AtomicU64,
    /// Whether the data is there with which the server starts: before, what there is must not take the file's place.
    pub loaded: AtomicBool,
    pub background: Background,
    pub loading: Loading,
}

impl Default for Persistence {
    fn default() -> Persistence {
        Persistence {
            last_save_s: AtomicI64::new(unix_ms() / 1000),
            failed: AtomicBool::new(false),
            saves: AtomicU64::new(0),
            saved_changes: AtomicU64::new(0),
            loaded_keys: AtomicU64::new(0),
            expired_keys: AtomicU64::new(0),
            loaded: AtomicBool::new(false),
            background: Background::default(),
            loading: Loading::default(),
        }
    }
}

impl Persistence {
    /// Whether a snapshot is being written in the background.
    pub fn is_saving(&self) -> bool {
        self.background.is_running()
    }

    /// Notes that so many changes, of all that were ever made, are in a file.
    fn note_saved(&self, changes: u64) {
        self.last_save_s.store(unix_ms() / 1000, Relaxed);
        self.failed.store(false, Relaxed);
        self.saved_changes.store(changes, Relaxed);
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self) {
        self.saves.store(0, Relaxed);
        self.background.last_instant_us.store(0, Relaxed);
    }
}

/// Loads the data that the server starts with: from the log if that is to be written, and else from the last snapshot.
pub fn load_at_start(server: &'static Server) -> Result<(), String> {
    aof::read_manifest(server)?;
    match server.config.appendonly() {
        true => aof::load_at_start(server)?,
        false => load::load_at_start(server)?,
    }
    server.aof.settle(server)
}

/// Why writes are refused: what they change could not be kept.
#[inline]
pub fn refusal(server: &Server) -> Option<Error> {
    let unlikely = server.persistence.failed.load(Relaxed) || server.aof.is_failing();
    if unlikely { refusal_of_changes(server) } else { None }
}

fn refusal_of_changes(server: &Server) -> Option<Error> {
    if refuses_unsaved(server) {
        return Some(Error::NOT_SAVED);
    }
    let error = server.aof.error()?;
    Some(Error::new(format!("MISCONF Errors writing to the AOF file: {}", os_error_text(&error))))
}

/// Whether writes are refused because the last snapshot failed.
#[inline]
pub fn refuses_unsaved(server: &Server) -> bool {
    let config = &server.config;
    server.persistence.failed.load(Relaxed) && config.stop_writes_on_bgsave_error() && !config.save().is_empty()
}

/// All changes that were ever made, those of the log that was loaded as well.
fn changes(server: &Server) -> u64 {
    server.stats.total(|worker| &worker.dirty) + server.aof.replayed_changes()
}

/// Those, and the ones of the command that is running, which are not counted yet.
fn changes_until_now(server: &Server, view: &View<'_>) -> u64 {
    changes(server) + view.effects.dirty
}

/// Has all changes until now count as saved.
pub fn forget_changes(server: &Server, view: &View<'_>) {
    server.persistence.saved_changes.store(changes_until_now(server, view), Relaxed);
}

/// Changes that are in no file yet.
pub fn unsaved_changes(server: &Server) -> u64 {
    changes(server).saturating_sub(server.persistence.saved_changes.load(Relaxed))
}
