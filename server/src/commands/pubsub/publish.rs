//! PUBLISH and SPUBLISH.

use super::*;

pub(super) const PUBLISH: Spec = Spec::new("publish", 3, publish)
    .doc(
        Group::Pubsub,
        "2.0.0",
        "O(N+M) where N is the number of subscribers of the channel and M that of patterns in use.",
        "Sends a message to those who listen to a channel.",
    )
    .flags(set!(Flags: PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE))
    .args(&[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)]);

fn publish(cx: &mut Context<'_>) -> CommandResult {
    let receivers = cx.server.pubsub.publish(cx.arg(1), cx.arg(2), cx.args.shared(2));
    cx.reply.integer(receivers as i64);
    Ok(())
}

pub(super) const SPUBLISH: Spec = Spec::new("spublish", 3, spublish)
    .doc(
        Group::Pubsub,
        "7.0.0",
        "O(N) where N is the number of subscribers of the shard channel.",
        "Sends a message to those who listen to a shard channel.",
    )
    .flags(set!(Flags: PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE))
    .keys(&[SHARD_CHANNEL])
    .args(&[Arg::new("shardchannel", ArgKind::String), Arg::new("message", ArgKind::String)]);

fn spublish(cx: &mut Context<'_>) -> CommandResult {
    let receivers = cx.server.pubsub.publish_to_shard(cx.arg(1), cx.arg(2), cx.args.shared(2));
    cx.reply.integer(receivers as i64);
    Ok(())
}
