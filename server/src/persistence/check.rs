//! The tool that checks a snapshot and tells what is in it, or where it is damaged: redis-check-rdb in other words.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use storage::list::NodeLimit;
use storage::rdb::Limits;
use storage::rdb::file::{Batch, FileError, FileReader, Note, Part};
use storage::set::SetLimits;
use storage::{PackLimits, rdb};

use crate::server::{os_error_text, unix_ms};
use crate::version;

/// How the tool is called where it has a name of its own.
pub const NAME: &str = "redis-check-rdb";

/// Runs the tool. The arguments are those behind its name.
pub fn main(name: &OsStr, args: &[OsString]) -> ExitCode {
    let [path] = args else {
        eprintln!("Usage: {} <rdb-file-name>", name.display());
        return ExitCode::FAILURE;
    };
    let mut out = io::stdout().lock();
    if path == "-v" || path == "--version" {
        // Where nobody reads, nothing is lost.
        let _ = writeln!(out, "{}", version::line(NAME));
        return ExitCode::SUCCESS;
    }
    let outcome = check_file(path, &mut out);
    let told = out.flush();
    match outcome.and_then(|outcome| told.map(|()| outcome)) {
        Ok(Some(_)) => ExitCode::SUCCESS,
        Ok(None) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}: {}", path.display(), os_error_text(&error));
            ExitCode::FAILURE
        }
    }
}

fn check_file(path: &OsStr, out: &mut dyn Write) -> io::Result<Option<u64>> {
    writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
    check(File::open(path)?, out)
}

/// Checks a snapshot. Tells what stands in it and whether it is in order; answers where it ends if it is.
pub fn check(file: impl Read, out: &mut dyn Write) -> io::Result<Option<u64>> {
    let mut report = Report { out, keys: 0, expires: 0, expired: 0, timed: 0, now_ms: unix_ms() };
    let mut reader = match FileReader::new(file, usize::MAX) {
        Ok(reader) => reader,
        Err(problem) => {
            // What was read up to there is the header, or nothing.
            const HEADER: u64 = 9;
            let offset = if matches!(problem, FileError::Signature | FileError::Version(_)) { HEADER } else { 0 };
            return report.problem(&Trouble { offset, ..Trouble::new(&problem, Part::Header) });
        }
    };
    let mut has_checksum = true;
    loop {
        let problem = match reader.next_batch() {
            Ok(Some(batch)) => {
                has_checksum &= !batch.notes.iter().any(|(_, note)| *note == Note::NoChecksum);
                if !report.batch(&batch)? {
                    return Ok(None);
                }
                continue;
            }
            Ok(None) => break,
            Err(problem) => problem,
        };
        let (key, form) = reader.key();
        report.keys += u64::from(key.is_some());
        let mut trouble = Trouble { key: key.as_deref(), form, ..Trouble::new(&problem, reader.part()) };
        if matches!(problem, FileError::Checksum(..)) {
            trouble.offset = reader.end();
        }
        return report.problem(&trouble);
    }
    let end = reader.end();
    if has_checksum && reader.has_checksum() {
        writeln!(report.out, "[offset {end}] Checksum OK")?;
    }
    writeln!(report.out, "[offset {end}] \\o/ RDB looks OK! \\o/")?;
    report.figures()?;
    Ok(Some(end))
}

/// What is wrong with a file, and where.
struct Trouble<'t> {
    offset: u64,
    text: String,
    part: Part,
    key: Option<&'t [u8]>,
    form: Option<u8>,
}

impl Trouble<'_> {
    fn new(problem: &FileError, part: Part) -> Self {
        const ENDS_EARLY: &str = "Unexpected EOF reading RDB file";
        let offset = if let FileError::Content(offset, _) = problem { *offset } else { 0 };
        let text = match problem {
            FileError::Content(_, rdb::Error::Truncated | rdb::Error::Empty) => ENDS_EARLY.to_owned(),
            FileError::Content(_, rdb::Error::UnknownKind(kind)) => format!("Invalid object type: {kind}"),
            FileError::Checksum(..) => "RDB CRC error".to_owned(),
            FileError::Io(error) => format!("{ENDS_EARLY}: {}", os_error_text(error)),
            other => other.to_string(),
        };
        Trouble { offset, text, part, key: None, form: None }
    }
}

/// What is told, and counted for the end.
struct Report<'o> {
    out: &'o mut dyn Write,
    keys: u64,
    expires: u64,
    expired: u64,
    /// Hashes with fields that expire.
    timed: u64,
    now_ms: i64,
}

impl Report<'_> {
    /// Reads all values of a batch. Tells whether they are in order.
    fn batch(&mut self, batch: &Batch) -> io::Result<bool> {
        let limits = limits();
        for entry in batch.entries() {
            let (entry, problem) = match entry {
                Ok(entry) => {
                    self.keys += 1;
                    let problem = match entry.load(&limits) {
                        Ok(Some(value)) => {
                            self.timed += u64::from(value.is_timed());
                            None
                        }
                        Err(FileError::Content(_, rdb::Error::Module(_))) => None,
                        Ok(None) => Some(FileError::Content(entry.offset, rdb::Error::Empty)),
                        Err(problem) => Some(problem),
                    };
                    (Some(entry), problem)
                }
                Err(problem) => (None, Some(problem)),
            };
            if let Some(problem) = problem {
                let part = if entry.is_some() { Part::Value } else { Part::Key };
                let trouble = Trouble::new(&problem, part);
                self.notes(batch, trouble.offset)?;
                let (key, form) = entry.map_or((None, None), |entry| (Some(entry.key), Some(entry.attributes.form)));
                return self.problem(&Trouble { key: key.as_deref(), form, ..trouble }).map(|_| false);
            }
            let Some(entry) = entry else { continue };
            self.expires += u64::from(entry.attributes.expiry.is_some());
            self.expired += u64::from(entry.attributes.expiry.is_some_and(|when| when < self.now_ms));
        }
        self.notes(batch, u64::MAX)?;
        Ok(true)
    }

    /// Tells what stands among the keys in front of a place.
    fn notes(&mut self, batch: &Batch, before: u64) -> io::Result<()> {
        for (end, note) in batch.notes.iter().take_while(|(end, _)| *end <= before) {
            match note {
                Note::Database(number) => writeln!(self.out, "[offset {end}] Selecting DB ID {number}")?,
                Note::Aux(name, value) => {
                    write!(self.out, "[offset {end}] AUX FIELD ")?;
                    self.out.write_all(up_to_nul(name))?;
                    self.out.write_all(b" = '")?;
                    self.out.write_all(up_to_nul(value))?;
                    self.out.write_all(b"'\n")?;
                }
                Note::Module(name) => writeln!(self.out, "[offset {end}] MODULE AUX for: {name}")?,
                Note::NoChecksum => {
                    let text = "RDB file was saved with checksum disabled: no check performed.";
                    writeln!(self.out, "[offset {end}] {text}")?;
                }
                Note::Function(_) => {}
            }
        }
        Ok(())
    }

    fn problem(&mut self, trouble: &Trouble<'_>) -> io::Result<Option<u64>> {
        writeln!(self.out, "--- RDB ERROR DETECTED ---")?;
        writeln!(self.out, "[offset {}] {}", trouble.offset, trouble.text)?;
        writeln!(self.out, "[additional info] While doing: {}", part_name(trouble.part))?;
        if let Some(key) = trouble.key {
            self.out.write_all(b"[additional info] Reading key '")?;
            self.out.write_all(up_to_nul(key))?;
            self.out.write_all(b"'\n")?;
        }
        if let Some(form) = trouble.form {
            writeln!(self.out, "[additional info] Reading type {form} ({})", rdb::form_name(form))?;
        }
        self.figures()?;
        Ok(None)
    }

    fn figures(&mut self) -> io::Result<()> {
        writeln!(self.out, "[info] {} keys read", self.keys)?;
        writeln!(self.out, "[info] {} expires", self.expires)?;
        writeln!(self.out, "[info] {} already expired", self.expired)?;
        writeln!(self.out, "[info] {} subexpires", self.timed)
    }
}

/// What the tool was doing, as it says.
fn part_name(part: Part) -> &'static str {
    match part {
        Part::Header => "start",
        Part::Form => "read-type",
        Part::Expiry => "read-expire",
        Part::Number => "read-len",
        Part::Aux => "read-aux",
        Part::Module => "read-module-aux",
        Part::Function => "read-functions",
        Part::Key => "read-key",
        Part::Value => "read-object-value",
        Part::Checksum => "check-sum",
    }
}

/// Texts end there for who reads them as C does.
fn up_to_nul(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// Values are only looked at, so it does not matter which of them are small.
fn limits() -> Limits {
    const PACKED: PackLimits = PackLimits { entries: 128, value: 64 };
    let set = SetLimits { ints: 512, packed: PACKED };
    Limits { list: NodeLimit::new(-2), set, zset: PACKED, hash: PACKED }
}
