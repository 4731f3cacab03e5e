//! Holding clients back and letting them go on.

use super::*;
use crate::client::Unblock;
use crate::server::Pause;

pub(super) const PAUSE: Spec = admin(Spec::new("pause", -3, pause))
    .doc(Group::Connection, "3.0.0", "O(1)", "Holds back all commands, or those that write, for a while.")
    .history(&[("6.2.0", "The mode `WRITE`, and `ALL` for the old behaviour.")])
    .args(&[
        Arg::new("timeout", ArgKind::Integer),
        Arg::one_of("mode", &[Arg::flag("write", "WRITE"), Arg::flag("all", "ALL")]).optional().since("6.2.0"),
    ]);

fn pause(cx: &mut Context<'_>) -> CommandResult {
    let pause = match cx.args.len() {
        3 => Pause::All,
        4 if cx.arg_is(3, "all") => Pause::All,
        4 if cx.arg_is(3, "write") => Pause::Writes,
        4 => return Err(Error::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(wrong_arguments(cx)),
    };
    // A pause of no length is over at once.
    let until_ms = cx.deadline_ms(2)?.unwrap_or(cx.now_ms());
    cx.server.pause(pause, until_ms);
    cx.reply.ok();
    Ok(())
}

pub(super) const UNPAUSE: Spec = admin(Spec::new("unpause", 2, unpause)).doc(
    Group::Connection,
    "6.2.0",
    "O(N) where N is the number of clients held back.",
    "Lets commands go on after a pause.",
);

fn unpause(cx: &mut Context<'_>) -> CommandResult {
    cx.server.unpause();
    cx.reply.ok();
    Ok(())
}

pub(super) const UNBLOCK: Spec = admin(Spec::new("unblock", -3, unblock))
    .doc(
        Group::Connection,
        "5.0.0",
        "O(log N) where N is the number of clients.",
        "Ends another client's wait in a blocking command.",
    )
    .args(&[
        Arg::new("client-id", ArgKind::Integer),
        Arg::one_of("unblock-type", &[Arg::flag("timeout", "TIMEOUT"), Arg::flag("error", "ERROR")]).optional(),
    ]);

fn unblock(cx: &mut Context<'_>) -> CommandResult {
    let how = match cx.args.len() {
        3 => Unblock::Timeout,
        4 if cx.arg_is(3, "timeout") => Unblock::Timeout,
        4 if cx.arg_is(3, "error") => Unblock::Error,
        4 => return Err(Error::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(wrong_arguments(cx)),
    };
    let client = u64::try_from(cx.integer(2)?).ok().and_then(|id| cx.server.clients.get(id));
    cx.reply.integer(i64::from(client.is_some_and(|client| client.unblock(how))));
    Ok(())
}

/// The error for more arguments than a subcommand with an open end takes.
fn wrong_arguments(cx: &Context<'_>) -> Error {
    Error::unknown_subcommand(cx.args)
}
