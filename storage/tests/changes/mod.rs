//! Collections of thousands of elements, and all that is done to collections.

use rand::RngExt;
use rand::rngs::SmallRng;
use storage::hash::{FieldTtl, Hash};
use storage::list::{End, List, NodeLimit};
use storage::set::Set;
use storage::stream::{Keep, References, Stream, StreamId, StreamLimits, Trim};
use storage::zset::Zset;
use storage::{Collection, Event, Key, View};

use crate::samples::{NOW_MS, limits, text};

/// Changes a collection from within, if the key is one: new elements, and others that are there.
pub fn change(view: &mut View<'_>, key: &Key<'_>, random: &mut SmallRng) {
    let limits = limits();
    for _ in 0..random.random_range(1..30) {
        let (text, value) = (text(random), text(random));
        let _ = view.change_existing::<Hash, _>(key, |hash, log| {
            let there = hash.as_ref().random(|| random.random()).map(|(field, _)| field.to_vec()).unwrap_or_default();
            match random.random_range(0..4) {
                0 => drop(hash.remove(&there)),
                1 => drop(hash.set(&there, &value, FieldTtl::Keep, limits.hash)),
                2 => drop(hash.set_expiry(&there, Some(NOW_MS + random.random_range(0..20)))),
                _ => drop(hash.set(&text, &value, FieldTtl::Clear, limits.hash)),
            }
            log.changed(Event::HSET, 1);
        });
        let _ = view.change_existing::<Set, _>(key, |set, log| {
            if random.random() {
                set.pop(|| random.random());
            }
            set.add(&text, limits.set);
            log.changed(Event::SADD, 1);
        });
        let _ = view.change_existing::<Zset, _>(key, |zset, log| {
            let there = zset.as_ref().random(|| random.random()).map(|(member, _)| member.to_vec()).unwrap_or_default();
            match random.random_range(0..4) {
                0 => drop(zset.remove(&there)),
                1 => drop(zset.set(&there, random.random_range(0..9).into(), limits.zset)),
                2 => zset.remove_range(random.random_range(0..zset.as_ref().len()), random.random_range(0..20)),
                _ => drop(zset.set(&text, random.random_range(0..9).into(), limits.zset)),
            }
            log.changed(Event::ZADD, 1);
        });
        let _ = view.change_existing::<List, _>(key, |list, log| {
            change_list(list, &text, random);
            log.changed(Event::LPUSH, 1);
        });
        let _ = view.change_existing::<Stream, _>(key, |stream, log| {
            change_stream(stream, &text, random);
            log.changed(Event::XADD, 1);
        });
    }
}

/// Some elements are long enough to lie alone.
fn list_limit() -> NodeLimit {
    limits().list.with_long_from(50)
}

fn change_list(list: &mut List, text: &[u8], random: &mut SmallRng) {
    let (limit, len) = (list_limit(), list.as_ref().len());
    let (index, end) = (random.random_range(0..=len), if random.random() { End::Head } else { End::Tail });
    list.prepare(1, text.len(), limit);
    match random.random_range(0..20) {
        0..5 => drop(list.pop(end, random.random_range(1..20), |_| ())),
        5..8 => drop(list.set(index, text)),
        8..11 => drop(list.insert(index, random.random(), text)),
        11 | 12 => {
            let there = list.as_ref().get(index).map(|item| item.to_vec()).unwrap_or_default();
            list.remove_equal(&there, random.random_range(1..9), end);
        }
        13 => list.remove_range(index, random.random_range(0..50)),
        14 if random.random_ratio(1, 20) => list.remove_range(index, len),
        15 if random.random_ratio(1, 20) => list.remove_range(0, index),
        _ => list.push(end, text),
    }
    if random.random() {
        list.settle(limit);
    }
}

fn change_stream(stream: &mut Stream, text: &[u8], random: &mut SmallRng) {
    let (first, last) = (stream.entries().first_id(), stream.entries().last_id());
    let id = StreamId::new(random.random_range(0..=last.ms), 5);
    let references = [References::Keep, References::Delete, References::Acknowledged][random.random_range(0..3)];
    let group = [&b"a"[..], b"b", b"c", b"d", b"e"][random.random_range(0..5)];
    let name = [&b"anna"[..], b"ben", b"cleo", b"dora"][random.random_range(0..4)];
    match random.random_range(0..30) {
        0..3 => drop(stream.remove_with(id, references)),
        3 => {
            let keep = match random.random_range(0..3) {
                0 => Keep::Last(stream.len().saturating_sub(random.random_range(0..60))),
                1 => Keep::From(StreamId::new(first.ms + random.random_range(0..60), 0)),
                _ => Keep::Last(if random.random_ratio(1, 10) { 0 } else { stream.len() }),
            };
            stream.trim(Trim { keep, approximate: random.random(), limit: 0, references });
        }
        4 if stream.entries().nodes() == 0 => stream.set_history(id, None, Some(StreamId::MIN)),
        4 => stream.set_history(StreamId::new(last.ms + 1, 0), Some(stream.entries().added() + 9), Some(id)),
        5 if random.random_ratio(1, 9) => drop(stream.remove_group(group)),
        5 | 6 => drop(stream.add_group(group, id, Some(3))),
        7..25 => {
            let Some((entries, group)) = stream.group_mut(group) else { return };
            let (consumer, _) = group.find_or_add(name, random.random_range(0..999));
            match random.random_range(0..12) {
                0 if random.random_ratio(1, 9) => drop(group.remove_consumer(name)),
                0..4 => drop(group.deliver(entries, consumer, 9, true, 55, |_| {})),
                4 => group.deliver_again(entries, consumer, id, 9, 66, |_, _| {}),
                5 => group.assign(id, consumer, 77, 3),
                6 => group.release(id, 4),
                7 => group.last_id = id,
                8 => group.entries_read = None,
                _ => {
                    let pending = group.pending_range(id..=StreamId::MAX).next();
                    pending.map(|(id, _)| group.acknowledge(id));
                }
            }
            if let Some(consumer) = group.consumer_mut(consumer) {
                consumer.seen_ms += 1;
            }
        }
        _ => {
            let limits = StreamLimits { bytes: 4096, entries: 10 };
            stream.append(StreamId::new(last.ms + 1, 5), &[b"name", text], limits);
        }
    }
}

/// Names under which [`store_big`] stores a collection of each type.
pub const BIG: [&[u8]; 5] = [b"hash-", b"setset", b"zsetset", b"list-lis", b"streamstr"];

/// Stores a collection of thousands of elements, whose type its name's length decides.
pub fn store_big(view: &mut View<'_>, name: &[u8], random: &mut SmallRng) {
    let (key, limits, count) = (view.keyspace().key(name), limits(), random.random_range(1500..6000));
    let mut element = |number: usize| [number.to_string().into_bytes(), text(random)].concat();
    match name.len() % 5 {
        0 => {
            let mut hash = Hash::new();
            for number in 0..count {
                let timed = number % 10 == 0 && count % 2 == 0;
                let ttl = if timed { FieldTtl::At(NOW_MS + number as i64 % 15) } else { FieldTtl::Clear };
                hash.set(&element(number), &element(number), ttl, limits.hash);
            }
            view.store(&key, hash, Event::HSET, count);
        }
        1 => {
            let mut set = Set::new();
            for number in 0..count {
                set.add(&element(number), limits.set);
            }
            view.store(&key, set, Event::SADD, count);
        }
        2 => {
            let mut zset = Zset::new();
            for number in 0..count {
                zset.set(&element(number), number as f64 / 8.0, limits.zset);
            }
            view.store(&key, zset, Event::ZADD, count);
        }
        3 => {
            let mut list = List::new();
            for number in 0..count {
                let text = element(number % 500);
                list.prepare(1, text.len(), list_limit());
                list.push(End::Tail, &text);
            }
            view.store(&key, list, Event::RPUSH, count);
        }
        _ => {
            let mut stream = Stream::new();
            for number in 1..=count as u64 {
                let limits = StreamLimits { bytes: 4096, entries: 10 };
                stream.append(StreamId::new(number, 5), &[b"name", &element(number as usize)], limits);
            }
            for group in [&b"b"[..], b"d"] {
                stream.add_group(group, StreamId::MIN, Some(0));
                let Some((entries, group)) = stream.group_mut(group) else { continue };
                for name in [&b"ben"[..], b"cleo", b"idle"] {
                    let (consumer, _) = group.find_or_add(name, 33);
                    let many = if name == b"idle" { 0 } else { count / 3 };
                    group.deliver(entries, consumer, many, true, 44, |_| {});
                }
            }
            view.store(&key, stream, Event::XADD, count);
        }
    }
}
