//! Client-side caching, of which only the answer that it is off is there yet.

use super::*;

const NOT_THERE: Error = Error::fixed("ERR CLIENT TRACKING is not supported by this server yet");

pub(super) const TRACKING: Spec = subcommand(Spec::new("tracking", -3, tracking))
    .doc(
        Group::Connection,
        "6.0.0",
        "O(1). Some options may introduce additional complexity.",
        "Turns invalidations of what the client caches on and off.",
    )
    .args(&[
        Arg::one_of("status", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")]),
        Arg::new("client-id", ArgKind::Integer).token("REDIRECT").optional(),
        Arg::new("prefix", ArgKind::String).token("PREFIX").optional().multiple_token(),
        Arg::flag("bcast", "BCAST").optional(),
        Arg::flag("optin", "OPTIN").optional(),
        Arg::flag("optout", "OPTOUT").optional(),
        Arg::flag("noloop", "NOLOOP").optional(),
    ]);

fn tracking(_: &mut Context<'_>) -> CommandResult {
    Err(NOT_THERE)
}

pub(super) const CACHING: Spec = subcommand(Spec::new("caching", 3, caching))
    .doc(Group::Connection, "6.0.0", "O(1)", "Chooses whether the keys of the next command are tracked.")
    .args(&[Arg::one_of("mode", &[Arg::flag("yes", "YES"), Arg::flag("no", "NO")])]);

fn caching(_: &mut Context<'_>) -> CommandResult {
    Err(Error::fixed(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

pub(super) const GETREDIR: Spec = subcommand(Spec::new("getredir", 2, getredir)).doc(
    Group::Connection,
    "6.0.0",
    "O(1)",
    "Tells which client gets the invalidations meant for this one.",
);

fn getredir(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(-1);
    Ok(())
}

pub(super) const TRACKINGINFO: Spec = subcommand(Spec::new("trackinginfo", 2, trackinginfo)).doc(
    Group::Connection,
    "6.2.0",
    "O(1)",
    "Tells how the connection tracks keys.",
);

fn trackinginfo(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(1);
    cx.reply.bulk(b"off");
    cx.reply.bulk(b"redirect");
    cx.reply.integer(-1);
    cx.reply.bulk(b"prefixes");
    cx.reply.array(0);
    Ok(())
}
