//! Keeping memory below `maxmemory`: before a command runs, and before it has locked anything, keys are evicted until
//! there is room, or until it has taken so long that the rest is left to the background.
//!
//! Every worker evicts by itself, a key at a time, and looks at the memory of the whole process after each: so workers
//! that do it at the same time end within a key of the limit.

mod clients;
mod pool;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use storage::memory::{own_memory, used_memory};
use storage::snapshot::memory_of_snapshots;
use storage::{Candidate, Evictable, Sampled, Scope};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::command::dispatch::Executor;
use crate::config::MaxmemoryPolicy;
use crate::log;
use crate::mail::memory_of_news;
use crate::server::{Pause, Server};

pub use clients::{ClientMemory, limit as client_limit};
use pool::Pool;

/// Whether there is memory for a command.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Room {
    #[default]
    Enough,
    /// More is in use than should be, but it is getting less.
    Soon,
    /// Nothing more may go.
    None,
}

/// What the whole server knows of eviction.
#[derive(Default)]
pub struct Pressure {
    /// Since when too much is in use, by the server's clock; 0 while it is not.
    since: AtomicU64,
    /// Nanoseconds for which that was so before.
    before: AtomicU64,
    /// Wakes who evicts in the background.
    wanted: Notify,
}

impl Pressure {
    fn note(&self, server: &Server, room: Room) {
        let since = self.since.load(Relaxed);
        if room != Room::Enough {
            if since == 0 {
                let _ = self.since.compare_exchange(0, server.clock.raw().max(1), Relaxed, Relaxed);
            }
        } else if since != 0 && self.since.compare_exchange(since, 0, Relaxed, Relaxed).is_ok() {
            self.before.fetch_add(server.clock.delta_as_nanos(since, server.clock.raw()), Relaxed);
        }
    }

    /// For how long too much has been in use: at all, and without a break until now.
    pub fn durations(&self, server: &Server) -> (Duration, Duration) {
        let current = match self.since.load(Relaxed) {
            0 => 0,
            since => server.clock.delta_as_nanos(since, server.clock.raw()),
        };
        (Duration::from_nanos(self.before.load(Relaxed) + current), Duration::from_nanos(current))
    }

    pub fn reset(&self) {
        self.since.store(0, Relaxed);
        self.before.store(0, Relaxed);
    }

    /// `maxmemory` has changed.
    pub fn limit_changed(&self, server: &Server) {
        let limit = server.config.maxmemory();
        let used = in_use(server);
        if limit == 0 {
            self.note(server, Room::Enough);
        } else if used > limit {
            log::warning!(
                "WARNING: maxmemory is now {limit}, and {used} bytes are in use already: keys will be evicted, or writes \
                 refused, as maxmemory-policy says."
            );
            self.wanted.notify_one();
        }
    }
}

/// A worker's part.
#[derive(Default)]
pub struct Eviction {
    pool: RefCell<Pool>,
    /// The policy that the pool was filled by.
    policy: Cell<Option<MaxmemoryPolicy>>,
    /// As long as `maxmemory` is this and the thread itself holds at least so many bytes and less than so many, memory is
    /// not looked at.
    spared: Cell<(i64, isize, isize)>,
    /// What was found before the request that is being carried out.
    room: Cell<Room>,
    /// When nothing was found to evict, as the time that commands see.
    exhausted_ms: Cell<i64>,
}

/// What an attempt to evict one key came to.
enum Step {
    /// It was evicted, or those that were chosen have gone or have been used since.
    Done,
    NotFound,
    NothingThere,
}

/// So many attempts are made between two looks at the clock.
const STEPS: usize = 16;

impl Executor {
    /// Evicts what must go before a command may run. No shard may be locked. Costs next to nothing while there is
    /// memory. Where there was nothing to evict a moment ago, only a command that may need the room has it looked for
    /// again.
    #[inline]
    pub fn find_room(&self, may_need: bool) -> Room {
        let limit = self.server.config.maxmemory();
        let room = match limit {
            0 => Room::Enough,
            _ if self.eviction.must_look(limit) => self.make_room(may_need),
            _ => Room::Enough,
        };
        self.eviction.room.set(room);
        room
    }

    /// Whether there was room before the request that is being carried out.
    pub fn room(&self) -> Room {
        self.eviction.room.get()
    }

    #[cold]
    fn make_room(&self, needs: bool) -> Room {
        let server = self.server;
        // During a pause nothing changes, a script that runs for long may hold anything, and what is loaded is to be
        // whole.
        if server.pause_state() != Pause::None || server.scripts.busy() || server.persistence.loading.is_on() {
            return Room::Enough;
        }
        let room = self.evict(needs);
        server.pressure.note(server, room);
        if room == Room::Soon {
            server.pressure.wanted.notify_one();
        }
        room
    }

    fn evict(&self, needs: bool) -> Room {
        let (server, eviction) = (self.server, &self.eviction);
        let config = &server.config;
        let (limit, policy) = (config.maxmemory(), config.maxmemory_policy());
        if limit == 0 {
            return Room::Enough;
        }
        let used = in_use(server);
        if used <= limit {
            eviction.spare(server, limit, used);
            return Room::Enough;
        }
        let Some(from) = evictable(policy) else { return Room::None };
        if !needs && eviction.exhausted_ms.get() == self.now_ms() {
            return Room::None;
        }
        let target = limit - slack(limit);
        let started = server.clock.raw();
        let elapsed = || server.clock.delta_as_nanos(started, server.clock.raw());
        let time_limit = time_limit_nanos(config.maxmemory_eviction_tenacity());
        let mut room = None;
        while room.is_none() {
            for _ in 0..STEPS {
                room = match self.evict_one(policy, from) {
                    Step::NotFound => Some(Room::Soon),
                    Step::NothingThere => Some(Room::None),
                    Step::Done => (in_use(server) <= target).then_some(Room::Enough),
                };
                if room.is_some() {
                    break;
                }
            }
            if room.is_none() && elapsed() >= time_limit {
                room = Some(Room::Soon);
            }
        }
        server.observe_latency("eviction-cycle", elapsed());
        let used = in_use(server);
        if used <= limit {
            eviction.spare(server, limit, used);
            return Room::Enough;
        }
        match room {
            Some(Room::None) if server.keyspace.reclaimer.pending() > 0 => Room::Soon,
            Some(Room::None) => {
                eviction.exhausted_ms.set(self.now_ms());
                Room::None
            }
            _ => Room::Soon,
        }
    }

    fn evict_one(&self, policy: MaxmemoryPolicy, from: Evictable) -> Step {
        let (keyspace, now_ms) = (&self.server.keyspace, self.now_ms());
        let mut pool = self.eviction.pool.borrow_mut();
        if self.eviction.policy.replace(Some(policy)) != Some(policy) {
            pool.clear();
        }
        if pool.is_empty() || !policy.is_random() {
            let samples = self.server.config.maxmemory_samples() as usize;
            let sampled = keyspace.sample(from, samples, now_ms, rand::random, |candidate| {
                pool.offer(score(policy, &candidate), candidate.db, candidate.key());
            });
            match sampled {
                Sampled::NotYet if pool.is_empty() => return Step::NotFound,
                Sampled::Nothing if pool.is_empty() => return Step::NothingThere,
                _ => {}
            }
        }
        while let Some(victim) = pool.take_best() {
            let key = keyspace.key(&victim.key);
            // A script may hold the key's shard for as long as it runs.
            let scope = Scope::Shard(key.shard());
            let Some(mut view) = keyspace.view_unless_stalled(victim.db, scope, now_ms) else { return Step::NotFound };
            // One that was used since it was found has a lower score now.
            let evicted = view.evict(&key, from, |candidate| score(policy, &candidate) >= victim.score);
            view.serve_waiters();
            self.stats.took_effect(&view.effects);
            drop(view);
            pool.recycle(victim);
            if evicted {
                break;
            }
        }
        Step::Done
    }

    /// Goes on with eviction where commands have left off.
    pub async fn evict_in_background(&self) {
        loop {
            self.server.pressure.wanted.notified().await;
            loop {
                let room = self.make_room(true);
                self.server.tracking.broadcast(&self.server.clients);
                if room != Room::Soon {
                    break;
                }
                yield_now().await;
                self.refresh_clock();
            }
        }
    }
}

impl Eviction {
    #[inline]
    fn must_look(&self, limit: i64) -> bool {
        let (at_limit, from, until) = self.spared.get();
        at_limit != limit || own_memory().is_none_or(|own| own < from || own >= until)
    }

    /// Memory need not be looked at before this thread has taken its share of what is left. As others take theirs at the
    /// same time, all together might go too far by what each is allowed at most: a thousandth of the limit. What it frees
    /// others may have taken by the time it wants it back, so that much less makes it look as well.
    fn spare(&self, server: &Server, limit: i64, used: i64) {
        const MOST: i64 = 64 * 1024;
        let workers = server.workers as i64;
        let most = (limit / 1024 / workers).min(MOST);
        let share = ((limit - used) / (2 * workers)).min(most);
        let Some(own) = own_memory() else { return self.spared.set((limit, 0, 0)) };
        self.spared.set((limit, own.saturating_sub(most as isize), own.saturating_add(share as isize)));
    }
}

/// What counts against the limit.
fn in_use(server: &Server) -> i64 {
    used_memory().saturating_sub(not_counted(server)) as i64
}

/// Bytes that do not count against the limit, because it would help nobody if something else went on their account: what
/// the background is freeing, what clients take who are being disconnected, news on their way, entries of the log on
/// theirs to the file, and what is held only for a snapshot that is being written.
pub fn not_counted(server: &Server) -> usize {
    let leaving = server.keyspace.reclaimer.pending_bytes() + server.client_memory.leaving();
    leaving + memory_of_news() + server.aof.memory() + memory_of_snapshots()
}

/// How far below the limit eviction goes, so that not every single write is followed by the next look at the memory.
fn slack(limit: i64) -> i64 {
    (limit / 8192).min(64 * 1024)
}

/// What one call may take. Up to 10 it grows in even steps to half a millisecond, from there by 15 % a step, until 100
/// is no limit.
fn time_limit_nanos(tenacity: i64) -> u64 {
    match tenacity {
        ..=10 => 50_000 * tenacity.max(0) as u64,
        100.. => u64::MAX,
        _ => (500_000.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
    }
}

fn evictable(policy: MaxmemoryPolicy) -> Option<Evictable> {
    use MaxmemoryPolicy::*;
    match policy {
        NoEviction => None,
        AllkeysLru | AllkeysLrm | AllkeysLfu | AllkeysRandom => Some(Evictable::All),
        VolatileLru | VolatileLrm | VolatileLfu | VolatileRandom | VolatileTtl => Some(Evictable::Expiring),
    }
}

/// How well one can do without a key: never less than before, unless somebody has used or changed it.
fn score(policy: MaxmemoryPolicy, candidate: &Candidate<'_>) -> u64 {
    use MaxmemoryPolicy::*;
    match policy {
        AllkeysLru | VolatileLru | AllkeysLrm | VolatileLrm => candidate.idle_seconds(),
        AllkeysLfu | VolatileLfu => u64::from(255 - candidate.frequency().min(255)),
        VolatileTtl => u64::MAX - candidate.expiry().unwrap_or(i64::MAX).max(0) as u64,
        AllkeysRandom | VolatileRandom | NoEviction => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_stands_for_ever_more_time() {
        assert_eq!(time_limit_nanos(0), 0);
        assert_eq!(time_limit_nanos(10), 500_000);
        assert!((1..100).all(|tenacity| time_limit_nanos(tenacity) > time_limit_nanos(tenacity - 1)));
        let minutes = time_limit_nanos(99) / 60_000_000_000;
        assert!((2..3).contains(&minutes), "{minutes}");
        assert_eq!(time_limit_nanos(100), u64::MAX);
    }
}
