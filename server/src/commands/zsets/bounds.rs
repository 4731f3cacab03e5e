//! Scores and ranges as clients write them.

use std::ops::Range;

use storage::zset::ZsetRef;

use crate::command::{Context, Error};
use crate::longdouble::LongDouble;

/// A decimal number, or an infinity in letters.
fn parse_decimal(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// As C's `strtod` reads it. What is too small to be told from nothing is refused.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    if !text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'x')) {
        return None;
    }
    let number = LongDouble::parse(text)?;
    Some(number.to_f64()).filter(|nearest| *nearest != 0.0 || number.is_zero())
}

/// A score: a finite number, or an infinity that is written as such.
pub(in crate::commands) fn parse_score(text: &[u8]) -> Option<f64> {
    let score = parse_decimal(text).or_else(|| parse_hexadecimal(text))?;
    let spelled_out = text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'i'));
    // What is too large or too small for a score is refused, not rounded.
    let vanished = || score == 0.0 && text.iter().take_while(|byte| !b"eExX".contains(byte)).any(|byte| *byte > b'0');
    if score.is_infinite() && !spelled_out || vanished() { None } else { Some(score) }
}

/// The argument at `index` as a score.
pub(super) fn score_at(cx: &Context<'_>, index: usize) -> Result<f64, Error> {
    parse_score(cx.arg(index)).ok_or(Error::NOT_A_FLOAT)
}

/// One end of a range of scores.
#[derive(Clone, Copy)]
struct ScoreBound {
    score: f64,
    exclusive: bool,
}

impl ScoreBound {
    fn parse(text: &[u8]) -> Option<ScoreBound> {
        let (exclusive, text) = match text {
            [b'(', rest @ ..] => (true, rest),
            text => (false, text),
        };
        // No text at all is zero, and only scores may be hexadecimal.
        let score = if text.is_empty() { 0.0 } else { parse_decimal(text)? };
        Some(ScoreBound { score, exclusive })
    }
}

/// One end of a range of names.
#[derive(Clone, Copy)]
enum LexBound<'a> {
    Lowest,
    Highest,
    Name { name: &'a [u8], exclusive: bool },
}

impl<'a> LexBound<'a> {
    fn parse(text: &'a [u8]) -> Option<LexBound<'a>> {
        match text {
            b"-" => Some(LexBound::Lowest),
            b"+" => Some(LexBound::Highest),
            [b'(', name @ ..] => Some(LexBound::Name { name, exclusive: true }),
            [b'[', name @ ..] => Some(LexBound::Name { name, exclusive: false }),
            _ => None,
        }
    }

    /// Whether a name lies before a range that begins here.
    fn is_behind(self, name: &[u8]) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Name { name: bound, exclusive } => name < bound || exclusive && name == bound,
        }
    }

    /// Whether a name lies within a range that ends here.
    fn reaches(self, name: &[u8]) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Name { name: bound, exclusive } => name < bound || !exclusive && name == bound,
        }
    }
}

/// A range of elements.
#[derive(Clone, Copy)]
pub(super) enum Bounds<'a> {
    /// Counted from the end where negative, both inclusive.
    Ranks(i64, i64),
    Scores(BoundPair),
    Names(NamePair<'a>),
}

#[derive(Clone, Copy)]
pub(super) struct BoundPair(ScoreBound, ScoreBound);

#[derive(Clone, Copy)]
pub(super) struct NamePair<'a>(LexBound<'a>, LexBound<'a>);

/// What a range is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Rank,
    Score,
    Name,
}

impl<'a> Bounds<'a> {
    /// Reads a range whose lower end stands at `low` and whose upper end at `high`.
    pub(super) fn parse(cx: &Context<'a>, by: By, low: usize, high: usize) -> Result<Bounds<'a>, Error> {
        let (from, to) = (cx.arg(low), cx.arg(high));
        match by {
            By::Rank => Ok(Bounds::Ranks(cx.integer(low)?, cx.integer(high)?)),
            By::Score => match (ScoreBound::parse(from), ScoreBound::parse(to)) {
                (Some(from), Some(to)) => Ok(Bounds::Scores(BoundPair(from, to))),
                _ => Err(Error::fixed("ERR min or max is not a float")),
            },
            By::Name => match (LexBound::parse(from), LexBound::parse(to)) {
                (Some(from), Some(to)) => Ok(Bounds::Names(NamePair(from, to))),
                _ => Err(Error::fixed("ERR min or max not valid string range item")),
            },
        }
    }

    /// The ranks that the range covers. Ranks themselves are counted from the highest score if `reverse`.
    pub(super) fn ranks(self, zset: ZsetRef<'_>, reverse: bool) -> Range<usize> {
        let len = zset.len();
        let range = match self {
            Bounds::Ranks(start, stop) => {
                let from_end = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
                let start = from_end(start).max(0) as usize;
                let stop = usize::try_from(from_end(stop).saturating_add(1)).unwrap_or(0).min(len);
                if reverse { len - stop..len.saturating_sub(start) } else { start..stop }
            }
            Bounds::Scores(BoundPair(from, to)) => {
                let start =
                    zset.partition_point(|score, _| score < from.score || from.exclusive && score == from.score);
                start..zset.partition_point(|score, _| score < to.score || !to.exclusive && score == to.score)
            }
            Bounds::Names(NamePair(from, to)) => {
                zset.partition_point(|_, name| from.is_behind(name))..zset.partition_point(|_, name| to.reaches(name))
            }
        };
        if range.start < range.end { range } else { 0..0 }
    }
}
