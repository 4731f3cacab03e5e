//! Keyspace notifications: what happens to keys, as messages.

use storage::{Class, Happening};

use crate::config::NotifyFlags;
use crate::journal;
use crate::pubsub::Kind;
use crate::server::Server;

/// The letters' flags and the classes of events that they stand for. Nothing here loads modules.
const CLASSES: [(NotifyFlags, Class); 13] = [
    (NotifyFlags::GENERIC, Class::Generic),
    (NotifyFlags::STRING, Class::String),
    (NotifyFlags::LIST, Class::List),
    (NotifyFlags::SET, Class::Set),
    (NotifyFlags::HASH, Class::Hash),
    (NotifyFlags::ZSET, Class::Zset),
    (NotifyFlags::STREAM, Class::Stream),
    (NotifyFlags::EXPIRED, Class::Expired),
    (NotifyFlags::EVICTED, Class::Evicted),
    (NotifyFlags::NEW, Class::New),
    (NotifyFlags::KEY_MISS, Class::Miss),
    (NotifyFlags::OVERWRITTEN, Class::Overwritten),
    (NotifyFlags::TYPE_CHANGED, Class::TypeChanged),
];

/// The classes of events that are to be observed: none, unless there is a kind of channel to tell them on.
pub fn wanted(flags: NotifyFlags) -> impl Iterator<Item = Class> {
    let told = flags.intersects(NotifyFlags::KEYSPACE | NotifyFlags::KEYEVENT);
    CLASSES.into_iter().filter(move |(flag, _)| told && flags.contains(*flag)).map(|(_, class)| class)
}

/// Publishes an event. Called while the key is locked, so that whoever changes it next is heard of next.
pub fn publish(server: &'static Server, happening: &Happening<'_>) {
    let Happening { db, key, event, .. } = *happening;
    if !server.pubsub.has_listeners() {
        return;
    }
    let flags = server.config.notify_keyspace_events();
    let name = event.name.as_bytes();
    if flags.contains(NotifyFlags::KEYSPACE) {
        send(server, channel("keyspace", db, key), name);
    }
    if flags.contains(NotifyFlags::KEYEVENT) {
        send(server, channel("keyevent", db, name), key);
    }
}

fn send(server: &'static Server, channel: Vec<u8>, message: &[u8]) {
    if journal::tells_later(server) {
        let message: Box<[u8]> = message.into();
        journal::tell_later(move || {
            server.pubsub.publish(Kind::Channel, &channel, &message, None);
        });
    } else {
        server.pubsub.publish(Kind::Channel, &channel, message, None);
    }
}

fn channel(kind: &str, db: usize, about: &[u8]) -> Vec<u8> {
    let mut name = format!("__{kind}@{db}__:").into_bytes();
    name.extend_from_slice(about);
    name
}
