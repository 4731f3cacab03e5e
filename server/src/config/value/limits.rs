//! `client-output-buffer-limit`.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use super::{FileLine, Intent, Readable, Setting, format_memory, parse_loose, parse_memory, until_nul};

/// How much may wait to be sent to a client of a class, at once and for longer than `soft_seconds`. Zero is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutputLimit {
    pub hard: u64,
    pub soft: u64,
    pub soft_seconds: u64,
}

impl OutputLimit {
    const fn new(hard: u64, soft: u64, soft_seconds: u64) -> OutputLimit {
        OutputLimit { hard, soft, soft_seconds }
    }
}

const DEFAULT: [OutputLimit; 3] =
    [OutputLimit::new(0, 0, 0), OutputLimit::new(256 << 20, 64 << 20, 60), OutputLimit::new(32 << 20, 8 << 20, 60)];

/// The classes of clients as CONFIG GET names them.
const PRINTED: [&str; 3] = ["normal", "slave", "pubsub"];
/// And as files name them.
const IN_FILES: [&str; 3] = ["normal", "replica", "pubsub"];

#[derive(Default)]
struct Cell {
    hard: AtomicU64,
    soft: AtomicU64,
    soft_seconds: AtomicI32,
}

/// The limits of normal clients, replicas and subscribers, read without a lock.
pub struct OutputLimits([Cell; 3]);

impl OutputLimits {
    pub fn standard() -> OutputLimits {
        let limits = OutputLimits(Default::default());
        limits.store(&DEFAULT.map(Some));
        limits
    }

    fn store(&self, limits: &[Option<OutputLimit>; 3]) {
        for (cell, limit) in self.0.iter().zip(limits) {
            let Some(limit) = limit else { continue };
            cell.hard.store(limit.hard, Relaxed);
            cell.soft.store(limit.soft, Relaxed);
            cell.soft_seconds.store(limit.soft_seconds as i32, Relaxed);
        }
    }
}

impl Readable for OutputLimits {
    type Output = [OutputLimit; 3];

    fn read(&self) -> [OutputLimit; 3] {
        self.0.each_ref().map(|cell| OutputLimit {
            hard: cell.hard.load(Relaxed),
            soft: cell.soft.load(Relaxed),
            soft_seconds: u64::try_from(cell.soft_seconds.load(Relaxed)).unwrap_or_default(),
        })
    }
}

/// The limits that the words change; classes that they do not name stay as they are.
fn parse(words: &[&[u8]]) -> Result<[Option<OutputLimit>; 3], String> {
    let (limits, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut all = [None; 3];
    for [class, hard, soft, seconds] in limits {
        let named =
            |names: [&str; 3]| names.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(until_nul(class)));
        let class = named(PRINTED).or_else(|| named(IN_FILES));
        let place = class.ok_or("Invalid client class specified in buffer limit configuration.")?;
        // Seconds beyond 32 bits wrap, as Redis has them.
        let seconds = parse_loose(seconds).and_then(|seconds| u64::try_from(seconds as i32).ok());
        let (Some(hard), Some(soft), Some(soft_seconds)) = (parse_memory(hard), parse_memory(soft), seconds) else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        if let Some(limit) = all.get_mut(place) {
            *limit = Some(OutputLimit { hard, soft, soft_seconds });
        }
    }
    Ok(all)
}

impl Setting for OutputLimits {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let limits = parse(words)?;
        if intent != Intent::Check {
            self.store(&limits);
        }
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        let lines = PRINTED
            .iter()
            .zip(self.read())
            .map(|(class, OutputLimit { hard, soft, soft_seconds })| format!("{class} {hard} {soft} {soft_seconds}"));
        lines.collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let limits = IN_FILES.iter().zip(self.read().into_iter().zip(DEFAULT));
        let line = |(class, (limit, default)): (&&str, (OutputLimit, OutputLimit))| {
            let (hard, soft) = (format_memory(limit.hard), format_memory(limit.soft));
            (format!("{class} {hard} {soft} {}", limit.soft_seconds).into_bytes(), limit != default)
        };
        limits.map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(limits: &OutputLimits, words: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = words.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
        limits.set(&words, Intent::Change)?;
        Ok(String::from_utf8(limits.text()).expect("limits are ASCII"))
    }

    #[test]
    fn only_named_classes_change() {
        let limits = OutputLimits::standard();
        let text = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(set(&limits, ""), Ok(text.into()));
        let text = "normal 4 5 6 slave 1048576 2 9 pubsub 33554432 8388608 60";
        assert_eq!(set(&limits, "NORMAL 1 2 3 normal 4 5 6 replica 1mb 2 9"), Ok(text.into()));
        let lines: Vec<_> = limits.file_lines();
        assert_eq!(lines[1], (b"replica 1mb 2 9".to_vec(), true));
        assert_eq!(lines[2], (b"pubsub 32mb 8mb 60".to_vec(), false));
    }

    #[test]
    fn wrong_limits_are_explained() {
        let limits = OutputLimits::standard();
        for (words, reason) in [
            ("normal 1 2", "Wrong number of arguments in buffer limit configuration."),
            ("master 1 2 3", "Invalid client class specified in buffer limit configuration."),
            ("pubsub 1 2 -3", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            ("pubsub 1 2 x", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            ("pubsub -1 2 3", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        ] {
            assert_eq!(set(&limits, words), Err(reason.into()));
        }
        assert_eq!(limits.read(), DEFAULT);
    }
}
