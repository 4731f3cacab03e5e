//! Keys of all types with random values, and all that a keyspace holds in words.

use std::collections::BTreeMap;
use std::io::Read;

use rand::RngExt;
use rand::rngs::SmallRng;
use storage::hash::{FieldTtl, Hash};
use storage::list::{End, List, NodeLimit};
use storage::rdb::Limits;
use storage::rdb::file::{FileError, FileReader, Note};
use storage::set::{Set, SetLimits};
use storage::stream::{Stream, StreamId, StreamLimits};
use storage::zset::Zset;
use storage::{Event, Keyspace, NewValue, PackLimits, Ttl, Value, View};

pub const NOW_MS: i64 = 1_000_000;
pub const DATABASES: usize = 4;

pub fn limits() -> Limits {
    let packed = PackLimits { entries: 20, value: 30 };
    Limits { list: NodeLimit::new(16), set: SetLimits { ints: 30, packed }, zset: packed, hash: packed }
}

pub fn text(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..4) {
        0 => random.random_range(-70_000i64..70_000).to_string().into_bytes(),
        1 => b"ab".repeat(random.random_range(0..40)),
        _ => (0..random.random_range(0..20)).map(|_| random.random()).collect(),
    }
}

/// Stores a value of any type, small or large.
pub fn store(view: &mut View<'_>, name: &[u8], random: &mut SmallRng) {
    let key = view.keyspace().key(name);
    let (count, limits) = (random.random_range(1..60), limits());
    match random.random_range(0..6) {
        0 => {
            let value = text(random).repeat(random.random_range(1..300));
            let ttl = if random.random() { Ttl::At(NOW_MS + random.random_range(1..1000)) } else { Ttl::Clear };
            view.set(&key, NewValue::Str(&value), ttl, Event::SET);
        }
        1 => view.store(&key, list(count, random), Event::RPUSH, count),
        2 => {
            let mut set = <Set as storage::Collection>::new();
            for _ in 0..count {
                set.add(&text(random), limits.set);
            }
            view.store(&key, set, Event::SADD, count);
        }
        3 => {
            let mut zset = <Zset as storage::Collection>::new();
            for _ in 0..count {
                let score = f64::from(random.random_range(-20..20)) / 4.0;
                zset.set(&text(random), score, limits.zset);
            }
            view.store(&key, zset, Event::ZADD, count);
        }
        4 => {
            let (mut hash, timed) = (<Hash as storage::Collection>::new(), random.random());
            for _ in 0..count {
                let expires = timed && random.random();
                let ttl = if expires { FieldTtl::At(NOW_MS + random.random_range(0..9)) } else { FieldTtl::Clear };
                hash.set(&text(random), &text(random), ttl, limits.hash);
            }
            view.store(&key, hash, Event::HSET, count);
        }
        _ => view.store(&key, stream(count, random), Event::XADD, count),
    }
}

fn list(count: usize, random: &mut SmallRng) -> List {
    let mut list = <List as storage::Collection>::new();
    for _ in 0..count {
        let text = text(random).repeat(if random.random_ratio(1, 30) { 600 } else { 1 });
        list.prepare(1, text.len(), limits().list);
        list.push(End::Tail, &text);
    }
    list
}

fn stream(count: usize, random: &mut SmallRng) -> Stream {
    let mut stream = <Stream as storage::Collection>::new();
    for number in 1..=count as u64 {
        let fields = [&b"name"[..], &text(random), b"other", &text(random)];
        let limits = StreamLimits { bytes: 4096, entries: 10 };
        stream.append(StreamId::new(number, 5), &fields[..if random.random() { 2 } else { 4 }], limits);
    }
    stream.remove(StreamId::new(random.random_range(1..=count as u64), 5));
    stream.add_group(b"group", StreamId::new(2, 0), Some(1));
    if let Some((entries, group)) = stream.group_mut(b"group") {
        let (consumer, _) = group.find_or_add(b"consumer", 77);
        group.deliver(entries, consumer, 5, true, 99, |_| {});
        group.find_or_add(b"idle", 88);
    }
    stream
}

/// All that a keyspace holds, in words.
pub fn contents(keyspace: &Keyspace) -> BTreeMap<(usize, Vec<u8>), String> {
    let mut view = keyspace.view_all(0, NOW_MS);
    let mut contents = BTreeMap::new();
    for db in 0..DATABASES {
        view.select(db);
        let mut names = Vec::new();
        view.for_each_key(|name| names.push(name.to_vec()));
        for name in names {
            let key = keyspace.key(&name);
            let entry = view.peek(&key).expect("it is there");
            let shown = format!("{:?} {}", entry.expiry(), shown(entry.value()));
            contents.insert((db, name), shown);
        }
    }
    contents
}

fn shown(value: Value<'_>) -> String {
    let sorted = |mut parts: Vec<String>| {
        parts.sort();
        parts.concat()
    };
    match value {
        Value::Str(text) => format!("{:?}", text.bytes(&mut itoa::Buffer::new())),
        Value::List(list) => list.iter().map(|item| format!("{:?}", item.to_vec())).collect(),
        Value::Set(set) => sorted(set.iter().map(|member| format!("{:?}", member.to_vec())).collect()),
        Value::Zset(zset) => zset.iter().map(|(member, score)| format!("{:?}={score}", member.to_vec())).collect(),
        Value::Hash(hash) => {
            let fields =
                hash.iter().map(|(field, value, at)| format!("{:?}={:?} {at:?}", field.to_vec(), value.to_vec()));
            sorted(fields.collect())
        }
        Value::Stream(stream) => {
            let entries = stream.entries();
            let mut text = format!("{} {:?} {}", entries.last_id(), entries.max_deleted_id(), entries.added());
            for entry in entries.iter() {
                let fields: Vec<_> = entry.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                text += &format!("{} {fields:?}", entry.id);
            }
            for (name, group) in stream.groups() {
                text += &format!("{name:?} {} {:?}", group.last_id, group.entries_read);
                // A file has what was released as the first consumer's.
                let first = group.consumers().next().map_or(&b""[..], |one| one.name());
                for (id, pending) in group.pending_range(StreamId::MIN..=StreamId::MAX) {
                    let owner = group.owner(pending).map_or(first, |one| one.name());
                    text += &format!(" {id} {} {} {owner:?}", pending.delivered_ms, pending.deliveries);
                }
                let mut consumers: Vec<_> = group.consumers().map(|one| (one.name(), one.seen_ms)).collect();
                if consumers.is_empty() && group.released_len() > 0 {
                    consumers.push((b"", 0));
                }
                text += &format!(" {consumers:?}");
            }
            text
        }
    }
}

/// Reads a file into a keyspace of its own.
pub fn loaded(input: impl Read) -> Result<(Keyspace, Vec<Note>), FileError> {
    let keyspace = Keyspace::new(DATABASES);
    let mut notes = Vec::new();
    let mut reader = FileReader::new(input, DATABASES)?;
    while let Some(mut batch) = reader.next_batch()? {
        notes.extend(std::mem::take(&mut batch.notes).into_iter().map(|(_, note)| note));
        let mut view = keyspace.view_all(0, NOW_MS);
        for entry in batch.entries() {
            let entry = entry?;
            let Some(value) = entry.load(&limits())? else { continue };
            view.select(entry.attributes.db);
            let key = keyspace.key(&entry.key);
            view.load(&key, value, entry.attributes.expiry, entry.attributes.usage, true);
        }
    }
    Ok((keyspace, notes))
}
