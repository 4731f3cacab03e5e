//! Values as they are serialized: DUMP and RESTORE.

use std::sync::atomic::Ordering::Relaxed;

use storage::rdb::{self, PayloadError};
use storage::{Event, Free, Usage};

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::{journal, log, set};

pub(super) const DUMP: Spec = Spec::new("dump", 2, dump)
    .doc(Group::Generic, "2.6.0", "O(N) where N is the size of the value.", "Serializes the value of a key.")
    .flags(Flags::READONLY)
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
    .tips(&["nondeterministic_output"])
    .args(&[Arg::key("key", 0)]);

fn dump(cx: &mut Context<'_>) -> CommandResult {
    let (key, compress) = (cx.key(1), cx.server.config.rdbcompression());
    match cx.db.read(&key).and_then(|entry| rdb::dump(entry.value(), compress)) {
        Some(payload) => cx.reply.bulk(&payload),
        None => cx.reply.null(),
    }
    Ok(())
}

pub(super) const RESTORE: Spec = Spec::new("restore", -4, restore)
    .doc(
        Group::Generic,
        "2.6.0",
        "O(N) where N is the size of the value, O(N*log(N)) for sorted sets.",
        "Makes a key of a value that was serialized.",
    )
    .flags(set!(Flags: WRITE | DENYOOM))
    .acl(set!(Categories: KEYSPACE | DANGEROUS))
    .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE))])
    .history(&[
        ("3.0.0", "The option `REPLACE`."),
        ("5.0.0", "The option `ABSTTL`."),
        ("5.0.0", "The options `IDLETIME` and `FREQ`."),
    ])
    .args(&[
        Arg::key("key", 0),
        Arg::new("ttl", ArgKind::Integer),
        Arg::new("serialized-value", ArgKind::String),
        Arg::flag("replace", "REPLACE").optional().since("3.0.0"),
        Arg::flag("absttl", "ABSTTL").optional().since("5.0.0"),
        Arg::new("seconds", ArgKind::Integer).token("IDLETIME").optional().since("5.0.0"),
        Arg::new("frequency", ArgKind::Integer).token("FREQ").optional().since("5.0.0"),
    ]);

fn restore(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx)?;
    let key = cx.key(1);
    if !options.replace && cx.db.exists(&key) {
        return Err(Error::fixed("BUSYKEY Target key name already exists."));
    }
    let ttl = cx.integer(2)?;
    if ttl < 0 {
        return Err(Error::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let check = !cx.server.skips_checksums.load(Relaxed);
    let value = match rdb::restore(cx.arg(3), &cx.server.limits(), check) {
        Ok(value) => value,
        Err(PayloadError::Footer) => return Err(Error::fixed("ERR DUMP payload version or checksum are wrong")),
        Err(PayloadError::Content(problem)) => {
            log::warning!("Bad data in the payload of RESTORE: {problem}");
            return Err(Error::fixed("ERR Bad data format"));
        }
    };
    let base_ms = if options.absolute { 0 } else { cx.now_ms() };
    let expiry = (ttl > 0).then(|| ttl.saturating_add(base_ms));
    if expiry.is_some_and(|when| when <= cx.horizon_ms()) {
        // It has expired on the way; what was to make room for it goes all the same.
        let free = if cx.server.config.lazy_server_del() { Free::Later } else { Free::Now };
        if cx.db.remove(&key, free, Event::DEL) {
            journal::removal(cx.db, &key, free);
        }
    } else {
        cx.db.restore(&key, value, expiry, options.usage);
        if let Some(when) = expiry.filter(|_| !options.absolute) {
            let (mut digits, args) = (itoa::Buffer::new(), cx.args);
            journal::instead(cx.db, |entries| {
                let mut command = journal::changed(args, &[(2, Some(digits.format(when).as_bytes()))]);
                command.push(b"ABSTTL");
                entries.command(command);
            });
        }
    }
    cx.reply.ok();
    Ok(())
}

#[derive(Default)]
struct Options {
    replace: bool,
    /// The time to live is the Unix time at which it ends.
    absolute: bool,
    usage: Option<Usage>,
}

impl Options {
    fn parse(cx: &Context<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut index = 4;
        while index < cx.args.len() {
            let has_value = index + 1 < cx.args.len();
            match cx.arg(index).to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"absttl" => options.absolute = true,
                b"idletime" if has_value && !matches!(options.usage, Some(Usage::Frequency(_))) => {
                    index += 1;
                    let idle = u64::try_from(cx.integer(index)?);
                    let idle = idle.map_err(|_| Error::fixed("ERR Invalid IDLETIME value, must be >= 0"))?;
                    options.usage = Some(Usage::Idle(idle));
                }
                b"freq" if has_value && !matches!(options.usage, Some(Usage::Idle(_))) => {
                    index += 1;
                    let frequency = u8::try_from(cx.integer(index)?);
                    let frequency =
                        frequency.map_err(|_| Error::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255"))?;
                    options.usage = Some(Usage::Frequency(frequency));
                }
                _ => return Err(Error::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }
}
