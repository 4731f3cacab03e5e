//! PUBSUB: who listens to what.

use super::*;
use crate::glob;

pub(super) const PUBSUB: Spec = Spec::container(
    "pubsub",
    &[CHANNELS, HELP, NUMPAT, NUMSUB, SHARDCHANNELS, SHARDNUMSUB],
)
.doc(Group::Pubsub, "2.8.0", "Depends on subcommand.", "Tells who listens to what.");

/// A subcommand up to its documentation.
const fn subcommand(spec: Spec) -> Spec {
    spec.flags(set!(Flags: PUBSUB | LOADING | STALE))
}

const CHANNELS: Spec = subcommand(Spec::new("channels", -2, channels))
    .doc(
        Group::Pubsub,
        "2.8.0",
        "O(N) where N is the number of channels that are listened to.",
        "Lists the channels that are listened to by name.",
    )
    .args(&[Arg::new("pattern", ArgKind::Pattern).optional()]);

fn channels(cx: &mut Context<'_>) -> CommandResult {
    list(cx, Kind::Channel)
}

const SHARDCHANNELS: Spec = subcommand(Spec::new("shardchannels", -2, shardchannels))
    .doc(
        Group::Pubsub,
        "7.0.0",
        "O(N) where N is the number of shard channels that are listened to.",
        "Lists the shard channels that are listened to.",
    )
    .args(&[Arg::new("pattern", ArgKind::Pattern).optional()]);

fn shardchannels(cx: &mut Context<'_>) -> CommandResult {
    list(cx, Kind::ShardChannel)
}

fn list(cx: &mut Context<'_>, kind: Kind) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::unknown_subcommand(cx.args));
    }
    let pattern = cx.args.get(2);
    let names =
        cx.server.pubsub.channels(kind, |name| pattern.is_none_or(|pattern| glob::matches(pattern, name, false)));
    cx.reply.array(names.len());
    names.iter().for_each(|name| cx.reply.bulk(name));
    Ok(())
}

const NUMSUB: Spec = subcommand(Spec::new("numsub", -2, numsub))
    .doc(
        Group::Pubsub,
        "2.8.0",
        "O(N) where N is the number of channels asked about.",
        "Tells how many clients listen to channels by name.",
    )
    .args(&[Arg::new("channel", ArgKind::String).optional().multiple()]);

fn numsub(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Kind::Channel)
}

const SHARDNUMSUB: Spec = subcommand(Spec::new("shardnumsub", -2, shardnumsub))
    .doc(
        Group::Pubsub,
        "7.0.0",
        "O(N) where N is the number of shard channels asked about.",
        "Tells how many clients listen to shard channels.",
    )
    .args(&[Arg::new("shardchannel", ArgKind::String).optional().multiple()]);

fn shardnumsub(cx: &mut Context<'_>) -> CommandResult {
    count(cx, Kind::ShardChannel)
}

fn count(cx: &mut Context<'_>, kind: Kind) -> CommandResult {
    cx.reply.array((cx.args.len() - 2) * 2);
    for name in cx.args.tail(2) {
        cx.reply.bulk(name);
        cx.reply.integer(cx.server.pubsub.subscribers(kind, name) as i64);
    }
    Ok(())
}

const NUMPAT: Spec = subcommand(Spec::new("numpat", 2, numpat)).doc(
    Group::Pubsub,
    "2.8.0",
    "O(1)",
    "Tells how many different patterns are listened to.",
);

fn numpat(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.server.pubsub.count(Kind::Pattern) as i64);
    Ok(())
}

const HELP: Spec = Spec::new("help", 2, help)
    .doc(Group::Pubsub, "6.2.0", "O(1)", "Lists the subcommands.")
    .flags(set!(Flags: LOADING | STALE));

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "CHANNELS [<pattern>]",
        "    The channels that somebody listens to by name; only those that match, if there is a pattern.",
        "NUMPAT",
        "    How many different patterns somebody listens to.",
        "NUMSUB [<channel> ...]",
        "    How many listen to each of these channels by name.",
        "SHARDCHANNELS [<pattern>]",
        "    The shard channels that somebody listens to; only those that match, if there is a pattern.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    How many listen to each of these shard channels.",
    ])
}
