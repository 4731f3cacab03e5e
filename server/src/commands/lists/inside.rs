//! The elements of a list.

use storage::list::{End, List, ListRef};
use storage::listpack::Item;
use storage::{Collection, Event};

use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::{reply_found, reply_item};

/// An index that counts from the tail when negative, as one from the head.
fn from_head(index: i64, len: usize) -> Option<usize> {
    if index >= 0 { usize::try_from(index).ok() } else { len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?) }
}

/// The first and the number of the elements from `start` to `stop`, both inclusive.
fn range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let first = from_head(start, len).unwrap_or(0);
    let Some(last) = from_head(stop, len) else { return (0, 0) };
    if first > last || first >= len { (0, 0) } else { (first, last.min(len - 1) - first + 1) }
}

pub(super) fn llen(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let len = match cx.db.read(&key) {
        Some(entry) => entry.get::<List>()?.len(),
        None => 0,
    };
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn lindex(cx: &mut Context<'_>) -> CommandResult {
    let (key, index) = (cx.key(1), cx.integer(2));
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.null();
        return Ok(());
    };
    let list = entry.get::<List>()?;
    reply_found(cx.reply, from_head(index?, list.len()).and_then(|index| list.get(index)));
    Ok(())
}

pub(super) fn lrange(cx: &mut Context<'_>) -> CommandResult {
    let (key, start, stop) = (cx.key(1), cx.integer(2)?, cx.integer(3)?);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let list = entry.get::<List>()?;
    let (first, count) = range(start, stop, list.len());
    cx.reply.array(count);
    list.iter_from(first).take(count).for_each(|item| reply_item(cx.reply, item));
    Ok(())
}

pub(super) fn lset(cx: &mut Context<'_>) -> CommandResult {
    let (key, index, text, limit) = (cx.key(1), cx.integer(2), cx.arg(3), cx.server.list_limit());
    let set = cx.db.change_existing::<List, _>(&key, |list, log| {
        let index = index?;
        list.prepare(1, text.len(), limit);
        let place = from_head(index, list.as_ref().len());
        if place.is_some_and(|place| list.set(place, text)) {
            list.settle(limit);
            log.changed(Event::LSET, 1);
            Ok(())
        } else {
            log.silently();
            Err(Error::fixed("ERR index out of range"))
        }
    })?;
    set.ok_or(Error::NO_SUCH_KEY)??;
    cx.reply.ok();
    Ok(())
}

pub(super) fn linsert(cx: &mut Context<'_>) -> CommandResult {
    let after = cx.arg_is(2, "after");
    if !after && !cx.arg_is(2, "before") {
        return Err(Error::SYNTAX);
    }
    let (key, pivot, text, limit) = (cx.key(1), cx.arg(3), cx.arg(4), cx.server.list_limit());
    let len = cx.db.change_existing::<List, _>(&key, |list, log| {
        list.prepare(1, text.len(), limit);
        log.silently();
        let wanted = Item::from_text(pivot);
        let Some(index) = list.as_ref().iter().position(|item| item == wanted) else { return -1 };
        list.insert(index, after, text);
        log.changed(Event::LINSERT, 1);
        list.as_ref().len() as i64
    })?;
    cx.reply.integer(len.unwrap_or(0));
    Ok(())
}

pub(super) fn lrem(cx: &mut Context<'_>) -> CommandResult {
    let (key, count, text, limit) = (cx.key(1), cx.symmetric_integer(2)?, cx.arg(3), cx.server.list_limit());
    let from = if count < 0 { End::Tail } else { End::Head };
    let most = if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let removed = cx.db.change_existing::<List, _>(&key, |list, log| {
        let removed = list.remove_equal(text, most, from);
        if removed > 0 {
            list.settle(limit);
            log.changed(Event::LREM, removed);
        }
        removed
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn ltrim(cx: &mut Context<'_>) -> CommandResult {
    let (key, start, stop, limit) = (cx.key(1), cx.integer(2)?, cx.integer(3)?, cx.server.list_limit());
    cx.db.change_existing::<List, _>(&key, |list, log| {
        let len = list.as_ref().len();
        let (first, count) = range(start, stop, len);
        list.remove_range(first + count, len - first - count);
        list.remove_range(0, first);
        list.settle(limit);
        log.changed(Event::LTRIM, len - count);
    })?;
    cx.reply.ok();
    Ok(())
}

/// What LPOS looks for.
struct Search {
    /// Matches to pass over.
    skip: usize,
    from: End,
    /// Matches to find; without it one, answered without an array.
    count: Option<usize>,
    /// Elements to compare.
    compare: usize,
}

impl Search {
    fn parse(cx: &Context<'_>) -> Result<Search, Error> {
        let mut search = Search { skip: 0, from: End::Head, count: None, compare: usize::MAX };
        let not_negative = |index: usize, text: &'static str| {
            let number = cx.integer(index).ok().and_then(|number| usize::try_from(number).ok());
            number.ok_or(Error::fixed(text))
        };
        for index in (3..cx.args.len()).step_by(2) {
            if index + 1 == cx.args.len() {
                return Err(Error::SYNTAX);
            }
            if cx.arg_is(index, "rank") {
                let rank = cx.symmetric_integer(index + 1)?;
                if rank == 0 {
                    let text = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                                or use negative to start from the end of the list";
                    return Err(Error::fixed(text));
                }
                search.from = if rank < 0 { End::Tail } else { End::Head };
                search.skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
            } else if cx.arg_is(index, "count") {
                search.count = Some(not_negative(index + 1, "ERR COUNT can't be negative")?);
            } else if cx.arg_is(index, "maxlen") {
                let most = not_negative(index + 1, "ERR MAXLEN can't be negative")?;
                search.compare = if most == 0 { usize::MAX } else { most };
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }

    fn run(&self, list: ListRef<'_>, text: &[u8]) -> Vec<usize> {
        match self.from {
            End::Head => self.find(list.iter(), text),
            End::Tail => {
                let last = list.len();
                self.find(list.iter_back(), text).into_iter().map(|index| last - 1 - index).collect()
            }
        }
    }

    /// Where a text is among items. Made for each kind of iterator, so that it goes through a node in one loop.
    fn find<'i>(&self, items: impl Iterator<Item = Item<'i>>, text: &[u8]) -> Vec<usize> {
        let wanted = Item::from_text(text);
        let most = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => count,
        };
        let matches = items.take(self.compare).enumerate().filter(|(_, item)| *item == wanted);
        matches.map(|(index, _)| index).skip(self.skip).take(most).collect()
    }
}

pub(super) fn lpos(cx: &mut Context<'_>) -> CommandResult {
    let search = Search::parse(cx)?;
    let (key, text) = (cx.key(1), cx.arg(2));
    let found = match cx.db.read(&key) {
        Some(entry) => search.run(entry.get::<List>()?, text),
        None => Vec::new(),
    };
    match (search.count, found.first()) {
        (Some(_), _) => {
            cx.reply.array(found.len());
            found.iter().for_each(|index| cx.reply.integer(*index as i64));
        }
        (None, Some(index)) => cx.reply.integer(*index as i64),
        (None, None) => cx.reply.null(),
    }
    Ok(())
}
