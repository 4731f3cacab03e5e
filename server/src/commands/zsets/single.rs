//! Looking at a sorted set.

use protocol::DoubleText;
use storage::listpack::Item;
use storage::zset::{Zset, ZsetRef};

use super::Form;
use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::{self, Picks, reply_found};

pub(super) fn zcard(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let len = match cx.db.read(&key) {
        Some(entry) => entry.get::<Zset>()?.len(),
        None => 0,
    };
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn zscore(cx: &mut Context<'_>) -> CommandResult {
    let (key, member) = (cx.key(1), cx.arg(2));
    let score = match cx.db.read(&key) {
        Some(entry) => entry.get::<Zset>()?.score(member),
        None => None,
    };
    match score {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(())
}

pub(super) fn zmscore(cx: &mut Context<'_>) -> CommandResult {
    let (key, members) = (cx.key(1), cx.args.tail(2));
    let zset = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Zset>()?),
        None => None,
    };
    cx.reply.array(members.len());
    for member in members.iter() {
        match zset.and_then(|zset: ZsetRef<'_>| zset.score(member)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

pub(super) fn zrank(cx: &mut Context<'_>) -> CommandResult {
    rank(cx, false)
}

pub(super) fn zrevrank(cx: &mut Context<'_>) -> CommandResult {
    rank(cx, true)
}

fn rank(cx: &mut Context<'_>, reverse: bool) -> CommandResult {
    if cx.args.len() > 4 {
        return Err(Error::wrong_arity(&cx.command.full_name));
    }
    let with_score = cx.args.len() == 4;
    if with_score && !cx.arg_is(3, "withscore") {
        return Err(Error::SYNTAX);
    }
    let (key, member) = (cx.key(1), cx.arg(2));
    let found = match cx.db.read(&key) {
        Some(entry) => {
            let zset = entry.get::<Zset>()?;
            let from_end = |rank| if reverse { zset.len() - 1 - rank } else { rank };
            zset.rank(member).map(|(rank, score)| (from_end(rank), score))
        }
        None => None,
    };
    match found {
        Some((rank, score)) => {
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.integer(rank as i64);
            if with_score {
                cx.reply.double(score);
            }
        }
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(())
}

pub(super) fn zrandmember(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if cx.args.len() == 2 {
        match cx.db.read(&key) {
            Some(entry) => reply_found(cx.reply, entry.get::<Zset>()?.random(rand::random).map(|(member, _)| member)),
            None => cx.reply.null(),
        }
        return Ok(());
    }
    Picks::parse(cx, 2, false)?;
    let scores = cx.args.len() == 4 && cx.arg_is(3, "withscores");
    if cx.args.len() > 4 || cx.args.len() == 4 && !scores {
        return Err(Error::SYNTAX);
    }
    let (picks, most) = (Picks::parse(cx, 2, scores)?, cx.most_output());
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let zset = entry.get::<Zset>()?;
    let form = if scores { Form::Scores } else { Form::Members };
    match picks {
        Picks::Any(count) => {
            form.begin(cx.reply, count);
            for element in (0..count).filter_map(|_| zset.random(rand::random)) {
                form.element(cx.reply, element);
                if cx.reply.len() > most {
                    break;
                }
            }
        }
        Picks::Distinct(count) => {
            let count = count.min(zset.len());
            form.begin(cx.reply, count);
            let mut chosen = elements::sample(zset.len(), count).into_iter().peekable();
            for (index, element) in zset.iter().enumerate() {
                if chosen.next_if_eq(&index).is_some() {
                    form.element(cx.reply, element);
                }
            }
        }
    }
    Ok(())
}

pub(super) fn zscan(cx: &mut Context<'_>) -> CommandResult {
    elements::scan::<Zset>(cx, false, |zset, cursor, _, page| {
        let packed = matches!(zset, ZsetRef::Packed(_));
        zset.scan(cursor, |member, score| {
            if packed {
                page.add(member, Some(Item::Str(DoubleText::new(score).as_bytes())));
            } else {
                page.add(member, Some(Item::Str(seventeen_digits(score).as_bytes())));
            }
        })
    })
}

/// A score as C's `%.17g` prints it, which is how ZSCAN tells those of big sorted sets.
fn seventeen_digits(score: f64) -> String {
    if !score.is_finite() {
        return format!("{score}");
    }
    let text = format!("{score:.16e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if (-4..17).contains(&exponent) {
        return trim(&format!("{score:.places$}", places = (16 - exponent) as usize));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::seventeen_digits;

    #[test]
    fn digits_are_those_of_c() {
        let cases = [
            (0.1, "0.10000000000000001"),
            (-1e-5, "-1.0000000000000001e-05"),
            (1e20, "1e+20"),
            (3.0, "3"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ];
        for (score, text) in cases {
            assert_eq!(seventeen_digits(score), text);
        }
    }
}
