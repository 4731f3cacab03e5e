//! What may be behind latency spikes, in words.

use std::collections::BTreeMap;

use crate::latency::Event;

/// The report on all events, for the threshold of the latency monitor in milliseconds.
pub(super) fn report(threshold_ms: i64, events: &BTreeMap<String, Event>) -> String {
    if threshold_ms == 0 && events.is_empty() {
        return "The latency monitor is switched off, so there is nothing to diagnose. It starts to watch with \
                \"CONFIG SET latency-monitor-threshold <milliseconds>\".\n"
            .into();
    }
    if events.is_empty() {
        return format!("Nothing has taken {threshold_ms} milliseconds or more since the monitor began to watch.\n");
    }
    let mut text = String::from("These events took longer than the monitor's threshold:\n\n");
    for (index, (name, event)) in events.iter().enumerate() {
        text.push_str(&format!("{}. {name}: {}\n", index + 1, describe(event)));
    }
    text.push_str("\nWhat may help:\n\n");
    for advice in advices(threshold_ms, events) {
        text.push_str(&format!("- {advice}\n"));
    }
    text
}

fn describe(event: &Event) -> String {
    let count = event.spikes.len().max(1) as i64;
    let millis = || event.spikes.iter().map(|(_, millis)| *millis);
    let mean = millis().sum::<i64>() / count;
    let deviation = millis().map(|millis| (millis - mean).abs()).sum::<i64>() / count;
    let (first, last) =
        (event.spikes.front().copied().unwrap_or_default(), event.spikes.back().copied().unwrap_or_default());
    let period = (last.0 - first.0).max(1) as f64 / count as f64;
    format!(
        "{count} spikes of {mean} ms in the mean (mean deviation {deviation} ms), one every {period:.2} s. The longest ever took {} ms.",
        event.max_ms
    )
}

fn advices(threshold_ms: i64, events: &BTreeMap<String, Event>) -> Vec<&'static str> {
    let mut advices = Vec::new();
    let commands = events.keys().any(|name| matches!(name.as_str(), "command" | "fast-command"));
    if commands {
        advices.push("SLOWLOG GET shows which commands took long; a lower slowlog-log-slower-than shows more of them.");
        advices.push("Commands that read or remove very large values keep others waiting: UNLINK frees in the background, and several smaller values are better than one.");
    }
    if events.contains_key("fast-command") {
        advices.push("Commands that do little have taken long: the machine may be short of processor time or memory. Look for swapping, for other processes, and for transparent huge pages.");
    }
    if events.contains_key("expire-cycle") {
        advices.push("Many keys, or large ones, expire at the same time: spread their expiry over a longer time.");
    }
    if threshold_ms > 0 && threshold_ms < 10 {
        advices.push("The threshold is very low, which makes spikes of what is usual.");
    }
    if advices.is_empty() {
        advices.push("No cause is known for events of these kinds.");
    }
    advices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_something_in_every_case() {
        let none = BTreeMap::new();
        assert!(report(0, &none).contains("switched off"));
        assert!(report(100, &none).contains("100 milliseconds"));
        let event = Event { spikes: [(10, 20), (20, 40)].into(), max_ms: 50 };
        let text = report(5, &[("command".into(), event.clone()), ("odd".into(), event)].into());
        assert!(text.contains("1. command: 2 spikes of 30 ms in the mean (mean deviation 10 ms), one every 5.00 s."));
        assert!(text.contains("2. odd") && text.contains("SLOWLOG GET") && text.contains("very low"));
    }
}
