//! When keys expire.

use storage::{Event, Free};

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::{journal, set};

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")],
)
.optional()
.since("7.0.0");
const CONDITION_HISTORY: &[(&str, &str)] = &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")];
const MINUS_TWO_HISTORY: &[(&str, &str)] = &[("2.8.0", "Replies -2 for a key that is not there.")];

const WRITTEN_KEY: &[KeySpec] = &[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))];
const ONLY_KEY: &[Arg] = &[Arg::key("key", 0)];

/// A command that sets an expiry, up to its arguments.
const fn setter(spec: Spec) -> Spec {
    spec.flags(set!(Flags: WRITE | FAST)).acl(Categories::KEYSPACE).keys(WRITTEN_KEY).history(CONDITION_HISTORY)
}

/// A command that tells an expiry.
const fn getter(spec: Spec) -> Spec {
    spec.flags(set!(Flags: READONLY | FAST)).acl(Categories::KEYSPACE).keys(READ_KEY).args(ONLY_KEY)
}

pub(super) const EXPIRE: Spec = setter(Spec::new("expire", -3, expire))
    .doc(Group::Generic, "1.0.0", "O(1)", "Lets a key expire after so many seconds.")
    .args(&[Arg::key("key", 0), Arg::new("seconds", ArgKind::Integer), CONDITION]);

fn expire(cx: &mut Context<'_>) -> CommandResult {
    let now_ms = cx.now_ms();
    expire_at(cx, now_ms, Unit::Seconds)
}

pub(super) const PEXPIRE: Spec = setter(Spec::new("pexpire", -3, pexpire))
    .doc(Group::Generic, "2.6.0", "O(1)", "Lets a key expire after so many milliseconds.")
    .args(&[Arg::key("key", 0), Arg::new("milliseconds", ArgKind::Integer), CONDITION]);

fn pexpire(cx: &mut Context<'_>) -> CommandResult {
    let now_ms = cx.now_ms();
    expire_at(cx, now_ms, Unit::Milliseconds)
}

pub(super) const EXPIREAT: Spec = setter(Spec::new("expireat", -3, expireat))
    .doc(Group::Generic, "1.2.0", "O(1)", "Lets a key expire at a Unix time in seconds.")
    .args(&[Arg::key("key", 0), Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION]);

fn expireat(cx: &mut Context<'_>) -> CommandResult {
    expire_at(cx, 0, Unit::Seconds)
}

pub(super) const PEXPIREAT: Spec = setter(Spec::new("pexpireat", -3, pexpireat))
    .doc(Group::Generic, "2.6.0", "O(1)", "Lets a key expire at a Unix time in milliseconds.")
    .args(&[Arg::key("key", 0), Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION]);

fn pexpireat(cx: &mut Context<'_>) -> CommandResult {
    expire_at(cx, 0, Unit::Milliseconds)
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    fn in_ms(self) -> i64 {
        match self {
            Unit::Seconds => 1000,
            Unit::Milliseconds => 1,
        }
    }
}

/// The four setters: the argument counts from `base_ms` on.
fn expire_at(cx: &mut Context<'_>, base_ms: i64, unit: Unit) -> CommandResult {
    let condition = Condition::parse(cx)?;
    let when = cx.integer(2)?.checked_mul(unit.in_ms()).and_then(|ms| ms.checked_add(base_ms));
    let when = when.ok_or_else(|| Error::invalid_expire(cx.command.spec.name))?;

    let key = cx.key(1);
    let done = match cx.db.peek_whole(&key) {
        None => false,
        Some(entry) => condition.holds(entry.expiry(), when),
    };
    if done && when <= cx.horizon_ms() {
        let free = if cx.server.config.lazy_expire() { Free::Later } else { Free::Now };
        cx.db.remove(&key, free, Event::DEL);
        journal::removal(cx.db, &key, free);
    } else if done {
        cx.db.set_expiry(&key, Some(when), Event::EXPIRE);
        let (mut digits, args) = (itoa::Buffer::new(), cx.args);
        let changes = [(0, Some(&b"PEXPIREAT"[..])), (2, Some(digits.format(when).as_bytes()))];
        journal::instead(cx.db, |entries| entries.command(journal::changed(args, &changes)));
    }
    cx.reply.integer(i64::from(done));
    Ok(())
}

/// What must be true of the old expiry for a new one to be set.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(cx: &Context<'_>) -> Result<Condition, Error> {
        let mut condition = Condition::default();
        for option in cx.args.tail(3) {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => condition.nx = true,
                b"xx" => condition.xx = true,
                b"gt" => condition.gt = true,
                b"lt" => condition.lt = true,
                _ => return Err(Error::quoting("ERR Unsupported option ", option, "")),
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Error::fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if gt && lt {
            return Err(Error::fixed("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// A key without an expiry counts as expiring later than any time.
    fn holds(&self, old: Option<i64>, new: i64) -> bool {
        let refused = match old {
            None => self.xx || self.gt,
            Some(old) => self.nx || (self.gt && new <= old) || (self.lt && new >= old),
        };
        !refused
    }
}

pub(super) const TTL: Spec = getter(Spec::new("ttl", 2, ttl))
    .doc(Group::Generic, "1.0.0", "O(1)", "Tells in how many seconds a key expires.")
    .tips(&["nondeterministic_output"])
    .history(MINUS_TWO_HISTORY);

fn ttl(cx: &mut Context<'_>) -> CommandResult {
    let now_ms = cx.now_ms();
    reply_expiry(cx, |when| (when.saturating_sub(now_ms).max(0)).saturating_add(500) / 1000)
}

pub(super) const PTTL: Spec = getter(Spec::new("pttl", 2, pttl))
    .doc(Group::Generic, "2.6.0", "O(1)", "Tells in how many milliseconds a key expires.")
    .tips(&["nondeterministic_output"])
    .history(MINUS_TWO_HISTORY);

fn pttl(cx: &mut Context<'_>) -> CommandResult {
    let now_ms = cx.now_ms();
    reply_expiry(cx, |when| when.saturating_sub(now_ms).max(0))
}

pub(super) const EXPIRETIME: Spec = getter(Spec::new("expiretime", 2, expiretime)).doc(
    Group::Generic,
    "7.0.0",
    "O(1)",
    "Tells the Unix time in seconds at which a key expires.",
);

fn expiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, |when| when.saturating_add(500) / 1000)
}

pub(super) const PEXPIRETIME: Spec = getter(Spec::new("pexpiretime", 2, pexpiretime)).doc(
    Group::Generic,
    "7.0.0",
    "O(1)",
    "Tells the Unix time in milliseconds at which a key expires.",
);

fn pexpiretime(cx: &mut Context<'_>) -> CommandResult {
    reply_expiry(cx, |when| when)
}

/// Replies the expiry as `shown`, -1 for a key without one, -2 for none.
fn reply_expiry(cx: &mut Context<'_>, shown: impl Fn(i64) -> i64) -> CommandResult {
    let key = cx.key(1);
    let answer = match cx.db.inspect(&key) {
        None => -2,
        Some(entry) => entry.expiry().map_or(-1, shown),
    };
    cx.reply.integer(answer);
    Ok(())
}

pub(super) const PERSIST: Spec = Spec::new("persist", 2, persist)
    .doc(Group::Generic, "2.2.0", "O(1)", "Lets a key stay for ever.")
    .flags(set!(Flags: WRITE | FAST))
    .acl(Categories::KEYSPACE)
    .keys(WRITTEN_KEY)
    .args(ONLY_KEY);

fn persist(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let expires = cx.db.peek_whole(&key).is_some_and(|entry| entry.expiry().is_some());
    if expires {
        cx.db.set_expiry(&key, None, Event::PERSIST);
    }
    cx.reply.integer(i64::from(expires));
    Ok(())
}
