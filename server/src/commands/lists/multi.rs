//! Elements from the first of several lists that has any, at once or as soon as there is one.

use protocol::Reply;
use storage::list::{End, List, NodeLimit};
use storage::{Collection, Key, Type, View};

use super::end_at;
use crate::blocking::{Blocking, first_served, serve_or_wait};
use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::reply_item;
use crate::commands::lists::ends::pop_event;
use crate::journal;

/// Takes elements from an end of the first list that has any.
struct Pop {
    keys: Vec<Vec<u8>>,
    end: End,
    /// At most so many, answered as an array; without it one.
    count: Option<usize>,
    limit: NodeLimit,
}

impl Pop {
    fn take(&self, key: &Key<'_>, db: &mut View<'_>, reply: &mut Reply) -> Result<bool, Error> {
        let found = db.change_existing::<List, _>(key, |list, log| {
            reply.array(2);
            reply.bulk(key.bytes);
            if let Some(count) = self.count {
                reply.array(count.min(list.as_ref().len()));
            }
            let taken = list.pop(self.end, self.count.unwrap_or(1), |item| reply_item(reply, item));
            list.settle(self.limit);
            log.changed(pop_event(self.end), taken);
            taken
        })?;
        if let Some(taken) = found {
            let name = if self.end == End::Head { &b"LPOP"[..] } else { b"RPOP" };
            journal::instead(db, |entries| match self.count {
                None => entries.command([name, key.bytes]),
                Some(_) => entries.command([name, key.bytes, itoa::Buffer::new().format(taken).as_bytes()]),
            });
        }
        Ok(found.is_some())
    }
}

impl Blocking for Pop {
    fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    fn wants(&self) -> Type {
        Type::List
    }

    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error> {
        first_served(&self.keys, db, woken, |key, db| self.take(key, db, reply))
    }

    fn timed_out(&self, reply: &mut Reply) {
        reply.null_array();
    }
}

pub(super) fn blpop(cx: &mut Context<'_>) -> CommandResult {
    block(cx, End::Head)
}

pub(super) fn brpop(cx: &mut Context<'_>) -> CommandResult {
    block(cx, End::Tail)
}

fn block(cx: &mut Context<'_>, end: End) -> CommandResult {
    let last = cx.args.len() - 1;
    let until_ms = cx.deadline_seconds(last)?;
    let keys = (1..last).map(|index| cx.arg(index).to_vec()).collect();
    serve_or_wait(cx, until_ms, Pop { keys, end, count: None, limit: cx.server.list_limit() })
}

pub(super) fn lmpop(cx: &mut Context<'_>) -> CommandResult {
    let pop = parse(cx, 1)?;
    if !pop.serve(cx.db, cx.reply, false)? {
        cx.reply.null_array();
    }
    Ok(())
}

pub(super) fn blmpop(cx: &mut Context<'_>) -> CommandResult {
    let pop = parse(cx, 2)?;
    let until_ms = cx.deadline_seconds(1)?;
    serve_or_wait(cx, until_ms, pop)
}

/// LMPOP's arguments, from the number of keys at `index` on.
fn parse(cx: &Context<'_>, index: usize) -> Result<Pop, Error> {
    let (keys, at) = cx.counted_keys(index)?;
    let end = end_at(cx, at)?;
    Ok(Pop { keys, end, count: Some(cx.pop_count(at + 1)?), limit: cx.server.list_limit() })
}
