//! Several sets: what they have in common, together, or not.

use smallvec::SmallVec;
use storage::set::{Set, SetLimits, SetRef};
use storage::{Collection, Event, Free, Key, View};

use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::reply_item;

/// Sets by their keys; a missing one is empty.
type Sets<'v> = SmallVec<[Option<SetRef<'v>>; 4]>;

fn read<'v>(db: &'v mut View<'_>, keys: &[Key<'_>]) -> Result<Sets<'v>, Error> {
    let mut sets = Sets::new();
    for entry in db.read_all(keys) {
        sets.push(match entry {
            Some(entry) => Some(entry.get::<Set>()?),
            None => None,
        });
    }
    Ok(sets)
}

/// The keys from an argument on.
fn keys<'a>(cx: &Context<'a>, from: usize, count: usize) -> SmallVec<[Key<'a>; 8]> {
    (from..from + count).map(|index| cx.key(index)).collect()
}

/// What is made of the sets.
#[derive(Clone, Copy)]
enum Operation {
    Inter,
    Union,
    Diff,
}

/// Passes members of the result on until `each` wants no more. A union may pass one on twice.
fn walk(operation: Operation, sets: &Sets<'_>, mut each: impl FnMut(storage::listpack::Item<'_>) -> bool) {
    let mut digits = itoa::Buffer::new();
    match operation {
        Operation::Union => {
            sets.iter().flatten().flat_map(|set| set.iter()).all(&mut each);
        }
        Operation::Diff => {
            let Some(Some(first)) = sets.first() else { return };
            let mut rest = first.iter().filter(|member| {
                let member = member.bytes(&mut digits);
                !sets[1..].iter().flatten().any(|set| set.contains(member))
            });
            rest.all(&mut each);
        }
        Operation::Inter => {
            let Some(mut all) = sets.iter().copied().collect::<Option<SmallVec<[SetRef<'_>; 4]>>>() else { return };
            all.sort_by_key(|set| set.len());
            let Some((smallest, others)) = all.split_first() else { return };
            let mut common = smallest.iter().filter(|member| {
                let member = member.bytes(&mut digits);
                others.iter().all(|set| set.contains(member))
            });
            common.all(&mut each);
        }
    }
}

/// The result as a set.
fn combined(operation: Operation, sets: &Sets<'_>, limits: SetLimits) -> Set {
    let mut result = Set::new();
    if let Operation::Inter = operation {
        // As in Redis it begins as an intset only if the smallest set is one.
        let smallest = sets.iter().flatten().min_by_key(|set| set.len());
        if !matches!(smallest, Some(SetRef::Ints(_))) {
            result = Set::for_members(b"", 0, limits);
        }
    }
    let mut digits = itoa::Buffer::new();
    walk(operation, sets, |member| {
        result.add(member.bytes(&mut digits), limits);
        true
    });
    if let Operation::Inter = operation {
        result.make_ints(limits);
    }
    result
}

pub(super) fn sinter(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Inter)
}

pub(super) fn sunion(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Union)
}

pub(super) fn sdiff(cx: &mut Context<'_>) -> CommandResult {
    answer(cx, Operation::Diff)
}

fn answer(cx: &mut Context<'_>, operation: Operation) -> CommandResult {
    let (keys, limits) = (keys(cx, 1, cx.args.len() - 1), cx.server.set_limits());
    let sets = read(cx.db, &keys)?;
    if let Operation::Union = operation {
        let union = combined(operation, &sets, limits);
        cx.reply.set(union.as_ref().len());
        union.as_ref().iter().for_each(|member| reply_item(cx.reply, member));
        return Ok(());
    }
    let header = cx.reply.defer();
    let mut count = 0;
    walk(operation, &sets, |member| {
        reply_item(cx.reply, member);
        count += 1;
        true
    });
    cx.reply.end_set(header, count);
    Ok(())
}

pub(super) fn sinterstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Inter, Event::SINTERSTORE)
}

pub(super) fn sunionstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Union, Event::SUNIONSTORE)
}

pub(super) fn sdiffstore(cx: &mut Context<'_>) -> CommandResult {
    store(cx, Operation::Diff, Event::SDIFFSTORE)
}

fn store(cx: &mut Context<'_>, operation: Operation, event: Event) -> CommandResult {
    let (keys, limits, destination) = (keys(cx, 2, cx.args.len() - 2), cx.server.set_limits(), cx.key(1));
    let result = combined(operation, &read(cx.db, &keys)?, limits);
    let len = result.as_ref().len();
    if len == 0 {
        cx.db.remove(&destination, Free::Later, Event::DEL);
    } else {
        cx.db.store(&destination, result, event, 1);
    }
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn sintercard(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Operation::Inter)
}

/// With APPROX the count is exact as well: members are shared, not copied, so that an estimate would save little.
pub(super) fn sunioncard(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Operation::Union)
}

pub(super) fn sdiffcard(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Operation::Diff)
}

fn count(cx: &mut Context<'_>, operation: Operation) -> CommandResult {
    let number = cx.integer(1).ok().filter(|number| *number > 0);
    let number = number.ok_or(Error::fixed("ERR numkeys should be greater than 0"))?;
    let number = usize::try_from(number).ok().filter(|number| *number <= cx.args.len() - 2);
    let number = number.ok_or(Error::fixed("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    let mut index = 2 + number;
    while index < cx.args.len() {
        if cx.arg_is(index, "limit") && index + 1 < cx.args.len() {
            let given = cx.integer(index + 1).ok().and_then(|limit| usize::try_from(limit).ok());
            limit = given.ok_or(Error::fixed("ERR LIMIT can't be negative"))?;
            index += 2;
        } else if matches!(operation, Operation::Union) && cx.arg_is(index, "approx") {
            index += 1;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (keys, limits) = (keys(cx, 2, number), cx.server.set_limits());
    let sets = read(cx.db, &keys)?;
    let mut seen = Set::new();
    let mut digits = itoa::Buffer::new();
    let mut count = 0;
    walk(operation, &sets, |member| {
        let new = !matches!(operation, Operation::Union) || seen.add(member.bytes(&mut digits), limits);
        count += usize::from(new);
        count < limit
    });
    cx.reply.integer(count as i64);
    Ok(())
}
