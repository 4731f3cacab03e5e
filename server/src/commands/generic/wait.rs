//! Waiting for others to have what this client wrote. There are no replicas yet, so nothing ever arrives: who asks for
//! some waits until the time is over.

use protocol::Reply;

use crate::client::Wait;
use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};

pub(super) const WAIT: Spec = Spec::new("wait", 3, wait)
    .doc(
        Group::Generic,
        "3.0.0",
        "O(1)",
        "Waits until so many replicas have received what this connection has written.",
    )
    .flags(Flags::BLOCKING)
    .acl(Categories::CONNECTION)
    .tips(&["request_policy:all_shards", "response_policy:agg_min"])
    .args(&[Arg::new("numreplicas", ArgKind::Integer), Arg::new("timeout", ArgKind::Integer)]);

fn wait(cx: &mut Context<'_>) -> CommandResult {
    let replicas = cx.integer(1)?;
    let until_ms = cx.deadline_ms(2)?;
    reply_or_wait(cx, replicas <= 0, until_ms, |reply| reply.integer(0))
}

pub(super) const WAITAOF: Spec = Spec::new("waitaof", 4, waitaof)
    .doc(
        Group::Generic,
        "7.2.0",
        "O(1)",
        "Waits until what this connection has written is in the append-only file here and on so many replicas.",
    )
    .flags(Flags::BLOCKING)
    .acl(Categories::CONNECTION)
    .tips(&["request_policy:all_shards", "response_policy:agg_min"])
    .args(&[
        Arg::new("numlocal", ArgKind::Integer),
        Arg::new("numreplicas", ArgKind::Integer),
        Arg::new("timeout", ArgKind::Integer),
    ]);

fn waitaof(cx: &mut Context<'_>) -> CommandResult {
    let local = cx.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(Error::fixed("ERR value is out of range, value must between 0 and 1"));
    }
    let not_positive = Error::fixed("ERR value is out of range, must be positive");
    let replicas = protocol::parse_i64(cx.arg(2)).filter(|count| *count >= 0).ok_or(not_positive)?;
    let until_ms = cx.deadline_ms(3)?;
    if local > 0 {
        return Err(Error::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    reply_or_wait(cx, replicas == 0, until_ms, |reply| {
        reply.array(2);
        reply.integer(0);
        reply.integer(0);
    })
}

/// Replies at once when there is nothing to wait for or nobody may wait, and else at `until_ms`.
fn reply_or_wait(
    cx: &mut Context<'_>,
    ready: bool,
    until_ms: Option<i64>,
    answer: impl Fn(&mut Reply),
) -> CommandResult {
    if ready || cx.is_nested() {
        answer(cx.reply);
    } else {
        let mut later = Reply::new(cx.reply.resp());
        answer(&mut later);
        cx.client.wait = Some(Wait { until_ms, reply: later.to_vec(), ..Wait::default() });
    }
    Ok(())
}
