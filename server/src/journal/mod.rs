//! What is written down for every change: commands that make it anew, whenever that is done and whatever it was made by.
//!
//! A command that has changed something is written down as it came ([`after_command`]). One for which that would not do,
//! because it depends on the time, on chance or on who waited, says itself what to write instead ([`instead`]), once it
//! has made its change. So nothing can be forgotten, at worst it is said in the wrong words. What has expired and what was
//! evicted the views tell of themselves ([`storage::Journal`]), in front of the command that came across it.
//!
//! What happened at one instant is a unit: a command, a transaction, a script, each of those who were served because of
//! one. It is collected in a buffer of the thread, and handed to the log before the shards that it is about are unlocked.
//! Two units that have a shard in common therefore stand in the log in the order in which they happened. What others are
//! told of a unit ([`tell_later`]) they are told when it is there.

mod unit;

use std::cell::RefCell;

use protocol::Args;
use smallvec::SmallVec;
use storage::{Free, Key, Lapse, View};

use crate::command::context::Context;
use crate::command::spec::Flags;
use crate::server::Server;
use crate::set;

pub use unit::Entries;
use unit::Unit;

thread_local! {
    /// What this thread has not handed over yet.
    static UNIT: RefCell<Unit> = RefCell::new(Unit::new());
}

/// Writes `commands` down for the change that was just made through a view, in place of the request that has made it.
#[inline]
pub fn instead(db: &mut View<'_>, commands: impl FnOnce(&mut Entries<'_>)) {
    if db.writes_down() {
        UNIT.with_borrow_mut(|unit| commands(&mut unit.entries(db.db())));
        nothing(db);
    }
}

/// The change that was just made through a view is not to be written down, or is already.
pub fn nothing(db: &mut View<'_>) {
    db.effects.written = db.effects.dirty;
}

/// Writes down that a key was removed.
pub fn removal(db: &mut View<'_>, key: &Key<'_>, free: Free) {
    instead(db, |entries| entries.command([removing(free == Free::Later), key.bytes]));
}

/// The command that removes keys, if need be in the background.
fn removing(lazily: bool) -> &'static [u8] {
    if lazily { b"UNLINK" } else { b"DEL" }
}

/// The place of an argument, and what stands there instead, if anything.
pub type Change<'a> = (usize, Option<&'a [u8]>);

/// A request with some of its arguments changed, or left out.
pub fn changed<'a>(args: Args<'a>, changes: &[Change<'a>]) -> SmallVec<[&'a [u8]; 32]> {
    let change = |index: usize| changes.iter().find(|(at, _)| *at == index).map(|(_, change)| *change);
    args.iter().enumerate().filter_map(|(index, arg)| change(index).unwrap_or(Some(arg))).collect()
}

/// Writes a request down as it came, though it may have changed nothing.
pub fn anyway(cx: &mut Context<'_>) {
    let args = cx.args;
    instead(cx.db, |entries| entries.command(args));
}

/// Writes down what a command has changed, unless it has done so itself.
#[inline]
pub fn after_command(cx: &mut Context<'_>) {
    if cx.server.aof.is_on() && cx.db.effects.written != cx.db.effects.dirty {
        write_as_it_came(cx);
    }
}

fn write_as_it_came(cx: &mut Context<'_>) {
    // Where the log was turned on within a transaction, what was changed before is still there to be seen.
    if cx.command.spec.flags.intersects(set!(Flags: WRITE | MAY_REPLICATE)) {
        cx.db.select(cx.client.db());
        match cx.args.as_sent() {
            // Most are a unit of their own, and in the very bytes that belong in the log.
            Some(sent) if !cx.is_nested() && cx.db.is_complete() => {
                cx.server.aof.append(cx.db.db(), sent);
                nothing(cx.db);
            }
            _ => anyway(cx),
        }
    }
}

/// Whether others may not be told yet of what has happened under locks that are held, but have to be by [`tell_later`]:
/// nobody is to act on something that may still be lost.
#[inline]
pub fn tells_later(server: &Server) -> bool {
    // That changes only while all shards are locked.
    server.aof.is_on()
}

/// Tells others of something when the unit that it belongs to has been written down.
pub fn tell_later(news: impl FnOnce() + 'static) {
    UNIT.with_borrow_mut(|unit| unit.news.push(Box::new(news)));
}

/// Has what `call` changes not written down. What expires meanwhile is: nobody has asked for that.
pub fn unwritten<R>(call: impl FnOnce() -> R) -> R {
    let before = UNIT.with_borrow_mut(|unit| std::mem::replace(&mut unit.muted, true));
    let result = call();
    UNIT.with_borrow_mut(|unit| unit.muted = before);
    result
}

/// What views tell of.
pub struct Journal(pub &'static Server);

impl storage::Journal for Journal {
    fn is_on(&self) -> bool {
        self.0.aof.is_on()
    }

    fn lapsed(&self, db: usize, key: &[u8], lapse: Lapse<'_>) {
        let config = &self.0.config;
        UNIT.with_borrow_mut(|unit| match lapse {
            Lapse::Expired => unit.add(db, [removing(config.lazy_expire()), key]),
            Lapse::Evicted => unit.add(db, [removing(config.lazy_eviction()), key]),
            Lapse::Fields(fields) => {
                let command: Vec<&[u8]> =
                    [&b"HDEL"[..], key].into_iter().chain(fields.iter().map(|it| &**it)).collect();
                unit.add(db, command);
            }
        });
    }

    fn complete(&self) {
        let news = UNIT.with_borrow_mut(|unit| {
            unit.hand_over(&self.0.aof);
            std::mem::take(&mut unit.news)
        });
        news.into_iter().for_each(|tell| tell());
    }
}
