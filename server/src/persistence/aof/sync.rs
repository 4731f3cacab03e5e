//! The thread that forces entries to the disk: once a second, or for clients that wait for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Aof, Hurry};
use crate::client::Shared;
use crate::config::FsyncPolicy;
use crate::log;
use crate::server::{Server, os_error_text};

/// How often entries are forced to the disk that nobody waits for.
const INTERVAL: Duration = Duration::from_secs(1);

/// See the module's description.
#[derive(Default)]
pub struct SyncThread {
    waiting: Mutex<Waiting>,
    wanted: Condvar,
    /// Whether the disk is busy with it at the moment.
    busy: AtomicBool,
    started: AtomicBool,
}

/// Clients and the positions that they wait for.
#[derive(Default)]
struct Waiting {
    clients: Vec<(u64, Arc<Shared>)>,
    /// Clients that want to know when everything up to a position is on the disk, whatever the policy is.
    curious: Vec<(u64, Arc<Shared>)>,
    /// Those have come since the disk was last waited for.
    asked: bool,
}

impl SyncThread {
    pub fn is_busy(&self) -> bool {
        self.busy.load(Acquire)
    }

    /// Has a client woken once `released` has come to a position. Tells whether it already has.
    pub fn enlist(&self, position: u64, client: &Arc<Shared>, released: &AtomicU64) -> bool {
        let mut waiting = self.waiting.lock();
        // Who advances it looks at the list afterwards.
        if released.load(Acquire) >= position {
            return true;
        }
        waiting.clients.push((position, Arc::clone(client)));
        if waiting.clients.len() == 1 {
            self.wanted.notify_one();
        }
        false
    }

    /// Wakes those who may send what they have up to a position, and those who wait for the disk up to another.
    fn release(&self, released: u64, on_disk: u64) {
        let mut waiting = self.waiting.lock();
        let Waiting { clients, curious, .. } = &mut *waiting;
        for (clients, position) in [(clients, released), (curious, on_disk)] {
            clients.retain(|(until, client)| {
                let waits = *until > position;
                if !waits {
                    client.wake();
                }
                waits
            });
        }
    }
}

impl Aof {
    /// Starts the thread, unless it runs.
    pub fn start_sync(&self, server: &'static Server) -> io::Result<()> {
        if self.sync.started.swap(true, Relaxed) {
            return Ok(());
        }
        let run = move || server.aof.run_sync(server);
        thread::Builder::new().name("aof-sync".into()).spawn(run).map(drop).inspect_err(|_| {
            self.sync.started.store(false, Relaxed);
        })
    }

    fn run_sync(&self, server: &Server) {
        let mut due = Instant::now() + INTERVAL;
        loop {
            let mut waiting = self.sync.waiting.lock();
            while waiting.clients.is_empty() && !waiting.asked {
                if self.sync.wanted.wait_until(&mut waiting, due).timed_out() {
                    break;
                }
            }
            waiting.asked = false;
            drop(waiting);
            if Instant::now() >= due {
                due = Instant::now() + INTERVAL;
            }
            if !self.is_on() {
                self.sync.release(u64::MAX, u64::MAX);
                continue;
            }
            match server.config.appendfsync() {
                FsyncPolicy::Always => {
                    self.flush(server, Hurry::Now);
                    self.force(server);
                }
                FsyncPolicy::EverySecond => {
                    self.flush(server, Hurry::Now);
                    self.force(server);
                    // What was put off for it.
                    self.flush(server, Hurry::CanWait);
                }
                FsyncPolicy::No => self.flush(server, Hurry::Now),
            }
            self.release_waiting(server);
        }
    }

    /// Wakes those who have what they wait for; everybody when nothing is forced to the disk any more.
    pub(super) fn release_waiting(&self, server: &Server) {
        let waits = server.config.appendfsync() == FsyncPolicy::Always && !self.rests(server);
        let position = if waits { &self.synced } else { &self.written }.load(Acquire);
        self.released.fetch_max(position, Release);
        self.sync.release(position, self.synced.load(Acquire));
    }

    /// Has a client woken when everything up to a position is on the disk, which is seen to unless the policy is `no`.
    pub fn wake_when_on_disk(&self, position: u64, client: &Arc<Shared>) {
        let mut waiting = self.sync.waiting.lock();
        waiting.curious.push((position, Arc::clone(client)));
        waiting.asked = true;
        self.sync.wanted.notify_one();
    }

    /// Whether nothing is forced to the disk for the time being.
    fn rests(&self, server: &Server) -> bool {
        server.config.no_appendfsync_on_rewrite() && self.others_write(server)
    }

    /// Forces what is written to the disk.
    fn force(&self, server: &Server) {
        // What could not be forced to the disk may be in a base now, which does not make the disk work again.
        let is_done = self.synced.load(Relaxed) >= self.written.load(Acquire) && self.sync_error.load(Relaxed) == 0;
        if is_done || self.rests(server) {
            return;
        }
        let policy = server.config.appendfsync();
        let started = Instant::now();
        self.sync.busy.store(true, Release);
        let outcome = self.sync_now();
        self.sync.busy.store(false, Release);
        if policy == FsyncPolicy::Always {
            server.observe_latency("aof-fsync-always", started.elapsed().as_nanos() as u64);
        }
        let Err(error) = outcome else {
            self.sync_error.store(0, Relaxed);
            return;
        };
        let reason = os_error_text(&error);
        if policy == FsyncPolicy::Always {
            log::warning!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {reason}. Exiting..."
            );
            std::process::exit(1);
        }
        if self.sync_error.swap(error.raw_os_error().unwrap_or(libc::EIO), Relaxed) == 0 {
            log::warning!("Fail to fsync the AOF file: {reason}");
        }
    }

    /// Forces what is written to the disk, whatever the configuration says.
    pub(super) fn sync_now(&self) -> io::Result<()> {
        let (unsynced, position) = {
            let writer = self.writer.lock();
            (writer.unsynced(), self.written.load(Acquire))
        };
        unsynced.sync()?;
        if !unsynced.finished.is_empty() {
            self.writer.lock().forget_finished(&unsynced);
        }
        self.synced.fetch_max(position, Release);
        Ok(())
    }
}
