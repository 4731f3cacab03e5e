//! Ranges of ranks, scores and names.

use storage::listpack::Item;
use storage::zset::{Zset, ZsetRef};
use storage::{Event, Free};

use super::bounds::{Bounds, By};
use super::{Form, from_sorted};
use crate::command::{CommandResult, Context, Error};

/// What a command lists.
struct Query<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    form: Form,
    offset: i64,
    /// All where negative.
    count: i64,
}

impl<'a> Query<'a> {
    /// Reads a query from the first bound, at `first`, on. What the command's name does not say already, options may.
    fn parse(
        cx: &Context<'a>,
        first: usize,
        by: Option<By>,
        reverse: Option<bool>,
        may_have_scores: bool,
    ) -> Result<Query<'a>, Error> {
        let (mut by, mut reverse) = (by, reverse);
        let (mut form, mut offset, mut count) = (Form::Members, 0, -1);
        let mut index = first + 2;
        while index < cx.args.len() {
            if may_have_scores && cx.arg_is(index, "withscores") {
                form = Form::Scores;
            } else if cx.arg_is(index, "limit") && index + 2 < cx.args.len() {
                (offset, count) = (cx.integer(index + 1)?, cx.integer(index + 2)?);
                index += 2;
            } else if reverse.is_none() && cx.arg_is(index, "rev") {
                reverse = Some(true);
            } else if by.is_none() && cx.arg_is(index, "byscore") {
                by = Some(By::Score);
            } else if by.is_none() && cx.arg_is(index, "bylex") {
                by = Some(By::Name);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if count != -1 && by == By::Rank {
            let text = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(Error::fixed(text));
        }
        if by == By::Rank {
            offset = 0;
        }
        if form == Form::Scores && by == By::Name {
            return Err(Error::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let swapped = reverse && by != By::Rank;
        let (low, high) = if swapped { (first + 1, first) } else { (first, first + 1) };
        Ok(Query { bounds: Bounds::parse(cx, by, low, high)?, reverse, form, offset, count })
    }

    /// The first rank, counted from the end that the query begins at, and the number of elements.
    fn select(&self, zset: ZsetRef<'_>) -> (usize, usize) {
        let ranks = self.bounds.ranks(zset, self.reverse);
        let offset = match (usize::try_from(self.offset), zset) {
            (Ok(offset), _) => offset,
            (Err(_), ZsetRef::Packed(_)) => return (0, 0),
            // As in Redis, a negative offset counts from the end of the range, if the set is big.
            (Err(_), ZsetRef::Big(_)) => {
                let back = usize::try_from(self.offset.unsigned_abs()).unwrap_or(usize::MAX);
                let Some(offset) = ranks.len().checked_sub(back) else { return (0, 0) };
                offset
            }
        };
        let found = ranks.len().saturating_sub(offset);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX).min(found);
        if count == 0 {
            return (0, 0);
        }
        let first = if self.reverse { ranks.end - 1 - offset } else { ranks.start + offset };
        (first, count)
    }
}

fn list(cx: &mut Context<'_>, query: &Query<'_>) -> CommandResult {
    let key = cx.key(1);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let zset = entry.get::<Zset>()?;
    let (first, count) = query.select(zset);
    query.form.begin(cx.reply, count);
    let answer = |element| query.form.element(cx.reply, element);
    if query.reverse {
        zset.iter_back_from(first).take(count).for_each(answer);
    } else {
        zset.iter_from(first).take(count).for_each(answer);
    }
    Ok(())
}

pub(super) fn zrange(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, None, None, true)?;
    list(cx, &query)
}

pub(super) fn zrevrange(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, Some(By::Rank), Some(true), true)?;
    list(cx, &query)
}

pub(super) fn zrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, Some(By::Score), Some(false), true)?;
    list(cx, &query)
}

pub(super) fn zrevrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, Some(By::Score), Some(true), true)?;
    list(cx, &query)
}

pub(super) fn zrangebylex(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, Some(By::Name), Some(false), true)?;
    list(cx, &query)
}

pub(super) fn zrevrangebylex(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 2, Some(By::Name), Some(true), true)?;
    list(cx, &query)
}

pub(super) fn zrangestore(cx: &mut Context<'_>) -> CommandResult {
    let query = Query::parse(cx, 3, None, None, false)?;
    let (destination, source, limits) = (cx.key(1), cx.key(2), cx.server.zset_limits());
    let mut elements = Vec::new();
    if let Some(entry) = cx.db.read(&source) {
        let zset = entry.get::<Zset>()?;
        let (first, count) = query.select(zset);
        if query.reverse {
            elements.extend(zset.iter_back_from(first).take(count));
        } else {
            elements.extend(zset.iter_from(first).take(count));
        }
        // As long as what Redis has stored so far fits into a listpack, a zero loses its sign there.
        let fits = |(member, _): &(Item<'_>, f64)| member.text_len() <= limits.value;
        let compact = elements.iter().take(limits.entries).take_while(|element| fits(element)).count();
        elements[..compact].iter_mut().for_each(|(_, score)| *score += 0.0);
        if query.reverse {
            elements.reverse();
        }
    }
    let stored = elements.len();
    let result = from_sorted(&elements, limits)?;
    if stored == 0 {
        cx.db.remove(&destination, Free::Later, Event::DEL);
    } else {
        cx.db.store(&destination, result, Event::ZRANGESTORE, 1);
    }
    cx.reply.integer(stored as i64);
    Ok(())
}

pub(super) fn zcount(cx: &mut Context<'_>) -> CommandResult {
    count(cx, By::Score)
}

pub(super) fn zlexcount(cx: &mut Context<'_>) -> CommandResult {
    count(cx, By::Name)
}

fn count(cx: &mut Context<'_>, by: By) -> CommandResult {
    let bounds = Bounds::parse(cx, by, 2, 3)?;
    let key = cx.key(1);
    let count = match cx.db.read(&key) {
        Some(entry) => bounds.ranks(entry.get::<Zset>()?, false).len(),
        None => 0,
    };
    cx.reply.integer(count as i64);
    Ok(())
}

pub(super) fn zremrangebyrank(cx: &mut Context<'_>) -> CommandResult {
    remove(cx, By::Rank, Event::ZREMRANGEBYRANK)
}

pub(super) fn zremrangebyscore(cx: &mut Context<'_>) -> CommandResult {
    remove(cx, By::Score, Event::ZREMRANGEBYSCORE)
}

pub(super) fn zremrangebylex(cx: &mut Context<'_>) -> CommandResult {
    remove(cx, By::Name, Event::ZREMRANGEBYLEX)
}

fn remove(cx: &mut Context<'_>, by: By, event: Event) -> CommandResult {
    let bounds = Bounds::parse(cx, by, 2, 3)?;
    let key = cx.key(1);
    let removed = cx.db.change_existing::<Zset, _>(&key, |zset, log| {
        let ranks = bounds.ranks(storage::Collection::as_ref(zset), false);
        if !ranks.is_empty() {
            zset.remove_range(ranks.start, ranks.len());
            log.changed(event, ranks.len());
        }
        ranks.len()
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}
