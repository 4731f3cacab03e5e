//! How much happens per second just now.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::stats::Stats;

/// Readings that are kept; with one every 100 ms, rates are those of the last second and a half.
const READINGS: usize = 16;
/// Closer readings would make rates jump.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// Running totals at one instant.
#[derive(Clone, Copy, Default)]
struct Totals {
    commands: u64,
    net_in: u64,
    net_out: u64,
    loops: u64,
    busy_nanos: u64,
}

/// The latest readings of the running totals.
#[derive(Default)]
pub struct Rates {
    readings: Mutex<VecDeque<(Instant, Totals)>>,
}

/// Per second.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct PerSecond {
    pub commands: f64,
    pub net_in: f64,
    pub net_out: f64,
    pub loops: f64,
    pub busy_nanos: f64,
}

impl Rates {
    /// Takes a reading; to be called about every 100 ms.
    pub fn sample(&self, stats: &Stats) {
        let totals = Totals {
            commands: stats.total(|worker| &worker.commands),
            net_in: stats.total(|worker| &worker.net_in),
            net_out: stats.total(|worker| &worker.net_out),
            loops: stats.total(|worker| &worker.loops),
            busy_nanos: stats.total(|worker| &worker.busy_nanos),
        };
        self.add(Instant::now(), totals);
    }

    fn add(&self, now: Instant, totals: Totals) {
        let mut readings = self.readings.lock();
        if readings.back().is_some_and(|(last, _)| now.duration_since(*last) < MIN_INTERVAL) {
            return;
        }
        // Totals that have shrunk were reset: what was before tells nothing any more.
        if readings.back().is_some_and(|(_, last)| totals.commands < last.commands) {
            readings.clear();
        }
        readings.push_back((now, totals));
        if readings.len() > READINGS {
            readings.pop_front();
        }
    }

    /// The mean over the readings that are there.
    pub fn per_second(&self) -> PerSecond {
        let readings = self.readings.lock();
        let (Some((start, first)), Some((end, last))) = (readings.front(), readings.back()) else {
            return PerSecond::default();
        };
        let seconds = end.duration_since(*start).as_secs_f64();
        if seconds <= 0.0 {
            return PerSecond::default();
        }
        let rate = |first: u64, last: u64| last.saturating_sub(first) as f64 / seconds;
        PerSecond {
            commands: rate(first.commands, last.commands),
            net_in: rate(first.net_in, last.net_in),
            net_out: rate(first.net_out, last.net_out),
            loops: rate(first.loops, last.loops),
            busy_nanos: rate(first.busy_nanos, last.busy_nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(commands: u64) -> Totals {
        Totals { commands, net_in: commands * 10, net_out: commands * 100, ..Totals::default() }
    }

    #[test]
    fn rates_cover_the_latest_readings_and_survive_a_reset() {
        let rates = Rates::default();
        assert_eq!(rates.per_second(), PerSecond::default());
        let start = Instant::now();
        for step in 0..40 {
            rates.add(start + Duration::from_millis(100 * step), totals(if step < 20 { 0 } else { (step - 20) * 50 }));
        }
        let now = rates.per_second();
        assert!((now.commands - 500.0).abs() < 1e-6 && (now.net_out - 50_000.0).abs() < 1e-3, "{now:?}");
        rates.add(start + Duration::from_secs(5), totals(3));
        assert_eq!(rates.per_second(), PerSecond::default());
    }
}
