//! The append-only log as bytes: requests as [`crate::encode`] writes them, and annotations between them. Unlike what comes from
//! a client it is known to be whole or to have been cut off, so it is said where it is wrong and how.

use std::io::{self, Read};

use crate::request::{BIG_ARG, OwnedArgs};
use bytes::Bytes;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// The longest line that tells a length, and the longest annotation, each with its end.
const MAX_LENGTH_LINE: usize = 127;
const MAX_ANNOTATION: usize = 1023;

/// What stands in a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A command; its arguments are where the reader was told to add them.
    Command,
    /// A line that begins with `#`, with its end.
    Annotation(Vec<u8>),
}

/// Why a log cannot be read on. The texts are those of redis-check-aof.
#[derive(Debug)]
pub enum Problem {
    Io(io::Error),
    /// It ends within an item, at an offset.
    Truncated(u64, Option<String>),
    /// What stands at an offset cannot be.
    Malformed(u64, String),
    /// Something else than an item begins at an offset.
    NoItem(u64),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        Problem::Io(error)
    }
}

/// Reads a log from its start to its end.
pub struct LogReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// What was read of the buffer.
    at: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    /// Ends of lines that were passed.
    lines: u64,
    /// Where the length or argument began that was looked at last.
    looked_at: u64,
}

impl<R: Read> LogReader<R> {
    /// Goes on at an offset, which is where `input` stands.
    pub fn new(input: R, offset: u64) -> LogReader<R> {
        LogReader { input, buffer: Vec::new(), at: 0, offset, lines: 0, looked_at: offset }
    }

    /// How far the log was read.
    pub fn position(&self) -> u64 {
        self.offset + self.at as u64
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The next item; `None` at the end. Adds the arguments of a command to `args`, of one that is not whole in part.
    pub fn next(&mut self, args: &mut OwnedArgs) -> Result<Option<Item>, Problem> {
        if self.fill(1)? == 0 {
            return Ok(None);
        }
        match self.buffer.get(self.at) {
            Some(b'*') => {
                let count = self.length(b'*')?;
                for _ in 0..count {
                    self.argument(args)?;
                }
                Ok(Some(Item::Command))
            }
            Some(b'#') => Ok(Some(Item::Annotation(self.line(MAX_ANNOTATION)?.to_vec()))),
            _ => Err(Problem::NoItem(self.position())),
        }
    }

    /// Has so many bytes ready to be looked at, fewer only at the end. Answers how many there are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        while self.buffer.len() - self.at < wanted {
            if self.at > 0 {
                self.buffer.drain(..self.at);
                self.offset += self.at as u64;
                self.at = 0;
            }
            // What a length claims to follow gets no room before it is there.
            if (&mut self.input).take(CHUNK as u64).read_to_end(&mut self.buffer)? == 0 {
                break;
            }
        }
        Ok(self.buffer.len() - self.at)
    }

    /// The next bytes up to the end of a line, or as many as there are or may be.
    fn line(&mut self, most: usize) -> io::Result<&[u8]> {
        self.fill(most)?;
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let rest = rest.get(..most).unwrap_or(rest);
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let start = self.at;
        self.at += end;
        Ok(self.buffer.get(start..self.at).unwrap_or_default())
    }

    /// A line that tells how much follows.
    fn length(&mut self, prefix: u8) -> Result<i64, Problem> {
        let at = self.position();
        self.looked_at = at;
        if let Some(length) = self.usual_length(prefix) {
            return Ok(length);
        }
        let line = self.line(MAX_LENGTH_LINE)?;
        let Some((&first, rest)) = line.split_first() else { return Err(Problem::Truncated(at, None)) };
        if first != prefix {
            let (prefix, first) = (prefix as char, first as char);
            return Err(Problem::Malformed(at, format!("Expected prefix '{prefix}', got: '{first}'")));
        }
        let is_cut_off = !line.ends_with(b"\n") && line.len() < MAX_LENGTH_LINE;
        let (value, end) = leading_number(rest);
        if end != b"\r\n" {
            let what = no_line_end(end);
            return Err(if is_cut_off { Problem::Truncated(at, Some(what)) } else { Problem::Malformed(at, what) });
        }
        self.lines += 1;
        Ok(value)
    }

    /// The same where it looks as it always does and is there already: nothing costs as much time as these lines.
    fn usual_length(&mut self, prefix: u8) -> Option<i64> {
        const DIGITS: usize = 10;
        let line = self.buffer.get(self.at..)?.strip_prefix(&[prefix])?;
        let mut length = 0;
        for (digits, byte) in line.iter().take(DIGITS + 1).enumerate() {
            if !byte.is_ascii_digit() {
                let is_whole = digits > 0 && line.get(digits..digits + 2)? == b"\r\n";
                self.at += if is_whole { 1 + digits + 2 } else { 0 };
                self.lines += u64::from(is_whole);
                return is_whole.then_some(length);
            }
            length = length * 10 + i64::from(byte - b'0');
        }
        None
    }

    fn argument(&mut self, args: &mut OwnedArgs) -> Result<(), Problem> {
        let at = self.position();
        let length = self.length(b'$')?;
        let out_of_range = || {
            let what = format!("Expected to read string of {length} bytes, which is not in the suitable range");
            Problem::Malformed(at, what)
        };
        let whole = usize::try_from(length).ok().and_then(|length| length.checked_add(2));
        let whole = whole.filter(|whole| i64::try_from(*whole).is_ok()).ok_or_else(out_of_range)?;
        let at = self.position();
        self.looked_at = at;
        let found = self.fill(whole)?;
        if found < whole {
            let what = format!("Expected to read {whole} bytes, got {found} bytes");
            return Err(Problem::Truncated(at, Some(what)));
        }
        let bytes = self.buffer.get(self.at..self.at + whole).unwrap_or_default();
        let Some(argument) = bytes.strip_suffix(b"\r\n") else {
            let what = no_line_end(bytes.get(whole - 2..).unwrap_or_default());
            return Err(Problem::Malformed(at, what));
        };
        if argument.len() < BIG_ARG {
            args.push(argument);
        } else {
            args.push_bytes(Bytes::copy_from_slice(argument));
        }
        self.at += whole;
        self.lines += 1;
        Ok(())
    }
}

/// The number that a text begins with, and what is behind it, as C reads it: behind blanks; zero if there is none, and
/// the longest if it is too long.
fn leading_number(text: &[u8]) -> (i64, &[u8]) {
    let rest = text.trim_ascii_start();
    let sign = usize::from(rest.first().is_some_and(|byte| b"+-".contains(byte)));
    let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(sign + digits).unwrap_or_default();
    if digits == 0 {
        return (0, text);
    }
    let longest = if number.starts_with(b"-") { i64::MIN } else { i64::MAX };
    (std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(longest), rest)
}

fn no_line_end(found: &[u8]) -> String {
    // Bytes are signed there, and shown as wide as the numbers that they become.
    let shown = |at: usize| found.get(at).map_or(0, |byte| i32::from(*byte as i8) as u32);
    format!("Expected \\r\\n, got: {:02x}{:02x}", shown(0), shown(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode_command;

    /// The items of a log, and what ended it.
    fn read(log: &[u8]) -> (Vec<String>, u64, Option<Problem>) {
        let mut reader = LogReader::new(log, 0);
        let (mut items, mut args, mut valid) = (Vec::new(), OwnedArgs::new(), 0);
        loop {
            args.clear();
            match reader.next(&mut args) {
                Ok(Some(Item::Command)) => {
                    items.push(
                        args.as_args().iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" "),
                    );
                }
                Ok(Some(Item::Annotation(line))) => items.push(line.escape_ascii().to_string()),
                Ok(None) => return (items, valid, None),
                Err(problem) => return (items, valid, Some(problem)),
            }
            valid = reader.position();
        }
    }

    #[test]
    fn commands_and_annotations() {
        let log = b"#TS:12\r\n*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n*1\r\n$0\r\n\r\n";
        let (items, end, problem) = read(log);
        assert_eq!(items, ["#TS:12\\r\\n", "GET \\r\\n", ""]);
        assert!(end == log.len() as u64 && problem.is_none());
    }

    #[test]
    fn lengths_are_read_as_c_reads_them() {
        let log = b"* 1\r\n$\t+4\r\nPING\r\n*01\r\n$4\r\nPING\r\n* -1\r\n*\r\n*-99999999999999999999\r\n";
        let (items, end, problem) = read(log);
        assert_eq!(items, ["PING", "PING", "", "", ""]);
        assert!(end == log.len() as u64 && problem.is_none());
    }

    #[test]
    fn every_end_but_those_of_items_is_a_truncation() {
        let log = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n";
        for end in 0..log.len() {
            let (items, valid, problem) = read(&log[..end]);
            let whole = usize::from(end >= 20);
            assert_eq!((items.len(), valid), (whole, 20 * whole as u64));
            let truncated = matches!(problem, Some(Problem::Truncated(..)));
            assert_eq!(truncated, end != 0 && end != 20, "{end}: {problem:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        for (log, at, text) in [
            (&b"*1\r\n*3\r\nGET\r\n"[..], 4, "Expected prefix '$', got: '*'"),
            (b"*1\r\n$3\r\nGETxx", 8, "Expected \\r\\n, got: 7878"),
            (b"*1x\r\n", 0, "Expected \\r\\n, got: 780d"),
            (b"* \r\n", 0, "Expected \\r\\n, got: 200d"),
            (b"*- 1\r\n", 0, "Expected \\r\\n, got: 2d20"),
            (b"*1\r\n$-1\r\n", 4, "Expected to read string of -1 bytes, which is not in the suitable range"),
            (b"*1\r\n$3\r\nGET\xff\n", 8, "Expected \\r\\n, got: ffffffff0a"),
        ] {
            match read(log).2 {
                Some(Problem::Malformed(found, what)) => assert_eq!((found, &what[..]), (at, text)),
                other => panic!("{other:?} for {text}"),
            }
        }
        assert!(matches!(read(b"GET a\r\n").2, Some(Problem::NoItem(0))));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut log = Vec::new();
            let mut ends = vec![0];
            for command in &commands {
                encode_command(&mut log, command);
                ends.push(log.len());
            }
            let (items, end, problem) = read(&log);
            prop_assert!(items.len() == commands.len() && end as usize == log.len() && problem.is_none());
            let cut = cut.index(log.len() + 1);
            let (_, valid, _) = read(&log[..cut]);
            prop_assert_eq!(Some(valid as usize), ends.into_iter().rfind(|end| *end <= cut));
        }

        #[test]
        fn any_bytes_are_read_as_far_as_they_go(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..9) {
            let log = [format!("*{count}\r\n$").into_bytes(), bytes].concat();
            let (_, valid, _) = read(&log);
            prop_assert!(valid as usize <= log.len());
        }
    }
}
