//! Elements from the ends of sorted sets, at once or as soon as there are any.

use protocol::Reply;
use storage::zset::Zset;
use storage::{Collection, Event, Key, Type, View};

use super::Form;
use crate::blocking::{Blocking, first_served, serve_or_wait};
use crate::command::{CommandResult, Context, Error};
use crate::journal;

/// How a pop is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// ZPOPMIN: members and scores, in RESP3 pair by pair if a count was given.
    Elements { pairs: bool },
    /// BZPOPMIN: the key, the member and its score.
    One,
    /// ZMPOP: the key, and pairs.
    Keyed,
}

/// Takes elements from an end of the first sorted set that has any.
struct Pop {
    keys: Vec<Vec<u8>>,
    highest: bool,
    count: usize,
    shape: Shape,
}

impl Pop {
    fn take(&self, key: &Key<'_>, db: &mut View<'_>, reply: &mut Reply) -> Result<bool, Error> {
        let event = if self.highest { Event::ZPOPMAX } else { Event::ZPOPMIN };
        let found = db.change_existing::<Zset, _>(key, |zset, log| {
            let len = zset.as_ref().len();
            let count = self.count.min(len);
            match self.shape {
                Shape::Elements { pairs: true } => Form::Scores.begin(reply, count),
                Shape::Elements { pairs: false } => reply.array(count * 2),
                Shape::One => {
                    reply.array(3);
                    reply.bulk(key.bytes);
                }
                Shape::Keyed => {
                    reply.array(2);
                    reply.bulk(key.bytes);
                    reply.array(count);
                }
            }
            let answer = |element| match self.shape {
                Shape::Elements { pairs: true } => Form::Scores.element(reply, element),
                Shape::Keyed => {
                    reply.array(2);
                    answer_flat(reply, element);
                }
                Shape::Elements { pairs: false } | Shape::One => answer_flat(reply, element),
            };
            if self.highest {
                zset.as_ref().iter_back_from(len - 1).take(count).for_each(answer);
                zset.remove_range(len - count, count);
            } else {
                zset.as_ref().iter().take(count).for_each(answer);
                zset.remove_range(0, count);
            }
            if count > 0 {
                log.changed(event, count);
            }
            count
        })?;
        if let Some(count) = found.filter(|_| !matches!(self.shape, Shape::Elements { .. })) {
            let name = if self.highest { &b"ZPOPMAX"[..] } else { b"ZPOPMIN" };
            journal::instead(db, |entries| match self.shape {
                Shape::One => entries.command([name, key.bytes]),
                _ => entries.command([name, key.bytes, itoa::Buffer::new().format(count).as_bytes()]),
            });
        }
        Ok(found.is_some())
    }
}

fn answer_flat(reply: &mut Reply, (member, score): (storage::listpack::Item<'_>, f64)) {
    crate::commands::elements::reply_item(reply, member);
    reply.double(score);
}

impl Blocking for Pop {
    fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    fn wants(&self) -> Type {
        Type::Zset
    }

    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error> {
        first_served(&self.keys, db, woken, |key, db| self.take(key, db, reply))
    }

    fn timed_out(&self, reply: &mut Reply) {
        reply.null_array();
    }
}

pub(super) fn zpopmin(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, false)
}

pub(super) fn zpopmax(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, true)
}

fn pop(cx: &mut Context<'_>, highest: bool) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let pairs = cx.args.len() == 3;
    let count = if pairs {
        let count = protocol::parse_i64(cx.arg(2)).and_then(|count| usize::try_from(count).ok());
        count.ok_or(Error::fixed("ERR value is out of range, must be positive"))?
    } else {
        1
    };
    let pop = Pop { keys: vec![cx.arg(1).to_vec()], highest, count, shape: Shape::Elements { pairs } };
    if !pop.serve(cx.db, cx.reply, false)? {
        cx.reply.array(0);
    }
    Ok(())
}

pub(super) fn bzpopmin(cx: &mut Context<'_>) -> CommandResult {
    block(cx, false)
}

pub(super) fn bzpopmax(cx: &mut Context<'_>) -> CommandResult {
    block(cx, true)
}

fn block(cx: &mut Context<'_>, highest: bool) -> CommandResult {
    let last = cx.args.len() - 1;
    let until_ms = cx.deadline_seconds(last)?;
    let keys = (1..last).map(|index| cx.arg(index).to_vec()).collect();
    serve_or_wait(cx, until_ms, Pop { keys, highest, count: 1, shape: Shape::One })
}

pub(super) fn zmpop(cx: &mut Context<'_>) -> CommandResult {
    let pop = parse(cx, 1)?;
    if !pop.serve(cx.db, cx.reply, false)? {
        cx.reply.null_array();
    }
    Ok(())
}

pub(super) fn bzmpop(cx: &mut Context<'_>) -> CommandResult {
    let pop = parse(cx, 2)?;
    let until_ms = cx.deadline_seconds(1)?;
    serve_or_wait(cx, until_ms, pop)
}

/// ZMPOP's arguments, from the number of keys at `index` on.
fn parse(cx: &Context<'_>, index: usize) -> Result<Pop, Error> {
    let (keys, at) = cx.counted_keys(index)?;
    let highest = cx.arg_is(at, "max");
    if !highest && !cx.arg_is(at, "min") {
        return Err(Error::SYNTAX);
    }
    Ok(Pop { keys, highest, count: cx.pop_count(at + 1)?, shape: Shape::Keyed })
}
