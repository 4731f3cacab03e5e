//! Reading a file.
//!
//! The reader only finds out where keys and values begin and end. It hands out batches of them, which can be read on
//! any thread.

use std::borrow::Cow;
use std::io::Read;

use super::super::payload::load_function;
use super::super::{Checksum, Cursor, Error, Limits, Loaded, VERSION, load_value};
use super::skip::{is_form, skip_module, skip_value};
use super::{Attributes, CHECKSUM_LEN, FIRST_WITH_CHECKSUM, FileError, SIGNATURE, VERSION_DIGITS, opcode};
use crate::access::Usage;

/// Bytes of a batch where nothing else is said.
const BATCH: usize = 512 * 1024;

/// What stands in a file beside keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The keys that follow are in this database.
    Database(usize),
    /// Something about the server that wrote it.
    Aux(Vec<u8>, Vec<u8>),
    /// The text of a library of functions.
    Function(Vec<u8>),
    /// Data of a module, which was skipped.
    Module(String),
    /// It was written without a checksum.
    NoChecksum,
}

/// Whole keys with their values, of which the latter were not read yet.
pub struct Batch {
    bytes: Vec<u8>,
    /// Where the batch begins in the file.
    offset: u64,
    entries: Vec<EntryAt>,
    /// What stood among them, and where in the file each ends.
    pub notes: Vec<(u64, Note)>,
}

/// What is read at a place of a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Part {
    #[default]
    Header,
    Form,
    Expiry,
    Number,
    Aux,
    Module,
    Function,
    Key,
    Value,
    Checksum,
}

/// What a reader was about to read.
#[derive(Clone, Copy, Default)]
struct Reading {
    part: Part,
    /// Of the key that it was at: its form, and where it stands if that was found out.
    form: Option<u8>,
    key: Option<(usize, usize)>,
}

/// Where an entry of a batch stands: its key, and its value, to the end.
struct EntryAt {
    attributes: Attributes,
    key: usize,
    value: usize,
    end: usize,
}

/// A key of a batch.
pub struct Entry<'a> {
    pub attributes: Attributes,
    pub key: Cow<'a, [u8]>,
    value: &'a [u8],
    /// Where the value begins in the file.
    pub offset: u64,
}

impl Entry<'_> {
    /// Reads the value; `None` if it is empty, as those were that old versions left.
    pub fn load(&self, limits: &Limits) -> Result<Option<Loaded>, FileError> {
        let mut cursor = Cursor::new(self.value);
        match load_value(&mut cursor, self.attributes.form, limits) {
            Ok(loaded) if cursor.left() == 0 => Ok(Some(loaded)),
            Ok(_) => Err(FileError::Content(self.offset, Error::Corrupt("Bytes behind the value"))),
            Err(Error::Empty) => Ok(None),
            Err(problem) => Err(FileError::Content(self.offset + cursor.position() as u64, problem)),
        }
    }
}

impl Batch {
    /// Of how many bytes it was made.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many keys it has.
    pub fn keys(&self) -> usize {
        self.entries.len()
    }

    /// Its keys, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry<'_>, FileError>> {
        self.entries.iter().map(|at| {
            let offset = |at: usize| self.offset + at as u64;
            let key = Cursor::new(&self.bytes[at.key..at.value]).string();
            let key = key.map_err(|problem| FileError::Content(offset(at.key), problem))?;
            let value = &self.bytes[at.value..at.end];
            Ok(Entry { attributes: at.attributes, key, value, offset: offset(at.value) })
        })
    }
}

/// Reads a file from its start to its end.
pub struct FileReader<R> {
    input: R,
    /// What was read and is not part of a batch yet.
    bytes: Vec<u8>,
    /// Where that begins in the file.
    offset: u64,
    /// Of what was read so far, unless nobody compares it with the file's.
    checksum: Option<Checksum>,
    version: u16,
    /// The database of the keys that follow.
    db: usize,
    databases: usize,
    ended: bool,
    /// Bytes of a batch, unless one key takes more.
    batch: usize,
    reading: Reading,
}

/// What a step over the bytes has come by.
enum Step {
    Entry(EntryAt),
    Note(Note),
    Nothing,
    End,
}

impl<R: Read> FileReader<R> {
    /// Begins to read; `databases` is how many there may be.
    pub fn new(input: R, databases: usize) -> Result<FileReader<R>, FileError> {
        let mut reader = FileReader {
            input,
            bytes: Vec::new(),
            offset: 0,
            checksum: Some(Checksum::new()),
            version: 0,
            db: 0,
            databases,
            ended: false,
            batch: BATCH,
            reading: Reading::default(),
        };
        let header = SIGNATURE.len() + VERSION_DIGITS;
        while reader.bytes.len() < header {
            if reader.read_more(header)? == 0 {
                return Err(FileError::Content(reader.bytes.len() as u64, Error::Truncated));
            }
        }
        let digits = reader.bytes[..header].strip_prefix(SIGNATURE).ok_or(FileError::Signature)?;
        let version = version_number(digits);
        let known = u16::try_from(version).ok().filter(|version| (1..=VERSION).contains(version));
        reader.version = known.ok_or(FileError::Version(version))?;
        reader.leave_behind(header);
        Ok(reader)
    }

    /// Hands out batches of so many bytes.
    pub fn in_batches_of(self, batch: usize) -> FileReader<R> {
        FileReader { batch, ..self }
    }

    /// Whether the checksum at the end has to be right.
    pub fn checking(self, checks: bool) -> FileReader<R> {
        FileReader { checksum: self.checksum.filter(|_| checks), ..self }
    }

    /// How many bytes have become part of batches.
    pub fn position(&self) -> u64 {
        self.offset
    }

    /// Whether files of its version end with a checksum.
    pub fn has_checksum(&self) -> bool {
        self.version >= FIRST_WITH_CHECKSUM
    }

    /// Where a file ends of which all batches were read: behind its checksum, if it has one.
    pub fn end(&self) -> u64 {
        let checksum = if self.has_checksum() { CHECKSUM_LEN } else { 0 };
        self.offset + checksum as u64
    }

    /// What it was about to read when there was no next batch.
    pub fn part(&self) -> Part {
        self.reading.part
    }

    /// The key that it was at then, if it has read so far, and the number of the form of its value.
    pub fn key(&self) -> (Option<Cow<'_, [u8]>>, Option<u8>) {
        let bytes = self.reading.key.and_then(|(from, to)| self.bytes.get(from..to));
        (bytes.and_then(|bytes| Cursor::new(bytes).string().ok()), self.reading.form)
    }

    /// Reads up to so many more bytes. Returns how many.
    fn read_more(&mut self, most: usize) -> Result<usize, FileError> {
        self.bytes.reserve(most);
        Ok((&mut self.input).take(most as u64).read_to_end(&mut self.bytes)?)
    }

    /// The first bytes are done with. They are handed over.
    fn leave_behind(&mut self, count: usize) -> Vec<u8> {
        if let Some(checksum) = &mut self.checksum {
            checksum.add(&self.bytes[..count]);
        }
        self.offset += count as u64;
        let rest = self.bytes.split_off(count);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// The next keys; `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, FileError> {
        if self.ended {
            return Ok(None);
        }
        let offset = self.offset;
        let (mut entries, mut notes, mut done) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut cursor = Cursor::new(&self.bytes);
            // What was looked at and is not whole is looked at anew when there is more.
            let step = cursor
                .take(done as u64)
                .and_then(|_| step(&mut cursor, &mut self.db, self.databases, &mut self.reading));
            match step {
                // The end, or what is wrong, is told when what comes before it has been handed out.
                Ok(Step::End) | Err(_) if !entries.is_empty() || !notes.is_empty() => break,
                Ok(step) => {
                    done = cursor.position();
                    match step {
                        Step::Entry(entry) => entries.push(entry),
                        Step::Note(note) => notes.push((offset + done as u64, note)),
                        Step::Nothing => {}
                        Step::End => break self.ended = true,
                    }
                }
                Err(Error::Truncated) => {
                    let at = offset + cursor.position() as u64;
                    // By as much again, so that a large value is not looked at too often.
                    let more = self.bytes.len().max(self.batch);
                    if self.read_more(more)? == 0 {
                        return Err(FileError::Content(at, Error::Truncated));
                    }
                }
                Err(problem) => return Err(FileError::Content(offset + cursor.position() as u64, problem)),
            }
        }
        let bytes = self.leave_behind(done);
        if self.ended {
            self.reading = Reading { part: Part::Checksum, ..Reading::default() };
            notes.extend(self.check_end()?.map(|note| (self.end(), note)));
        } else {
            self.read_more(self.batch.saturating_sub(self.bytes.len()))?;
        }
        Ok(Some(Batch { bytes, offset, entries, notes }))
    }

    /// Compares the checksum behind the end with that of what was read, if somebody wants to know.
    fn check_end(&mut self) -> Result<Option<Note>, FileError> {
        if !self.has_checksum() {
            let behind = Error::Corrupt("Bytes behind the end of a file without a checksum");
            let is_end = self.bytes.is_empty() && self.read_more(1)? == 0;
            return if is_end { Ok(None) } else { Err(FileError::Content(self.offset, behind)) };
        }
        if self.bytes.len() < CHECKSUM_LEN {
            self.read_more(CHECKSUM_LEN - self.bytes.len())?;
        }
        let found = self.bytes.first_chunk::<CHECKSUM_LEN>();
        let found = found.ok_or(FileError::Content(self.offset, Error::Truncated))?;
        let Some(checksum) = self.checksum.take() else { return Ok(None) };
        let (found, expected) = (u64::from_le_bytes(*found), checksum.finish());
        match found {
            0 => Ok(Some(Note::NoChecksum)),
            _ if found == expected => Ok(None),
            _ => Err(FileError::Checksum(expected, found)),
        }
    }
}

/// The number that the digits of a version begin with, as C reads it: there may be blanks in the place of zeros.
fn version_number(digits: &[u8]) -> i32 {
    let digits = digits.trim_ascii_start();
    let sign = usize::from(digits.first().is_some_and(|byte| b"+-".contains(byte)));
    let count = digits.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let number = digits.get(..sign + count).unwrap_or_default();
    std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Moves over a key with its value, or over something else.
fn step(from: &mut Cursor<'_>, db: &mut usize, databases: usize, reading: &mut Reading) -> Result<Step, Error> {
    *reading = Reading { part: Part::Form, ..Reading::default() };
    let mut attributes = Attributes { db: *db, form: 0, expiry: None, usage: None };
    loop {
        let number = from.byte()?;
        reading.part = match number {
            opcode::EXPIRY_MS | opcode::EXPIRY_S => Part::Expiry,
            opcode::DATABASE | opcode::SIZES | opcode::SLOT_INFO => Part::Number,
            opcode::AUX => Part::Aux,
            opcode::FUNCTION | opcode::FUNCTION_2 => Part::Function,
            opcode::MODULE_AUX => Part::Module,
            _ => Part::Form,
        };
        match number {
            // Redis takes -1 for none.
            opcode::EXPIRY_MS => attributes.expiry = Some(from.int64()?).filter(|when| *when != -1),
            opcode::EXPIRY_S => attributes.expiry = Some(i64::from(from.int32()?) * 1000),
            opcode::IDLE => attributes.usage = Some(Usage::Idle(from.count()?)),
            opcode::FREQUENCY => attributes.usage = Some(Usage::Frequency(from.byte()?)),
            opcode::DATABASE => {
                let number = usize::try_from(from.count()?).ok().filter(|number| *number < databases);
                *db = number.ok_or(Error::Corrupt("A database of a server that is configured to have more of them"))?;
                return Ok(Step::Note(Note::Database(*db)));
            }
            opcode::SIZES => {
                (0..2).try_for_each(|_| from.count().map(drop))?;
                return Ok(Step::Nothing);
            }
            opcode::SLOT_INFO => {
                (0..3).try_for_each(|_| from.count().map(drop))?;
                return Ok(Step::Nothing);
            }
            opcode::AUX => {
                let (name, value) = (from.string()?.into_owned(), from.string()?.into_owned());
                return Ok(Step::Note(Note::Aux(name, value)));
            }
            form @ (opcode::FUNCTION | opcode::FUNCTION_2) => {
                return load_function(from, form).map(|code| Step::Note(Note::Function(code)));
            }
            opcode::MODULE_AUX => return skip_module(from).map(|name| Step::Note(Note::Module(name))),
            opcode::END => return Ok(Step::End),
            form if !is_form(form) => return Err(Error::UnknownKind(form)),
            form => {
                attributes.form = form;
                let key = from.position();
                *reading = Reading { part: Part::Key, form: Some(form), key: None };
                from.skip_string()?;
                let value = from.position();
                *reading = Reading { part: Part::Value, form: Some(form), key: Some((key, value)) };
                skip_value(from, form)?;
                return Ok(Step::Entry(EntryAt { attributes, key, value, end: from.position() }));
            }
        }
    }
}
