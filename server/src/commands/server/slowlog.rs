//! SLOWLOG: the log of commands that took long.

use crate::command::*;
use crate::set;

pub(super) const SLOWLOG: Spec = Spec::container(
    "slowlog",
    &[
        Spec::new("get", -2, get)
            .doc(
                Group::Server,
                "2.2.12",
                "O(N) where N is the number of entries asked for",
                "Shows the latest entries.",
            )
            .flags(set!(Flags: ADMIN | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "nondeterministic_output"])
            .history(&[("4.0.0", "Entries tell the client's address and name.")])
            .args(&[Arg::new("count", ArgKind::Integer).optional()]),
        Spec::new("help", 2, help)
            .doc(Group::Server, "6.2.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        Spec::new("len", 2, len)
            .doc(Group::Server, "2.2.12", "O(1)", "Counts the entries.")
            .flags(set!(Flags: ADMIN | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
        Spec::new("reset", 2, reset)
            .doc(Group::Server, "2.2.12", "O(N) where N is the number of entries", "Removes all entries.")
            .flags(set!(Flags: ADMIN | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    ],
)
.doc(Group::Server, "2.2.12", "Depends on subcommand.", "The log of commands that took long.");

/// Entries that GET shows without being told how many.
const SHOWN: usize = 10;

fn get(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::unknown_subcommand(cx.args));
    }
    let count = match cx.args.get(2) {
        None => SHOWN,
        Some(count) => match protocol::parse_i64(count) {
            Some(-1) => usize::MAX,
            Some(count @ 0..) => count as usize,
            _ => return Err(Error::fixed("ERR count should be greater than or equal to -1")),
        },
    };
    let log = cx.server.slowlog.lock();
    cx.reply.array(log.len().min(count));
    for entry in log.iter().take(count) {
        cx.reply.array(6);
        cx.reply.integer(entry.id as i64);
        cx.reply.integer(entry.time);
        cx.reply.integer(entry.micros);
        cx.reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| cx.reply.bulk(arg));
        cx.reply.bulk_str(&entry.addr);
        cx.reply.bulk(&entry.name);
    }
    Ok(())
}

fn len(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.server.slowlog.lock().len() as i64);
    Ok(())
}

fn reset(cx: &mut Context<'_>) -> CommandResult {
    cx.server.slowlog.lock().clear();
    cx.reply.ok();
    Ok(())
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "GET [<count>]",
        "    The latest <count> entries (default: 10, all with -1), newest first. Each has",
        "    its number, the Unix time, the duration in microseconds, the arguments, and",
        "    the address and the name of the client.",
        "LEN",
        "    How many entries there are.",
        "RESET",
        "    Remove all entries.",
    ])
}
