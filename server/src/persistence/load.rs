//! Reading a snapshot: at the start with all cores, or into a server that is running.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use parking_lot::Mutex;
use storage::View;
use storage::rdb::Limits;
use storage::rdb::file::{Batch, Entry, FileError, FileReader, Note};

use crate::log;
use crate::scripts::Policy;
use crate::server::{Server, os_error_text, unix_ms};

/// Keys without elements of which each is logged.
const MOST_TOLD: u64 = 10;

/// So many keys ahead the processor fetches where they belong: what is waited for otherwise is most of the work.
const PREFETCHED: usize = 16;

/// What becomes of keys and libraries that are there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// There are not to be any in the file.
    Keep,
    Replace,
}

/// Why loading ended early.
#[derive(Debug)]
enum Problem {
    File(FileError),
    /// A key twice, or one that is there already.
    Twice(String),
    /// A library of functions that is none.
    Library(String),
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Problem {
        Problem::File(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::File(FileError::Io(error)) => write!(f, "Error reading the RDB file: {}", os_error_text(error)),
            Problem::File(error) => error.fmt(f),
            Problem::Twice(text) | Problem::Library(text) => f.write_str(text),
        }
    }
}

/// What was done with the keys of a file. All but the last is for INFO, too.
struct Tally<'s> {
    loaded: &'s AtomicU64,
    expired: &'s AtomicU64,
    empty: AtomicU64,
}

/// Loads the file of the configuration, if there is one, into a server that has no data yet.
pub fn load_at_start(server: &'static Server) -> Result<(), String> {
    let path = server.config.dbfilename();
    let started = Instant::now();
    let mut file = match File::open(&*path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let reason = os_error_text(&error);
            return Err(format!("Fatal error: can't open the RDB file {path} for reading: {reason}"));
        }
    };
    let loading = server.persistence.loading.begin(file.metadata().map_or(0, |file| file.len()));
    let outcome = load_in_parallel(server, &mut file, unix_ms());
    drop(loading);
    if let Err(problem) = outcome {
        log::warning!("{problem}");
        log::warning!("Terminating server after rdb file reading failure.");
        return Err(format!("Fatal error loading the DB: {problem}. Exiting."));
    }
    log::notice!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
    Ok(())
}

/// Loads what stands in front of the commands of a log. Keys that have expired are part of it: what comes behind may be
/// about them. Answers where it ends.
pub fn load_preamble(
    server: &'static Server,
    locked: Option<&mut View<'static>>,
    file: &mut File,
) -> Result<u64, String> {
    let outcome = match locked {
        Some(view) => load_here(server, view, file, Existing::Keep, i64::MIN),
        None => load_in_parallel(server, file, i64::MIN),
    };
    outcome.map_err(|problem| problem.to_string())
}

fn reader<R: Read>(server: &Server, file: R) -> Result<FileReader<R>, FileError> {
    // Who does not want checksums gets what can be read of a damaged file.
    let checks = server.config.rdbchecksum() && !server.skips_checksums.load(Relaxed);
    Ok(FileReader::new(file, server.keyspace.databases())?.checking(checks))
}

/// One thread finds out where keys begin and end, and as many as there are workers read their values. Those that expired
/// before `horizon_ms` are left out. Answers where the file ends.
fn load_in_parallel(server: &'static Server, file: &mut File, horizon_ms: i64) -> Result<u64, Problem> {
    let interval = usize::try_from(server.config.loading_interval_bytes()).unwrap_or(usize::MAX);
    let mut reader = reader(server, file)?.in_batches_of(interval);
    let (limits, now_ms, tally) = (server.limits(), unix_ms(), Tally::begin(server));
    let first_problem: Mutex<Option<Problem>> = Mutex::new(None);
    let (sender, batches) = bounded::<Batch>(server.workers);
    std::thread::scope(|scope| {
        for _ in 0..server.workers {
            let (batches, tally, first_problem) = (batches.clone(), &tally, &first_problem);
            scope.spawn(move || {
                for batch in batches {
                    let outcome = insert(server, &batch, &limits, horizon_ms, tally, |entry, value| {
                        let key = server.keyspace.key(&entry.key);
                        let mut view = server.keyspace.view_one(entry.attributes.db, &key, now_ms);
                        view.load(&key, value, entry.attributes.expiry, entry.attributes.usage, false)
                    });
                    if let Err(problem) = outcome {
                        first_problem.lock().get_or_insert(problem);
                    }
                }
            });
        }
        // Only the threads hold on to what they wait for, and nobody to the other end when this is over.
        drop(batches);
        feed(server, &mut reader, sender, &first_problem)
    })
    .and_then(|()| first_problem.into_inner().map_or(Ok(()), Err))?;
    tally.tell();
    Ok(reader.end())
}

/// Hands over all batches of a file, unless there is a problem with one.
fn feed(
    server: &Server,
    reader: &mut FileReader<&mut File>,
    batches: Sender<Batch>,
    problem: &Mutex<Option<Problem>>,
) -> Result<(), Problem> {
    while problem.lock().is_none()
        && let Some(mut batch) = reader.next_batch()?
    {
        take_notes(server, &mut batch, Existing::Keep)?;
        server.persistence.loading.advance(batch.bytes() as u64);
        (0..batch.keys()).for_each(|_| delay(server));
        if batches.send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

/// Waits as long as is to be waited for every key or command, for tests: so many microseconds; of a negative number of
/// times one microsecond once.
pub fn delay(server: &Server) {
    let micros = match server.config.key_load_delay() {
        micros @ 0.. => micros.unsigned_abs(),
        micros => u64::from(rand::random_range(0..micros.unsigned_abs()) == 0),
    };
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
}

/// Loads the file of the configuration into a view that has all shards. Tells whether that could be done.
pub fn reload(server: &Server, view: &mut View<'_>, existing: Existing) -> bool {
    let file = File::open(&*server.config.dbfilename()).map_err(|error| Problem::File(FileError::Io(error)));
    let outcome = file.and_then(|file| load_here(server, view, file, existing, unix_ms()));
    if let Err(problem) = &outcome {
        log::warning!("{problem}");
    }
    outcome.is_ok()
}

fn load_here(
    server: &Server,
    view: &mut View<'_>,
    file: impl Read,
    existing: Existing,
    horizon_ms: i64,
) -> Result<u64, Problem> {
    let mut reader = reader(server, file)?;
    let (limits, tally, home) = (server.limits(), Tally::begin(server), view.db());
    while let Some(mut batch) = reader.next_batch()? {
        take_notes(server, &mut batch, existing)?;
        let outcome = insert(server, &batch, &limits, horizon_ms, &tally, |entry, value| {
            let key = server.keyspace.key(&entry.key);
            view.select(entry.attributes.db);
            let replace = existing == Existing::Replace;
            view.load(&key, value, entry.attributes.expiry, entry.attributes.usage, replace)
        });
        view.select(home);
        outcome?;
    }
    tally.tell();
    Ok(reader.end())
}

/// Reads the values of a batch and passes those on that are to be stored, which `store` may refuse.
fn insert(
    server: &Server,
    batch: &Batch,
    limits: &Limits,
    horizon_ms: i64,
    tally: &Tally<'_>,
    mut store: impl FnMut(&Entry<'_>, storage::rdb::Loaded) -> bool,
) -> Result<(), Problem> {
    let (mut loaded, mut expired) = (0, 0);
    let mut ahead = batch.entries();
    let mut prefetch = |count| {
        for entry in ahead.by_ref().take(count).flatten() {
            server.keyspace.prefetch_page(entry.attributes.db, &server.keyspace.key(&entry.key));
        }
    };
    prefetch(PREFETCHED);
    for entry in batch.entries() {
        let entry = entry?;
        prefetch(1);
        let Some(value) = entry.load(limits)? else {
            if tally.empty.fetch_add(1, Relaxed) < MOST_TOLD {
                log::warning!("A key has no elements: skipping empty key: {}", entry.key.escape_ascii());
            }
            continue;
        };
        if entry.attributes.expiry.is_some_and(|when| when < horizon_ms) {
            expired += 1;
        } else if store(&entry, value) {
            loaded += 1;
        } else {
            let (key, db) = (entry.key.escape_ascii(), entry.attributes.db);
            return Err(Problem::Twice(format!("RDB has duplicated key '{key}' in DB {db}")));
        }
    }
    tally.loaded.fetch_add(loaded, Relaxed);
    tally.expired.fetch_add(expired, Relaxed);
    Ok(())
}

impl Tally<'_> {
    fn begin(server: &Server) -> Tally<'_> {
        let (loaded, expired) = (&server.persistence.loaded_keys, &server.persistence.expired_keys);
        loaded.store(0, Relaxed);
        expired.store(0, Relaxed);
        Tally { loaded, expired, empty: AtomicU64::new(0) }
    }

    fn tell(&self) {
        let (loaded, expired) = (self.loaded.load(Relaxed), self.expired.load(Relaxed));
        match self.empty.load(Relaxed) {
            0 => log::notice!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}."),
            empty => log::warning!(
                "Done loading RDB, keys loaded: {loaded}, keys expired: {expired}, empty keys skipped: {empty}."
            ),
        }
    }
}

/// Logs what is told about the server that wrote the file, and adds its libraries.
fn take_notes(server: &Server, batch: &mut Batch, existing: Existing) -> Result<(), Problem> {
    let mut libraries = Vec::new();
    for (_, note) in std::mem::take(&mut batch.notes) {
        match note {
            Note::Database(_) => {}
            Note::Aux(name, value) => take_aux(server, &name, &String::from_utf8_lossy(&value)),
            Note::Function(code) => libraries.push(code),
            Note::Module(name) => {
                log::warning!("The RDB file contains AUX data of the module '{name}', which is left out");
            }
            Note::NoChecksum => log::notice!("RDB file was saved with checksum disabled: no check performed."),
        }
    }
    if libraries.is_empty() {
        return Ok(());
    }
    let policy = if existing == Existing::Replace { Policy::Replace } else { Policy::Append };
    let restored = server.scripts.restore_libraries(&libraries, policy);
    restored.map_err(|error| Problem::Library(format!("Failed loading library, {error}")))
}

fn take_aux(server: &Server, name: &[u8], value: &str) {
    match name {
        b"redis-ver" => log::notice!("Loading RDB produced by version {value}"),
        b"ctime" => {
            let written_s: i64 = value.parse().unwrap_or(0);
            log::notice!("RDB age {} seconds", (unix_ms() / 1000).saturating_sub(written_s).max(0));
        }
        b"used-mem" => {
            let bytes: u64 = value.parse().unwrap_or(0);
            server.persistence.loading.former_memory.store(bytes, Relaxed);
            log::notice!("RDB memory usage when created {:.2} Mb", bytes as f64 / f64::from(1 << 20));
        }
        [b'%', ..] => log::notice!("RDB '{}': {value}", name.escape_ascii()),
        _ => log::debug!("RDB field '{}' does not matter here", name.escape_ascii()),
    }
}
