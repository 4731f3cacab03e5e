//! What the commands of all collections share: replying with elements, walking over them, picking some at random.

use protocol::{OwnedArgs, Reply};
use storage::Stored;
use storage::listpack::Item;

use super::generic::scan::{Accepts, Options, parse_cursor};
use crate::command::{CommandResult, Context, Error};
use crate::glob;

/// Answers with an element.
#[inline]
pub(super) fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Str(text) => reply.bulk(text),
    }
}

/// Answers with an element, or with nothing.
#[inline]
pub(super) fn reply_found(reply: &mut Reply, item: Option<Item<'_>>) {
    match item {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
}

/// The elements that a step of a scan has come by.
pub(super) struct Page<'a> {
    elements: OwnedArgs,
    seen: usize,
    pattern: Option<&'a [u8]>,
}

impl Page<'_> {
    /// Takes an element, with its value if that is wanted, if its name fits.
    pub(super) fn add(&mut self, name: Item<'_>, value: Option<Item<'_>>) {
        self.seen += 1;
        let mut digits = itoa::Buffer::new();
        let name = name.bytes(&mut digits);
        if self.pattern.is_some_and(|pattern| !glob::matches(pattern, name, false)) {
            return;
        }
        self.elements.push(name);
        if let Some(value) = value {
            self.elements.push(value.bytes(&mut itoa::Buffer::new()));
        }
    }
}

/// HSCAN, SSCAN and ZSCAN: the key stands at 1, the cursor at 2 and options behind it. `step` goes one step over the
/// collection from a cursor and returns the next; it is told whether values are wanted.
pub(super) fn scan<C: Stored>(
    cx: &mut Context<'_>,
    may_leave_values: bool,
    mut step: impl FnMut(C::Ref<'_>, u64, bool, &mut Page<'_>) -> u64,
) -> CommandResult {
    let mut cursor = parse_cursor(cx.arg(2)).ok_or(Error::fixed("ERR invalid cursor"))?;
    let (key, accepts) = (cx.key(1), Accepts { types: false, no_values: may_leave_values });
    let options = Options::parse(cx, 3, accepts);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(2);
        cx.reply.bulk(b"0");
        cx.reply.array(0);
        return Ok(());
    };
    let collection = entry.get::<C>()?;
    let Options { pattern, count, values, .. } = options?;
    let mut page = Page { elements: OwnedArgs::new(), seen: 0, pattern };
    // A sparse table must not make a call walk over all of it.
    for _ in 0..count.saturating_mul(10) {
        cursor = step(collection, cursor, values, &mut page);
        if cursor == 0 || page.seen >= count {
            break;
        }
    }
    cx.reply.array(2);
    cx.reply.bulk_display(cursor);
    let elements = page.elements.as_args();
    cx.reply.array(elements.len());
    for element in elements {
        cx.reply.bulk(element);
    }
    Ok(())
}

/// How many elements a random pick asks for: so many different ones, or so many whichever they are.
#[derive(Clone, Copy)]
pub(super) enum Picks {
    Distinct(usize),
    Any(usize),
}

impl Picks {
    /// Reads the count at `index`; a negative one may repeat elements. With `doubled`, every element is answered with
    /// two.
    pub(super) fn parse(cx: &Context<'_>, index: usize, doubled: bool) -> Result<Picks, Error> {
        let count = cx.symmetric_integer(index)?;
        if doubled && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(Error::fixed("ERR value is out of range"));
        }
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if count < 0 { Picks::Any(size) } else { Picks::Distinct(size) })
    }
}

/// Which of `len` elements to take so that each `count` of them have the same chance; sorted.
pub(super) fn sample(len: usize, count: usize) -> Vec<usize> {
    let mut chosen = rand::seq::index::sample(&mut rand::rng(), len, count.min(len)).into_vec();
    chosen.sort_unstable();
    chosen
}
