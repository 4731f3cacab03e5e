//! The commands about HyperLogLogs.

use storage::hyperloglog::{self as hll, Code, Corrupt, Registers};
use storage::{Event, Key, NewValue, StrRef, View};

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("pfadd", -2, pfadd)
        .doc(Group::Hyperloglog, "2.8.9", "O(1) to add every element", "Adds elements to a HyperLogLog.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HYPERLOGLOG)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String).optional().multiple()]),
    Spec::new("pfcount", -2, pfcount)
        .doc(
            Group::Hyperloglog,
            "2.8.9",
            "O(1) with a very small average constant time when called with a single key",
            "Estimates how many different elements HyperLogLogs have seen.",
        )
        .flags(set!(Flags: READONLY | MAY_REPLICATE))
        .acl(Categories::HYPERLOGLOG)
        .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RW | ACCESS))
            .note("RW because the estimate is stored with the key")])
        .args(&[Arg::key("key", 0).multiple()]),
    Spec::new("pfdebug", 3, pfdebug)
        .doc(Group::Hyperloglog, "2.8.9", "N/A", "Shows the inside of a HyperLogLog.")
        .flags(set!(Flags: WRITE | DENYOOM | ADMIN))
        .internal()
        .acl(Categories::HYPERLOGLOG)
        .keys(&[KeySpec::at(2, set!(KeyFlags: RW | ACCESS))])
        .args(&[Arg::new("subcommand", ArgKind::String), Arg::key("key", 0)]),
    Spec::new("pfmerge", -2, pfmerge)
        .doc(
            Group::Hyperloglog,
            "2.8.9",
            "O(N) to merge N HyperLogLogs, but with high constant times",
            "Adds HyperLogLogs to one.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::HYPERLOGLOG)
        .keys(&[
            KeySpec::at(1, set!(KeyFlags: RW | ACCESS | INSERT)),
            KeySpec::range(2, -1, 1, set!(KeyFlags: RO | ACCESS)),
        ])
        .args(&[Arg::key("destkey", 0), Arg::key("sourcekey", 1).optional().multiple()]),
    Spec::new("pfselftest", 1, pfselftest)
        .doc(Group::Hyperloglog, "2.8.9", "N/A", "Tests the HyperLogLog of this server.")
        .flags(Flags::ADMIN)
        .internal()
        .acl(Categories::HYPERLOGLOG),
];

impl From<Corrupt> for Error {
    fn from(_: Corrupt) -> Error {
        Error::fixed("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The bytes of a HyperLogLog, looked at.
fn look<'v>(db: &'v mut View<'_>, key: &Key<'_>) -> Result<Option<&'v [u8]>, Error> {
    let Some(entry) = db.peek(key) else { return Ok(None) };
    match entry.string()? {
        StrRef::Bytes(bytes) if hll::is_valid(bytes) => Ok(Some(bytes)),
        _ => Err(Error::fixed("WRONGTYPE Key is not a valid HyperLogLog string value.")),
    }
}

fn longest(cx: &Context<'_>) -> usize {
    usize::try_from(cx.server.config.hll_sparse_max_bytes()).unwrap_or(0)
}

/// Stores changed bytes, which counts as so many changes.
fn store(cx: &mut Context<'_>, key: &Key<'_>, bytes: Vec<u8>, changes: usize) -> CommandResult {
    cx.db.update(key, Event::PFADD, |_| Ok::<_, Error>(NewValue::Grown(bytes)))?;
    cx.db.effects.dirty += changes as u64 - 1;
    Ok(())
}

fn pfadd(cx: &mut Context<'_>) -> CommandResult {
    let (key, elements, longest) = (cx.key(1), cx.args.tail(2), longest(cx));
    let mut changes = 0;
    let found = look(cx.db, &key)?;
    if found.is_some_and(hll::is_dense) {
        // In place: a dense one is twelve kilobytes.
        cx.db.edit(&key, 0, Event::PFADD, |bytes| {
            changes = elements.iter().filter(|element| hll::add_dense(bytes, element)).count();
            if changes > 0 {
                hll::forget_cached(bytes);
            }
            ((), changes > 0)
        })?;
        cx.db.effects.dirty += changes.saturating_sub(1) as u64;
    } else {
        changes = usize::from(found.is_none());
        let mut bytes = found.map_or_else(hll::new, <[u8]>::to_vec);
        for element in elements.iter() {
            changes += usize::from(hll::add(&mut bytes, element, longest)?);
        }
        if changes > 0 {
            hll::forget_cached(&mut bytes);
            store(cx, &key, bytes, changes)?;
        }
    }
    cx.reply.integer((changes > 0).into());
    Ok(())
}

fn pfcount(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 2 {
        let mut registers = Registers::default();
        for index in 1..cx.args.len() {
            let key = cx.key(index);
            cx.db.read(&key);
            if let Some(bytes) = look(cx.db, &key)? {
                registers.merge(bytes)?;
            }
        }
        cx.reply.integer(registers.estimate() as i64);
        return Ok(());
    }
    let key = cx.key(1);
    cx.db.read(&key);
    let Some(bytes) = look(cx.db, &key)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let estimate = match hll::cached(bytes) {
        Some(estimate) => estimate,
        None => {
            let mut registers = Registers::default();
            registers.merge(bytes)?;
            let estimate = registers.estimate();
            cx.db.edit_silently(&key, |bytes| hll::set_cached(bytes, estimate))?;
            estimate
        }
    };
    cx.reply.integer(estimate as i64);
    Ok(())
}

fn pfmerge(cx: &mut Context<'_>) -> CommandResult {
    let mut registers = Registers::default();
    let mut dense = false;
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        cx.db.read(&key);
        if let Some(bytes) = look(cx.db, &key)? {
            dense |= hll::is_dense(bytes);
            registers.merge(bytes)?;
        }
    }
    let (key, longest) = (cx.key(1), longest(cx));
    let mut bytes = look(cx.db, &key)?.map_or_else(hll::new, <[u8]>::to_vec);
    if dense {
        hll::make_dense(&mut bytes)?;
    }
    hll::raise_all(&mut bytes, &registers, longest)?;
    hll::forget_cached(&mut bytes);
    store(cx, &key, bytes, 1)?;
    cx.reply.ok();
    Ok(())
}

fn pfdebug(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(2);
    let missing = Error::fixed("ERR The specified key does not exist");
    let mut bytes = look(cx.db, &key)?.ok_or(missing)?.to_vec();
    match cx.arg(1).to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let mut registers = Registers::default();
            registers.merge(&bytes)?;
            make_dense(cx, &key, &mut bytes)?;
            cx.reply.array(registers.values().len());
            registers.values().iter().for_each(|value| cx.reply.integer((*value).into()));
        }
        b"decode" if hll::is_dense(&bytes) => return Err(Error::fixed("ERR HLL encoding is not sparse")),
        b"decode" => {
            let words = hll::codes(&bytes).map(|code| match code {
                Code::Zeros(len @ ..=64) => format!("z:{len}"),
                Code::Zeros(len) => format!("Z:{len}"),
                Code::Values(value, len) => format!("v:{value},{len}"),
            });
            cx.reply.bulk(words.collect::<Vec<_>>().join(" ").as_bytes());
        }
        b"encoding" => cx.reply.simple(if hll::is_dense(&bytes) { "dense" } else { "sparse" }),
        b"todense" => {
            let converted = make_dense(cx, &key, &mut bytes)?;
            cx.reply.integer(converted.into());
        }
        _ => return Err(Error::quoting("ERR Unknown PFDEBUG subcommand '", cx.arg(1), "'")),
    }
    Ok(())
}

fn make_dense(cx: &mut Context<'_>, key: &Key<'_>, bytes: &mut Vec<u8>) -> Result<bool, Error> {
    let converted = hll::make_dense(bytes)?;
    if converted {
        cx.db.reencode(key, NewValue::Grown(std::mem::take(bytes)));
    }
    Ok(converted)
}

/// Elements that the self-test counts.
const TESTED: u64 = 100_000;

fn pfselftest(cx: &mut Context<'_>) -> CommandResult {
    // Both forms must agree, and be right within a few standard errors (1.04 over the root of the registers each).
    let mut sparse = hll::new();
    let mut dense = hll::new();
    hll::make_dense(&mut dense)?;
    let mut checkpoint = 1;
    for number in 1..=TESTED {
        let element = number.to_le_bytes();
        hll::add(&mut sparse, &element, usize::MAX)?;
        hll::add(&mut dense, &element, 0)?;
        if number < checkpoint {
            continue;
        }
        let estimate = |bytes: &[u8]| -> Result<u64, Error> {
            let mut registers = Registers::default();
            registers.merge(bytes)?;
            Ok(registers.estimate())
        };
        let (one, other) = (estimate(&sparse)?, estimate(&dense)?);
        let most = (number as f64 * 4.0 * 1.04 / 128.0).ceil() as u64 + 1;
        if one != other || one.abs_diff(number) > most {
            return Err(Error::new(format!("TESTFAILED {number} elements counted as {one} and {other}")));
        }
        checkpoint *= 10;
    }
    cx.reply.ok();
    Ok(())
}
