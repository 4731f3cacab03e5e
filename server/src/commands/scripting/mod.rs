//! Scripts and functions.

mod flags;
mod function;
mod run;
mod script;

use crate::command::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("eval", -3, run::eval)
        .doc(Group::Scripting, "2.6.0", "Depends on the script that is executed.", "Runs a script.")
        .flags(set!(Flags: MAY_REPLICATE | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_text)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RW | ACCESS | UPDATE)).note("what a script does with its keys is not known")])
        .args(&[Arg::new("script", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::new("eval_ro", -3, run::eval_ro)
        .doc(Group::Scripting, "7.0.0", "Depends on the script that is executed.", "Runs a script that writes nothing.")
        .flags(set!(Flags: READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_text)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS)).note("what a script does with its keys is not known")])
        .args(&[Arg::new("script", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::new("evalsha", -3, run::evalsha)
        .doc(Group::Scripting, "2.6.0", "Depends on the script that is executed.", "Runs a script by its digest.")
        .flags(set!(Flags: MAY_REPLICATE | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_digest)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::new("sha1", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::new("evalsha_ro", -3, run::evalsha_ro)
        .doc(Group::Scripting, "7.0.0", "Depends on the script that is executed.", "Runs a script that writes nothing, by its digest.")
        .flags(set!(Flags: READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_digest)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("sha1", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::new("fcall", -3, run::fcall)
        .doc(Group::Scripting, "7.0.0", "Depends on the function that is executed.", "Calls a function.")
        .flags(set!(Flags: MAY_REPLICATE | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_function)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RW | ACCESS | UPDATE)).note("what a script does with its keys is not known")])
        .args(&[Arg::new("function", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::new("fcall_ro", -3, run::fcall_ro)
        .doc(Group::Scripting, "7.0.0", "Depends on the function that is executed.", "Calls a function that writes nothing.")
        .flags(set!(Flags: READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS))
        .acl(Categories::SCRIPTING)
        .runs_script(flags::of_function)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS)).note("what a script does with its keys is not known")])
        .args(&[Arg::new("function", ArgKind::String), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).optional().multiple(), Arg::new("arg", ArgKind::String).optional().multiple()]),
    Spec::container("function", &[
        Spec::new("stats", 2, function::stats)
            .doc(Group::Scripting, "7.0.0", "O(1)", "Libraries of functions.")
            .flags(set!(Flags: NOSCRIPT | ALLOW_BUSY))
            .acl(Categories::SCRIPTING)
            .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
        Spec::new("kill", 2, function::kill)
            .doc(Group::Scripting, "7.0.0", "O(1)", "Ends the function that is running.")
            .flags(set!(Flags: NOSCRIPT | ALLOW_BUSY))
            .acl(Categories::SCRIPTING)
            .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        Spec::new("load", -3, function::load)
            .doc(Group::Scripting, "7.0.0", "O(1) (considering compilation time is redundant)", "Adds a library.")
            .flags(set!(Flags: WRITE | DENYOOM | NOSCRIPT))
            .acl(Categories::SCRIPTING)
            .all_shards()
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .args(&[Arg::flag("replace", "REPLACE").optional(), Arg::new("function-code", ArgKind::String)]),
        Spec::new("flush", -2, function::flush)
            .doc(Group::Scripting, "7.0.0", "O(N) where N is the number of functions deleted", "Removes all libraries.")
            .flags(set!(Flags: WRITE | NOSCRIPT))
            .acl(Categories::SCRIPTING)
            .all_shards()
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .args(&[Arg::one_of("flush-type", &[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")]).optional()]),
        Spec::new("list", -2, function::list)
            .doc(Group::Scripting, "7.0.0", "O(N) where N is the number of functions", "Lists the libraries.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING)
            .tips(&["nondeterministic_output_order"])
            .args(&[Arg::new("library-name-pattern", ArgKind::String).token("LIBRARYNAME").optional(), Arg::flag("withcode", "WITHCODE").optional()]),
        Spec::new("dump", 2, function::dump)
            .doc(Group::Scripting, "7.0.0", "O(N) where N is the number of functions", "Serializes all libraries.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING),
        Spec::new("restore", -3, function::restore)
            .doc(Group::Scripting, "7.0.0", "O(N) where N is the number of functions on the payload", "Adds libraries that were serialized.")
            .flags(set!(Flags: WRITE | DENYOOM | NOSCRIPT))
            .acl(Categories::SCRIPTING)
            .all_shards()
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .args(&[Arg::new("serialized-value", ArgKind::String), Arg::one_of("policy", &[Arg::flag("flush", "FLUSH"), Arg::flag("append", "APPEND"), Arg::flag("replace", "REPLACE")]).optional()]),
        Spec::new("delete", 3, function::delete)
            .doc(Group::Scripting, "7.0.0", "O(1)", "Removes a library.")
            .flags(set!(Flags: WRITE | NOSCRIPT))
            .acl(Categories::SCRIPTING)
            .all_shards()
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .args(&[Arg::new("library-name", ArgKind::String)]),
        Spec::new("help", 2, function::help)
            .doc(Group::Scripting, "7.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE))
            .acl(Categories::SCRIPTING),
    ])
        .doc(Group::Scripting, "7.0.0", "Depends on subcommand.", "Libraries of functions."),
    Spec::container("script", &[
        Spec::new("load", 3, script::load)
            .doc(Group::Scripting, "2.6.0", "O(N) with N being the length in bytes of the script body", "Scripts by their digests.")
            .flags(set!(Flags: NOSCRIPT | STALE))
            .acl(Categories::SCRIPTING)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .args(&[Arg::new("script", ArgKind::String)]),
        Spec::new("kill", 2, script::kill)
            .doc(Group::Scripting, "2.6.0", "O(1)", "Ends the script that is running.")
            .flags(set!(Flags: NOSCRIPT | ALLOW_BUSY))
            .acl(Categories::SCRIPTING)
            .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
        Spec::new("help", 2, script::help)
            .doc(Group::Scripting, "5.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE))
            .acl(Categories::SCRIPTING),
        Spec::new("flush", -2, script::flush)
            .doc(Group::Scripting, "2.6.0", "O(N) with N being the number of scripts in cache", "Forgets all scripts.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .history(&[("6.2.0", "The options `ASYNC` and `SYNC`.")])
            .args(&[Arg::one_of("flush-type", &[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")]).optional().since("6.2.0")]),
        Spec::new("exists", -3, script::exists)
            .doc(Group::Scripting, "2.6.0", "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).", "Tells which scripts are known.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING)
            .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
            .args(&[Arg::new("sha1", ArgKind::String).multiple()]),
        Spec::new("show", 3, script::show)
            .doc(Group::Scripting, "8.0.0", "O(1)", "Tells the text of a script.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING)
            .args(&[Arg::new("sha1", ArgKind::String)]),
        Spec::new("debug", 3, script::debug)
            .doc(Group::Scripting, "3.2.0", "O(1)", "Turns the debugger for scripts on or off.")
            .flags(Flags::NOSCRIPT)
            .acl(Categories::SCRIPTING)
            .args(&[Arg::one_of("mode", &[Arg::flag("yes", "YES"), Arg::flag("sync", "SYNC"), Arg::flag("no", "NO")])]),
    ])
        .doc(Group::Scripting, "2.6.0", "Depends on subcommand.", "Scripts by their digests."),
];
