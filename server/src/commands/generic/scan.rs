//! Walking over all keys: at once with KEYS, bit by bit with SCAN.

use protocol::OwnedArgs;
use storage::{SHARDS, Type};

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::{glob, set};

pub(super) const KEYS: Spec = Spec::new("keys", 2, keys)
    .doc(
        Group::Generic,
        "1.0.0",
        "O(N) where N is the number of keys in the database.",
        "Lists the keys whose names fit a pattern.",
    )
    .flags(Flags::READONLY)
    .acl(set!(Categories: KEYSPACE | DANGEROUS))
    .all_shards()
    .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
    .args(&[Arg::new("pattern", ArgKind::Pattern)]);

fn keys(cx: &mut Context<'_>) -> CommandResult {
    let pattern = cx.arg(1);
    let header = cx.reply.defer();
    let mut found = 0;
    cx.db.for_each_key(|name| {
        if pattern == b"*" || glob::matches(pattern, name, false) {
            cx.reply.bulk(name);
            found += 1;
        }
    });
    cx.reply.end_array(header, found);
    Ok(())
}

pub(super) const SCAN: Spec = Spec::new("scan", -2, scan)
    .doc(
        Group::Generic,
        "2.8.0",
        "O(1) for each call, O(N) for a whole walk over N keys.",
        "Lists the keys of the database bit by bit.",
    )
    .flags(Flags::READONLY)
    .acl(Categories::KEYSPACE)
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
    .history(&[("6.0.0", "The option `TYPE`.")])
    .args(&[
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(),
        Arg::new("count", ArgKind::Integer).token("COUNT").optional(),
        Arg::new("type", ArgKind::String).token("TYPE").optional().since("6.0.0"),
    ]);

fn scan(cx: &mut Context<'_>) -> CommandResult {
    let mut cursor = Cursor::parse(cx.arg(1)).ok_or(Error::fixed("ERR invalid cursor"))?;
    let options = Options::parse(cx, 2, Accepts { types: true, no_values: false })?;
    let mut page = OwnedArgs::new();
    if let Some(name) = options.pattern.filter(|pattern| glob::is_literal(pattern)) {
        // Nothing else fits, and it is quicker found than walked to.
        let key = cx.server.keyspace.key(name);
        let kind = cx.db.in_shard(key.shard(), |view| view.peek_whole(&key).map(|entry| entry.kind())).flatten();
        if kind.is_some_and(|kind| options.wants(kind)) {
            page.push(name);
        }
        write_page(cx, 0, &page);
        return Ok(());
    }
    let mut seen = 0;
    // A sparse table must not make a call walk over all of it. Beside what the count allows for, every shard may be
    // visited once, so that a small keyspace is done in one call.
    let mut steps = options.count.saturating_mul(10).saturating_add(SHARDS);
    while seen < options.count && steps > 0 {
        steps -= 1;
        let next = cx.db.in_shard(cursor.shard, |view| {
            view.scan_shard(cursor.shard, cursor.position, |name, kind| {
                seen += 1;
                let wanted =
                    options.pattern.is_none_or(|pattern| glob::matches(pattern, name, false)) && options.wants(kind);
                if wanted {
                    page.push(name);
                }
            })
        });
        // A shard that a slow script holds: the command is refused as a whole.
        let Some(next) = next else { break };
        cursor = cursor.advance(next);
        if cursor.is_end() {
            break;
        }
    }

    write_page(cx, cursor.pack(), &page);
    Ok(())
}

fn write_page(cx: &mut Context<'_>, cursor: u64, page: &OwnedArgs) {
    cx.reply.array(2);
    cx.reply.bulk_display(cursor);
    let page = page.as_args();
    cx.reply.array(page.len());
    for name in page {
        cx.reply.bulk(name);
    }
}

/// Options that not every scan knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) struct Accepts {
    pub types: bool,
    pub no_values: bool,
}

/// The options of SCAN, HSCAN, SSCAN and ZSCAN.
pub(in crate::commands) struct Options<'a> {
    pub pattern: Option<&'a [u8]>,
    pub count: usize,
    /// The name of a type. One that does not exist has no keys.
    kind: Option<&'a [u8]>,
    /// Whether elements are shown with their values.
    pub values: bool,
}

impl<'a> Options<'a> {
    /// Reads the options from the argument at `index` on.
    pub(in crate::commands) fn parse(
        cx: &Context<'a>,
        mut index: usize,
        accepts: Accepts,
    ) -> Result<Options<'a>, Error> {
        let mut options = Options { pattern: None, count: 10, kind: None, values: true };
        while index < cx.args.len() {
            let operand = cx.args.get(index + 1);
            match (cx.arg(index).to_ascii_lowercase().as_slice(), operand) {
                (b"count", Some(_)) => {
                    let count = cx.integer(index + 1)?;
                    options.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Error::SYNTAX)?;
                }
                (b"match", Some(pattern)) => options.pattern = (pattern != b"*").then_some(pattern),
                (b"type", Some(_)) if accepts.types => options.kind = operand,
                (b"novalues", _) if accepts.no_values => {
                    options.values = false;
                    index += 1;
                    continue;
                }
                (b"novalues", _) => return Err(Error::fixed("ERR NOVALUES option can only be used in HSCAN")),
                _ => return Err(Error::SYNTAX),
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether keys of a type are asked for.
    fn wants(&self, kind: Type) -> bool {
        self.kind.is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind.name().as_bytes()))
    }
}

/// Bits of a packed cursor that name the shard. With the 40 bits of a table's own cursor above them the number stays
/// exact in clients that keep it in a double.
const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// Where a walk over the keyspace goes on: shards are visited one after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cursor {
    shard: usize,
    position: u64,
}

impl Cursor {
    /// The number that clients see; 0 is both the beginning and the end.
    fn pack(self) -> u64 {
        (self.position << SHARD_BITS) | self.shard as u64
    }

    fn unpack(number: u64) -> Cursor {
        Cursor { shard: number as usize % SHARDS, position: number >> SHARD_BITS }
    }

    fn is_end(self) -> bool {
        self.pack() == 0
    }

    /// The cursor behind a step that left the shard's table at `position`, 0 at its end.
    fn advance(self, position: u64) -> Cursor {
        let shard = if position == 0 { (self.shard + 1) % SHARDS } else { self.shard };
        Cursor { shard, position }
    }

    fn parse(text: &[u8]) -> Option<Cursor> {
        parse_cursor(text).map(Cursor::unpack)
    }
}

/// Reads a cursor as C's `strtoull` does, which clients' habits have grown around: spaces and a sign may stand before
/// it, but a plain negative number is refused.
pub(crate) fn parse_cursor(text: &[u8]) -> Option<u64> {
    if let Some(number) = protocol::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_way_to_the_client_and_back() {
        for cursor in [Cursor { shard: 0, position: 0 }, Cursor { shard: SHARDS - 1, position: (1 << 40) - 1 }] {
            assert_eq!(Cursor::unpack(cursor.pack()), cursor);
            assert!(cursor.pack() < 1 << 53);
        }
        assert!(Cursor { shard: SHARDS - 1, position: 77 }.advance(0).is_end());
        assert!(!Cursor { shard: SHARDS - 2, position: 77 }.advance(0).is_end());
    }

    #[test]
    fn cursors_are_read_as_generously_as_elsewhere() {
        for text in ["0", "05", "+5", " 5", "-0", "-05", "18446744073709551615"] {
            assert!(Cursor::parse(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["", "x", "-1", "-5", "0x", "5 ", "+", "++5", "18446744073709551616"] {
            assert!(Cursor::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
