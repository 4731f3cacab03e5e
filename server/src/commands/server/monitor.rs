//! MONITOR: a feed of all commands.

use crate::command::*;
use crate::set;

pub(super) const MONITOR: Spec = Spec::new("monitor", 1, monitor)
    .doc(Group::Server, "1.0.0", "", "Shows every command that the server carries out from now on.")
    .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE));

fn monitor(cx: &mut Context<'_>) -> CommandResult {
    cx.server.clients.add_monitor(&cx.client.shared);
    cx.reply.ok();
    Ok(())
}
