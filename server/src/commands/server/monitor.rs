//! MONITOR: a feed of all commands.

use crate::command::*;
use crate::set;

pub(super) const MONITOR: Spec = Spec::new("monitor", 1, monitor)
    .doc(Group::Server, "1.0.0", "", "Shows every command that the server carries out from now on.")
    .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE));

fn monitor(cx: &mut Context<'_>) -> CommandResult {
    // Whoever carries out several commands at once expects one reply of each.
    if cx.is_nested() {
        return Err(Error::fixed("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    cx.server.clients.add_monitor(&cx.client.shared);
    cx.reply.ok();
    Ok(())
}
