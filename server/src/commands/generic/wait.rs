//! Waiting for what was written to be safe: on the disk here, and with others. There are no replicas yet, so nothing ever
//! arrives there: who asks for some waits until the time is over.

use crate::client::Wait;
use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::server::Server;

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
    if replicas <= 0 || cx.is_nested() {
        cx.reply.integer(0);
    } else {
        cx.client.wait = Some(Wait { until_ms, reply: b":0\r\n".to_vec(), ..Wait::default() });
    }
    Ok(())
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

const NOT_LOGGED: Error = Error::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");

fn waitaof(cx: &mut Context<'_>) -> CommandResult {
    let local = cx.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(Error::fixed("ERR value is out of range, value must between 0 and 1"));
    }
    let not_positive = Error::fixed("ERR value is out of range, must be positive");
    let replicas = protocol::parse_i64(cx.arg(2)).filter(|count| *count >= 0).ok_or(not_positive)?;
    let until_ms = cx.deadline_ms(3)?;
    if local > 0 && !cx.server.config.appendonly() {
        return Err(NOT_LOGGED);
    }
    let logged = Logged { position: cx.server.aof.position(), local: local > 0, replicas: replicas > 0 };
    if cx.is_nested() || logged.is_over(cx.server) {
        cx.reply.raw(&logged.outcome(cx.server)?);
        return Ok(());
    }
    if local > 0 {
        cx.server.aof.wake_when_on_disk(logged.position, &cx.client.shared);
    }
    cx.client.wait = Some(Wait { until_ms, logged: Some(logged), ..Wait::default() });
    Ok(())
}

/// What WAITAOF waits for: changes up to a position of the log.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    position: u64,
    /// Whether they are waited for here, and elsewhere.
    local: bool,
    replicas: bool,
}

impl Logged {
    fn is_safe(self, server: &Server) -> bool {
        server.aof.is_on_disk(self.position)
    }

    /// Whether there is nothing to wait for any more.
    pub fn is_over(self, server: &Server) -> bool {
        let is_here = !self.local || self.is_safe(server) || !server.config.appendonly();
        is_here && !self.replicas
    }

    /// The reply: how many have the changes, of this server and of replicas.
    pub fn outcome(self, server: &Server) -> Result<Vec<u8>, Error> {
        if self.local && !server.config.appendonly() {
            return Err(NOT_LOGGED);
        }
        Ok(format!("*2\r\n:{}\r\n:0\r\n", u8::from(self.is_safe(server))).into_bytes())
    }
}
