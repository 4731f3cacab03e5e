//! ACL: who the users are and what they may do.

mod passwords;
mod show;
mod users;
mod watch;

use crate::command::{Arg, ArgKind, CommandResult, Context, Flags, Group, Spec};
use crate::set;

const BY_USERS: &str = "O(N) where N is the number of users.";
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub(super) const ACL: Spec = Spec::container(
    "acl",
    &[
        open(Spec::new("cat", -2, show::cat))
            .doc(Group::Server, "6.0.0", "O(1)", "Lists the categories, or the commands of one.")
            .args(&[Arg::new("category", ArgKind::String).optional()]),
        admin(Spec::new("deluser", -3, users::deluser))
            .doc(Group::Server, "6.0.0", "O(1) for each user.", "Deletes users and disconnects their clients.")
            .tips(EVERY_NODE)
            .args(&[Arg::new("username", ArgKind::String).multiple()]),
        admin(Spec::new("dryrun", -4, watch::dryrun))
            .doc(Group::Server, "7.0.0", "O(1)", "Tells whether a user may make a call, without making it.")
            .args(&[
                Arg::new("username", ArgKind::String),
                Arg::new("command", ArgKind::String),
                Arg::new("arg", ArgKind::String).optional().multiple(),
            ]),
        open(Spec::new("genpass", -2, passwords::genpass))
            .doc(Group::Server, "6.0.0", "O(1)", "Makes up a password.")
            .args(&[Arg::new("bits", ArgKind::Integer).optional()]),
        admin(Spec::new("getuser", 3, show::getuser))
            .doc(Group::Server, "6.0.0", "O(N) where N is the number of rules.", "Tells all about a user.")
            .history(&[
                ("6.2.0", "Channel patterns."),
                ("7.0.0", "Selectors; key and channel patterns are rules in one text instead of a list."),
            ])
            .args(&[Arg::new("username", ArgKind::String)]),
        Spec::new("help", 2, help)
            .doc(Group::Server, "6.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        admin(Spec::new("list", 2, show::list)).doc(
            Group::Server,
            "6.0.0",
            BY_USERS,
            "Lists the users with their rules, as they stand in files.",
        ),
        admin(Spec::new("load", 2, users::load)).doc(
            Group::Server,
            "6.0.0",
            BY_USERS,
            "Replaces the users by those of the ACL file.",
        ),
        admin(Spec::new("log", -2, watch::log))
            .doc(Group::Server, "6.0.0", "O(N) where N is the number of entries.", "Shows what was denied lately.")
            .history(&[("7.2.0", "Each entry has an id and the times of its first and last event.")])
            .args(&[Arg::one_of("operation", &[Arg::new("count", ArgKind::Integer), Arg::flag("reset", "RESET")])
                .optional()]),
        admin(Spec::new("save", 2, users::save))
            .doc(Group::Server, "6.0.0", BY_USERS, "Writes the users to the ACL file.")
            .tips(EVERY_NODE),
        admin(Spec::new("setuser", -3, users::setuser))
            .doc(Group::Server, "6.0.0", "O(N) where N is the number of rules.", "Makes a user or changes its rules.")
            .secrets(|_, index| index > 1)
            .tips(EVERY_NODE)
            .history(&[("6.2.0", "Channel patterns."), ("7.0.0", "Selectors, and keys to be only read or written.")])
            .args(&[Arg::new("username", ArgKind::String), Arg::new("rule", ArgKind::String).optional().multiple()]),
        admin(Spec::new("users", 2, show::users)).doc(Group::Server, "6.0.0", BY_USERS, "Lists the users' names."),
        open(Spec::new("whoami", 2, show::whoami)).doc(
            Group::Server,
            "6.0.0",
            "O(1)",
            "Tells the name of the connection's user.",
        ),
    ],
)
.doc(Group::Server, "6.0.0", "Depends on subcommand.", "Users and what they may do.");

const fn admin(spec: Spec) -> Spec {
    spec.flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
}

const fn open(spec: Spec) -> Spec {
    spec.flags(set!(Flags: NOSCRIPT | LOADING | STALE))
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "CAT [<category>]",
        "    The categories of commands, or the commands in one.",
        "DELUSER <username> [<username> ...]",
        "    Delete users and disconnect their clients.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Whether a user may make this call; it is not made.",
        "GENPASS [<bits>]",
        "    A fresh password of 256 or so many random bits.",
        "GETUSER <username>",
        "    All about a user.",
        "LIST",
        "    The users with their rules, as they stand in files.",
        "LOAD",
        "    Replace the users by those in the ACL file.",
        "LOG [<count> | RESET]",
        "    What was denied lately; or forget it.",
        "SAVE",
        "    Write the users to the ACL file.",
        "SETUSER <username> <rule> [<rule> ...]",
        "    Make a user or change its rules.",
        "USERS",
        "    The names of the users.",
        "WHOAMI",
        "    The name of this connection's user.",
    ])
}
