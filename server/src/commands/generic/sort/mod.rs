//! SORT: the elements of a list, set or sorted set in an order, or what patterns make of them.

mod pattern;

use std::cmp::Ordering;
use std::ops::Range;

use protocol::{Args, OwnedArgs};
use storage::list::{End, List};
use storage::{Collection, Event, Free, Value, View};

use crate::acl::{self, Access};
use crate::collation::Collation;
use crate::command::context::Within;
use crate::command::keys::{KeyAt, KeysAt};
use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;
use pattern::Pattern;

const CATEGORIES: Categories = set!(Categories: SET | SORTEDSET | LIST | DANGEROUS);
const COMPLEXITY: &str =
    "O(N+M*log(M)) where N is the number of elements and M that of elements returned; O(N) without sorting.";
const LIMIT: &[Arg] = &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)];

/// What is sorted, and what patterns lead to.
const SOURCES: [KeySpec; 2] = [
    KeySpec::at(1, set!(KeyFlags: RO | ACCESS)),
    KeySpec::unknown(set!(KeyFlags: RO | ACCESS))
        .note("For BY and GET: which keys they lead to depends on the elements"),
];

const ORDER: [Arg; 6] = [
    Arg::key("key", 0),
    Arg { key_spec: Some(1), ..Arg::new("by-pattern", ArgKind::Pattern) }.token("BY").optional(),
    Arg::block("limit", LIMIT).token("LIMIT").optional(),
    Arg { key_spec: Some(1), ..Arg::new("get-pattern", ArgKind::Pattern) }.token("GET").optional().multiple_token(),
    Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional(),
    Arg::flag("sorting", "ALPHA").optional(),
];

pub(super) const SORT: Spec = Spec::new("sort", -2, sort)
    .doc(Group::Generic, "1.0.0", COMPLEXITY, "Sorts the elements of a list, set or sorted set; may store the result.")
    .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
    .acl(CATEGORIES)
    .keys(&[
        SOURCES[0],
        SOURCES[1],
        KeySpec::unknown(set!(KeyFlags: OW | UPDATE)).note("For STORE, which may stand anywhere among the options"),
    ])
    .find_keys(find_keys)
    .all_shards_if(reads_by_patterns)
    .args(&[
        ORDER[0],
        ORDER[1],
        ORDER[2],
        ORDER[3],
        ORDER[4],
        ORDER[5],
        Arg::key("destination", 2).token("STORE").optional(),
    ]);

pub(super) const SORT_RO: Spec = Spec::new("sort_ro", -2, sort_ro)
    .doc(Group::Generic, "7.0.0", COMPLEXITY, "Sorts the elements of a list, set or sorted set.")
    .flags(set!(Flags: READONLY | MOVABLE_KEYS))
    .acl(CATEGORIES)
    .keys(&SOURCES)
    .all_shards_if(reads_by_patterns)
    .args(&ORDER);

fn sort(cx: &mut Context<'_>) -> CommandResult {
    run(cx, true)
}

fn sort_ro(cx: &mut Context<'_>) -> CommandResult {
    run(cx, false)
}

/// What a request may do.
#[derive(Clone, Copy)]
struct Rights {
    store: bool,
    /// Read keys that are not among its arguments.
    any_key: bool,
}

impl Rights {
    const ALL: Rights = Rights { store: true, any_key: true };
}

/// The options of a request.
#[derive(Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    /// Offset and count.
    limit: Option<(i64, i64)>,
    by: Option<Pattern<'a>>,
    /// A BY that is the same for all elements leaves them as they are, even if another one follows.
    unsorted: bool,
    get: Vec<Pattern<'a>>,
    /// The place of the last STORE's key.
    store: Option<usize>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, rights: Rights) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        let mut index = 2;
        while index < args.len() {
            let operand = args.get(index + 1);
            let taken = match (args[index].to_ascii_lowercase().as_slice(), operand) {
                (b"asc", _) => {
                    options.descending = false;
                    0
                }
                (b"desc", _) => {
                    options.descending = true;
                    0
                }
                (b"alpha", _) => {
                    options.alpha = true;
                    0
                }
                (b"limit", Some(offset)) if index + 2 < args.len() => {
                    let number = |text| protocol::parse_i64(text).ok_or(Error::NOT_AN_INTEGER);
                    options.limit = Some((number(offset)?, number(&args[index + 2])?));
                    2
                }
                (b"store", Some(_)) if rights.store => {
                    options.store = Some(index + 1);
                    1
                }
                (b"by", Some(text)) => {
                    // A constant that looks like an element is one, too.
                    let by = Pattern::parse(text);
                    options.unsorted |= !by.reads_keys();
                    if by.reads_keys() && !rights.any_key {
                        return Err(Error::fixed("ERR BY option of SORT denied due to insufficient ACL permissions."));
                    }
                    options.by = Some(by);
                    1
                }
                (b"get", Some(_)) if !rights.any_key => {
                    return Err(Error::fixed("ERR GET option of SORT denied due to insufficient ACL permissions."));
                }
                (b"get", Some(text)) => {
                    options.get.push(Pattern::parse(text));
                    1
                }
                _ => return Err(Error::SYNTAX),
            };
            index += 1 + taken;
        }
        Ok(options)
    }

    /// Which of so many elements are wanted.
    fn range(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(len);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(len - start);
        start..start + count
    }
}

/// The key that is sorted, and the one that the result is stored under.
fn find_keys(args: Args<'_>) -> KeysAt {
    let mut keys = KeysAt::new();
    keys.push(KeyAt { index: 1, flags: set!(KeyFlags: RO | ACCESS) });
    keys.extend(find_store(args).map(|index| KeyAt { index, flags: set!(KeyFlags: OW | UPDATE) }));
    keys
}

/// The place of the last STORE's key. Whatever else is wrong with the request, it is one of its keys.
fn find_store(args: Args<'_>) -> Option<usize> {
    let mut store = None;
    let mut index = 2;
    while index + 1 < args.len() {
        index += match args[index].to_ascii_lowercase().as_slice() {
            b"limit" => 3,
            b"by" | b"get" => 2,
            b"store" => {
                store = Some(index + 1);
                2
            }
            _ => 1,
        };
    }
    store
}

/// Whether patterns may lead to any key at all: which ones is only known when the elements are.
fn reads_by_patterns(args: Args<'_>) -> bool {
    Options::parse(args, Rights::ALL)
        .is_ok_and(|options| options.by.into_iter().chain(options.get).any(Pattern::reads_keys))
}

fn run(cx: &mut Context<'_>, may_store: bool) -> CommandResult {
    let any_key = acl::may_use_any_key(cx.client.session.user(), cx.command, cx.args, Access::READ);
    let mut options = Options::parse(cx.args, Rights { store: may_store, any_key })?;
    let key = cx.key(1);
    let value = cx.db.read(&key).map(|entry| entry.value());
    let for_others = options.store.is_some() || cx.within == Within::Script;
    if options.unsorted && for_others && matches!(value, Some(Value::Set(_))) {
        // What is stored must not depend on how the set happens to lie.
        (options.unsorted, options.alpha, options.by) = (false, true, None);
    }
    let mut elements = load(value, &options)?;
    if for_others && options.alpha && matches!(value, Some(Value::Set(_))) {
        // The same goes for members whose weights are equal.
        let mut members: Vec<&[u8]> = elements.as_args().iter().collect();
        members.sort_unstable();
        elements = members.into_iter().collect();
    }
    let elements = elements.as_args();
    let order = if options.unsorted { (0..elements.len()).collect() } else { order(cx, &options, elements)? };
    let sorted = order.into_iter().map(|index| &elements[index]);
    match options.store {
        None => reply(cx, &options, sorted),
        Some(index) => store(cx, &options, sorted, index),
    }
    Ok(())
}

/// Copies the elements, since more keys are to be read. Those of a sequence that is not to be sorted are only those that
/// are wanted.
fn load(value: Option<Value<'_>>, options: &Options<'_>) -> Result<OwnedArgs, Error> {
    let mut elements = OwnedArgs::new();
    let mut add = |item: storage::listpack::Item<'_>| elements.push(item.bytes(&mut itoa::Buffer::new()));
    let range = |len| if options.unsorted { options.range(len) } else { 0..len };
    let backwards = options.unsorted && options.descending;
    match value {
        None => {}
        Some(Value::List(list)) => {
            let range = range(list.len());
            if backwards {
                list.iter_back().skip(range.start).take(range.len()).for_each(add);
            } else {
                list.iter_from(range.start).take(range.len()).for_each(add);
            }
        }
        Some(Value::Set(set)) => {
            let range = range(set.len());
            set.iter().skip(range.start).take(range.len()).for_each(add);
        }
        Some(Value::Zset(zset)) => {
            let range = range(zset.len());
            if range.is_empty() {
                // There may not be a rank to begin at.
            } else if backwards {
                let first = zset.len() - 1 - range.start;
                zset.iter_back_from(first).take(range.len()).for_each(|(member, _)| add(member));
            } else {
                zset.iter_from(range.start).take(range.len()).for_each(|(member, _)| add(member));
            }
        }
        Some(_) => return Err(Error::WRONG_TYPE),
    }
    Ok(elements)
}

/// What elements are sorted by.
enum Weights {
    Numbers(Vec<f64>),
    /// Missing ones come first.
    Texts {
        texts: OwnedArgs,
        present: Vec<bool>,
    },
}

impl Weights {
    fn compare(&self, elements: Args<'_>, a: usize, b: usize) -> Ordering {
        match self {
            Weights::Numbers(numbers) => {
                let numbers = numbers[a].partial_cmp(&numbers[b]).unwrap_or(Ordering::Equal);
                numbers.then_with(|| elements[a].cmp(&elements[b]))
            }
            Weights::Texts { texts, present } => {
                let texts = texts.as_args();
                present[a].cmp(&present[b]).then_with(|| texts[a].cmp(&texts[b]))
            }
        }
    }
}

/// The places of the wanted elements in their order. Equal ones stay as they are.
fn order(cx: &mut Context<'_>, options: &Options<'_>, elements: Args<'_>) -> Result<Vec<usize>, Error> {
    let by = options.by.unwrap_or(Pattern::Element);
    let weights = if options.alpha {
        // What is stored must be the same everywhere: it is compared by its bytes.
        let locale = options.store.is_none().then(|| cx.server.config.locale_collate());
        texts(cx.db, by, elements, locale.map(|name| Collation::new(&name)))
    } else {
        numbers(cx.db, by, elements)?
    };
    let compare = |a: &usize, b: &usize| {
        let order = weights.compare(elements, *a, *b);
        if options.descending { order.reverse() } else { order }.then(a.cmp(b))
    };
    let mut places: Vec<usize> = (0..elements.len()).collect();
    let range = options.range(places.len());
    if range.is_empty() {
        return Ok(Vec::new());
    }
    // Only what is wanted is sorted.
    if range.end < places.len() {
        places.select_nth_unstable_by(range.end - 1, compare);
        places.truncate(range.end);
    }
    if range.start > 0 {
        places.select_nth_unstable_by(range.start, compare);
        places.drain(..range.start);
    }
    places.sort_unstable_by(compare);
    Ok(places)
}

fn numbers(db: &mut View<'_>, by: Pattern<'_>, elements: Args<'_>) -> Result<Weights, Error> {
    let mut all_valid = true;
    let numbers = elements.iter().map(|element| {
        by.resolve(db, element, |text| {
            let number = text.map_or(Some(0.0), parse_weight);
            all_valid &= number.is_some();
            number.unwrap_or(0.0)
        })
    });
    let numbers = numbers.collect();
    if !all_valid {
        return Err(Error::fixed("ERR One or more scores can't be converted into double"));
    }
    Ok(Weights::Numbers(numbers))
}

/// A number that ends with the text or a NUL; no text is zero.
fn parse_weight(text: &[u8]) -> Option<f64> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

fn texts(db: &mut View<'_>, by: Pattern<'_>, elements: Args<'_>, collation: Option<Collation>) -> Weights {
    let (mut texts, mut present) = (OwnedArgs::new(), Vec::with_capacity(elements.len()));
    let mut key = Vec::new();
    for element in elements.iter() {
        by.resolve(db, element, |text| {
            present.push(text.is_some());
            let text = text.unwrap_or_default();
            match &collation {
                None => texts.push(text),
                Some(collation) => {
                    collation.key(text, &mut key);
                    texts.push(&key);
                }
            }
        });
    }
    Weights::Texts { texts, present }
}

fn reply<'e>(cx: &mut Context<'_>, options: &Options<'_>, sorted: impl ExactSizeIterator<Item = &'e [u8]>) {
    cx.reply.array(sorted.len() * options.get.len().max(1));
    for element in sorted {
        if options.get.is_empty() {
            cx.reply.bulk(element);
        }
        for pattern in &options.get {
            pattern.resolve(cx.db, element, |value| match value {
                Some(value) => cx.reply.bulk(value),
                None => cx.reply.null(),
            });
        }
    }
}

fn store<'e>(
    cx: &mut Context<'_>,
    options: &Options<'_>,
    sorted: impl ExactSizeIterator<Item = &'e [u8]>,
    index: usize,
) {
    let (destination, limit) = (cx.key(index), cx.server.list_limit());
    let mut list = List::new();
    let mut push = |element: &[u8]| {
        list.prepare(1, element.len(), limit);
        list.push(End::Tail, element);
    };
    for element in sorted {
        if options.get.is_empty() {
            push(element);
        }
        for pattern in &options.get {
            pattern.resolve(cx.db, element, |value| push(value.unwrap_or_default()));
        }
    }
    let len = list.as_ref().len();
    if len > 0 {
        cx.db.store(&destination, list, Event::SORTSTORE, len);
    } else {
        cx.db.remove(&destination, Free::Later, Event::DEL);
    }
    cx.reply.integer(len as i64);
}
