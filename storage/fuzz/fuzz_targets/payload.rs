//! Bytes from outside as a serialized value: what is accepted can be used as any value, and serialized again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::hash::{FieldTtl, Hash};
use storage::list::{End, List, NodeLimit};
use storage::rdb::{Cursor, Limits, kind_of, load_value, restore, save_value};
use storage::set::{Set, SetLimits};
use storage::stream::{Stream, StreamId, StreamLimits};
use storage::zset::Zset;
use storage::{Event, Keyspace, PackLimits, Value, View};

/// Long ago enough for no expiry to be over.
const NOW_MS: i64 = 0;

fuzz_target!(|input: &[u8]| {
    let Some((&[form, size], rest)) = input.split_first_chunk() else { return };
    // As RESTORE does it, whatever the checksum is.
    let limits = limits(size);
    drop(restore(rest, &limits, false));
    let Ok(value) = load_value(&mut Cursor::new(rest), form % 32, &limits) else { return };
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"key");
    let mut view = keyspace.view_one(0, &key, NOW_MS);
    view.restore(&key, value, None, None);
    again(&mut view, &limits);
    use_it(&mut view, &limits);
    again(&mut view, &limits);
});

fn limits(size: u8) -> Limits {
    let packed = PackLimits { entries: usize::from(size & 15), value: usize::from(size >> 4) * 8 };
    let list = NodeLimit::new(if size & 1 == 0 { -1 } else { i64::from(size >> 4) });
    Limits { list, set: SetLimits { ints: usize::from(size & 7), packed }, zset: packed, hash: packed }
}

/// Serializes the value and reads that: it is the same.
fn again(view: &mut View<'_>, limits: &Limits) {
    let key = view.keyspace().key(b"key");
    let Some(entry) = view.peek(&key) else { return };
    let before = shown(entry.value());
    let form = kind_of(entry.value());
    let mut bytes = Vec::new();
    save_value(&mut bytes, entry.value(), true);
    let mut cursor = Cursor::new(&bytes);
    let value = load_value(&mut cursor, form, limits).expect("what was written can be read");
    assert_eq!(cursor.left(), 0);
    view.restore(&key, value, None, None);
    let after = view.peek(&key).map(|entry| shown(entry.value()));
    assert_eq!(after, Some(before));
}

/// All that a value holds.
fn shown(value: Value<'_>) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = match value {
        Value::Str(text) => vec![text.bytes(&mut Default::default()).to_vec()],
        Value::List(list) => list.iter().map(|item| item.to_vec()).collect(),
        Value::Set(set) => set.iter().map(|member| member.to_vec()).collect(),
        Value::Zset(zset) => {
            // A small set has no minus zero, as in Redis: what was large and is read as a small one loses it.
            let plain = |score: f64| (score + 0.0).to_string();
            let parts = zset.iter().map(|(member, score)| [&member.to_vec()[..], b"=", plain(score).as_bytes()].concat());
            parts.collect()
        }
        Value::Hash(hash) => hash
            .iter()
            .map(|(field, value, expiry)| format!("{:?}={:?} {expiry:?}", field.to_vec(), value.to_vec()).into_bytes())
            .collect(),
        Value::Stream(stream) => shown_stream(stream),
    };
    if let Value::Set(_) | Value::Hash(_) = value {
        parts.sort();
    }
    parts
}

fn shown_stream(stream: &Stream) -> Vec<Vec<u8>> {
    let entries = stream.entries();
    let mut parts = vec![format!("{:?} {:?} {}", entries.last_id(), entries.max_deleted_id(), entries.added())];
    for entry in entries.iter() {
        let fields: Vec<_> = entry.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        parts.push(format!("{} {fields:?}", entry.id));
    }
    for (name, group) in stream.groups() {
        let consumers: Vec<_> = group.consumers().map(|one| (one.name(), one.seen_ms, one.pending())).collect();
        parts.push(format!("{name:?} {} {:?} {consumers:?}", group.last_id, group.entries_read));
        let pending = group.pending_range(StreamId::MIN..=StreamId::MAX);
        parts.extend(pending.map(|(id, pending)| format!("{id} {pending:?}")));
    }
    parts.into_iter().map(String::into_bytes).collect()
}

/// Changes a value as commands do.
fn use_it(view: &mut View<'_>, limits: &Limits) {
    let key = view.keyspace().key(b"key");
    let Some(entry) = view.peek(&key) else { return };
    let first = shown(entry.value()).into_iter().next().unwrap_or_default();
    let stored = match entry.value() {
        Value::Str(_) => Ok(()),
        Value::List(_) => view.change::<List, _>(&key, |list, log| {
            list.prepare(3, 300, limits.list);
            list.push(End::Head, b"new");
            list.insert(1, true, &[b'x'; 200]);
            list.set(0, b"7");
            list.remove_equal(&first, 1, End::Tail);
            list.settle(limits.list);
            log.changed(Event::LPUSH, 1);
        }),
        Value::Set(_) => view.change::<Set, _>(&key, |set, log| {
            set.remove(&first);
            set.add(b"70000", limits.set);
            set.add(b"new", limits.set);
            assert!(!set.add(b"new", limits.set));
            log.changed(Event::SADD, 1);
        }),
        Value::Zset(_) => view.change::<Zset, _>(&key, |zset, log| {
            zset.set(b"new", 0.5, limits.zset);
            zset.remove_range(0, 1);
            zset.set(b"newer", -1e300, limits.zset);
            log.changed(Event::ZADD, 1);
        }),
        Value::Hash(_) => view.change::<Hash, _>(&key, |hash, log| {
            hash.set(b"new", b"1", FieldTtl::At(1 << 40), limits.hash);
            hash.set(b"newer", &[b'x'; 100], FieldTtl::Keep, limits.hash);
            hash.set_expiry(b"new", None);
            hash.remove(b"newer");
            log.changed(Event::HSET, 1);
        }),
        Value::Stream(_) => view.change::<Stream, _>(&key, |stream, log| {
            let last = stream.entries().last_id();
            if let Some(id) = last.next() {
                let limits = StreamLimits { bytes: 4096, entries: 100 };
                assert!(stream.append(id, &[b"name", b"value"], limits));
                assert_eq!(stream.entries().last().map(|entry| entry.id), Some(id));
                stream.remove(id);
            }
            log.changed(Event::XADD, 1);
        }),
    };
    assert!(stored.is_ok());
}
