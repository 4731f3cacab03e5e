//! Reading data at the start while clients are answered already: how far that is, and what they are told meanwhile.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::log;
use crate::server::unix_ms;

/// So often the log is told how far loading is, in milliseconds.
const TELL_EVERY_MS: i64 = 5000;

/// Whether data is being loaded, and how much of it has been. While it is, only commands that are declared for that are
/// carried out, and nothing expires or is evicted. Snapshots and the append-only log share this.
#[derive(Default)]
pub struct Loading {
    on: AtomicBool,
    begun: Notify,
    /// Unix seconds.
    started_s: AtomicI64,
    /// Bytes of all files.
    total: AtomicU64,
    loaded: AtomicU64,
    /// What the data took in the server that wrote it, as far as it said so.
    pub former_memory: AtomicU64,
    /// When the log was last told, in Unix milliseconds.
    told_ms: AtomicI64,
}

/// Data is being loaded as long as this is there.
pub struct Begun<'l>(&'l Loading);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.on.store(false, Relaxed);
    }
}

/// What is known about how far it is.
pub struct Progress {
    pub started_s: i64,
    pub total: u64,
    pub loaded: u64,
    pub percent: f64,
    pub seconds_left: u64,
}

impl Loading {
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Begins to load files of so many bytes.
    pub fn begin(&self, total: u64) -> Begun<'_> {
        let now_ms = unix_ms();
        self.started_s.store(now_ms / 1000, Relaxed);
        self.told_ms.store(now_ms, Relaxed);
        self.total.store(total, Relaxed);
        self.loaded.store(0, Relaxed);
        self.former_memory.store(0, Relaxed);
        self.on.store(true, Relaxed);
        self.begun.notify_one();
        Begun(self)
    }

    /// Comes back when loading has begun.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }

    /// So many more bytes were read.
    pub fn advance(&self, bytes: u64) {
        self.loaded.fetch_add(bytes, Relaxed);
        let now_ms = unix_ms();
        if (now_ms - self.told_ms.load(Relaxed)).abs() < TELL_EVERY_MS {
            return;
        }
        self.told_ms.store(now_ms, Relaxed);
        let Progress { total, loaded, percent, seconds_left, .. } = self.progress(now_ms / 1000);
        let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        log::notice!(
            "Loading: {:.1} of {:.1} Mb ({percent:.0}%), about {seconds_left} seconds left",
            mb(loaded),
            mb(total)
        );
    }

    /// How far it is.
    pub fn progress(&self, now_s: i64) -> Progress {
        let (total, loaded) = (self.total.load(Relaxed), self.loaded.load(Relaxed));
        let started_s = self.started_s.load(Relaxed);
        let elapsed = u64::try_from(now_s - started_s).unwrap_or(0);
        let percent = if total == 0 { 0.0 } else { loaded as f64 / total as f64 * 100.0 };
        let seconds_left = match elapsed {
            // There is nothing to reckon with yet.
            0 => 1,
            _ => (u128::from(elapsed) * u128::from(total.saturating_sub(loaded)) / (u128::from(loaded) + 1)) as u64,
        };
        Progress { started_s, total, loaded, percent, seconds_left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_reckoned_from_what_was_read() {
        let loading = Loading::default();
        assert!(!loading.is_on());
        let begun = loading.begin(1000);
        assert!(loading.is_on());
        loading.advance(249);
        let started_s = loading.progress(0).started_s;
        assert_eq!(loading.progress(started_s).seconds_left, 1);
        let progress = loading.progress(started_s + 10);
        assert_eq!((progress.loaded, progress.total, progress.seconds_left), (249, 1000, 30));
        assert!((24.0..25.0).contains(&progress.percent));
        // A clock that was set back says nothing.
        assert_eq!(loading.progress(started_s - 10).seconds_left, 1);
        drop(begun);
        assert!(!loading.is_on());
    }
}
