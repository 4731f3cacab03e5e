//! Figures about what the server does. Each worker writes its own set, without locked instructions; readers add up.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use storage::Effects;

use crate::command::table;

/// A figure that only one thread writes.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// Parts that each doubling of a duration is divided in: percentiles are right to 1/32.
const STEPS_LOG2: u32 = 5;
const STEPS: usize = 1 << STEPS_LOG2;
/// Durations from 1 ns to over an hour.
const BUCKETS: usize = STEPS * 38;

/// Durations by size. Plain counters in place of the usual histogram crate: they are written by one thread while others
/// read, which that crate would need a lock for on every command.
pub struct Latencies(Box<[Counter]>);

impl Latencies {
    fn new() -> Latencies {
        Latencies((0..BUCKETS).map(|_| Counter::default()).collect())
    }

    #[inline]
    fn record(&self, nanos: u64) {
        self.0[bucket_of(nanos)].add(1);
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEPS_LOG2;
    let bucket = ((shift as usize + 1) << STEPS_LOG2) + (nanos >> shift) as usize - STEPS;
    bucket.min(BUCKETS - 1)
}

/// The longest duration that falls into a bucket.
fn bucket_end(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = (bucket >> STEPS_LOG2) - 1;
    (((bucket % STEPS + STEPS) as u64 + 1) << shift) - 1
}

/// What one command has done on one worker.
#[derive(Default)]
pub struct CommandCounters {
    calls: Counter,
    nanos: Counter,
    rejected: Counter,
    failed: Counter,
    latencies: OnceLock<Latencies>,
}

/// The figures of one worker.
pub struct WorkerStats {
    pub connections: Counter,
    pub commands: Counter,
    pub net_in: Counter,
    pub net_out: Counter,
    pub hits: Counter,
    pub misses: Counter,
    pub expired: Counter,
    pub expired_fields: Counter,
    pub evicted: Counter,
    pub dirty: Counter,
    /// Time spent on expiring keys that nobody touched.
    pub expire_nanos: Counter,
    pub reads: Counter,
    pub writes: Counter,
    /// Rounds of the event loop, and the time that it did not sleep.
    pub loops: Counter,
    pub busy_nanos: Counter,
    /// How often a client's output needed more memory than before, and less.
    pub output_grown: Counter,
    pub output_shrunk: Counter,
    pub query_limit_disconnections: Counter,
    pub output_limit_disconnections: Counter,
    commands_by_id: Box<[CommandCounters]>,
    errors: Mutex<BTreeMap<String, u64>>,
    pub error_replies: Counter,
}

/// Kinds of errors that are counted apart; scripts could make up any number.
const MAX_ERROR_KINDS: usize = 128;

impl WorkerStats {
    fn new() -> WorkerStats {
        WorkerStats {
            connections: Counter::default(),
            commands: Counter::default(),
            net_in: Counter::default(),
            net_out: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            expired: Counter::default(),
            expired_fields: Counter::default(),
            evicted: Counter::default(),
            dirty: Counter::default(),
            expire_nanos: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            loops: Counter::default(),
            busy_nanos: Counter::default(),
            output_grown: Counter::default(),
            output_shrunk: Counter::default(),
            query_limit_disconnections: Counter::default(),
            output_limit_disconnections: Counter::default(),
            commands_by_id: (0..table::declared()).map(|_| CommandCounters::default()).collect(),
            errors: Mutex::default(),
            error_replies: Counter::default(),
        }
    }

    /// Counts what was done to the keyspace.
    #[inline]
    pub fn took_effect(&self, effects: &Effects) {
        let removed = effects.expired | effects.expired_fields | effects.evicted;
        if effects.hits | effects.misses | effects.dirty | removed != 0 {
            self.hits.add(effects.hits);
            self.misses.add(effects.misses);
            self.expired.add(effects.expired);
            self.expired_fields.add(effects.expired_fields);
            self.evicted.add(effects.evicted);
            self.dirty.add(effects.dirty);
        }
    }

    /// Counts a command that was carried out.
    #[inline]
    pub fn called(&self, command: usize, nanos: u64, failed: bool, track_latency: bool) {
        let counters = &self.commands_by_id[command];
        self.commands.add(1);
        counters.calls.add(1);
        counters.nanos.add(nanos);
        if failed {
            counters.failed.add(1);
        }
        if track_latency {
            counters.latencies.get_or_init(Latencies::new).record(nanos);
        }
    }

    /// Counts a command that was refused before it ran.
    pub fn rejected(&self, command: usize) {
        self.commands_by_id[command].rejected.add(1);
    }

    /// Counts an error reply under its code.
    #[cold]
    pub fn error(&self, code: &str) {
        self.error_replies.add(1);
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < MAX_ERROR_KINDS {
            errors.insert(code.into(), 1);
        }
    }
}

/// What one command has done on all workers.
#[derive(Clone, Debug, Default)]
pub struct CommandFigures {
    pub calls: u64,
    pub nanos: u64,
    pub rejected: u64,
    pub failed: u64,
    /// Counts by the longest duration of their bucket, in nanoseconds.
    pub latencies: BTreeMap<u64, u64>,
}

impl CommandFigures {
    /// The duration that a share of the calls stayed within, in nanoseconds.
    pub fn percentile(&self, percent: f64) -> u64 {
        let total: u64 = self.latencies.values().sum();
        let rank = ((total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.latencies.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.map_or(0, |(nanos, _)| *nanos)
    }
}

/// The figures of all workers.
pub struct Stats {
    workers: Box<[WorkerStats]>,
    /// Highest `used_memory` that was seen.
    pub peak_memory: AtomicU64,
    pub peak_at: AtomicU64,
    pub slow_commands: AtomicU64,
}

impl Stats {
    pub fn new(workers: usize) -> Stats {
        Stats {
            workers: (0..workers).map(|_| WorkerStats::new()).collect(),
            peak_memory: AtomicU64::new(0),
            peak_at: AtomicU64::new(0),
            slow_commands: AtomicU64::new(0),
        }
    }

    /// The set that a worker writes.
    pub fn worker(&self, index: usize) -> &WorkerStats {
        &self.workers[index]
    }

    /// One figure, added up.
    pub fn total(&self, figure: impl Fn(&WorkerStats) -> &Counter) -> u64 {
        self.workers.iter().map(|worker| figure(worker).get()).fold(0, u64::wrapping_add)
    }

    /// Time spent on carrying out commands.
    pub fn command_nanos(&self) -> u64 {
        let commands = self.workers.iter().flat_map(|worker| &worker.commands_by_id);
        commands.map(|command| command.nanos.get()).fold(0, u64::wrapping_add)
    }

    pub fn error_replies(&self) -> u64 {
        self.total(|worker| &worker.error_replies)
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for worker in &self.workers {
            for (code, count) in worker.errors.lock().iter() {
                *all.entry(code.clone()).or_default() += count;
            }
        }
        all
    }

    pub fn command(&self, id: usize) -> CommandFigures {
        let mut figures = CommandFigures::default();
        for worker in &self.workers {
            let counters = &worker.commands_by_id[id];
            figures.calls += counters.calls.get();
            figures.nanos += counters.nanos.get();
            figures.rejected += counters.rejected.get();
            figures.failed += counters.failed.get();
            let Some(latencies) = counters.latencies.get() else { continue };
            for (bucket, count) in latencies.0.iter().enumerate().filter(|(_, count)| count.get() > 0) {
                *figures.latencies.entry(bucket_end(bucket)).or_default() += count.get();
            }
        }
        figures
    }

    /// Remembers the highest memory use.
    pub fn note_memory(&self, used: u64, now_ms: i64) {
        if self.peak_memory.fetch_max(used, Relaxed) < used {
            self.peak_at.store((now_ms / 1000) as u64, Relaxed);
        }
    }

    /// CONFIG RESETSTAT. Counts that a worker is adding to at this moment may survive.
    pub fn reset(&self) {
        for worker in &self.workers {
            let counters = [
                &worker.connections,
                &worker.commands,
                &worker.net_in,
                &worker.net_out,
                &worker.hits,
                &worker.misses,
                &worker.expired,
                &worker.expired_fields,
                &worker.evicted,
                &worker.expire_nanos,
                &worker.reads,
                &worker.loops,
                &worker.busy_nanos,
                &worker.output_grown,
                &worker.output_shrunk,
                &worker.writes,
                &worker.query_limit_disconnections,
                &worker.output_limit_disconnections,
                &worker.error_replies,
            ];
            counters.into_iter().for_each(Counter::reset);
            worker.errors.lock().clear();
            self.reset_commands(worker);
        }
    }

    fn reset_commands(&self, worker: &WorkerStats) {
        for command in &worker.commands_by_id {
            [&command.calls, &command.nanos, &command.rejected, &command.failed].into_iter().for_each(Counter::reset);
            if let Some(latencies) = command.latencies.get() {
                latencies.0.iter().for_each(Counter::reset);
            }
        }
    }

    /// Forgets the latencies of one command.
    pub fn reset_latencies(&self, command: usize) {
        for worker in &self.workers {
            if let Some(latencies) = worker.commands_by_id[command].latencies.get() {
                latencies.0.iter().for_each(Counter::reset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_all_durations_in_order() {
        let mut before = 0;
        for nanos in (0..5000).chain((13..40).map(|bits| (1u64 << bits) + 7)) {
            let bucket = bucket_of(nanos);
            assert!(bucket >= before && bucket < BUCKETS);
            assert!(bucket_end(bucket) >= nanos && (bucket == 0 || bucket_end(bucket - 1) < nanos), "{nanos}");
            before = bucket;
        }
    }
}
