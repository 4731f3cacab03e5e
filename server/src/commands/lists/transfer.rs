//! Elements from one list to another, at once or as soon as there are any.

use protocol::Reply;
use smallvec::SmallVec;
use storage::list::{End, List, ListRef, NodeLimit};
use storage::listpack::Item;
use storage::{Type, View};

use super::end_at;
use super::ends::{pop_event, push_event};
use crate::blocking::{Blocking, first_served, serve_or_wait};
use crate::command::{CommandResult, Context, Error};
use crate::journal;

/// Moves elements.
struct Move {
    /// Only one.
    source: [Vec<u8>; 1],
    destination: Vec<u8>,
    from: End,
    to: End,
    /// How many of them; without it one, which is not answered as an array.
    batch: Option<Batch>,
    limit: NodeLimit,
    /// It was asked for as RPOPLPUSH, which old servers know as well.
    classic: bool,
}

/// How many elements LMOVEM moves, and what becomes of their order.
struct Batch {
    count: usize,
    /// All of them or none.
    exactly: bool,
    /// They come to stand as they stood in the source, and not as if they were moved one after another.
    in_order: bool,
}

impl Batch {
    /// What LMOVEM says at `index` and behind.
    fn parse(cx: &Context<'_>, index: usize) -> Result<Batch, Error> {
        match cx.args.len() - index {
            0 => return Ok(Batch { count: 1, exactly: false, in_order: false }),
            3 => {}
            _ => return Err(Error::SYNTAX),
        }
        let exactly = cx.arg_is(index, "exactly");
        if !exactly && !cx.arg_is(index, "count") {
            return Err(Error::SYNTAX);
        }
        let count = cx.positive_count(index + 1)?;
        let in_order = cx.arg_is(index + 2, "bulk");
        if !in_order && !cx.arg_is(index + 2, "obo") {
            return Err(Error::SYNTAX);
        }
        Ok(Batch { count, exactly, in_order })
    }
}

/// Elements on their way, as they come to stand in the destination.
type Moving = SmallVec<[Vec<u8>; 1]>;

impl Move {
    fn new(cx: &Context<'_>, from: End, to: End, batch: Option<Batch>) -> Move {
        let (source, destination) = ([cx.arg(1).to_vec()], cx.arg(2).to_vec());
        Move { source, destination, from, to, batch, limit: cx.server.list_limit(), classic: false }
    }

    /// What RPOPLPUSH moves.
    fn classic(cx: &Context<'_>) -> Move {
        Move { classic: true, ..Move::new(cx, End::Tail, End::Head, None) }
    }

    /// What goes; nothing if there is not enough.
    fn choose(&self, source: ListRef<'_>) -> Moving {
        let (count, exactly, in_order) =
            self.batch.as_ref().map_or((1, false, false), |batch| (batch.count, batch.exactly, batch.in_order));
        if exactly && source.len() < count {
            return Moving::new();
        }
        let mut elements: Moving = match self.from {
            End::Head => source.iter().take(count).map(Item::to_vec).collect(),
            End::Tail => source.iter_back().take(count).map(Item::to_vec).collect(),
        };
        // Now they stand in the order in which they leave.
        let turned = if in_order { self.from == End::Tail } else { self.to == End::Head };
        if turned {
            elements.reverse();
        }
        elements
    }

    fn push(&self, destination: &mut List, elements: &Moving) {
        destination.prepare(elements.len(), elements.iter().map(Vec::len).sum(), self.limit);
        let push = |text: &Vec<u8>| destination.push(self.to, text);
        match self.to {
            End::Head => elements.iter().rev().for_each(push),
            End::Tail => elements.iter().for_each(push),
        }
    }

    /// What was moved does not depend on who waited for it any more.
    fn write_down(&self, db: &mut View<'_>, moved: usize) {
        let end = |end: End| if end == End::Head { &b"LEFT"[..] } else { b"RIGHT" };
        let ([source], destination, from, to) = (&self.source, &self.destination, end(self.from), end(self.to));
        journal::instead(db, |entries| match &self.batch {
            None if self.classic => entries.command([b"RPOPLPUSH", source.as_slice(), destination]),
            None => entries.command([b"LMOVE", source.as_slice(), destination, from, to]),
            Some(batch) => {
                let mut digits = itoa::Buffer::new();
                let count = digits.format(moved).as_bytes();
                let order = if batch.in_order { &b"BULK"[..] } else { b"OBO" };
                entries.command([b"LMOVEM", source.as_slice(), destination, from, to, b"EXACTLY", count, order]);
            }
        });
    }

    fn answer(&self, elements: &Moving, reply: &mut Reply) {
        if self.batch.is_some() {
            reply.array(elements.len());
        }
        elements.iter().for_each(|element| reply.bulk(element));
    }
}

impl Blocking for Move {
    fn keys(&self) -> &[Vec<u8>] {
        &self.source
    }

    fn wants(&self) -> Type {
        Type::List
    }

    fn destination(&self) -> Option<&[u8]> {
        Some(&self.destination)
    }

    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error> {
        let destination = db.keyspace().key(&self.destination);
        // What is wrong with the destination is an error even for one who was woken.
        let mut refused = None;
        let served = first_served(&self.source, db, woken, |source, db| {
            let Some(entry) = db.peek(source) else { return Ok(false) };
            let elements = self.choose(entry.get::<List>()?);
            if elements.is_empty() {
                return Ok(false);
            }
            if let Some(entry) = db.peek(&destination)
                && let Err(error) = entry.get::<List>()
            {
                refused = Some(Error::from(error));
                return Ok(true);
            }
            if source.bytes == destination.bytes {
                db.change_existing::<List, _>(source, |list, log| {
                    list.pop(self.from, elements.len(), |_| {});
                    self.push(list, &elements);
                    list.settle(self.limit);
                    log.changed(push_event(self.to), 0);
                    log.changed(pop_event(self.from), elements.len());
                })?;
            } else {
                db.change::<List, _>(&destination, |list, log| {
                    self.push(list, &elements);
                    log.changed(push_event(self.to), 0);
                })?;
                db.change_existing::<List, _>(source, |list, log| {
                    list.pop(self.from, elements.len(), |_| {});
                    list.settle(self.limit);
                    log.changed(pop_event(self.from), elements.len());
                })?;
            }
            self.write_down(db, elements.len());
            self.answer(&elements, reply);
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

    fn cannot_wait(&self, reply: &mut Reply) {
        match self.batch {
            Some(_) => reply.null_array(),
            None => reply.null(),
        }
    }
}

fn move_now(cx: &mut Context<'_>, transfer: &Move) -> CommandResult {
    if !transfer.serve(cx.db, cx.reply, false)? {
        transfer.cannot_wait(cx.reply);
    }
    Ok(())
}

pub(super) fn lmove(cx: &mut Context<'_>) -> CommandResult {
    let transfer = Move::new(cx, end_at(cx, 3)?, end_at(cx, 4)?, None);
    move_now(cx, &transfer)
}

pub(super) fn lmovem(cx: &mut Context<'_>) -> CommandResult {
    let transfer = Move::new(cx, end_at(cx, 3)?, end_at(cx, 4)?, Some(Batch::parse(cx, 5)?));
    move_now(cx, &transfer)
}

pub(super) fn rpoplpush(cx: &mut Context<'_>) -> CommandResult {
    let transfer = Move::classic(cx);
    move_now(cx, &transfer)
}

pub(super) fn blmove(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (end_at(cx, 3)?, end_at(cx, 4)?);
    let until_ms = cx.deadline_seconds(5)?;
    let transfer = Move::new(cx, from, to, None);
    serve_or_wait(cx, until_ms, transfer)
}

pub(super) fn blmovem(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (end_at(cx, 3)?, end_at(cx, 4)?);
    let until_ms = cx.deadline_seconds(5)?;
    let transfer = Move::new(cx, from, to, Some(Batch::parse(cx, 6)?));
    serve_or_wait(cx, until_ms, transfer)
}

pub(super) fn brpoplpush(cx: &mut Context<'_>) -> CommandResult {
    let until_ms = cx.deadline_seconds(3)?;
    let transfer = Move::classic(cx);
    serve_or_wait(cx, until_ms, transfer)
}
