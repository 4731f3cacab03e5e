//! MODULE. There are no modules: they are libraries for the inside of a redis-server, which this one does not have.

use crate::command::*;
use crate::set;

pub(super) const MODULE: Spec = Spec::container(
    "module",
    &[
        Spec::new("help", 2, help)
            .doc(Group::Server, "5.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        Spec::new("list", 2, list)
            .doc(Group::Server, "4.0.0", "O(N) where N is the number of loaded modules.", "Lists the modules: none.")
            .flags(set!(Flags: ADMIN | NOSCRIPT))
            .tips(&["nondeterministic_output_order"]),
        changing(Spec::new("load", -3, load))
            .doc(Group::Server, "4.0.0", "O(1)", "Loads a module, which this server cannot.")
            .args(&[Arg::new("path", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()]),
        changing(Spec::new("loadex", -3, load))
            .doc(Group::Server, "7.0.0", "O(1)", "Loads and configures a module, which this server cannot.")
            .args(&[
                Arg::new("path", ArgKind::String),
                Arg::block("configs", &[Arg::new("name", ArgKind::String), Arg::new("value", ArgKind::String)])
                    .token("CONFIG")
                    .optional()
                    .multiple_token(),
                Arg::new("args", ArgKind::String).token("ARGS").optional().multiple(),
            ]),
        changing(Spec::new("unload", 3, unload))
            .doc(Group::Server, "4.0.0", "O(1)", "Unloads a module, if there were one.")
            .args(&[Arg::new("name", ArgKind::String)]),
    ],
)
.doc(Group::Server, "4.0.0", "Depends on subcommand.", "Commands about modules.");

/// A subcommand that changes which modules there are, up to its documentation.
const fn changing(spec: Spec) -> Spec {
    spec.flags(set!(Flags: ADMIN | NOSCRIPT | NO_ASYNC_LOADING))
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "LIST",
        "    Return a list of loaded modules.",
        "LOAD <path> [<arg> ...]",
        "    Load a module library from <path>, passing to it any optional arguments.",
        "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
        "    Load a module library from <path>, while passing it module configurations and optional arguments.",
        "UNLOAD <name>",
        "    Unload a module.",
    ])
}

fn list(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(0);
    Ok(())
}

fn load(cx: &mut Context<'_>) -> CommandResult {
    demand_permission(cx)?;
    Err(Error::fixed("ERR Error loading the extension. This server cannot load modules."))
}

fn unload(cx: &mut Context<'_>) -> CommandResult {
    demand_permission(cx)?;
    Err(Error::fixed("ERR Error unloading module: no such module with that name"))
}

fn demand_permission(cx: &Context<'_>) -> CommandResult {
    cx.demand(cx.server.config.enable_module_command(), "MODULE", "enable-module-command")
}
