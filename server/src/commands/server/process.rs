//! Commands about the process, its clock and its role.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::Wait;
use crate::command::*;
use crate::config::ShutdownFlags;
use crate::persistence::aof::Outcome;
use crate::{persistence, set};

pub(super) const LASTSAVE: Spec = Spec::new("lastsave", 1, lastsave)
    .doc(Group::Server, "1.0.0", "O(1)", "Tells when the data was last saved.")
    .flags(set!(Flags: LOADING | STALE | FAST))
    .acl(set!(Categories: ADMIN | DANGEROUS))
    .tips(&["nondeterministic_output"]);

pub(super) const SAVE: Spec = Spec::new("save", 1, save)
    .doc(
        Group::Server,
        "1.0.0",
        "O(N) where N is the number of keys of all databases",
        "Saves all data, and lets everybody wait for it.",
    )
    .flags(set!(Flags: ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI));

pub(super) const BGREWRITEAOF: Spec = Spec::new("bgrewriteaof", 1, bgrewriteaof)
    .doc(Group::Server, "1.0.0", "O(1)", "Replaces the append-only log by what it amounts to, in the background.")
    .flags(set!(Flags: ADMIN | NOSCRIPT | NO_ASYNC_LOADING));

pub(super) const BGSAVE: Spec = Spec::new("bgsave", -1, bgsave)
    .doc(Group::Server, "1.0.0", "O(1)", "Saves all data while everybody goes on.")
    .flags(set!(Flags: ADMIN | NOSCRIPT | NO_ASYNC_LOADING))
    .history(&[("3.2.2", "`SCHEDULE` came.")])
    .args(&[Arg::flag("schedule", "SCHEDULE").optional().since("3.2.2")]);

pub(super) const ROLE: Spec = Spec::new("role", 1, role)
    .doc(Group::Server, "2.8.12", "O(1)", "Tells the server's part in replication.")
    .flags(set!(Flags: NOSCRIPT | LOADING | STALE | FAST))
    .acl(set!(Categories: ADMIN | DANGEROUS));

pub(super) const SHUTDOWN: Spec = Spec::new("shutdown", -1, shutdown)
    .doc(Group::Server, "1.0.0", "O(N) where N is the number of keys to save, O(1) without saving", "Ends the server.")
    .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY))
    .history(&[("7.0.0", "`NOW`, `FORCE` and `ABORT` came.")])
    .args(&[
        Arg::one_of("save-selector", &[Arg::flag("nosave", "NOSAVE"), Arg::flag("save", "SAVE")]).optional(),
        Arg::flag("now", "NOW").optional().since("7.0.0"),
        Arg::flag("force", "FORCE").optional().since("7.0.0"),
        Arg::flag("abort", "ABORT").optional().since("7.0.0"),
    ]);

pub(super) const TIME: Spec = Spec::new("time", 1, time)
    .doc(Group::Server, "2.6.0", "O(1)", "Tells the server's time.")
    .flags(set!(Flags: LOADING | STALE | FAST))
    .tips(&["nondeterministic_output"]);

fn time(cx: &mut Context<'_>) -> CommandResult {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    cx.reply.array(2);
    cx.reply.bulk_integer(now.as_secs() as i64);
    cx.reply.bulk_integer(now.subsec_micros().into());
    Ok(())
}

fn lastsave(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.server.persistence.last_save_s.load(Relaxed));
    Ok(())
}

const ALREADY_SAVING: Error = Error::fixed("ERR Background save already in progress");

fn save(cx: &mut Context<'_>) -> CommandResult {
    if cx.server.persistence.background.is_running() {
        return Err(ALREADY_SAVING);
    }
    cx.lock_all()?;
    cx.server.persistence.saves.fetch_add(1, Relaxed);
    persistence::save(cx.server, cx.db).map_err(|_| Error::fixed("ERR"))?;
    cx.reply.ok();
    Ok(())
}

fn bgrewriteaof(cx: &mut Context<'_>) -> CommandResult {
    match cx.server.aof.rewrite_if_possible(cx.server, cx.is_nested()) {
        Outcome::Started => cx.reply.simple("Background append only file rewriting started"),
        Outcome::Scheduled => cx.reply.simple("Background append only file rewriting scheduled"),
        Outcome::AlreadyRunning => {
            return Err(Error::fixed("ERR Background append only file rewriting already in progress"));
        }
        Outcome::Failed => {
            return Err(Error::fixed(
                "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
            ));
        }
    }
    Ok(())
}

fn bgsave(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 2 || (cx.args.len() == 2 && !cx.arg_is(1, "schedule")) {
        return Err(Error::SYNTAX);
    }
    let background = &cx.server.persistence.background;
    if background.is_running() {
        return Err(ALREADY_SAVING);
    }
    let is_rewriting = cx.server.aof.rewrites.is_running();
    if is_rewriting && cx.args.len() == 1 {
        return Err(Error::fixed(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
             schedule a BGSAVE whenever possible.",
        ));
    }
    if cx.is_nested() || is_rewriting {
        // What is half done is in no snapshot.
        background.schedule();
        cx.reply.simple("Background saving scheduled");
        return Ok(());
    }
    cx.lock_all()?;
    persistence::begin(cx.server, cx.db).map_err(|_| Error::fixed("ERR"))?;
    cx.reply.simple("Background saving started");
    Ok(())
}

fn role(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(3);
    cx.reply.bulk_str("master");
    cx.reply.integer(0);
    cx.reply.array(0);
    Ok(())
}

fn shutdown(cx: &mut Context<'_>) -> CommandResult {
    let mut flags = ShutdownFlags::empty();
    let mut abort = false;
    for word in cx.args.tail(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"save" => flags |= ShutdownFlags::SAVE,
            b"nosave" => flags |= ShutdownFlags::NOSAVE,
            b"force" => flags |= ShutdownFlags::FORCE,
            b"now" => flags |= ShutdownFlags::NOW,
            b"abort" => abort = true,
            _ => return Err(Error::SYNTAX),
        }
    }
    if flags.contains(ShutdownFlags::SAVE | ShutdownFlags::NOSAVE) || (abort && !flags.is_empty()) {
        return Err(Error::SYNTAX);
    }
    if abort {
        // A shutdown waits for nothing, so there is never one to call off.
        return Err(Error::fixed("ERR No shutdown in progress."));
    }
    if !cx.server.prepare_to_leave(flags) {
        return Err(Error::fixed("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    // The client hears no more of it than that its connection is gone.
    cx.client.wait = Some(Wait::default());
    cx.server.shutdown.notify_one();
    Ok(())
}
