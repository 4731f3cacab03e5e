//! Snapshots: all data in a file, from which the server starts.

pub mod aof;
mod load;
mod save;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

pub use load::{Existing, load_preamble, reload};
pub use save::{Failed, save};

use crate::command::Error;
use crate::server::{Server, os_error_text, unix_ms};

/// What is known about snapshots.
pub struct Persistence {
    /// When the last one was written, in Unix seconds.
    pub last_save_s: AtomicI64,
    /// Whether the last attempt failed.
    pub failed: AtomicBool,
    /// How many were written.
    pub saves: AtomicU64,
    /// Changes that are in the last one, of all that were ever made.
    saved_changes: AtomicU64,
    /// Keys that came from a file, and those that had expired in it.
    pub loaded_keys: AtomicU64,
    pub expired_keys: AtomicU64,
    /// Whether changes of the past are being made anew, so that nothing expires.
    pub loading: AtomicBool,
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
            loading: AtomicBool::new(false),
        }
    }
}

impl Persistence {
    /// Whether a snapshot is being written in the background.
    pub fn is_saving(&self) -> bool {
        false
    }

    /// Notes that all changes so far are in a file.
    fn note_saved(&self, changes: u64) {
        self.last_save_s.store(unix_ms() / 1000, Relaxed);
        self.failed.store(false, Relaxed);
        self.saves.fetch_add(1, Relaxed);
        self.saved_changes.store(changes, Relaxed);
    }
}

/// Loads the data that the server starts with: from the log if that is to be written, and else from the last snapshot.
pub fn load_at_start(server: &'static Server) -> Result<(), String> {
    aof::read_manifest(server)?;
    if !server.config.appendonly() {
        return load::load_at_start(server);
    }
    server.persistence.loading.store(true, Relaxed);
    aof::load_at_start(server)?;
    server.persistence.loading.store(false, Relaxed);
    aof::open_at_start(server)
}

/// Why changes are refused at the moment: they could not be kept.
#[inline]
pub fn refusal(server: &Server) -> Option<Error> {
    let error = server.aof.error()?;
    Some(Error::new(format!("MISCONF Errors writing to the AOF file: {}", os_error_text(&error))))
}

/// All changes that were ever made.
fn changes(server: &Server) -> u64 {
    server.stats.total(|worker| &worker.dirty)
}

/// Changes that are in no file yet.
pub fn unsaved_changes(server: &Server) -> u64 {
    changes(server).saturating_sub(server.persistence.saved_changes.load(Relaxed))
}
