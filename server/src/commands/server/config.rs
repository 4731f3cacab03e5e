//! CONFIG: the configuration at run time.

use std::sync::atomic::Ordering::Relaxed;

use crate::command::*;
use crate::config::{self, Caller, Extent};
use crate::set;

pub(super) const CONFIG: Spec = Spec::container(
    "config",
    &[
        Spec::new("get", -3, get)
            .doc(
                Group::Server,
                "2.0.0",
                "O(N) where N is the number of directives asked for",
                "Tells the values of directives.",
            )
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .history(&[("7.0.0", "Takes several patterns.")])
            .args(&[Arg::new("parameter", ArgKind::String).multiple()]),
        Spec::new("help", 2, help)
            .doc(Group::Server, "5.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        Spec::new("resetstat", 2, resetstat)
            .doc(Group::Server, "2.0.0", "O(1)", "Starts statistics anew.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        Spec::new("rewrite", 2, rewrite)
            .doc(Group::Server, "2.8.0", "O(1)", "Brings the configuration file up to date.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        Spec::new("set", -4, set)
            .doc(
                Group::Server,
                "2.0.0",
                "O(N) where N is the number of directives given",
                "Changes directives, all or none.",
            )
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .secrets(|args, index| index > 2 && index % 2 == 1 && args.get(index - 1).is_some_and(config::is_sensitive))
            .history(&[("7.0.0", "Changes several directives in one step.")])
            .args(&[Arg::block("data", &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)])
                .multiple()]),
    ],
)
.doc(Group::Server, "2.0.0", "Depends on subcommand.", "The configuration at run time.");

fn get(cx: &mut Context<'_>) -> CommandResult {
    let patterns: Vec<&[u8]> = cx.args.tail(2).iter().collect();
    let found = cx.server.config.get(&patterns);
    cx.reply.map(found.len());
    for (name, value) in found {
        cx.reply.bulk(&name);
        cx.reply.bulk(&value);
    }
    Ok(())
}

fn set(cx: &mut Context<'_>) -> CommandResult {
    if !cx.args.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let words: Vec<&[u8]> = cx.args.tail(2).iter().collect();
    let (pairs, _) = words.as_chunks::<2>();
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    let server = cx.server;
    let trusted = cx.client.is_permitted(server.config.enable_protected_configs());
    let caller = Caller { trusted, loading: server.persistence.loading.is_on() };
    server.config.set(&pairs, caller, &mut |step| server.apply(step))?;
    cx.reply.ok();
    Ok(())
}

fn resetstat(cx: &mut Context<'_>) -> CommandResult {
    cx.server.stats.reset();
    cx.server.pressure.reset();
    cx.server.persistence.reset_stats();
    cx.server.aof.reset_stats();
    cx.server.client_memory.evicted.store(0, Relaxed);
    cx.server.scripts.evicted.store(0, Relaxed);
    cx.server.rejected.store(0, Relaxed);
    cx.server.keyspace.reclaimer.reset_freed();
    cx.reply.ok();
    Ok(())
}

/// Brings the configuration file up to date. Users are kept in it unless they have a file of their own.
pub(super) fn write_file(cx: &Context<'_>, extent: Extent) -> CommandResult {
    let (config, acl) = (&cx.server.config, &cx.server.acl);
    let users: Option<Vec<Vec<u8>>> =
        config.aclfile().is_empty().then(|| acl.users().iter().map(|user| user.quoted_declaration()).collect());
    config.rewrite(users.as_deref(), extent).map_err(Error::new)
}

fn rewrite(cx: &mut Context<'_>) -> CommandResult {
    write_file(cx, Extent::Changed)?;
    cx.reply.ok();
    Ok(())
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "GET <pattern> [<pattern> ...]",
        "    The directives that fit one of the patterns, with their values.",
        "RESETSTAT",
        "    Start the statistics that INFO reports anew.",
        "REWRITE",
        "    Write what was changed to the configuration file.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Give directives new values, all of them or none.",
    ])
}
