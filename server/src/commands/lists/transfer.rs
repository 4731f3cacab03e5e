//! An element from one list to another, at once or as soon as there is one.

use protocol::Reply;
use storage::View;
use storage::list::{End, List, NodeLimit};

use super::ends::{pop_event, push_event};
use super::{end_at, limit};
use crate::blocking::{Blocking, first_served, serve_or_wait};
use crate::command::{CommandResult, Context, Error};

/// Moves an element.
struct Move {
    /// Only one.
    source: [Vec<u8>; 1],
    destination: Vec<u8>,
    from: End,
    to: End,
    limit: NodeLimit,
}

impl Move {
    fn parse(cx: &Context<'_>, from: End, to: End) -> Move {
        let (source, destination) = ([cx.arg(1).to_vec()], cx.arg(2).to_vec());
        Move { source, destination, from, to, limit: limit(cx) }
    }

    /// The same list gets the element back at its other end.
    fn rotate(&self, list: &mut List, log: &mut storage::Log) -> Vec<u8> {
        let mut element = Vec::new();
        list.pop(self.from, 1, self.limit, |item| element = item.to_vec());
        list.prepare(1, element.len(), self.limit);
        list.push(self.to, &element, self.limit);
        log.changed(push_event(self.to), 0);
        log.changed(pop_event(self.from), 1);
        element
    }
}

impl Blocking for Move {
    fn keys(&self) -> &[Vec<u8>] {
        &self.source
    }

    fn destination(&self) -> Option<&[u8]> {
        Some(&self.destination)
    }

    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error> {
        let destination = db.keyspace().key(&self.destination);
        // What is wrong with the destination is an error even for one who was woken.
        let mut refused = None;
        let served = first_served(&self.source, db, woken, |source, db| {
            let element = match db.peek(source) {
                None => return Ok(false),
                Some(entry) => {
                    let list = entry.get::<List>()?;
                    match self.from {
                        End::Head => list.get(0),
                        End::Tail => list.get(list.len() - 1),
                    }
                    .map(|item| item.to_vec())
                    .unwrap_or_default()
                }
            };
            if let Some(entry) = db.peek(&destination)
                && let Err(error) = entry.get::<List>()
            {
                refused = Some(Error::from(error));
                return Ok(true);
            }
            if source.bytes == destination.bytes {
                let element = db.change_existing::<List, _>(source, |list, log| self.rotate(list, log))?;
                reply.bulk(&element.unwrap_or_default());
                return Ok(true);
            }
            db.change::<List, _>(&destination, |list, log| {
                list.prepare(1, element.len(), self.limit);
                list.push(self.to, &element, self.limit);
                log.changed(push_event(self.to), 0);
            })?;
            db.change_existing::<List, _>(source, |list, log| {
                list.pop(self.from, 1, self.limit, |_| {});
                log.changed(pop_event(self.from), 1);
            })?;
            reply.bulk(&element);
            Ok(true)
        })?;
        match refused {
            Some(error) => Err(error),
            None => Ok(served),
        }
    }

    fn timed_out(&self, reply: &mut Reply) {
        reply.null_array();
    }
}

fn move_now(cx: &mut Context<'_>, transfer: &Move) -> CommandResult {
    if !transfer.serve(&mut cx.db, cx.reply, false)? {
        cx.reply.null();
    }
    Ok(())
}

pub(super) fn lmove(cx: &mut Context<'_>) -> CommandResult {
    let transfer = Move::parse(cx, end_at(cx, 3)?, end_at(cx, 4)?);
    move_now(cx, &transfer)
}

pub(super) fn rpoplpush(cx: &mut Context<'_>) -> CommandResult {
    let transfer = Move::parse(cx, End::Tail, End::Head);
    move_now(cx, &transfer)
}

pub(super) fn blmove(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (end_at(cx, 3)?, end_at(cx, 4)?);
    let until_ms = cx.deadline_seconds(5)?;
    let transfer = Move::parse(cx, from, to);
    serve_or_wait(cx, until_ms, transfer)
}

pub(super) fn brpoplpush(cx: &mut Context<'_>) -> CommandResult {
    let until_ms = cx.deadline_seconds(3)?;
    let transfer = Move::parse(cx, End::Tail, End::Head);
    serve_or_wait(cx, until_ms, transfer)
}
