//! Beginning and ending subscriptions.

use super::*;
use crate::command::context::Within;

/// A command that changes subscriptions, up to its documentation.
const fn listening(spec: Spec) -> Spec {
    spec.flags(set!(Flags: PUBSUB | NOSCRIPT | LOADING | STALE))
}

pub(super) const SUBSCRIBE: Spec = listening(Spec::new("subscribe", -2, subscribe))
    .doc(Group::Pubsub, "2.0.0", "O(N) where N is the number of channels.", "Listens to channels.")
    .args(&[Arg::new("channel", ArgKind::String).multiple()]);

fn subscribe(cx: &mut Context<'_>) -> CommandResult {
    begin(cx, Kind::Channel)
}

pub(super) const PSUBSCRIBE: Spec = listening(Spec::new("psubscribe", -2, psubscribe))
    .doc(
        Group::Pubsub,
        "2.0.0",
        "O(N) where N is the number of patterns.",
        "Listens to all channels whose names match a pattern.",
    )
    .args(&[Arg::new("pattern", ArgKind::Pattern).multiple()]);

fn psubscribe(cx: &mut Context<'_>) -> CommandResult {
    begin(cx, Kind::Pattern)
}

pub(super) const SSUBSCRIBE: Spec = listening(Spec::new("ssubscribe", -2, ssubscribe))
    .doc(Group::Pubsub, "7.0.0", "O(N) where N is the number of shard channels.", "Listens to shard channels.")
    .keys(&[SHARD_CHANNELS])
    .args(&[Arg::new("shardchannel", ArgKind::String).multiple()]);

fn ssubscribe(cx: &mut Context<'_>) -> CommandResult {
    begin(cx, Kind::ShardChannel)
}

pub(super) const UNSUBSCRIBE: Spec = listening(Spec::new("unsubscribe", -1, unsubscribe))
    .doc(
        Group::Pubsub,
        "2.0.0",
        "O(N) where N is the number of channels.",
        "Listens to channels no more; without any named, to none at all.",
    )
    .args(&[Arg::new("channel", ArgKind::String).optional().multiple()]);

fn unsubscribe(cx: &mut Context<'_>) -> CommandResult {
    end(cx, Kind::Channel)
}

pub(super) const PUNSUBSCRIBE: Spec = listening(Spec::new("punsubscribe", -1, punsubscribe))
    .doc(
        Group::Pubsub,
        "2.0.0",
        "O(N) where N is the number of patterns.",
        "Ends subscriptions to patterns; without any named, to all of them.",
    )
    .args(&[Arg::new("pattern", ArgKind::Pattern).optional().multiple()]);

fn punsubscribe(cx: &mut Context<'_>) -> CommandResult {
    end(cx, Kind::Pattern)
}

pub(super) const SUNSUBSCRIBE: Spec = listening(Spec::new("sunsubscribe", -1, sunsubscribe))
    .doc(
        Group::Pubsub,
        "7.0.0",
        "O(N) where N is the number of shard channels.",
        "Listens to shard channels no more; without any named, to none at all.",
    )
    .keys(&[SHARD_CHANNELS])
    .args(&[Arg::new("shardchannel", ArgKind::String).optional().multiple()]);

fn sunsubscribe(cx: &mut Context<'_>) -> CommandResult {
    end(cx, Kind::ShardChannel)
}

fn begin(cx: &mut Context<'_>, kind: Kind) -> CommandResult {
    // A script expects one reply, and no messages behind it; a transaction may subscribe to what it always could.
    if cx.within == Within::Script || cx.is_nested() && kind == Kind::ShardChannel {
        let command = kind.subscribed().to_uppercase();
        return Err(Error::new(format!("ERR {command} isn't allowed for a DENY BLOCKING client")));
    }
    for name in cx.args.tail(1) {
        // The first message can come at once, from another thread: it must find the confirmation before it.
        let known = cx.client.subscriptions.contains(kind, name);
        confirm(cx, kind, kind.subscribed(), Some(name), usize::from(!known));
        cx.server.pubsub.subscribe(cx.client, kind, name);
    }
    // Who lost his permission at this very moment was not yet to be found among those who listen.
    if cx.executor.recheck(cx.client, cx.command, cx.args).is_err() {
        cx.client.shared.kill();
    }
    Ok(())
}

fn end(cx: &mut Context<'_>, kind: Kind) -> CommandResult {
    let word = kind.unsubscribed();
    if cx.args.len() > 1 {
        for name in cx.args.tail(1) {
            end_one(cx, kind, name);
        }
        return Ok(());
    }
    let names = cx.client.subscriptions.names(kind);
    if names.is_empty() {
        confirm(cx, kind, word, None, 0);
    }
    names.iter().for_each(|name| end_one(cx, kind, name));
    Ok(())
}

fn end_one(cx: &mut Context<'_>, kind: Kind, name: &[u8]) {
    cx.server.pubsub.unsubscribe(cx.client, kind, name);
    // No message of the channel may come behind the confirmation.
    cx.take_mail();
    confirm(cx, kind, kind.unsubscribed(), Some(name), 0);
}

/// Tells the client of a change: not a reply, but a push, which not even CLIENT REPLY OFF holds back. `more`
/// subscriptions are about to begin.
fn confirm(cx: &mut Context<'_>, kind: Kind, word: &str, name: Option<&[u8]>, more: usize) {
    let subscriptions = &cx.client.subscriptions;
    let count = more
        + match kind {
            Kind::Channel | Kind::Pattern => subscriptions.count(Kind::Channel) + subscriptions.count(Kind::Pattern),
            Kind::ShardChannel => subscriptions.count(Kind::ShardChannel),
        };
    cx.push(|out| {
        out.push(3);
        out.bulk_str(word);
        match name {
            Some(name) => out.bulk(name),
            None => out.null(),
        }
        out.integer(count as i64);
    });
}

impl Context<'_> {
    /// Sends this client something other than a reply.
    fn push(&mut self, write: impl FnOnce(&mut protocol::Reply)) {
        if self.client.reply_mode.leaves_out() {
            // The reply is cut off again.
            self.client.shared.push(write);
        } else {
            write(self.reply);
        }
    }
}
