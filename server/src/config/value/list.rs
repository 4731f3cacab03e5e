//! Directives of several words, and those with rules of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};

use parking_lot::RwLock;

use super::{FileLine, Intent, Readable, Setting, WRONG_COUNT, parse_loose, quoted, single, until_nul};
use crate::server::os_error_text;

/// Whether the words are the one empty word by which files say "none".
fn is_none(words: &[&[u8]]) -> bool {
    matches!(words, [word] if until_nul(word).is_empty())
}

fn join(items: impl IntoIterator<Item = String>) -> Vec<u8> {
    items.into_iter().collect::<Vec<_>>().join(" ").into_bytes()
}

/// Save when at least so many changes were made in so many seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavePoint {
    pub seconds: i64,
    pub changes: i32,
}

/// The points of `save`. In files, the first line replaces the defaults and further ones add to it.
pub struct SavePoints {
    points: RwLock<Arc<[SavePoint]>>,
    loaded: AtomicBool,
}

impl SavePoints {
    pub fn standard() -> SavePoints {
        let points = [(3600, 1), (300, 100), (60, 10000)].map(|(seconds, changes)| SavePoint { seconds, changes });
        SavePoints { points: RwLock::new(points.into()), loaded: AtomicBool::new(false) }
    }

    fn parse(words: &[&[u8]]) -> Result<Vec<SavePoint>, String> {
        let (pairs, rest) = words.as_chunks::<2>();
        let point = |[seconds, changes]: &[&[u8]; 2]| {
            let seconds = parse_loose(seconds).filter(|seconds| *seconds >= 1)?;
            let changes = parse_loose(changes).filter(|changes| *changes >= 0)?;
            // Changes beyond 32 bits wrap, as Redis has them.
            Some(SavePoint { seconds, changes: changes as i32 })
        };
        let points: Option<Vec<SavePoint>> = pairs.iter().map(point).collect();
        points.filter(|_| rest.is_empty()).ok_or_else(|| "Invalid save parameters".into())
    }
}

impl Readable for SavePoints {
    type Output = Arc<[SavePoint]>;

    fn read(&self) -> Arc<[SavePoint]> {
        Arc::clone(&self.points.read())
    }
}

impl Setting for SavePoints {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let none = is_none(words);
        let points = SavePoints::parse(if none { &[] } else { words })?;
        let mut current = self.points.write();
        match intent {
            Intent::Check => {}
            Intent::Load if self.loaded.swap(true, Relaxed) && !none => {
                *current = current.iter().copied().chain(points).collect();
            }
            Intent::Load | Intent::Change => *current = points.into(),
        }
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        join(self.read().iter().map(|point| format!("{} {}", point.seconds, point.changes)))
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let points = self.read();
        if points.is_empty() {
            return vec![(b"\"\"".to_vec(), true)];
        }
        let line = |point: &SavePoint| (format!("{} {}", point.seconds, point.changes).into_bytes(), true);
        points.iter().map(line).collect()
    }
}

/// What is added to the kernel's score for killing this process as a primary, as a replica, and as a child that
/// saves.
pub struct OomScores([AtomicI32; 3]);

const OOM_SCORES: [i32; 3] = [0, 200, 800];

impl OomScores {
    pub fn standard() -> OomScores {
        OomScores(OOM_SCORES.map(AtomicI32::new))
    }
}

impl Readable for OomScores {
    type Output = [i32; 3];

    fn read(&self) -> [i32; 3] {
        self.0.each_ref().map(|score| score.load(Relaxed))
    }
}

impl Setting for OomScores {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let words: [&[u8]; 3] = words.try_into().map_err(|_| WRONG_COUNT)?;
        let mut scores = [0; 3];
        for (score, word) in scores.iter_mut().zip(words) {
            let parsed = parse_loose(word).filter(|score| (-2000..=2000).contains(score));
            *score = parsed.ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")? as i32;
        }
        let changed = scores != self.read();
        if intent != Intent::Check {
            self.0.iter().zip(scores).for_each(|(cell, score)| cell.store(score, Relaxed));
        }
        Ok(changed)
    }

    fn text(&self) -> Vec<u8> {
        join(self.read().iter().map(i32::to_string))
    }

    fn file_lines(&self) -> Vec<FileLine> {
        vec![(self.text(), self.read() != OOM_SCORES)]
    }
}

/// Percentiles between 0 and 100.
pub struct Percentiles(RwLock<Arc<[f64]>>);

impl Percentiles {
    pub fn standard() -> Percentiles {
        Percentiles(RwLock::new([50.0, 99.0, 99.9].into()))
    }

    /// A percentile as people write it.
    pub fn print(percent: f64) -> String {
        let text = format!("{percent:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    }

    fn parse(word: &[u8]) -> Result<f64, String> {
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f64>().ok());
        let number = number.filter(|number| !number.is_nan());
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
        }
        Ok(number)
    }
}

impl Readable for Percentiles {
    type Output = Arc<[f64]>;

    fn read(&self) -> Arc<[f64]> {
        Arc::clone(&self.0.read())
    }
}

impl Setting for Percentiles {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let words = if is_none(words) { &[] } else { words };
        let numbers: Arc<[f64]> = words.iter().map(|word| Percentiles::parse(word)).collect::<Result<_, _>>()?;
        if intent != Intent::Check {
            *self.0.write() = numbers;
        }
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        join(self.read().iter().map(|number| Percentiles::print(*number)))
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let text = self.text();
        vec![(if text.is_empty() { b"\"\"".to_vec() } else { text }, true)]
    }
}

/// Addresses to listen on. A leading `-` marks those that may be missing.
pub struct Addresses(RwLock<Vec<Box<[u8]>>>);

const ADDRESSES: [&[u8]; 2] = [b"*", b"-::*"];
const MAX_ADDRESSES: usize = 16;

impl Addresses {
    pub fn standard() -> Addresses {
        Addresses(RwLock::new(ADDRESSES.map(Box::from).into()))
    }
}

impl Readable for Addresses {
    /// The addresses, with a space between them.
    type Output = Arc<str>;

    fn read(&self) -> Arc<str> {
        String::from_utf8_lossy(&self.text()).into()
    }
}

impl Setting for Addresses {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        if words.len() > MAX_ADDRESSES {
            return Err("Too many bind addresses specified.".into());
        }
        let words = if is_none(words) { &[] } else { words };
        if intent != Intent::Check {
            *self.0.write() = words.iter().map(|word| until_nul(word).into()).collect();
        }
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        self.0.read().join(&b' ')
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let addresses = self.0.read();
        if addresses.iter().map(|address| &**address).eq(ADDRESSES) {
            return Vec::new();
        }
        vec![(if addresses.is_empty() { b"\"\"".to_vec() } else { addresses.join(&b' ') }, true)]
    }
}

/// The primary that this server copies, as host and port.
pub struct ReplicaOf(RwLock<Option<(Arc<str>, u16)>>);

impl ReplicaOf {
    pub fn none() -> ReplicaOf {
        ReplicaOf(RwLock::new(None))
    }
}

impl Readable for ReplicaOf {
    type Output = Option<(Arc<str>, u16)>;

    fn read(&self) -> Option<(Arc<str>, u16)> {
        self.0.read().clone()
    }
}

impl Setting for ReplicaOf {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let [host, port] = words else { return Err(WRONG_COUNT.into()) };
        let none = host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one");
        let primary = if none {
            None
        } else {
            let port = parse_loose(port).and_then(|port| u16::try_from(port).ok()).ok_or("Invalid master port")?;
            Some((String::from_utf8_lossy(host).into(), port))
        };
        if intent != Intent::Check {
            *self.0.write() = primary;
        }
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        self.read().map(|(host, port)| format!("{host} {port}").into_bytes()).unwrap_or_default()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let text = self.text();
        if text.is_empty() { Vec::new() } else { vec![(text, true)] }
    }
}

/// The process's working directory. It has no value of its own: setting it moves the process there.
pub struct WorkingDirectory;

impl Readable for WorkingDirectory {
    type Output = Arc<str>;

    fn read(&self) -> Arc<str> {
        String::from_utf8_lossy(&self.text()).into()
    }
}

impl Setting for WorkingDirectory {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::OsStr::from_bytes(until_nul(single(words)?));
        match intent {
            // Looking up a name inside needs the same rights as going there.
            Intent::Check => std::fs::metadata(std::path::Path::new(path).join(".")).map(drop),
            Intent::Load | Intent::Change => std::env::set_current_dir(path),
        }
        .map_err(|error| os_error_text(&error))?;
        Ok(true)
    }

    fn text(&self) -> Vec<u8> {
        use std::os::unix::ffi::OsStringExt;
        std::env::current_dir().map(|path| path.into_os_string().into_vec()).unwrap_or_default()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let text = self.text();
        if text.is_empty() { Vec::new() } else { vec![(quoted(&text), true)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(setting: &impl Setting, words: &str, intent: Intent) -> Result<String, String> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        setting.set(&words, intent)?;
        Ok(String::from_utf8(setting.text()).expect("ASCII"))
    }

    #[test]
    fn save_points() {
        let points = SavePoints::standard();
        assert_eq!(points.text(), b"3600 1 300 100 60 10000");
        assert_eq!(set(&points, "900 1 300 10", Intent::Change), Ok("900 1 300 10".into()));
        assert_eq!(set(&points, "", Intent::Change), Ok("".into()));
        assert_eq!(points.file_lines(), [(b"\"\"".to_vec(), true)]);
        assert_eq!(set(&points, "900 0", Intent::Change), Ok("900 0".into()));
        for words in ["900 1 300", "0 1", "a b", "900  1", " 900 1", "900 -1", "1 1 "] {
            assert_eq!(set(&points, words, Intent::Change), Err("Invalid save parameters".into()), "{words}");
        }
    }

    #[test]
    fn lines_of_save_points_add_up() {
        let points = SavePoints::standard();
        assert_eq!(set(&points, "900 1", Intent::Load), Ok("900 1".into()));
        assert_eq!(set(&points, "300 10", Intent::Load), Ok("900 1 300 10".into()));
        assert_eq!(set(&points, "", Intent::Load), Ok("".into()));
        assert_eq!(set(&points, "1 1", Intent::Load), Ok("1 1".into()));
    }

    #[test]
    fn oom_scores() {
        let scores = OomScores::standard();
        assert_eq!(set(&scores, "800 200 0", Intent::Change), Ok("800 200 0".into()));
        assert_eq!(set(&scores, "0 1", Intent::Change), Err("wrong number of arguments".into()));
        let text = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        assert_eq!(set(&scores, "a b c", Intent::Change), Err(text.into()));
        assert_eq!(set(&scores, "-3000 1 1", Intent::Change), Err(text.into()));
    }

    #[test]
    fn percentiles() {
        let list = Percentiles::standard();
        assert_eq!(list.text(), b"50 99 99.9");
        for (words, text) in
            [("", ""), ("100 0", "100 0"), ("99.999999", "99.999999"), ("1e1", "10"), ("50.50", "50.5")]
        {
            assert_eq!(set(&list, words, Intent::Change), Ok(text.into()));
        }
        for words in ["x", "nan", "50  99"] {
            let text = "Invalid latency-tracking-info-percentiles parameters";
            assert_eq!(set(&list, words, Intent::Change), Err(text.into()));
        }
        for words in ["-1", "100.1", "inf"] {
            let text = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            assert_eq!(set(&list, words, Intent::Change), Err(text.into()));
        }
    }

    #[test]
    fn addresses() {
        let addresses = Addresses::standard();
        assert!(addresses.file_lines().is_empty());
        assert_eq!(set(&addresses, "127.0.0.1 ::1", Intent::Change), Ok("127.0.0.1 ::1".into()));
        assert_eq!(set(&addresses, "", Intent::Change), Ok("".into()));
        assert_eq!(addresses.file_lines(), [(b"\"\"".to_vec(), true)]);
        let many = "1 ".repeat(17);
        assert_eq!(set(&addresses, many.trim(), Intent::Change), Err("Too many bind addresses specified.".into()));
    }

    #[test]
    fn primaries() {
        let primary = ReplicaOf::none();
        assert_eq!(set(&primary, "host 6379", Intent::Load), Ok("host 6379".into()));
        assert_eq!(set(&primary, "host 99999", Intent::Load), Err("Invalid master port".into()));
        assert_eq!(set(&primary, "NO one", Intent::Load), Ok("".into()));
        assert_eq!(set(&primary, "host", Intent::Load), Err("wrong number of arguments".into()));
    }

    #[test]
    fn a_directory_must_exist() {
        let text = "No such file or directory";
        assert_eq!(set(&WorkingDirectory, "/no/such/folder", Intent::Check), Err(text.into()));
        assert!(set(&WorkingDirectory, "/", Intent::Check).is_ok());
    }
}
