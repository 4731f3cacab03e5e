//! Reading one file of the log.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use protocol::log::{Item, LogReader, Problem};

use super::batch::Batch;
use super::crew::Crew;
use crate::command::dispatch::find;
use crate::command::table::Command;
use crate::log;
use crate::persistence;
use crate::persistence::aof::files::Folder;
use crate::server::{Server, os_error_text};

/// Bytes of the log in a batch at most, unless a single unit has more.
const BATCH: u64 = 1 << 20;

/// Why reading ends before the file does.
enum Stop {
    Log(Problem),
    Fatal(String),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Log(problem)
    }
}

/// Reads a file, and has its commands carried out. The last one may lack its end.
pub fn file(
    server: &'static Server,
    crew: &mut Crew<'_>,
    folder: &Folder,
    name: &str,
    is_last: bool,
) -> Result<(), String> {
    let path = folder.file(name);
    let mut file = File::open(&path).map_err(|error| {
        let reason = os_error_text(&error);
        format!("Fatal error: can't open the append log file {name} for reading: {reason}")
    })?;
    let unreadable = |error: io::Error| unreadable(name, &error);
    let mut offset = 0;
    if begins_as_snapshot(&mut file).map_err(unreadable)? {
        let single = name == &*folder.prefix;
        let what = if single { "RDB preamble from AOF file" } else { "RDB base file on AOF loading" };
        log::notice!("Reading {what}...");
        let loaded = persistence::load_preamble(server, crew.locked(), &mut file);
        offset = loaded.map_err(|problem| {
            let what = if single { "preamble of the AOF file" } else { "base file" };
            log::warning!("{problem}");
            format!("Error reading the RDB {what} {name}, AOF loading aborted")
        })?;
        if single {
            log::notice!("Reading the remaining AOF tail...");
        }
    }
    file.seek(io::SeekFrom::Start(offset)).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut replay = Replay::new(server, name, LogReader::new(file, offset));
    match replay.run(crew) {
        Ok(()) => Ok(()),
        Err(Stop::Fatal(text)) => Err(text),
        Err(Stop::Log(problem)) => {
            Broken { path: &path, name, is_last, valid: replay.valid, size }.repair(server, &problem)
        }
    }
}

/// Turns a log into batches of units.
struct Replay {
    server: &'static Server,
    reader: LogReader<File>,
    batch: Batch,
    /// The database that the next unit begins in.
    db: usize,
    /// Up to where the log is whole, with no transaction open, and up to where it was handed over.
    valid: u64,
    handed_over: u64,
    /// Bytes of a batch.
    most: u64,
}

impl Replay {
    fn new(server: &'static Server, name: &str, reader: LogReader<File>) -> Replay {
        let at = reader.position();
        let most = u64::try_from(server.config.loading_interval_bytes()).unwrap_or(BATCH).min(BATCH);
        Replay { server, reader, batch: Batch::new(Arc::from(name)), db: 0, valid: at, handed_over: at, most }
    }

    /// Has all whole units carried out.
    fn run(&mut self, crew: &mut Crew<'_>) -> Result<(), Stop> {
        let outcome = self.units(crew);
        if let Err(Stop::Fatal(_)) = outcome {
            return outcome;
        }
        self.hand_over(crew).and_then(|()| crew.finish()).map_err(Stop::Fatal)?;
        outcome
    }

    fn units(&mut self, crew: &mut Crew<'_>) -> Result<(), Stop> {
        // Of the transaction that has begun, if one has, the database that it ends in.
        let mut within: Option<usize> = None;
        while let Some(item) = self.reader.next(self.batch.args_mut())? {
            if item != Item::Command {
                continue;
            }
            let command = self.request()?;
            let (spec, db) = (&command.spec, self.selected(command));
            self.batch.add(command);
            persistence::delay(self.server);
            match within {
                None if spec.is("multi") => within = Some(self.db),
                None => self.complete(crew, db.unwrap_or(self.db))?,
                Some(ends_in) if spec.is("exec") => {
                    within = None;
                    self.complete(crew, ends_in)?;
                }
                Some(_) if spec.is("discard") => {
                    within = None;
                    self.complete(crew, self.db)?;
                }
                Some(ends_in) => within = Some(db.unwrap_or(ends_in)),
            }
        }
        if within.is_some() {
            log::warning!("Revert incomplete MULTI/EXEC transaction in AOF file {}", self.batch.file);
            return Err(Problem::Truncated(self.valid, None).into());
        }
        Ok(())
    }

    /// The command of the request that was read.
    fn request(&self) -> Result<&'static Command, Stop> {
        let args = self.batch.added();
        let Some(name) = args.get(0) else { return Err(Problem::NoItem(self.reader.position()).into()) };
        let refuse = |what: &str| {
            let name = name.escape_ascii();
            Err(Stop::Fatal(format!("{what} '{name}' reading the append only file {}", self.batch.file)))
        };
        match find(&self.server.commands, args) {
            Err(_) => refuse("Unknown command"),
            Ok(command) if !command.spec.accepts(args.len()) => refuse("Wrong number of arguments for the command"),
            Ok(command) => Ok(command),
        }
    }

    /// The database that the request that was read selects, if it is such a one.
    fn selected(&self, command: &Command) -> Option<usize> {
        if !command.spec.is("select") {
            return None;
        }
        let number = protocol::parse_i64(self.batch.added().get(1)?)?;
        usize::try_from(number).ok().filter(|number| *number < self.server.keyspace.databases())
    }

    /// What was read is a unit, behind which the log is about a database.
    fn complete(&mut self, crew: &mut Crew<'_>, db: usize) -> Result<(), Stop> {
        if self.batch.should_go_first() {
            let unit = self.batch.take_open();
            crew.carry_out(&mut self.batch).map_err(Stop::Fatal)?;
            self.batch.put_open(unit);
        }
        self.batch.complete(&self.server.keyspace, self.db);
        (self.db, self.valid) = (db, self.reader.position());
        if self.valid - self.handed_over >= self.most || self.batch.should_be_shared_again() {
            self.hand_over(crew).map_err(Stop::Fatal)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, crew: &mut Crew<'_>) -> Result<(), String> {
        if !self.batch.is_empty() {
            crew.carry_out(&mut self.batch)?;
        }
        self.server.persistence.loading.advance(self.valid - self.handed_over);
        self.handed_over = self.valid;
        Ok(())
    }
}

/// A file that does not go on as it should.
struct Broken<'f> {
    path: &'f Path,
    name: &'f str,
    is_last: bool,
    /// Up to where it is whole, and all of it.
    valid: u64,
    size: u64,
}

impl Broken<'_> {
    /// Cuts off what cannot be read, if the configuration allows it.
    fn repair(&self, server: &Server, problem: &Problem) -> Result<(), String> {
        let Broken { name, valid, .. } = self;
        let (at, what) = match problem {
            Problem::Io(error) => return Err(unreadable(name, error)),
            Problem::Truncated(..) if server.config.aof_load_truncated() => {
                log::warning!("!!! Warning: short read while loading the AOF file {name}!!!");
                return self.cut_off("aof-load-truncated is enabled").unwrap_or_else(|| Err(short(name)));
            }
            Problem::Truncated(..) => return Err(short(name)),
            Problem::Malformed(at, what) => (*at, &**what),
            Problem::NoItem(at) => (*at, "No command begins there"),
        };
        log::warning!("The append only file {name} is wrong at offset {at}: {what}");
        let (rest, most) = (self.size.saturating_sub(*valid), server.config.aof_load_corrupt_tail_max_size());
        let repaired = if i64::try_from(rest).is_ok_and(|rest| rest <= most) {
            log::warning!("!!! Warning: the last {rest} bytes of the AOF file {name} are corrupted!!!");
            self.cut_off(&format!("aof-load-corrupt-tail-max-size is {most}"))
        } else {
            None
        };
        repaired.unwrap_or_else(|| {
            Err(format!(
                "Bad file format reading the append only file {name}: make a backup of your AOF file, then use \
                 ./redis-check-aof --fix <filename.manifest>"
            ))
        })
    }

    /// `None` if that could not be done.
    fn cut_off(&self, because: &str) -> Option<Result<(), String>> {
        let Broken { path, name, valid, .. } = self;
        if !self.is_last {
            return Some(Err("Fatal error: the truncated file is not the last file".into()));
        }
        log::warning!("!!! Truncating the AOF {name} at offset {valid} !!!");
        let cut = File::options().write(true).open(path).and_then(|file| {
            file.set_len(*valid)?;
            file.sync_all()
        });
        if let Err(error) = cut {
            log::warning!("Error truncating the AOF file {name}: {}", os_error_text(&error));
            return None;
        }
        log::warning!("AOF {name} loaded anyway because {because}");
        Some(Ok(()))
    }
}

fn short(name: &str) -> String {
    format!(
        "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, \
         then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the \
         'aof-load-truncated' configuration option to yes and restart the server."
    )
}

fn unreadable(name: &str, error: &io::Error) -> String {
    format!("Unrecoverable error reading the append only file {name}: {}", os_error_text(error))
}

/// Whether a file begins as a snapshot does.
pub fn begins_as_snapshot(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(5).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == b"REDIS")
}
