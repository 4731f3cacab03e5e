//! The tool that checks a log, and cuts off what is wrong with its end: redis-check-aof in other words.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use protocol::OwnedArgs;
use protocol::log::{Item, LogReader, Problem};

use super::load::begins_as_snapshot;
use super::manifest::Manifest;
use crate::log;
use crate::persistence::check;
use crate::server::os_error_text;
use crate::version;

/// What became of a file that could be checked.
enum Finding {
    Valid,
    Empty,
    /// What is wrong with its end was cut off.
    Truncated,
    /// What came after the wanted time was cut off.
    TruncatedToTime,
}

/// The check ends here. What it has found was said.
#[derive(Debug)]
struct Ended;

impl From<io::Error> for Ended {
    /// Nobody reads what is said.
    fn from(_: io::Error) -> Ended {
        Ended
    }
}

/// What is to be done, and what is known so far.
struct Check<'io> {
    out: &'io mut dyn Write,
    answers: &'io mut dyn BufRead,
    fix: bool,
    /// Cut off what came after this, in Unix seconds.
    until: Option<i64>,
    /// Lines of all files so far.
    lines: u64,
}

/// How the tool is called where it has a name of its own.
pub const NAME: &str = "redis-check-aof";

/// Runs the tool. The arguments are those behind its name.
pub fn main(name: &OsStr, args: &[OsString]) -> ExitCode {
    let (mut out, mut answers) = (io::stdout().lock(), io::stdin().lock());
    let outcome = run(name, args, &mut out, &mut answers);
    let _ = out.flush();
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(name: &OsStr, args: &[OsString], out: &mut dyn Write, answers: &mut dyn BufRead) -> Result<(), Ended> {
    let (fix, until, path) = match args {
        [option] if option == "-v" || option == "--version" => return Ok(writeln!(out, "{}", version::line(NAME))?),
        [path] => (false, None, path),
        [option, path] if option == "--fix" => (true, None, path),
        [option, time, path] if option == "--truncate-to-timestamp" => {
            let Some(time) = time.to_str().and_then(|time| time.parse::<i64>().ok()) else {
                writeln!(out, "Invalid timestamp, aborting...")?;
                return Err(Ended);
            };
            // None is wanted where it is 0.
            (false, Some(time).filter(|time| *time != 0), path)
        }
        _ => {
            let name = name.display();
            writeln!(out, "Usage: {name} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>")?;
            return Err(Ended);
        }
    };
    let path = Path::new(path);
    let mut check = Check { out, answers, fix, until, lines: 1 };
    if check.is_manifest(path)? {
        return check.several(path);
    }
    let is_snapshot = check.is_snapshot(path)?;
    writeln!(check.out, "Start checking Old-Style AOF")?;
    let finding = check.one(path, path.as_os_str(), true, is_snapshot)?;
    check.tell(&finding, "AOF", path.as_os_str())
}

impl Check<'_> {
    fn open(&mut self, path: &Path) -> Result<File, Ended> {
        match File::open(path) {
            Ok(file) => Ok(file),
            Err(error) => {
                writeln!(self.out, "Cannot open file {}: {}", path.display(), os_error_text(&error))?;
                Err(Ended)
            }
        }
    }

    /// Whether a file has a line that names another.
    fn is_manifest(&mut self, path: &Path) -> Result<bool, Ended> {
        let mut input = BufReader::new(self.open(path)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A log may have lines of any length.
            match (&mut input).take(1024).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(false),
                Ok(_) if line.starts_with(b"file") => return Ok(true),
                Ok(_) => {}
                Err(_) => {
                    writeln!(self.out, "Cannot read file: {}", path.display())?;
                    return Err(Ended);
                }
            }
        }
    }

    fn is_snapshot(&mut self, path: &Path) -> Result<bool, Ended> {
        /// What is shorter is a log that makes no sense, which can be cut off.
        const SHORTEST: u64 = 8;
        let mut file = self.open(path)?;
        Ok(file.metadata()?.len() >= SHORTEST && begins_as_snapshot(&mut file)?)
    }

    /// Checks all files that a manifest names.
    fn several(&mut self, path: &Path) -> Result<(), Ended> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let manifest = match Manifest::read(BufReader::new(self.open(path)?)) {
            Ok(manifest) => manifest,
            Err(problem) => {
                problem.lines().iter().for_each(|line| log::warning!("{line}"));
                return Err(Ended);
            }
        };
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        // Files that a crash has left empty do not count: the end of the log is in front of them.
        let is_empty = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|file| file.len() == 0);
        let names: Vec<&str> = manifest.files().map(|file| &*file.name).collect();
        let mut left = names.iter().rposition(|name| !is_empty(name)).map_or(0, |last| last + 1);
        if let Some(base) = &manifest.base {
            left = left.saturating_sub(1);
            let path = folder.join(&base.name);
            let is_snapshot = self.is_snapshot(&path)?;
            let form = if is_snapshot { "RDB" } else { "RESP" };
            writeln!(self.out, "Start to check BASE AOF ({form} format).")?;
            let finding = self.one(&path, OsStr::new(&base.name), left == 0, is_snapshot)?;
            self.tell(&finding, "BASE AOF", OsStr::new(&base.name))?;
        }
        if !manifest.increments.is_empty() {
            writeln!(self.out, "Start to check INCR files.")?;
        }
        for file in &manifest.increments {
            left = left.saturating_sub(1);
            let finding = self.one(&folder.join(&file.name), OsStr::new(&file.name), left == 0, false)?;
            self.tell(&finding, "INCR AOF", OsStr::new(&file.name))?;
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(())
    }

    fn tell(&mut self, finding: &Finding, what: &str, name: &OsStr) -> Result<(), Ended> {
        let name = name.display();
        match finding {
            Finding::Valid => writeln!(self.out, "{what} {name} is valid")?,
            Finding::Empty => writeln!(self.out, "{what} {name} is empty")?,
            Finding::Truncated => writeln!(self.out, "Successfully truncated AOF {name}")?,
            Finding::TruncatedToTime => {
                let until = self.until.unwrap_or_default();
                writeln!(self.out, "Successfully truncated AOF {name} to timestamp {until}")?;
            }
        }
        Ok(())
    }

    /// Checks one file, which may begin as a snapshot. Only the last one of several is changed.
    fn one(&mut self, path: &Path, name: &OsStr, is_last: bool, is_snapshot: bool) -> Result<Finding, Ended> {
        let shown = name.display();
        let opened = File::options().read(true).write(true).open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => {
                let reason = os_error_text(&error);
                writeln!(self.out, "Cannot open file {}: {reason}, aborting...", path.display())?;
                return Err(Ended);
            }
        };
        let size = file.metadata()?.len();
        if size == 0 {
            return Ok(Finding::Empty);
        }
        let start = if is_snapshot { self.preamble(&mut file, path)? } else { 0 };
        file.seek(io::SeekFrom::Start(start))?;
        let mut reader = LogReader::new(&file, start);
        let (valid, problem) = match self.commands(&mut reader, path, name, is_last)? {
            Walk::Ended(valid, problem) => (valid, problem),
            Walk::Late(at) => {
                file.set_len(at)?;
                return Ok(Finding::TruncatedToTime);
            }
        };
        self.lines += reader.lines();
        if let Some(problem) = problem {
            writeln!(self.out, "{problem}")?;
        }
        let rest = size.saturating_sub(valid);
        if let Some(until) = self.until.filter(|_| rest == 0) {
            writeln!(self.out, "Truncate nothing in AOF {shown} to timestamp {until}")?;
            return Ok(Finding::Valid);
        }
        writeln!(
            self.out,
            "AOF analyzed: filename={shown}, size={size}, ok_up_to={valid}, ok_up_to_line={}, diff={rest}",
            self.lines
        )?;
        if rest == 0 {
            return Ok(Finding::Valid);
        }
        if !self.fix {
            writeln!(self.out, "AOF {shown} is not valid. Use the --fix option to try fixing it.")?;
            return Err(Ended);
        }
        if !is_last {
            writeln!(self.out, "Failed to truncate AOF {shown} because it is not the last file")?;
            return Err(Ended);
        }
        writeln!(self.out, "This will shrink the AOF {shown} from {size} bytes, with {rest} bytes, to {valid} bytes")?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if !answer.starts_with(['y', 'Y']) {
            writeln!(self.out, "Aborting...")?;
            return Err(Ended);
        }
        file.set_len(valid)?;
        Ok(Finding::Truncated)
    }

    /// Walks over the commands of a file.
    fn commands(
        &mut self,
        reader: &mut LogReader<&File>,
        path: &Path,
        name: &OsStr,
        is_last: bool,
    ) -> Result<Walk, Ended> {
        let shown = path.display();
        let mut args = OwnedArgs::new();
        let (mut valid, mut within) = (reader.position(), false);
        loop {
            if !within {
                valid = reader.position();
            }
            let at = reader.position();
            let told = |at: u64, what: &str| Walk::Ended(valid, Some(format!("0x{at:>16x}: {what}")));
            args.clear();
            match reader.next(&mut args) {
                Ok(None) if within => {
                    return Ok(told(reader.looked_at(), "Reached EOF before reading EXEC for MULTI"));
                }
                Ok(None) => return Ok(Walk::Ended(valid, None)),
                Ok(Some(Item::Annotation(line))) => {
                    if self.is_late(&line)? {
                        return self.cut_at(at, path, is_last);
                    }
                }
                Ok(Some(Item::Command)) => {
                    let name = args.as_args().get(0).unwrap_or_default().to_ascii_lowercase();
                    match name.as_slice() {
                        b"multi" if within => {
                            return Ok(told(reader.looked_at(), &format!("Unexpected MULTI in AOF {shown}")));
                        }
                        b"exec" if !within => {
                            return Ok(told(reader.looked_at(), &format!("Unexpected EXEC in AOF {shown}")));
                        }
                        b"multi" => within = true,
                        b"exec" => within = false,
                        _ => {}
                    }
                }
                Err(Problem::Truncated(_, None)) if within => {
                    return Ok(told(reader.looked_at(), "Reached EOF before reading EXEC for MULTI"));
                }
                Err(Problem::Truncated(_, None)) => return Ok(Walk::Ended(valid, None)),
                Err(Problem::Truncated(at, Some(what)) | Problem::Malformed(at, what)) => return Ok(told(at, &what)),
                Err(Problem::NoItem(_)) => {
                    return Ok(Walk::Ended(valid, Some(format!("AOF {} format error", name.display()))));
                }
                Err(Problem::Io(_)) => {
                    writeln!(self.out, "Failed to read from AOF {}, aborting...", name.display())?;
                    return Err(Ended);
                }
            }
        }
    }

    /// Whether an annotation tells of a time after the wanted one.
    fn is_late(&mut self, line: &[u8]) -> Result<bool, Ended> {
        let (Some(until), Some(time)) = (self.until, line.strip_prefix(b"#TS:")) else { return Ok(false) };
        let time = time.strip_suffix(b"\r\n").and_then(|time| std::str::from_utf8(time).ok()?.parse::<i64>().ok());
        match time {
            Some(time) => Ok(time > until),
            None => {
                writeln!(self.out, "Invalid timestamp annotation")?;
                Err(Ended)
            }
        }
    }

    fn cut_at(&mut self, at: u64, path: &Path, is_last: bool) -> Result<Walk, Ended> {
        let (shown, until) = (path.display(), self.until.unwrap_or_default());
        if at == 0 {
            writeln!(self.out, "AOF {shown} has nothing before timestamp {until}, aborting...")?;
            return Err(Ended);
        }
        if !is_last {
            writeln!(
                self.out,
                "Failed to truncate AOF {shown} to timestamp {until} to offset {at} because it is not the last file.\n\
                 If you insist, please delete all files after this file according to the manifest file and delete the \
                 corresponding records in manifest file manually. Then re-run redis-check-aof."
            )?;
            return Err(Ended);
        }
        Ok(Walk::Late(at))
    }

    /// Checks the snapshot that a file begins with. Answers where it ends.
    fn preamble(&mut self, file: &mut File, path: &Path) -> Result<u64, Ended> {
        writeln!(self.out, "[offset 0] Checking RDB file {}", path.display())?;
        let Some(end) = check::check(file, self.out)? else {
            writeln!(self.out, "RDB preamble of AOF file is not sane, aborting.")?;
            return Err(Ended);
        };
        writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
        Ok(end)
    }
}

/// How a walk over a file has ended.
enum Walk {
    /// Up to where all is in order, and what is wrong behind that.
    Ended(u64, Option<String>),
    /// What begins there came after the wanted time.
    Late(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a log, whether all is in order, and what is left of it.
    fn checked(options: &[&str], log: &[u8], answer: &str) -> (String, bool, Vec<u8>) {
        let folder = tempfile::tempdir().expect("there is room for one");
        let path = folder.path().join("log");
        std::fs::write(&path, log).expect("it can be written");
        let args: Vec<OsString> = options.iter().map(OsString::from).chain([path.clone().into()]).collect();
        let mut out = Vec::new();
        let outcome = run(OsStr::new("check"), &args, &mut out, &mut answer.as_bytes());
        let said = String::from_utf8(out).expect("ASCII").replace(&*path.to_string_lossy(), "log");
        (said, outcome.is_ok(), std::fs::read(&path).expect("it is there"))
    }

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    #[test]
    fn what_is_in_order_is_left_alone() {
        let (said, fine, _) = checked(&[], PING, "");
        let analyzed = "AOF analyzed: filename=log, size=14, ok_up_to=14, ok_up_to_line=4, diff=0";
        assert!(fine && said == format!("Start checking Old-Style AOF\n{analyzed}\nAOF log is valid\n"), "{said}");
        let (said, fine, _) = checked(&[], b"", "");
        assert!(fine && said == "Start checking Old-Style AOF\nAOF log is empty\n", "{said}");
    }

    #[test]
    fn an_end_that_is_missing_is_cut_off_when_wanted() {
        let log = [PING, b"*2\r\n$3\r\nGET\r\n$1\r\na"].concat();
        let (said, fine, left) = checked(&[], &log, "");
        assert!(!fine && left == log && said.contains("0x              1f: Expected to read 3 bytes, got 1 bytes\n"));
        let (said, fine, left) = checked(&["--fix"], &log, "n\n");
        assert!(!fine && left == log && said.ends_with("Continue? [y/N]: Aborting...\n"));
        let (said, fine, left) = checked(&["--fix"], &log, "y\n");
        assert!(fine && left == PING && said.ends_with("[y/N]: Successfully truncated AOF log\n"), "{said}");
    }

    #[test]
    fn what_is_too_short_for_a_snapshot_is_a_log_that_makes_no_sense() {
        let (said, fine, left) = checked(&["--fix"], b"REDIS", "y\n");
        assert!(fine && left.is_empty() && said.contains("AOF log format error\n"), "{said}");
        let (said, fine, _) = checked(&["--fix"], b"REDIS001", "y\n");
        assert!(!fine && said.ends_with("RDB preamble of AOF file is not sane, aborting.\n"), "{said}");
    }

    #[test]
    fn the_tool_has_a_version() {
        for option in ["-v", "--version"] {
            let mut out = Vec::new();
            assert!(run(OsStr::new("check"), &[option.into()], &mut out, &mut &b""[..]).is_ok());
            assert_eq!(String::from_utf8_lossy(&out), version::line("redis-check-aof") + "\n");
        }
    }

    #[test]
    fn transactions_are_whole_or_wrong() {
        let multi = b"*1\r\n$5\r\nMULTI\r\n";
        for (log, at, text) in [
            ([&multi[..], PING].concat(), 23, "Reached EOF before reading EXEC for MULTI"),
            ([&multi[..], multi].concat(), 23, "Unexpected MULTI in AOF log"),
            (b"*1\r\n$4\r\nEXEC\r\n".to_vec(), 8, "Unexpected EXEC in AOF log"),
        ] {
            let (said, fine, _) = checked(&[], &log, "");
            assert!(!fine && said.contains(&format!("0x{at:>16x}: {text}\n")), "{said}");
            assert!(said.contains("ok_up_to=0,"), "{said}");
        }
    }

    #[test]
    fn what_came_too_late_is_cut_off() {
        let early = [b"#TS:10\r\n", PING].concat();
        let log = [&early[..], b"#TS:20\r\n", PING].concat();
        let (said, fine, left) = checked(&["--truncate-to-timestamp", "15"], &log, "");
        assert!(fine && left == early && said.ends_with("Successfully truncated AOF log to timestamp 15\n"), "{said}");
        let (said, fine, _) = checked(&["--truncate-to-timestamp", "5"], &log, "");
        assert!(!fine && said.ends_with("AOF log has nothing before timestamp 5, aborting...\n"), "{said}");
        assert!(checked(&["--truncate-to-timestamp", "x"], &log, "").0.starts_with("Invalid timestamp"));
    }
}
