//! PUBLISH and SPUBLISH.

use bytes::Bytes;

use super::*;
use crate::journal;

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
    send(cx, Kind::Channel)
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
    send(cx, Kind::ShardChannel)
}

fn send(cx: &mut Context<'_>, kind: Kind) -> CommandResult {
    let (server, channel, message, shared) = (cx.server, cx.arg(1), cx.arg(2), cx.args.shared(2));
    let receivers = if cx.is_nested() && cx.db.writes_down() {
        let receivers = server.pubsub.reach(kind, channel);
        let channel: Box<[u8]> = channel.into();
        let message = shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(message));
        journal::tell_later(move || {
            server.pubsub.publish(kind, &channel, &message, Some(&message));
        });
        receivers
    } else {
        server.pubsub.publish(kind, channel, message, shared)
    };
    cx.reply.integer(receivers as i64);
    Ok(())
}
