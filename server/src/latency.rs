//! The latency monitor: for each kind of event, its latest spikes.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

use crate::server::unix_ms;

/// Spikes that are remembered per event.
const HISTORY: usize = 160;

/// The spikes of one event.
#[derive(Clone, Default)]
pub struct Event {
    /// Unix seconds and milliseconds of duration, oldest first.
    pub spikes: VecDeque<(i64, i64)>,
    pub max_ms: i64,
}

/// All events that had a spike.
#[derive(Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<String, Event>>,
}

impl LatencyMonitor {
    /// Remembers a spike. Of several in one second the longest counts.
    #[cold]
    pub fn record(&self, name: &str, millis: i64) {
        self.record_at(unix_ms() / 1000, name, millis);
    }

    fn record_at(&self, now: i64, name: &str, millis: i64) {
        let mut events = self.events.lock();
        let event = events.entry(name.into()).or_default();
        event.max_ms = event.max_ms.max(millis);
        match event.spikes.back_mut() {
            Some((second, longest)) if *second == now => *longest = (*longest).max(millis),
            _ => event.spikes.push_back((now, millis)),
        }
        if event.spikes.len() > HISTORY {
            event.spikes.pop_front();
        }
    }

    pub fn events(&self) -> BTreeMap<String, Event> {
        self.events.lock().clone()
    }

    pub fn event(&self, name: &str) -> Option<Event> {
        self.events.lock().get(name).cloned()
    }

    /// Forgets one event, or all. Returns how many were known.
    pub fn reset(&self, name: Option<&str>) -> usize {
        let mut events = self.events.lock();
        match name {
            Some(name) => usize::from(events.remove(name).is_some()),
            None => std::mem::take(&mut *events).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spike_a_second_and_the_latest_ones() {
        let monitor = LatencyMonitor::default();
        [(1, 30), (1, 50), (1, 40), (2, 20)]
            .iter()
            .for_each(|&(now, millis)| monitor.record_at(now, "command", millis));
        let event = monitor.event("command").expect("recorded");
        assert_eq!((event.spikes, event.max_ms), ([(1, 50), (2, 20)].into(), 50));
        (3..1000).for_each(|now| monitor.record_at(now, "command", 10));
        let event = monitor.event("command").expect("recorded");
        assert_eq!((event.spikes.len(), event.spikes.back(), event.max_ms), (HISTORY, Some(&(999, 10)), 50));
    }

    #[test]
    fn forgetting() {
        let monitor = LatencyMonitor::default();
        ["a", "b", "c"].iter().for_each(|name| monitor.record_at(1, name, 5));
        assert_eq!((monitor.reset(Some("nosuch")), monitor.reset(Some("a")), monitor.reset(None)), (0, 1, 2));
        assert!(monitor.events().is_empty());
    }
}
