//! Adding, changing and removing members.

use smallvec::SmallVec;
use storage::zset::Zset;
use storage::{Collection, Event};

use super::bounds::score_at;
use crate::command::{CommandResult, Context, Error};

#[derive(Default)]
pub(in crate::commands) struct Options {
    pub only_new: bool,
    pub only_existing: bool,
    greater: bool,
    less: bool,
    pub count_changed: bool,
    increment: bool,
}

/// Scores and members.
pub(in crate::commands) type Elements<'a> = SmallVec<[(f64, &'a [u8]); 4]>;

/// What became of the elements.
#[derive(Default)]
struct Outcome {
    added: usize,
    updated: usize,
    /// The score of the last one, unless a condition kept it as it was.
    score: Option<f64>,
}

pub(super) fn zadd(cx: &mut Context<'_>) -> CommandResult {
    let mut options = Options::default();
    let mut index = 2;
    loop {
        let option = match cx.arg(index).to_ascii_lowercase().as_slice() {
            b"nx" => &mut options.only_new,
            b"xx" => &mut options.only_existing,
            b"gt" => &mut options.greater,
            b"lt" => &mut options.less,
            b"ch" => &mut options.count_changed,
            b"incr" => &mut options.increment,
            _ => break,
        };
        *option = true;
        index += 1;
    }
    add(cx, &options, index)
}

pub(super) fn zincrby(cx: &mut Context<'_>) -> CommandResult {
    add(cx, &Options { increment: true, ..Options::default() }, 2)
}

fn add(cx: &mut Context<'_>, options: &Options, first: usize) -> CommandResult {
    let rest = cx.args.len().saturating_sub(first);
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    if options.only_new && options.only_existing {
        return Err(Error::fixed("ERR XX and NX options at the same time are not compatible"));
    }
    if options.greater && (options.only_new || options.less) || options.less && options.only_new {
        return Err(Error::fixed("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if options.increment && rest > 2 {
        return Err(Error::fixed("ERR INCR option supports a single increment-element pair"));
    }
    let mut elements = Elements::new();
    for index in (first..cx.args.len()).step_by(2) {
        elements.push((score_at(cx, index)?, cx.arg(index + 1)));
    }
    add_elements(cx, options, &elements)
}

/// Adds elements as the options say, to the sorted set whose key is the first argument, and replies.
pub(in crate::commands) fn add_elements(
    cx: &mut Context<'_>,
    options: &Options,
    elements: &[(f64, &[u8])],
) -> CommandResult {
    let (key, limits) = (cx.key(1), cx.server.zset_limits());
    let event = if options.increment { Event::ZINCR } else { Event::ZADD };
    let mut outcome = Outcome::default();
    let result = cx.db.change::<Zset, _>(&key, |zset, log| {
        if zset.is_empty() && options.only_existing {
            return Ok(());
        }
        if !zset.has_room(elements.iter().map(|(_, member)| member.len())) {
            return Err(Error::TOO_LARGE);
        }
        zset.prepare(elements.len(), 0, limits);
        log.silently();
        let result =
            elements.iter().try_for_each(|(score, member)| set(zset, member, *score, options, limits, &mut outcome));
        if outcome.added + outcome.updated > 0 {
            log.changed(event, outcome.added + outcome.updated);
        }
        result
    })?;
    result?;
    match (options.increment, outcome.score) {
        (true, Some(score)) => cx.reply.double(score),
        (true, None) => cx.reply.null(),
        (false, _) if options.count_changed => cx.reply.integer((outcome.added + outcome.updated) as i64),
        (false, _) => cx.reply.integer(outcome.added as i64),
    }
    Ok(())
}

fn set(
    zset: &mut Zset,
    member: &[u8],
    score: f64,
    options: &Options,
    limits: storage::PackLimits,
    outcome: &mut Outcome,
) -> CommandResult {
    outcome.score = None;
    match zset.as_ref().score(member) {
        None if options.only_existing => {}
        None => {
            zset.set(member, score, limits);
            outcome.added += 1;
            outcome.score = Some(score);
        }
        Some(_) if options.only_new => {}
        Some(old) => {
            let score = if options.increment { old + score } else { score };
            if score.is_nan() {
                return Err(Error::fixed("ERR resulting score is not a number (NaN)"));
            }
            if options.greater && score <= old || options.less && score >= old {
                return Ok(());
            }
            if score != old {
                zset.set(member, score, limits);
                outcome.updated += 1;
            }
            outcome.score = Some(score);
        }
    }
    Ok(())
}

pub(super) fn zrem(cx: &mut Context<'_>) -> CommandResult {
    let (key, members) = (cx.key(1), cx.args.tail(2));
    let removed = cx.db.change_existing::<Zset, _>(&key, |zset, log| {
        let removed = members.iter().filter(|member| zset.remove(member)).count();
        if removed > 0 {
            log.changed(Event::ZREM, removed);
        }
        removed
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}
