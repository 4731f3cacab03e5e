//! The 24-bit access clock that every key carries: seconds since the last access (or, under an LRM policy, the last
//! change), or, under an LFU policy, a logarithmic counter of accesses with the minute of its last decay.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

const CLOCK_MASK: u32 = (1 << 24) - 1;
/// A new key starts with some credit, so that it is not the first to be evicted.
const LFU_INITIAL: u32 = 5;

/// What a key's clock tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Measure {
    LastAccess,
    LastChange,
    Frequency,
}

/// How accesses are recorded; changed by CONFIG SET while the server runs.
pub struct AccessPolicy {
    measure: AtomicU8,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
}

/// How a key was used before it came from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usage {
    /// Seconds since its last access.
    Idle(u64),
    /// The logarithmic counter of accesses.
    Frequency(u8),
}

impl AccessPolicy {
    pub fn new() -> AccessPolicy {
        AccessPolicy {
            measure: AtomicU8::new(Measure::LastAccess as u8),
            log_factor: AtomicU32::new(10),
            decay_minutes: AtomicU32::new(1),
        }
    }

    pub fn set(&self, measure: Measure, log_factor: u32, decay_minutes: u32) {
        self.measure.store(measure as u8, Relaxed);
        self.log_factor.store(log_factor, Relaxed);
        self.decay_minutes.store(decay_minutes, Relaxed);
    }

    pub fn is_lfu(&self) -> bool {
        self.measure.load(Relaxed) == Measure::Frequency as u8
    }

    /// The clock of a key made now.
    pub fn fresh(&self, now_ms: i64) -> u32 {
        if self.is_lfu() { (minutes(now_ms) << 8) | LFU_INITIAL } else { seconds(now_ms) }
    }

    /// The clock of a key that comes from outside now; what the policy does not record is not known.
    pub fn brought(&self, usage: Option<Usage>, now_ms: i64) -> u32 {
        match usage {
            Some(Usage::Frequency(frequency)) if self.is_lfu() => (minutes(now_ms) << 8) | u32::from(frequency),
            Some(Usage::Idle(idle)) if !self.is_lfu() => {
                let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(CLOCK_MASK);
                seconds(now_ms).wrapping_sub(idle) & CLOCK_MASK
            }
            _ => self.fresh(now_ms),
        }
    }

    /// The clock of a key read now, as in [`AccessPolicy::touched`] where that counts.
    pub fn read(&self, clock: u32, now_ms: i64, random: impl FnOnce() -> u32) -> u32 {
        if self.measure.load(Relaxed) == Measure::LastChange as u8 {
            return clock;
        }
        self.touched(clock, now_ms, random)
    }

    /// The clock of a key accessed now; `random` decides whether a frequent key counts this access.
    pub fn touched(&self, clock: u32, now_ms: i64, random: impl FnOnce() -> u32) -> u32 {
        if !self.is_lfu() {
            return seconds(now_ms);
        }
        let mut counter = self.frequency(clock, now_ms);
        if counter < 255 {
            let above = counter.saturating_sub(LFU_INITIAL);
            let odds = u64::from(above) * u64::from(self.log_factor.load(Relaxed)) + 1;
            if u64::from(random()) * odds <= u64::from(u32::MAX) {
                counter += 1;
            }
        }
        (minutes(now_ms) << 8) | counter
    }

    /// The access counter after the decay that is due.
    pub fn frequency(&self, clock: u32, now_ms: i64) -> u32 {
        let counter = clock & 255;
        match self.decay_minutes.load(Relaxed) {
            0 => counter,
            period => counter.saturating_sub((minutes(now_ms).wrapping_sub(clock >> 8) & 0xffff) / period),
        }
    }

    /// Seconds since the last access; 0 under an LFU policy, which does not record it.
    pub fn idle_seconds(&self, clock: u32, now_ms: i64) -> u64 {
        if self.is_lfu() { 0 } else { u64::from(seconds(now_ms).wrapping_sub(clock) & CLOCK_MASK) }
    }
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & CLOCK_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_counts_seconds_across_the_wrap() {
        let policy = AccessPolicy::new();
        let wrap_ms = (1i64 << 24) * 1000;
        let clock = policy.fresh(wrap_ms - 5_000);
        assert_eq!(policy.idle_seconds(clock, wrap_ms + 7_000), 12);
    }

    #[test]
    fn reading_counts_unless_changes_do() {
        let policy = AccessPolicy::new();
        let clock = policy.fresh(5_000);
        assert_eq!(policy.read(clock, 9_000, || 0), 9);
        policy.set(Measure::LastChange, 10, 1);
        assert_eq!(policy.read(clock, 9_000, || 0), 5);
        assert_eq!(policy.touched(clock, 9_000, || 0), 9);
        assert_eq!(policy.idle_seconds(clock, 9_000), 4);
    }

    #[test]
    fn frequency_grows_slower_the_higher_it_is_and_decays() {
        let policy = AccessPolicy::new();
        policy.set(Measure::Frequency, 10, 1);
        let mut clock = policy.fresh(0);
        assert_eq!(policy.frequency(clock, 0), LFU_INITIAL);
        clock = policy.touched(clock, 0, || u32::MAX);
        assert_eq!(policy.frequency(clock, 0), LFU_INITIAL + 1, "the first accesses always count");
        clock = policy.touched(clock, 0, || u32::MAX);
        assert_eq!(policy.frequency(clock, 0), LFU_INITIAL + 1, "later ones by luck");
        assert_eq!(policy.frequency(clock, 3 * 60_000), LFU_INITIAL - 2);
        assert_eq!(policy.frequency(clock, 60 * 60_000), 0);
    }
}
