//! Several sorted sets: what they have in common, together, or not.

use std::collections::hash_map::Entry;

use ahash::AHashMap;
use smallvec::SmallVec;
use storage::listpack::Item;
use storage::set::{Set, SetRef};
use storage::zset::{Zset, ZsetRef};
use storage::{Event, Free, Key, Value, View};

use super::bounds::parse_score;
use super::{Form, from_unsorted, sort};
use crate::command::{CommandResult, Context, Error};

/// A set or sorted set as an input. The members of a set have the score 1.
#[derive(Clone, Copy)]
enum Source<'v> {
    Missing,
    Set(SetRef<'v>),
    Zset(ZsetRef<'v>),
}

impl<'v> Source<'v> {
    fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Set(set) => set.len(),
            Source::Zset(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Zset(zset) => zset.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (Item<'v>, f64)> {
        let (set, zset) = match self {
            Source::Missing => (None, None),
            Source::Set(set) => (Some(set), None),
            Source::Zset(zset) => (None, Some(zset)),
        };
        let members = set.into_iter().flat_map(|set| set.iter().map(|member| (member, 1.0)));
        members.chain(zset.into_iter().flat_map(ZsetRef::iter))
    }
}

fn read<'v>(db: &'v mut View<'_>, keys: &[Key<'_>]) -> Result<SmallVec<[Source<'v>; 4]>, Error> {
    let sources = db.read_all(keys).into_iter().map(|entry| match entry {
        None => Ok(Source::Missing),
        Some(entry) => match entry.value() {
            Value::Set(_) => Ok(Source::Set(entry.get::<Set>()?)),
            _ => Ok(Source::Zset(entry.get::<Zset>()?)),
        },
    });
    sources.collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Inter,
    Union,
    Diff,
}

/// How the scores of a member become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The weights of the inputs that have the member, whatever their scores.
    Count,
}

impl Aggregate {
    fn weigh(self, weight: f64, score: f64) -> f64 {
        if matches!(self, Aggregate::Count) { weight } else { weight * score }
    }

    fn add(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum | Aggregate::Count => number_or_zero(one + other),
            // What is no number is neither lower nor higher.
            Aggregate::Min => {
                if other < one {
                    other
                } else {
                    one
                }
            }
            Aggregate::Max => {
                if other > one {
                    other
                } else {
                    one
                }
            }
        }
    }
}

/// Nothing times infinity, or infinities that cancel each other out, count as nothing.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One call.
struct Call<'a> {
    operation: Operation,
    keys: SmallVec<[Key<'a>; 8]>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    form: Form,
    limit: usize,
}

impl<'a> Call<'a> {
    /// Reads the arguments from the number of keys at `index` on. The keys' types are looked at before the options.
    fn parse(cx: &mut Context<'a>, operation: Operation, index: usize, kind: Kind) -> Result<Call<'a>, Error> {
        let number = cx.integer(index)?;
        if number < 1 {
            let text = format!("ERR at least 1 input key is needed for '{}' command", cx.command.full_name);
            return Err(Error::new(text));
        }
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let first = index + 1;
        if number > cx.args.len() - first {
            return Err(Error::SYNTAX);
        }
        let keys: SmallVec<[Key<'a>; 8]> = (first..first + number).map(|index| cx.key(index)).collect();
        for entry in cx.db.peek_all(&keys).into_iter().flatten() {
            if entry.get::<Set>().is_err() {
                entry.get::<Zset>()?;
            }
        }
        let mut call = Call {
            operation,
            keys,
            weights: vec![1.0; number],
            aggregate: Aggregate::Sum,
            form: Form::Members,
            limit: usize::MAX,
        };
        let mut index = first + number;
        while index < cx.args.len() {
            let left = cx.args.len() - index;
            let scored = operation != Operation::Diff && kind != Kind::Count;
            if scored && left > number && cx.arg_is(index, "weights") {
                for (at, weight) in (index + 1..).zip(&mut call.weights) {
                    *weight = parse_score(cx.arg(at)).ok_or(Error::fixed("ERR weight value is not a float"))?;
                }
                index += 1 + number;
            } else if scored && left > 1 && cx.arg_is(index, "aggregate") {
                call.aggregate = match cx.arg(index + 1).to_ascii_lowercase().as_slice() {
                    b"sum" => Aggregate::Sum,
                    b"min" => Aggregate::Min,
                    b"max" => Aggregate::Max,
                    b"count" => Aggregate::Count,
                    _ => return Err(Error::SYNTAX),
                };
                index += 2;
            } else if kind == Kind::Answer && cx.arg_is(index, "withscores") {
                call.form = Form::Scores;
                index += 1;
            } else if kind == Kind::Count && left > 1 && cx.arg_is(index, "limit") {
                let limit = protocol::parse_i64(cx.arg(index + 1)).and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.ok_or(Error::fixed("ERR LIMIT can't be negative"))?;
                call.limit = if limit == 0 { usize::MAX } else { limit };
                index += 2;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(call)
    }

    /// The members of the result with their scores, in any order.
    fn run<'v>(&self, sources: &[Source<'v>]) -> Elements<'v> {
        let weigh = |index: usize, score: f64| self.aggregate.weigh(self.weights[index], score);
        match self.operation {
            Operation::Union => {
                let most = sources.iter().map(|source| source.len()).max().unwrap_or(0);
                let mut places: AHashMap<Item<'v>, usize> = AHashMap::with_capacity(most);
                let mut elements: Elements<'v> = Vec::with_capacity(most);
                for (index, source) in sources.iter().enumerate() {
                    for (member, score) in source.iter() {
                        let (member, score) = (settled(member), number_or_zero(weigh(index, score)));
                        match places.entry(member) {
                            Entry::Vacant(entry) => {
                                entry.insert(elements.len());
                                elements.push((member, score));
                            }
                            Entry::Occupied(entry) => {
                                let sum = &mut elements[*entry.get()].1;
                                *sum = self.aggregate.add(*sum, score);
                            }
                        }
                    }
                }
                elements
            }
            Operation::Inter => {
                let mut order: Vec<usize> = (0..sources.len()).collect();
                order.sort_by_key(|index| sources[*index].len());
                let Some((smallest, others)) = order.split_first() else { return Vec::new() };
                let mut digits = itoa::Buffer::new();
                let common = sources[*smallest].iter().filter_map(|(member, score)| {
                    let name = member.bytes(&mut digits);
                    let mut sum = number_or_zero(weigh(*smallest, score));
                    for other in others {
                        sum = self.aggregate.add(sum, weigh(*other, sources[*other].score(name)?));
                    }
                    Some((member, sum))
                });
                common.take(self.limit).collect()
            }
            Operation::Diff => {
                let Some((first, others)) = sources.split_first() else { return Vec::new() };
                let mut digits = itoa::Buffer::new();
                let only = first.iter().filter(|(member, _)| {
                    let name = member.bytes(&mut digits);
                    others.iter().all(|other| other.score(name).is_none())
                });
                only.collect()
            }
        }
    }
}

/// Members, which lie where they are stored, and their scores.
type Elements<'v> = Vec<(Item<'v>, f64)>;

/// A member in the one form that it has wherever it comes from: what is a number in one encoding may be a text in
/// another.
fn settled(member: Item<'_>) -> Item<'_> {
    match member {
        Item::Str(text) => Item::from_text(text),
        number => number,
    }
}

/// What is done with the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answer,
    Store,
    Count,
}

pub(super) fn zunion(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Union)
}

pub(super) fn zinter(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Inter)
}

pub(super) fn zdiff(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Diff)
}

fn answer(cx: &mut Context<'_>, operation: Operation) -> CommandResult {
    let call = Call::parse(cx, operation, 1, Kind::Answer)?;
    let mut result = call.run(&read(cx.db, &call.keys)?);
    sort(&mut result);
    call.form.begin(cx.reply, result.len());
    for element in result {
        call.form.element(cx.reply, element);
    }
    Ok(())
}

pub(super) fn zunionstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Union, Event::ZUNIONSTORE)
}

pub(super) fn zinterstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Inter, Event::ZINTERSTORE)
}

pub(super) fn zdiffstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Diff, Event::ZDIFFSTORE)
}

fn store(cx: &mut Context<'_>, operation: Operation, event: Event) -> CommandResult {
    let call = Call::parse(cx, operation, 2, Kind::Store)?;
    let (destination, limits) = (cx.key(1), cx.server.zset_limits());
    let elements = call.run(&read(cx.db, &call.keys)?);
    let count = elements.len();
    let result = from_unsorted(elements, limits)?;
    if count == 0 {
        cx.db.remove(&destination, Free::Later, Event::DEL);
    } else {
        cx.db.store(&destination, result, event, 1);
    }
    cx.reply.integer(count as i64);
    Ok(())
}

pub(super) fn zintercard(cx: &mut Context<'_>) -> CommandResult {
    let call = Call::parse(cx, Operation::Inter, 1, Kind::Count)?;
    let count = call.run(&read(cx.db, &call.keys)?).len();
    cx.reply.integer(count as i64);
    Ok(())
}
