//! Publish and subscribe: who listens to what, and the way of a message to those who do.
//!
//! A message is put into the mailboxes of its receivers while its channel is locked, so that all of them see the
//! messages of one channel in the same order, and those of one publisher in the order in which they were sent. Locks
//! are taken in this order: shards of the keyspace, a channel, the patterns, a mailbox.

mod message;
mod subscribers;
mod topics;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use ahash::AHashSet;
use bytes::Bytes;

use crate::acl::{self, ChannelUse, User};
use crate::client::Client;
use crate::command::Command;
use crate::glob;
use message::Message;
use subscribers::Subscribers;
use topics::{Channels, Patterns};

/// The name of a channel or a pattern, which its subscribers share.
type Name = Arc<[u8]>;

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Channel,
    Pattern,
    ShardChannel,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::ShardChannel];

    /// What a subscriber is told when a subscription of this kind begins.
    pub fn subscribed(self) -> &'static str {
        match self {
            Kind::Channel => "subscribe",
            Kind::Pattern => "psubscribe",
            Kind::ShardChannel => "ssubscribe",
        }
    }

    /// And when it ends.
    pub fn unsubscribed(self) -> &'static str {
        match self {
            Kind::Channel => "unsubscribe",
            Kind::Pattern => "punsubscribe",
            Kind::ShardChannel => "sunsubscribe",
        }
    }
}

/// Whether a client that only listens may call a command.
pub fn allowed_to_listeners(command: &Command) -> bool {
    let changes = Kind::ALL.iter().any(|kind| [kind.subscribed(), kind.unsubscribed()].contains(&command.spec.name));
    changes || ["ping", "quit", "reset"].contains(&command.spec.name)
}

/// What one client is subscribed to, as its own connection keeps it.
#[derive(Default)]
pub struct Subscriptions(Option<Box<[AHashSet<Name>; Kind::ALL.len()]>>);

impl Subscriptions {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.0.as_ref().map_or(0, |sets| sets[kind as usize].len())
    }

    pub fn contains(&self, kind: Kind, name: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|sets| sets[kind as usize].contains(name))
    }

    fn insert(&mut self, kind: Kind, name: Name) {
        self.0.get_or_insert_default()[kind as usize].insert(name);
    }

    fn remove(&mut self, kind: Kind, name: &[u8]) -> bool {
        let Some(sets) = &mut self.0 else { return false };
        let removed = sets[kind as usize].remove(name);
        if sets.iter().all(|set| set.is_empty()) {
            self.0 = None;
        }
        removed
    }

    /// The names of a kind, in no order.
    pub fn names(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.0.as_ref().map_or(Vec::new(), |sets| sets[kind as usize].iter().cloned().collect())
    }
}

/// All subscriptions of all clients.
#[derive(Default)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: Patterns,
}

impl PubSub {
    /// Subscribes a client, if it is not yet. From now on messages may come, from any thread.
    pub fn subscribe(&self, client: &mut Client, kind: Kind, name: &[u8]) {
        if client.subscriptions.contains(kind, name) {
            return;
        }
        let name = match kind {
            Kind::Channel => self.channels.add(name, &client.shared),
            Kind::ShardChannel => self.shard_channels.add(name, &client.shared),
            Kind::Pattern => self.patterns.add(name, &client.shared),
        };
        client.subscriptions.insert(kind, name);
        client.shared.subscriptions[kind as usize].fetch_add(1, Relaxed);
    }

    /// Ends a subscription: no message comes any more but those that wait in the client's mailbox.
    pub fn unsubscribe(&self, client: &mut Client, kind: Kind, name: &[u8]) {
        if !client.subscriptions.remove(kind, name) {
            return;
        }
        client.shared.subscriptions[kind as usize].fetch_sub(1, Relaxed);
        match kind {
            Kind::Channel => self.channels.remove(name, client.id()),
            Kind::ShardChannel => self.shard_channels.remove(name, client.id()),
            Kind::Pattern => self.patterns.remove(name, client.id()),
        }
    }

    /// Disconnects the clients of a user who listen to what it may not hear.
    pub fn silence(&self, user: &User) {
        let close = |name: &[u8], how, subscribers: &Subscribers| {
            if !acl::may_use_channel(user, name, how) {
                subscribers.iter().filter(|client| *client.user.lock() == user.name()).for_each(|client| client.kill());
            }
        };
        self.channels.for_each(|name, subscribers| close(name, ChannelUse::Literal, subscribers));
        self.shard_channels.for_each(|name, subscribers| close(name, ChannelUse::Literal, subscribers));
        self.patterns.for_each(|name, subscribers| close(name, ChannelUse::Pattern, subscribers));
    }

    /// Ends all subscriptions of a client, without a word.
    pub fn leave_all(&self, client: &mut Client) {
        for kind in Kind::ALL {
            for name in client.subscriptions.names(kind) {
                self.unsubscribe(client, kind, &name);
            }
        }
    }

    /// Sends a message to those who listen to a channel, by its name or, if it is not a shard channel, by a pattern.
    /// Returns how often it was sent. `shared` is the message once more, if it lies in a buffer that can be sent from.
    pub fn publish(&self, kind: Kind, channel: &[u8], payload: &[u8], shared: Option<&Bytes>) -> usize {
        let word: &[u8] = if kind == Kind::ShardChannel { b"smessage" } else { b"message" };
        self.table(kind).with(channel, |subscribers| {
            let mut receivers = 0;
            if let Some(subscribers) = subscribers {
                receivers += subscribers.send(&Message::new(&[word, channel], payload, shared));
            }
            self.for_each_pattern(kind, channel, |pattern, subscribers| {
                receivers += subscribers.send(&Message::new(&[b"pmessage", pattern, channel], payload, shared));
            });
            receivers
        })
    }

    /// How often a message would be sent.
    pub fn reach(&self, kind: Kind, channel: &[u8]) -> usize {
        let mut receivers = self.subscribers(kind, channel);
        self.for_each_pattern(kind, channel, |_, subscribers| receivers += subscribers.len());
        receivers
    }

    /// Goes through the patterns that a channel fits.
    fn for_each_pattern(&self, kind: Kind, channel: &[u8], mut each: impl FnMut(&[u8], &Subscribers)) {
        if kind == Kind::Channel && !self.patterns.is_empty() {
            self.patterns.for_each(|pattern, subscribers| {
                if glob::matches(pattern, channel, false) {
                    each(pattern, subscribers);
                }
            });
        }
    }

    /// Whether anybody listens to any channel.
    pub fn has_listeners(&self) -> bool {
        !self.patterns.is_empty() || self.channels.count() > 0
    }

    /// How many names of a kind are listened to.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.count(),
            Kind::ShardChannel => self.shard_channels.count(),
            Kind::Pattern => self.patterns.count(),
        }
    }

    /// The channels that are listened to by name and that `accept` wants.
    pub fn channels(&self, kind: Kind, accept: impl Fn(&[u8]) -> bool) -> Vec<Arc<[u8]>> {
        self.table(kind).names(accept)
    }

    /// How many listen to a channel by name.
    pub fn subscribers(&self, kind: Kind, channel: &[u8]) -> usize {
        self.table(kind).with(channel, |subscribers| subscribers.map_or(0, |subscribers| subscribers.len()))
    }

    fn table(&self, kind: Kind) -> &Channels {
        if kind == Kind::ShardChannel { &self.shard_channels } else { &self.channels }
    }
}
