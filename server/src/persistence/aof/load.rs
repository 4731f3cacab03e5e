//! Reading the log at the start, and having its commands carried out anew.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use protocol::log::{Item, LogReader, Problem};
use protocol::{OwnedArgs, Reply, Resp};
use storage::{Free, View};

use super::Hurry;
use super::files::{Folder, open_at_start};
use crate::client::{Client, Peer, Shared};
use crate::command::dispatch::Executor;
use crate::log;
use crate::mail::Bell;
use crate::persistence;
use crate::persistence::loading::Begun;
use crate::server::{Server, os_error_text};
use crate::stats::Stats;

/// Bytes of commands after which it is told how far loading is.
const TELL_EVERY: u64 = 256 * 1024;

/// How a file ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Whole,
    /// What was not whole at its end was cut off.
    Truncated,
}

/// Reads all files that the manifest names, in their order, into a server that has no data yet, and opens the log for
/// what comes.
pub fn load_at_start(server: &'static Server) -> Result<(), String> {
    let folder = Folder::of(&server.config);
    folder.upgrade(&mut server.aof.manifest.lock())?;
    let started = Instant::now();
    // Until the log is open: nothing is changed before.
    let mut loading = None;
    if load(server, &folder, None, &mut loading)? {
        log::notice!("DB loaded from append only file: {:.3} seconds", started.elapsed().as_secs_f64());
    }
    open_at_start(server)
}

/// Reads all files anew in the place of all data, which is locked.
pub fn reload(server: &'static Server, view: &mut View<'static>) -> Result<(), String> {
    let aof = &server.aof;
    aof.flush(server, Hurry::Now);
    // What is read is not to be appended again.
    let was_on = aof.on.swap(false, Relaxed);
    view.flush(0..server.keyspace.databases(), Free::Now);
    let folder = Folder::of(&server.config);
    let manifest = folder.read_manifest().map(|mut manifest| {
        folder.delete_history(&mut manifest, &server.config);
        *aof.manifest.lock() = manifest;
    });
    let loaded = manifest.and_then(|()| load(server, &folder, Some(view), &mut None));
    aof.on.store(was_on, Relaxed);
    loaded.map(drop)
}

/// Tells whether there was anything; `loading` goes on after that.
fn load(
    server: &'static Server,
    folder: &Folder,
    locked: Option<&mut View<'static>>,
    loading: &mut Option<Begun<'static>>,
) -> Result<bool, String> {
    let manifest = server.aof.manifest.lock();
    let files: Vec<String> = manifest.files().map(|file| file.name.clone()).collect();
    let missing = "Fatal error: a file of the append-only log is missing".to_owned();
    let sizes: io::Result<Vec<u64>> = files.iter().map(|name| folder.size(name)).collect();
    let sizes = sizes.map_err(|_| missing)?;
    let total = sizes.iter().sum();
    if total == 0 {
        return Ok(false);
    }
    *loading = Some(server.persistence.loading.begin(total));
    let base = manifest.base.as_ref().map(|base| base.name.clone());
    let mut replay = Replay::new(server, locked);
    for (index, name) in files.iter().enumerate() {
        let begun = Instant::now();
        let end = replay.file(folder, name)?;
        // Files that a crash has left empty do not count: the end of the log is in front of them.
        let is_followed = sizes.iter().skip(index + 1).any(|size| *size > 0);
        if end == End::Truncated && is_followed {
            return Err("Fatal error: the truncated file is not the last file".into());
        }
        let kind = if base.as_ref() == Some(name) { "base" } else { "incr" };
        log::notice!("DB loaded from {kind} file {name}: {:.3} seconds", begun.elapsed().as_secs_f64());
    }
    Ok(true)
}

/// What carries the commands of the log out.
struct Replay<'v> {
    server: &'static Server,
    executor: &'static Executor,
    args: OwnedArgs,
    /// Everything, if that is locked; commands lock what they need otherwise.
    locked: Option<&'v mut View<'static>>,
}

impl<'v> Replay<'v> {
    fn new(server: &'static Server, locked: Option<&'v mut View<'static>>) -> Replay<'v> {
        // What was counted when the commands were made is not counted again.
        let stats: &'static Stats = Box::leak(Box::new(Stats::new(1)));
        let (_, inbox) = tokio::sync::mpsc::unbounded_channel();
        let executor: &'static Executor = Box::leak(Box::new(Executor::new(server, stats.worker(0), inbox)));
        Replay { server, executor, args: OwnedArgs::new(), locked }
    }

    /// Somebody to carry commands out for, who hears nothing of it.
    fn client(&self) -> Client {
        let shared = Shared::new(u64::MAX, Peer::default(), 0, Bell::default().into());
        Client::new(shared.into(), self.server.acl.server_itself())
    }

    /// Reads one file.
    fn file(&mut self, folder: &Folder, name: &str) -> Result<End, String> {
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
            let loaded = persistence::load_preamble(self.server, self.locked.as_deref_mut(), &mut file);
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
        self.commands(&path, name, LogReader::new(file, offset))
    }

    /// Carries all commands of a file out.
    fn commands(&mut self, path: &Path, name: &str, mut reader: LogReader<File>) -> Result<End, String> {
        let mut client = self.client();
        let mut reply = Reply::new(Resp::V2);
        let (mut valid, mut before_transaction) = (reader.position(), reader.position());
        let mut told = valid;
        let outcome = loop {
            let was_queueing = client.transaction.is_some();
            match reader.next(&mut self.args) {
                Ok(Some(Item::Annotation(_))) => continue,
                Ok(Some(Item::Command)) if self.args.as_args().is_empty() => break Err(Problem::NoItem),
                Ok(Some(Item::Command)) => {}
                Ok(None) if was_queueing => {
                    log::warning!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                    valid = before_transaction;
                    break Err(Problem::Truncated(valid, None));
                }
                Ok(None) => break Ok(()),
                Err(problem) => break Err(problem),
            }
            let args = self.args.as_args();
            let Some(failed) = self.executor.replay(&mut client, self.locked.as_deref_mut(), args, &mut reply) else {
                let command = args.get(0).unwrap_or_default().escape_ascii();
                return Err(format!("Unknown command '{command}' reading the append only file {name}"));
            };
            if failed {
                self.note_error(name, &reply);
            }
            reply.clear();
            if client.transaction.is_some() && !was_queueing {
                before_transaction = valid;
            }
            valid = reader.position();
            if valid - told >= TELL_EVERY {
                self.server.persistence.loading.advance(valid - told);
                told = valid;
            }
        };
        self.server.persistence.loading.advance(valid - told);
        let problem = match outcome {
            Ok(()) => return Ok(End::Whole),
            Err(problem) => problem,
        };
        match problem {
            Problem::Io(error) => Err(unreadable(name, &error)),
            // What was queued when it broke off is not carried out, and neither is it kept.
            Problem::Truncated(..) if client.transaction.is_some() => self.truncate(path, name, before_transaction),
            Problem::Truncated(..) => self.truncate(path, name, valid),
            Problem::Malformed(at, what) => Err(malformed(name, at, &what)),
            Problem::NoItem => Err(malformed(name, reader.position(), "No command begins there")),
        }
    }

    /// Cuts off what is not whole, if the configuration allows it.
    fn truncate(&self, path: &Path, name: &str, valid: u64) -> Result<End, String> {
        if self.server.config.aof_load_truncated() {
            log::warning!("!!! Warning: short read while loading the AOF file {name}!!!");
            log::warning!("!!! Truncating the AOF {name} at offset {valid} !!!");
            let cut = File::options().write(true).open(path).and_then(|file| {
                file.set_len(valid)?;
                file.sync_all()
            });
            match cut {
                Ok(()) => {
                    log::warning!("AOF {name} loaded anyway because aof-load-truncated is enabled");
                    return Ok(End::Truncated);
                }
                Err(error) => log::warning!("Error truncating the AOF file {name}: {}", os_error_text(&error)),
            }
        }
        Err(format!(
            "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, \
             then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the \
             'aof-load-truncated' configuration option to yes and restart the server."
        ))
    }

    /// A command that fails although it once did not is told of, and the next one carried out.
    fn note_error(&self, name: &str, reply: &Reply) {
        let text = reply.to_vec().trim_ascii().escape_ascii().to_string();
        let command = self.args.as_args().get(0).unwrap_or_default().escape_ascii();
        log::warning!(
            "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}' after processing the \
             command '{command}' of {name}"
        );
    }
}

fn unreadable(name: &str, error: &io::Error) -> String {
    format!("Unrecoverable error reading the append only file {name}: {}", os_error_text(error))
}

fn malformed(name: &str, at: u64, what: &str) -> String {
    log::warning!("The append only file {name} is wrong at offset {at}: {what}");
    format!(
        "Bad file format reading the append only file {name}: make a backup of your AOF file, then use \
         ./redis-check-aof --fix <filename.manifest>"
    )
}

/// Whether a file begins as a snapshot does.
pub fn begins_as_snapshot(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(5).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == b"REDIS")
}
