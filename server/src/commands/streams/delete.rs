//! Deleting entries.

use storage::Event;
use storage::stream::{Deletion, References, Stream, StreamId};

use super::add::named_references;
use super::id;
use crate::command::{CommandResult, Context, Error};

pub(super) fn xdel(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if let Some(entry) = cx.db.peek(&key) {
        entry.get::<Stream>()?;
    } else {
        cx.reply.integer(0);
        return Ok(());
    }
    let ids = id::parse_all(cx, 2, cx.args.len())?;
    let removed = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let removed = ids.iter().filter(|id| stream.remove(**id)).count();
        if removed > 0 {
            log.changed(Event::XDEL, removed);
        }
        removed
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}

/// XDELEX key [KEEPREF | DELREF | ACKED] IDS number id...
pub(super) fn xdelex(cx: &mut Context<'_>) -> CommandResult {
    let (references, ids) = parse(cx, 2)?;
    change_each(cx, &ids, |stream, id| stream.remove_with(id, references))
}

/// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS number id...
pub(super) fn xackdel(cx: &mut Context<'_>) -> CommandResult {
    let (references, ids) = parse(cx, 3)?;
    let group = cx.arg(2);
    change_each(cx, &ids, |stream, id| {
        if !stream.group_mut(group).is_some_and(|(_, group)| group.acknowledge(id)) {
            return Deletion::NotFound;
        }
        match stream.remove_with(id, references) {
            // It was acknowledged, and there is nothing more to delete.
            Deletion::NotFound => Deletion::Deleted,
            deletion => deletion,
        }
    })
}

/// Deletes entries one by one and replies what became of each.
fn change_each(
    cx: &mut Context<'_>,
    ids: &[StreamId],
    mut delete: impl FnMut(&mut Stream, StreamId) -> Deletion,
) -> CommandResult {
    let key = cx.key(1);
    let outcomes = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let before = stream.len();
        let outcomes: Vec<Deletion> = ids.iter().map(|id| delete(stream, *id)).collect();
        let touched = outcomes.iter().filter(|outcome| **outcome != Deletion::NotFound).count();
        match before - stream.len() {
            0 if touched == 0 => log.silently(),
            0 => log.changed_quietly(touched),
            _ => log.changed(Event::XDEL, touched),
        }
        outcomes
    })?;
    cx.reply.array(ids.len());
    for index in 0..ids.len() {
        cx.reply.integer(match outcomes.as_ref().map(|outcomes| outcomes[index]) {
            None | Some(Deletion::NotFound) => -1,
            Some(Deletion::Deleted) => 1,
            Some(Deletion::Needed) => 2,
        });
    }
    Ok(())
}

/// The options from `index` on.
fn parse(cx: &Context<'_>, mut index: usize) -> Result<(References, Vec<StreamId>), Error> {
    let (mut references, mut ids) = (None, None);
    while index < cx.args.len() {
        if references.is_none()
            && let Some(named) = named_references(cx.args, index)
        {
            references = Some(named);
            index += 1;
        } else if cx.arg_is(index, "ids") && index + 1 < cx.args.len() {
            let count = protocol::parse_i64(cx.arg(index + 1)).and_then(|count| usize::try_from(count).ok());
            let count = count
                .filter(|count| (1..=i64::MAX as usize).contains(count))
                .ok_or(Error::fixed("ERR Number of IDs must be a positive integer"))?;
            let from = index + 2;
            let to = from.checked_add(count).filter(|to| *to <= cx.args.len());
            let to = to.ok_or(Error::fixed("ERR The `numids` parameter must match the number of arguments"))?;
            ids = Some((from, to));
            index = to;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let (from, to) = ids.ok_or(Error::fixed("ERR IDS option is required"))?;
    Ok((references.unwrap_or_default(), id::parse_all(cx, from, to)?))
}
