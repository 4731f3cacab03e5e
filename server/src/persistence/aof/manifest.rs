//! The manifest: which files make up the log, and in what order they are read.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//!
//! A base (`b`) is all data at one moment, incremental files (`i`) are what came after it, and history (`h`) is what a
//! rewrite has replaced and that is about to be deleted. There is at most one base, and it comes first.

use std::io::{BufRead, Read};

use crate::config::split_words;
use crate::monitor;

/// No line may be longer than this, with its end.
const MAX_LINE: u64 = 1024;
/// No number may be higher, so that there are always further ones.
const MAX_SEQ: i64 = i64::MAX / 2;

/// One of the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFile {
    pub name: String,
    pub seq: i64,
}

/// See the module's description.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    pub base: Option<LogFile>,
    pub increments: Vec<LogFile>,
    pub history: Vec<LogFile>,
    /// The highest number that a base has had, and an incremental file.
    base_seq: i64,
    increment_seq: i64,
}

/// Why a manifest cannot be used.
#[derive(PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// The line that is wrong, and its number, where it is one.
    pub line: Option<(usize, String)>,
    pub reason: &'static str,
}

impl Unreadable {
    /// What the log says before the server gives up.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["\n*** FATAL AOF MANIFEST FILE ERROR ***\n".to_owned()];
        if let Some((number, line)) = &self.line {
            lines.push(format!("Reading the manifest file, at line {number}\n"));
            lines.push(format!(">>> '{line}'\n"));
        }
        lines.push(format!("{}\n", self.reason));
        lines
    }
}

impl Manifest {
    /// Reads a manifest.
    pub fn read(mut input: impl BufRead) -> Result<Manifest, Unreadable> {
        let mut manifest = Manifest::default();
        for number in 1.. {
            let whole = |reason| Unreadable { line: None, reason };
            let mut line = Vec::new();
            let count = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line);
            match count.map_err(|_| whole("Read AOF manifest failed"))? {
                0 if number == 1 => return Err(whole("Found an empty AOF manifest")),
                0 => break,
                _ if line.starts_with(b"#") => continue,
                _ if !line.ends_with(b"\n") => return Err(whole("The AOF manifest file contains too long line")),
                _ => {}
            }
            let line = line.trim_ascii();
            manifest.add(line).map_err(|reason| {
                let line = Some((number, String::from_utf8_lossy(line).into_owned()));
                Unreadable { line, reason }
            })?;
        }
        Ok(manifest)
    }

    /// Takes one line in.
    fn add(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const MALFORMED: &str = "Invalid AOF manifest file format";
        let words = split_words(line).ok_or(MALFORMED)?;
        // More than the three pairs may come from later versions.
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(MALFORMED);
        }
        let (mut name, mut seq, mut kind) = (None, 0, None);
        for pair in words.chunks_exact(2) {
            let [key, value] = pair else { continue };
            match key.to_ascii_lowercase().as_slice() {
                b"file" if !is_base_name(value) => return Err("File can't be a path, just a filename"),
                b"file" => name = Some(String::from_utf8(value.clone()).map_err(|_| MALFORMED)?),
                b"seq" => seq = leading_number(value),
                b"type" => kind = value.first().copied(),
                _ => {}
            }
        }
        let (Some(name), 1..=MAX_SEQ, Some(kind)) = (name, seq, kind) else { return Err(MALFORMED) };
        let file = LogFile { name, seq };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.base_seq = seq;
                self.base = Some(file);
            }
            b'h' => self.history.push(file),
            b'i' if seq <= self.increment_seq => return Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.increment_seq = seq;
                self.increments.push(file);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// What stands in the file. An error if nobody could read that, because a name takes too long a line.
    pub fn text(&self) -> Result<String, &'static str> {
        let mut text = String::new();
        let kinds = [("b", self.base.as_slice()), ("h", &self.history), ("i", &self.increments)];
        for (kind, files) in kinds {
            for LogFile { name, seq } in files {
                let begin = text.len();
                text.push_str("file ");
                if needs_quotes(name) {
                    monitor::quote(name.as_bytes(), &mut text);
                } else {
                    text.push_str(name);
                }
                text.push_str(&format!(" seq {seq} type {kind}\n"));
                if (text.len() - begin) as u64 > MAX_LINE {
                    return Err("a file's name is too long for it");
                }
            }
        }
        Ok(text)
    }

    /// Whether nothing is to be read.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files that are to be read, in their order.
    pub fn files(&self) -> impl Iterator<Item = &LogFile> {
        self.base.iter().chain(&self.increments)
    }

    /// Makes the single file of a server before 7.0 the base.
    pub fn adopt(&mut self, name: &str) {
        self.base_seq = 1;
        self.base = Some(LogFile { name: name.to_owned(), seq: 1 });
    }

    /// Puts a new base in the place of the old one, which becomes history. Answers its name.
    pub fn new_base(&mut self, prefix: &str, as_snapshot: bool) -> String {
        self.history.splice(0..0, self.base.take());
        let form = if as_snapshot { "rdb" } else { "aof" };
        let file = self.unused(self.base_seq, |seq| format!("{prefix}.{seq}.base.{form}"));
        self.base_seq = file.seq;
        self.base.insert(file).name.clone()
    }

    /// Adds an incremental file. Answers its name.
    pub fn new_increment(&mut self, prefix: &str) -> String {
        let file = self.unused(self.increment_seq, |seq| format!("{prefix}.{seq}.incr.aof"));
        let name = file.name.clone();
        self.increment_seq = file.seq;
        self.increments.push(file);
        name
    }

    /// A file with the next number behind `seq` whose name none has, whatever numbers those say that they have.
    fn unused(&self, mut seq: i64, name: impl Fn(i64) -> String) -> LogFile {
        loop {
            seq += 1;
            let name = name(seq);
            if self.files().chain(&self.history).all(|file| file.name != name) {
                return LogFile { name, seq };
            }
        }
    }

    /// Incremental files before the last so many are in the base now.
    pub fn retire_increments(&mut self, keep: usize) {
        let retired = self.increments.len().saturating_sub(keep);
        self.history.splice(0..0, self.increments.drain(..retired).rev());
    }
}

/// A name without a path in front of it.
fn is_base_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| b"/\\".contains(byte))
}

/// Whether a name would not be read as it is without quotes.
fn needs_quotes(name: &str) -> bool {
    name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_graphic() || b"\\\"'".contains(&byte))
}

/// The number that some text begins with, as C reads it; 0 where there is none.
fn leading_number(text: &[u8]) -> i64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text.get(..digits).unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Manifest, &'static str> {
        Manifest::read(text.as_bytes()).map_err(|problem| problem.reason)
    }

    #[test]
    fn reads_what_it_writes() {
        let text = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n";
        let mut manifest = read(text).expect("it is in order");
        assert_eq!(manifest.text().as_deref(), Ok(text));
        assert_eq!(manifest.new_increment("a"), "a.3.incr.aof");
        assert_eq!(manifest.new_base("a", false), "a.3.base.aof");
        manifest.retire_increments(1);
        let after = "file a.3.base.aof seq 3 type b\nfile a.2.incr.aof seq 2 type h\nfile a.2.base.rdb seq 2 type h\n\
                     file a.1.incr.aof seq 1 type h\nfile a.3.incr.aof seq 3 type i\n";
        assert_eq!(manifest.text().as_deref(), Ok(after));
        assert_eq!(read(after).and_then(|manifest| manifest.text()), Ok(after.into()));
    }

    #[test]
    fn names_are_quoted_where_they_have_to() {
        let text = "file \"a file \\\"x\\\".1.base.rdb\" seq 1 type b\n";
        let manifest = read(text).expect("it is in order");
        assert_eq!(manifest.base.as_ref().map(|file| &file.name[..]), Some("a file \"x\".1.base.rdb"));
        assert_eq!(manifest.text().as_deref(), Ok(text));
    }

    #[test]
    fn a_new_name_is_nobody_elses() {
        let mut manifest =
            read("file a.1.base.rdb seq 7 type h\nfile a.2.incr.aof seq 1 type i\n").expect("it is in order");
        assert_eq!(manifest.new_base("a", true), "a.2.base.rdb");
        assert_eq!(manifest.new_increment("a"), "a.3.incr.aof");
        assert_eq!(manifest.new_increment("a"), "a.4.incr.aof");
    }

    #[test]
    fn what_nobody_could_read_is_not_written() {
        // Quotes and escapes make four characters of each byte.
        let manifest = read(&format!("file {} seq 1 type b\n", "\u{7f}".repeat(300))).expect("it is in order");
        assert!(manifest.text().is_err());
    }

    #[test]
    fn later_versions_may_say_more() {
        let text = "# a comment\nfile a seq 1 type b\nFILE b SEQ 3x TYPE incr startoffset 0\n";
        let manifest = read(text).expect("it is in order");
        assert_eq!(manifest.text().as_deref(), Ok("file a seq 1 type b\nfile b seq 3 type i\n"));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let long = format!("file {} seq 1 type b\n", "a".repeat(1024));
        for (text, reason) in [
            ("", "Found an empty AOF manifest"),
            ("\n", "Invalid AOF manifest file format"),
            ("file a seq 1\n", "Invalid AOF manifest file format"),
            ("file a seq 1 type b x\n", "Invalid AOF manifest file format"),
            ("file \"a seq 1 type b\n", "Invalid AOF manifest file format"),
            ("file a seq x type b\n", "Invalid AOF manifest file format"),
            ("file a seq 9223372036854775807 type b\n", "Invalid AOF manifest file format"),
            ("file a seq 1 sort b\n", "Invalid AOF manifest file format"),
            ("file a/b seq 1 type b\n", "File can't be a path, just a filename"),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
            ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
            ("file a seq 1 type b", "The AOF manifest file contains too long line"),
            (&long, "The AOF manifest file contains too long line"),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
        let problem = Manifest::read(&b"file a seq 1 type b\nx\n"[..]).expect_err("it is wrong");
        assert_eq!(problem.line, Some((2, "x".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(lines in prop::collection::vec("(file |seq |type |[abhi\"\\\\#x0-9 -]){0,12}", 0..6)) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            if let Ok(manifest) = read(&text) && let Ok(written) = manifest.text() {
                prop_assert_eq!(written.is_empty(), manifest.is_empty() && manifest.history.is_empty());
                if !written.is_empty() {
                    prop_assert_eq!(read(&written).and_then(|again| again.text()), Ok(written));
                }
            }
        }
    }
}
