//! Which arguments of pub/sub commands are channels, and how they are meant.

use std::ops::Range;

use crate::command::Command;

/// How a channel's name is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelUse {
    /// One channel, to publish to or to hear from.
    Literal,
    /// All channels that fit a pattern.
    Pattern,
}

/// The channels among the arguments of a command that needs a permission for them. Unsubscribing needs none.
pub fn of_command(command: &Command, argc: usize) -> Option<(Range<usize>, ChannelUse)> {
    match command.full_name.as_str() {
        "publish" | "spublish" => Some((1..argc.min(2), ChannelUse::Literal)),
        "subscribe" | "ssubscribe" => Some((1..argc, ChannelUse::Literal)),
        "psubscribe" => Some((1..argc, ChannelUse::Pattern)),
        _ => None,
    }
}
