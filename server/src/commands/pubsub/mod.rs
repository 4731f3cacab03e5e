//! Publish and subscribe.

mod look;
mod publish;
mod subscribe;

use crate::command::{Arg, ArgKind, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::pubsub::Kind;
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    subscribe::PSUBSCRIBE,
    publish::PUBLISH,
    look::PUBSUB,
    subscribe::PUNSUBSCRIBE,
    publish::SPUBLISH,
    subscribe::SSUBSCRIBE,
    subscribe::SUBSCRIBE,
    subscribe::SUNSUBSCRIBE,
    subscribe::UNSUBSCRIBE,
];

const SHARD_CHANNEL: KeySpec = KeySpec::at(1, KeyFlags::NOT_KEY);
const SHARD_CHANNELS: KeySpec = KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY);
