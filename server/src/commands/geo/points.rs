//! Places with names: adding them, and where they are.

use protocol::{Args, Reply};
use storage::zset::{Zset, ZsetRef};

use super::area::distance;
use super::cell::Position;
use crate::command::{CommandResult, Context, Error};
use crate::commands::zsets::add::{Elements, Options, add_elements};
use crate::commands::zsets::bounds::parse_score;
use crate::journal;

/// Reads the longitude at `index` and the latitude behind it.
pub(super) fn parse_position(args: Args<'_>, index: usize) -> Result<Position, Error> {
    let degrees = |index| parse_score(args.get(index).unwrap_or_default()).ok_or(Error::NOT_A_FLOAT);
    let position = Position { longitude: degrees(index)?, latitude: degrees(index + 1)? };
    if !position.is_on_the_map() {
        let Position { longitude, latitude } = position;
        return Err(Error::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")));
    }
    Ok(position)
}

/// Metres in a unit of length.
pub(super) fn parse_unit(text: &[u8]) -> Result<f64, Error> {
    match text.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(Error::fixed("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}

/// Where a member is.
pub(super) fn position_of(zset: ZsetRef<'_>, member: &[u8]) -> Option<Position> {
    zset.score(member).map(Position::of_score)
}

pub(super) fn reply_position(reply: &mut Reply, position: Position) {
    reply.array(2);
    reply.double(position.longitude);
    reply.double(position.latitude);
}

/// A distance, which has four digits behind the point.
pub(super) fn reply_distance(reply: &mut Reply, distance: f64) {
    let scaled = distance * 10_000.0;
    // Places that face each other across the globe may be no number apart, which Redis prints as the lowest integer.
    let scaled = if scaled.is_nan() { i64::MIN } else { scaled.round_ties_even() as i64 };
    let (sign, digits) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    reply.bulk_display(format_args!("{sign}{}.{:04}", digits / 10_000, digits % 10_000));
}

pub(super) fn geoadd(cx: &mut Context<'_>) -> CommandResult {
    let mut options = Options::default();
    let mut index = 2;
    loop {
        match cx.arg(index).to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_existing = true,
            b"ch" => options.count_changed = true,
            _ => break,
        }
        index += 1;
    }
    let rest = cx.args.len() - index;
    if !rest.is_multiple_of(3) || options.only_new && options.only_existing {
        return Err(Error::SYNTAX);
    }
    let mut elements = Elements::new();
    for index in (index..cx.args.len()).step_by(3) {
        elements.push((parse_position(cx.args, index)?.score(), cx.arg(index + 2)));
    }
    if elements.is_empty() {
        return Err(Error::SYNTAX);
    }
    add_elements(cx, &options, &elements)?;
    if cx.db.effects.written != cx.db.effects.dirty {
        write_scores(cx, index, &elements);
    }
    Ok(())
}

/// Has it written down what places come to: what a place is reckoned to be does not have to be the same everywhere.
fn write_scores(cx: &mut Context<'_>, options_end: usize, elements: &[(f64, &[u8])]) {
    let args = cx.args;
    journal::instead(cx.db, |entries| {
        // They are whole numbers.
        let scores: Vec<String> = elements.iter().map(|(score, _)| (*score as u64).to_string()).collect();
        let mut command: Vec<&[u8]> = vec![b"ZADD"];
        command.extend((1..options_end).map(|index| &args[index]));
        command.extend(scores.iter().zip(elements).flat_map(|(score, (_, member))| [score.as_bytes(), *member]));
        entries.command(command);
    });
}

pub(super) fn geopos(cx: &mut Context<'_>) -> CommandResult {
    for_each_position(cx, |reply, position| match position {
        Some(position) => reply_position(reply, position),
        None => reply.null_array(),
    })
}

pub(super) fn geohash(cx: &mut Context<'_>) -> CommandResult {
    for_each_position(cx, |reply, position| match position {
        Some(position) => reply.bulk(&position.geohash()),
        None => reply.null(),
    })
}

/// Answers for each member that is named.
fn for_each_position(cx: &mut Context<'_>, mut answer: impl FnMut(&mut Reply, Option<Position>)) -> CommandResult {
    let (key, members) = (cx.key(1), cx.args.tail(2));
    let zset = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Zset>()?),
        None => None,
    };
    cx.reply.array(members.len());
    for member in members.iter() {
        answer(cx.reply, zset.and_then(|zset| position_of(zset, member)));
    }
    Ok(())
}

pub(super) fn geodist(cx: &mut Context<'_>) -> CommandResult {
    let unit = match cx.args.len() {
        4 => 1.0,
        5 => parse_unit(cx.arg(4))?,
        _ => return Err(Error::SYNTAX),
    };
    let (key, members) = (cx.key(1), [cx.arg(2), cx.arg(3)]);
    let places = match cx.db.read(&key) {
        Some(entry) => {
            let zset = entry.get::<Zset>()?;
            members.map(|member| position_of(zset, member))
        }
        None => [None, None],
    };
    match places {
        [Some(one), Some(other)] => reply_distance(cx.reply, distance(one, other) / unit),
        _ => cx.reply.null(),
    }
    Ok(())
}
