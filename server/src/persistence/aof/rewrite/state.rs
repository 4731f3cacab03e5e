//! What is known about rewrites.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use parking_lot::Mutex;
use storage::snapshot::Snapshot;

use crate::log;
use crate::server::unix_ms;

/// Failures in a row from which on attempts are put off.
const FAILURES_BEFORE_DELAY: u64 = 3;
const MAX_DELAY_MINUTES: i64 = 60;

/// See the module's description.
#[derive(Default)]
pub struct Rewrites {
    running: AtomicBool,
    current: Mutex<Current>,
    /// One is to begin when nothing else is in its way.
    pub(super) scheduled: AtomicBool,
    /// Whether the log waits for its first base.
    pub(super) turning_on: AtomicBool,
    /// Seconds that the last one took, if there was one.
    last_s: Mutex<Option<i64>>,
    /// Bytes that the last one took at most for what changed meanwhile.
    pub(super) last_memory: AtomicU64,
    pub(super) last_failed: AtomicBool,
    pub(super) begun: AtomicU64,
    /// Failures since the last success.
    pub(super) failures: AtomicU64,
    delay: Mutex<Delay>,
}

/// The one that is running.
#[derive(Default)]
struct Current {
    /// Since when, in Unix seconds.
    started_s: Option<i64>,
    /// It is of no use any more.
    cancelled: bool,
    /// What it writes.
    snapshot: Option<Arc<Snapshot>>,
    /// The server is about to end: no other one begins.
    closed: bool,
}

/// How attempts are put off that have failed too often.
#[derive(Default)]
struct Delay {
    minutes: i64,
    /// Unix seconds; 0 for none.
    until_s: i64,
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
        // In this order one that begins just now is either still to come or already running.
        let scheduled = self.scheduled.load(Acquire);
        let started_s = self.current.lock().started_s;
        RewriteFigures {
            running: self.is_running(),
            scheduled,
            current_s: started_s.map_or(-1, seconds_since),
            last_s: self.last_s.lock().unwrap_or(-1),
            last_memory: self.last_memory.load(Relaxed),
            last_failed: self.last_failed.load(Relaxed),
            begun: self.begun.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self) {
        self.begun.store(0, Relaxed);
        self.failures.store(0, Relaxed);
    }

    /// What is being written.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.current.lock().snapshot.clone()
    }

    /// Becomes the one that is running, unless there is one, or is to be none.
    pub(super) fn begin(&self) -> bool {
        let mut current = self.current.lock();
        let begins = current.started_s.is_none() && !current.closed;
        if begins {
            *current = Current { started_s: Some(unix_ms() / 1000), ..Current::default() };
            self.running.store(true, Release);
        }
        begins
    }

    /// Notes how long the one that is running has taken.
    pub(super) fn note_time(&self) {
        *self.last_s.lock() = self.current.lock().started_s.map(seconds_since);
    }

    /// Is not running any more. Tells whether it was given up.
    pub(super) fn end(&self) -> bool {
        let mut current = self.current.lock();
        current.started_s = None;
        current.snapshot = None;
        self.running.store(false, Release);
        std::mem::take(&mut current.cancelled)
    }

    /// Has the one that is running given up. It touches no name of a file any more unless it has the manifest locked.
    /// Tells whether there is one.
    pub(super) fn cancel(&self) -> bool {
        let mut current = self.current.lock();
        current.cancelled = current.started_s.is_some();
        if let Some(snapshot) = &current.snapshot {
            snapshot.stop();
        }
        current.cancelled
    }

    /// Whether the one that is running was given up.
    pub(super) fn is_cancelled(&self) -> bool {
        self.current.lock().cancelled
    }

    /// Does something unless the one that is running was given up, and is not given up while that lasts.
    pub(super) fn unless_cancelled<T>(
        &self,
        action: impl FnOnce(&mut Option<Arc<Snapshot>>) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut current = self.current.lock();
        if current.cancelled { Err("it was stopped".into()) } else { action(&mut current.snapshot) }
    }

    /// Has none begin, or lets them again.
    pub(super) fn close(&self, closed: bool) {
        self.current.lock().closed = closed;
    }

    /// Whether attempts that nobody asks for are put off, because too many have failed.
    pub(super) fn is_put_off(&self, now_s: i64) -> bool {
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

fn seconds_since(started_s: i64) -> i64 {
    (unix_ms() / 1000 - started_s).max(0)
}
