//! Snapshots: all data in a file, from which the server starts.

pub mod aof;
mod load;
mod save;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

pub use load::{Existing, load_at_start, reload};
pub use save::{Failed, save};

use crate::server::{Server, unix_ms};

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

/// All changes that were ever made.
fn changes(server: &Server) -> u64 {
    server.stats.total(|worker| &worker.dirty)
}

/// Changes that are in no file yet.
pub fn unsaved_changes(server: &Server) -> u64 {
    changes(server).saturating_sub(server.persistence.saved_changes.load(Relaxed))
}
