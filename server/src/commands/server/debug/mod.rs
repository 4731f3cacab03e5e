//! DEBUG: what tests and the curious need. Closed unless `enable-debug-command` opens it.

mod crash;
mod digest;
mod keys;
mod replies;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use storage::Free;

use crate::client::{Client, Shared};
use crate::command::*;
use crate::config::{Extent, memory_size};
use crate::connection::Connection;
use crate::persistence::{self, Existing};
use crate::server::{OutputUpkeep, random_hex};
use crate::{log, set};

pub(super) const DEBUG: Spec = Spec::new("debug", -2, debug)
    .doc(Group::Server, "1.0.0", "Depends on subcommand.", "Tools for tests and for a look inside.")
    .internal()
    .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE));

fn debug(cx: &mut Context<'_>) -> CommandResult {
    cx.demand(cx.server.config.enable_debug_command(), "DEBUG", "enable-debug-command")?;
    let subcommand = cx.arg(1).to_ascii_lowercase();
    match (subcommand.as_slice(), cx.args.len()) {
        (b"aof-flush-sleep", 3) => {
            let delay_us = u64::try_from(leading_number(cx.arg(2))).unwrap_or(0);
            cx.server.aof.write_delay_us.store(delay_us, Relaxed);
            done(cx)
        }
        (b"assert", _) => crash::assert(),
        (b"client-eviction", 2) => client_sizes(cx),
        (b"change-repl-id", 2) => change_replication_id(cx),
        (b"config-rewrite-force-all", 2) => {
            super::config::write_file(cx, Extent::All)?;
            done(cx)
        }
        (b"dict-resizing", 3) => {
            storage::table::set_shrinking(leading_number(cx.arg(2)) != 0);
            done(cx)
        }
        (b"digest", 2) => digest::dataset(cx),
        (b"digest-value", _) => digest::values(cx),
        (b"error", 3) => error(cx),
        (b"help", 2) => help(cx),
        (b"htstats", 3 | 4) => keys::table_figures(cx),
        (b"htstats-key", 3 | 4) => {
            let refusal = "ERR The value stored at the specified key is not represented using an hash table";
            keys::describe(cx, &["hashtable", "skiplist"], None, refusal)
        }
        (b"leak", 3) => {
            std::mem::forget(cx.arg(2).to_vec());
            done(cx)
        }
        (b"listpack", 3) => {
            let printed = Some("Listpack structure printed on stdout");
            keys::describe(cx, &["listpack", "listpackex"], printed, "ERR Not a listpack encoded object.")
        }
        (b"loadaof", 2) => load_log(cx),
        (b"log", 3) => log_line(cx),
        (b"object", 3) => keys::object(cx),
        (b"oom", _) => crash::out_of_memory(),
        (b"panic", _) => crash::panic(),
        (b"pause-cron", 3) => {
            cx.server.cron_paused.store(leading_number(cx.arg(2)) != 0, Relaxed);
            done(cx)
        }
        (b"populate", 3..=5) => keys::populate(cx),
        (b"protocol", 3) => replies::example(cx),
        (b"quicklist", 3 | 4) => {
            let printed = Some("Quicklist structure printed on stdout");
            keys::describe(cx, &["quicklist"], printed, "ERR Not a quicklist encoded object.")
        }
        (b"quicklist-packed-threshold", 3) => long_elements(cx),
        (b"reload", _) => reload(cx),
        (b"replybuffer", 4) => reply_buffer(cx),
        (b"sdslen", 3) => keys::string_lengths(cx),
        (b"segfault", _) => crash::segfault(),
        (b"set-active-expire", 3) => set_active_expire(cx),
        (b"set-disable-deny-scripts", 3) => {
            cx.server.scripts.may_call_all.store(leading_number(cx.arg(2)) != 0, Relaxed);
            done(cx)
        }
        (b"set-skip-checksum-validation", 3) => {
            cx.server.skips_checksums.store(leading_number(cx.arg(2)) != 0, Relaxed);
            done(cx)
        }
        (b"sleep", 3) => sleep(cx),
        (b"structsize", 2) => struct_sizes(cx),
        _ => Err(unknown(cx)),
    }
}

fn unknown(cx: &Context<'_>) -> Error {
    Error::unknown_subcommand(cx.args)
}

fn done(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.ok();
    Ok(())
}

/// How large the clients are that could be evicted.
fn client_sizes(cx: &mut Context<'_>) -> CommandResult {
    let report = cx.server.client_memory.report(cx.server);
    let report = report.ok_or(Error::fixed("ERR maxmemory-clients is disabled."))?;
    cx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// Keeps every other client from the data, as a server with one thread would.
fn sleep(cx: &mut Context<'_>) -> CommandResult {
    let seconds = std::str::from_utf8(cx.arg(2)).ok().and_then(|text| text.trim_start().parse::<f64>().ok());
    let duration = Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default();
    cx.lock_all()?;
    std::thread::sleep(duration);
    done(cx)
}

/// Saves all data and loads it again, or only does the one or the other.
fn reload(cx: &mut Context<'_>) -> CommandResult {
    let (mut saves, mut flushes, mut existing) = (true, true, Existing::Keep);
    for option in cx.args.tail(2) {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" => existing = Existing::Replace,
            b"noflush" => flushes = false,
            b"nosave" => saves = false,
            _ => {
                let text = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
                return Err(Error::fixed(text));
            }
        }
    }
    cx.lock_all()?;
    // What is loaded again is no change.
    let dirty = cx.db.effects.dirty;
    if saves {
        persistence::save(cx.server, cx.db).map_err(|_| Error::fixed("ERR"))?;
    }
    if flushes {
        cx.db.flush(0..cx.server.keyspace.databases(), Free::Now);
        cx.server.scripts.forget_libraries();
    }
    let loaded = persistence::reload(cx.server, cx.db, existing);
    cx.db.effects.dirty = dirty;
    if !loaded {
        return Err(Error::fixed("ERR Error trying to load the RDB dump, check server logs."));
    }
    log::warning!("DB reloaded by DEBUG RELOAD");
    done(cx)
}

/// Writes the append-only log out and reads it in the place of all data.
fn load_log(cx: &mut Context<'_>) -> CommandResult {
    cx.lock_all()?;
    let dirty = cx.db.effects.dirty;
    let loaded = persistence::aof::reload(cx.server, cx.db);
    cx.db.effects.dirty = dirty;
    if let Err(reason) = loaded {
        log::warning!("{reason}");
        return Err(Error::fixed("ERR Error trying to load the AOF files, check server logs."));
    }
    persistence::forget_changes(cx.server, cx.db);
    log::warning!("Append Only File loaded by DEBUG LOADAOF");
    done(cx)
}

fn set_active_expire(cx: &mut Context<'_>) -> CommandResult {
    cx.server.active_expire.store(leading_number(cx.arg(2)) != 0, Relaxed);
    done(cx)
}

/// The number that a text begins with, 0 if it begins with none.
fn leading_number(text: &[u8]) -> i64 {
    let digits = text.iter().enumerate().take_while(|(at, byte)| byte.is_ascii_digit() || (*at == 0 && **byte == b'-'));
    protocol::parse_i64(&text[..digits.count()]).unwrap_or(0)
}

/// How the memory of clients' output is looked after.
fn reply_buffer(cx: &mut Context<'_>) -> CommandResult {
    let upkeep = &cx.server.output_upkeep;
    if cx.arg_is(2, "peak-reset-time") {
        let ms = match cx.arg(3).to_ascii_lowercase().as_slice() {
            b"never" => -1,
            b"reset" => OutputUpkeep::PEAK_MS,
            _ => cx.integer(3)?,
        };
        upkeep.peak_ms.store(ms, Relaxed);
    } else if cx.arg_is(2, "resizing") {
        upkeep.shrinks.store(leading_number(cx.arg(3)) != 0, Relaxed);
    } else {
        return Err(unknown(cx));
    }
    done(cx)
}

/// From how many bytes on elements of lists are kept on their own.
fn long_elements(cx: &mut Context<'_>) -> CommandResult {
    const MOST: u64 = (1 << 32) - (1 << 20);
    let bytes = memory_size(cx.arg(2)).filter(|bytes| *bytes <= MOST).and_then(|bytes| u32::try_from(bytes).ok());
    let text = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    cx.server.long_elements.store(bytes.ok_or(Error::fixed(text))?, Relaxed);
    done(cx)
}

/// Bytes of what there is many of.
fn struct_sizes(cx: &mut Context<'_>) -> CommandResult {
    let (client, connection) = (size_of::<Shared>() + size_of::<Client>(), size_of::<Connection>());
    let slot = storage::SLOT_BYTES;
    cx.reply.simple(&format!("bits:{} slot:{slot} client:{client} connection:{connection}", usize::BITS));
    Ok(())
}

fn change_replication_id(cx: &mut Context<'_>) -> CommandResult {
    log::warning!("Changing replication IDs after receiving DEBUG change-repl-id");
    *cx.server.replication_id.lock() = random_hex(20);
    done(cx)
}

/// Replies an error of the caller's own words, which statistics do not count.
fn error(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.error_bytes(cx.arg(2));
    Ok(())
}

fn log_line(cx: &mut Context<'_>) -> CommandResult {
    log::warning!("DEBUG LOG: {}", String::from_utf8_lossy(cx.arg(2)));
    done(cx)
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "AOF-FLUSH-SLEEP <microseconds>",
        "    Wait so long before each write to the append-only file.",
        "ASSERT",
        "    Crash with a failed assertion.",
        "CHANGE-REPL-ID",
        "    Give the data's history a new name.",
        "CLIENT-EVICTION",
        "    How many clients of each size could be evicted, and what they take.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    CONFIG REWRITE with all directives, those with their defaults as well.",
        "DICT-RESIZING <0|1>",
        "    Whether tables shrink with what they hold. They grow as they must.",
        "DIGEST",
        "    A hash of all data.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    A hash of each of these keys' values.",
        "ERROR <text>",
        "    Reply this error.",
        "HTSTATS <dbid> [full]",
        "    About the hash tables of a database.",
        "HTSTATS-KEY <key> [full]",
        "    About the hash table of a value.",
        "LEAK <string>",
        "    Lose the memory of a string.",
        "LISTPACK <key>",
        "    About the listpack of a value.",
        "LOADAOF",
        "    Write the append-only log out and read it in the place of all data.",
        "LOG <message>",
        "    Write to the server's log.",
        "OBJECT <key>",
        "    How a value is stored.",
        "OOM",
        "    Crash for want of memory.",
        "PANIC",
        "    Crash with a panic.",
        "PAUSE-CRON <0|1>",
        "    Leave out what is done periodically: expiry, timeouts, rates.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Make <count> strings, named key:<number> or with <prefix> in place of \"key\".",
        "PROTOCOL <type>",
        "    Reply an example of a type: string, integer, double, bignum, null, array, set,",
        "    map, attrib, push, verbatim, true or false.",
        "QUICKLIST <key> [<0|1>]",
        "    About the quicklist of a value.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    From how many bytes on elements of lists are kept on their own; 0 leaves that to the",
        "    configuration.",
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "    Save all data and load it again: without saving it first, without removing what is there before, or in",
        "    the place of keys of the same names.",
        "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>",
        "    How long the largest output of a client is remembered.",
        "REPLYBUFFER RESIZING <0|1>",
        "    Whether idle clients give the memory of their output back.",
        "SDSLEN <key>",
        "    Lengths of a key and its string, and what they take.",
        "SEGFAULT",
        "    Crash with an access to memory that is not allowed.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Whether expired keys are removed without being touched.",
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "    Whether scripts may call commands that are not meant for them.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Whether payloads and files are taken whatever their checksums are.",
        "SLEEP <seconds>",
        "    Hold all data for so long, with decimals.",
        "STRUCTSIZE",
        "    The bytes that some structures take.",
    ])
}

#[cfg(test)]
mod tests {
    use super::leading_number;

    #[test]
    fn numbers_at_the_beginning() {
        let cases: [(&[u8], i64); 6] = [(b"1", 1), (b"0", 0), (b"-3x", -3), (b"12ab", 12), (b"", 0), (b"x1", 0)];
        cases.iter().for_each(|(text, number)| assert_eq!(leading_number(text), *number));
    }
}
