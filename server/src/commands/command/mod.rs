//! COMMAND: what commands there are, all derived from their declarations.

mod docs;
mod info;
mod keys;
mod list;

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Flags, Group, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[Spec {
    // Without a subcommand it is one itself.
    run: info::all,
    arity: -1,
    ..Spec::container(
        "command",
        &[COUNT, docs::DOCS, keys::GETKEYS, keys::GETKEYSANDFLAGS, HELP, info::INFO, list::LIST],
    )
    .doc(Group::Server, "2.8.13", "O(N) where N is the number of commands.", "Describes all commands.")
    .flags(set!(Flags: LOADING | STALE))
    .acl(Categories::CONNECTION)
    .tips(&["nondeterministic_output_order"])
}];

/// A subcommand up to its documentation.
const fn subcommand(spec: Spec) -> Spec {
    spec.flags(set!(Flags: LOADING | STALE)).acl(Categories::CONNECTION)
}

/// The arguments of the subcommands that take commands' names.
const NAMES: &[Arg] = &[Arg::new("command-name", ArgKind::String).optional().multiple()];

const COUNT: Spec =
    subcommand(Spec::new("count", 2, count)).doc(Group::Server, "2.8.13", "O(1)", "Counts the commands.");

fn count(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.server.commands.len() as i64);
    Ok(())
}

const HELP: Spec = subcommand(Spec::new("help", 2, help)).doc(Group::Server, "5.0.0", "O(1)", "Lists the subcommands.");

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "(no subcommand)",
        "    All commands, as INFO describes them.",
        "COUNT",
        "    How many commands there are.",
        "DOCS [<command-name> ...]",
        "    The documentation of these commands, or of all.",
        "GETKEYS <full-command>",
        "    Which of a command's arguments are keys.",
        "GETKEYSANDFLAGS <full-command>",
        "    The same, with what the command does to each of them.",
        "INFO [<command-name> ...]",
        "    How these commands, or all, may be called.",
        "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    The names of the commands.",
    ])
}
