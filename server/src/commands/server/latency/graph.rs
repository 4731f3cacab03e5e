//! Spikes as a picture of letters: one column each, with its age below.

use std::fmt::Write;

use crate::latency::Event;

/// Columns of a picture, and so the most spikes that it shows.
const COLUMNS: usize = 80;
const ROWS: usize = 4;
/// What a row shows of a column that ends in it, from low to high.
const TIPS: [char; 3] = ['_', 'o', '#'];

/// The picture of an event's latest spikes, with a headline.
pub(super) fn draw(name: &str, event: &Event, now: i64) -> String {
    let hidden = event.spikes.len().saturating_sub(COLUMNS);
    let spikes: Vec<(i64, i64)> = event.spikes.iter().skip(hidden).copied().collect();
    let high = spikes.iter().map(|(_, millis)| *millis).max().unwrap_or(0);
    let low = spikes.iter().map(|(_, millis)| *millis).min().unwrap_or(0);
    let mut picture = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.max_ms);
    picture.push_str(&"-".repeat(COLUMNS));
    picture.push('\n');
    let heights: Vec<usize> = spikes.iter().map(|(_, millis)| height(*millis, low, high)).collect();
    for row in (0..ROWS).rev() {
        picture.extend(heights.iter().map(|height| cell(*height, row)));
        picture.push('\n');
    }
    let ages: Vec<Vec<char>> = spikes.iter().map(|(time, _)| age(now - time).chars().collect()).collect();
    let longest = ages.iter().map(Vec::len).max().unwrap_or(0);
    picture.push_str(&" ".repeat(spikes.len()));
    picture.push('\n');
    for row in 0..longest {
        picture.extend(ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')));
        picture.push('\n');
    }
    picture
}

/// The height of a column in thirds of a row, from 0 for the shortest spike to the top for the longest.
fn height(millis: i64, low: i64, high: i64) -> usize {
    let steps = (ROWS * TIPS.len() - 1) as i64;
    let range = (high - low).max(1);
    ((i128::from(millis - low) * i128::from(steps)) / i128::from(range)).clamp(0, steps.into()) as usize
}

/// What stands in a row (0 is the lowest) of a column with this height.
fn cell(height: usize, row: usize) -> char {
    let (top, tip) = (height / TIPS.len(), height % TIPS.len());
    match row {
        row if row == top => TIPS[tip],
        row if row < top => '|',
        _ => ' ',
    }
}

/// Seconds in the unit that suits, as in `45s` or `3h`.
fn age(seconds: i64) -> String {
    let mut text = String::new();
    let (count, unit) = match seconds.max(0) {
        seconds @ 0..60 => (seconds, 's'),
        seconds @ 60..3_600 => (seconds / 60, 'm'),
        seconds @ 3_600..86_400 => (seconds / 3_600, 'h'),
        seconds => (seconds / 86_400, 'd'),
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "{count}{unit}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_for_each_spike() {
        let event = Event { spikes: [(0, 10), (940, 40), (999, 20)].into(), max_ms: 90 };
        let picture = draw("command", &event, 1000);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines[0], "command - high 40 ms, low 10 ms (all time high 90 ms)");
        assert_eq!(lines[1], "-".repeat(80));
        assert_eq!(lines[2..], [" # ", " | ", " |_", "_||", "   ", "111", "6ms", "m  "]);
    }

    #[test]
    fn one_spike_is_enough_and_many_are_cut() {
        let one = draw("x", &Event { spikes: [(5, 7)].into(), max_ms: 7 }, 3);
        assert!(one.ends_with(" \n \n \n_\n \n0\ns\n"), "{one}");
        let many = Event { spikes: (0..160).map(|i| (i, i64::MAX - i)).collect(), max_ms: i64::MAX };
        assert!(draw("x", &many, i64::MAX).lines().all(|line| line.len() <= 120));
        assert_eq!(draw("x", &many, 200).lines().nth(5).map(str::len), Some(80));
    }
}
