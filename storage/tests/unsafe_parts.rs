//! Everything that stands on `unsafe`, in few operations: short enough for Miri, which looks at each memory access.
//! How it is run stands in the architecture page.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use storage::hash::{FieldTtl, Hash};
use storage::set::{Set, SetLimits};
use storage::zset::Zset;
use storage::{Collection, Event, Free, Keyspace, NewValue, PackLimits, StrRef, SweepAt, Ttl};

const BIG: PackLimits = PackLimits { entries: 0, value: 0 };
const PACKED: PackLimits = PackLimits { entries: 8, value: 64 };

fn name(number: usize) -> Vec<u8> {
    format!("name:{number}:{}", "x".repeat(number % 7 * 50)).into_bytes()
}

#[test]
fn entries_of_the_keyspace() {
    let keyspace = Keyspace::new(2);
    let mut view = keyspace.view_all(0, 1000);
    let long = vec![b'l'; storage::MAX_INLINE + 1];
    for number in 0..60 {
        let name = name(number);
        let key = keyspace.key(&name);
        let value = |choice: usize| match choice % 6 {
            0 => NewValue::Int(-7),
            1 => NewValue::Str(b"short"),
            2 => NewValue::Raw(b"edited"),
            3 => NewValue::Str(&long),
            4 => NewValue::Shared(Bytes::copy_from_slice(&long)),
            _ => NewValue::Grown(vec![b'g'; 300]),
        };
        view.set(&key, value(number), Ttl::Clear, Event::SET);
        view.set(&key, value(number / 6), if number % 2 == 0 { Ttl::At(5000) } else { Ttl::Clear }, Event::SET);
        let edited = view.edit(&key, 10, Event::APPEND, |bytes| {
            bytes[9] = b'!';
            (bytes.len(), true)
        });
        assert!(edited.is_ok_and(|len| len >= 10));
        view.set_expiry(&key, (number % 3 == 0).then_some(2000), Event::EXPIRE);
        match view.read(&key).map(|entry| entry.string()) {
            Some(Ok(StrRef::Bytes(bytes))) => assert_eq!(bytes[9], b'!'),
            other => panic!("{:?}", other.map(|found| found.is_ok())),
        }
        let shared = view.share(&key);
        assert!(view.copy(&key, &key, 1));
        assert!(view.rename(&key, &keyspace.key(b"other")) && view.rename(&keyspace.key(b"other"), &key));
        if number % 4 == 0 {
            assert!(view.remove(&key, if number % 8 == 0 { Free::Now } else { Free::Later }, Event::DEL));
        }
        assert!(shared.is_none_or(|bytes| bytes.len() >= 10));
    }
    drop(view);
    for shard in 0..storage::SHARDS {
        keyspace.expire_shard(shard, SweepAt::default(), 3000, 1000);
    }
    let mut view = keyspace.view_all(0, 3000);
    view.for_each_key(|name| assert!(name.starts_with(b"name:")));
    view.flush(0..1, Free::Now);
}

#[test]
fn collections_in_entries() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"hash");
    let mut view = keyspace.view_all(0, 0);
    for number in 0..30 {
        let changed = view.change::<Hash, _>(&key, |hash, log| {
            log.changed(Event::HSET, 1);
            hash.set(&name(number), b"value", if number % 2 == 0 { FieldTtl::At(10) } else { FieldTtl::Clear }, PACKED)
        });
        assert_eq!(changed, Ok(true));
    }
    assert!(view.copy(&key, &keyspace.key(b"copy"), 0));
    drop(view);
    let mut view = keyspace.view_all(0, 20);
    let len = view.read(&key).and_then(|entry| entry.get::<Hash>().ok()).map(|hash| hash.len());
    assert_eq!(len, Some(15));
    assert!(view.remove(&key, Free::Later, Event::DEL));
}

#[test]
fn tables_of_fields_with_deadlines() {
    let mut hash = <Hash as Collection>::new();
    for number in 0..120 {
        let ttl = if number % 3 == 0 { FieldTtl::Clear } else { FieldTtl::At(1000 - number as i64) };
        assert!(hash.set(&name(number), b"value", ttl, BIG));
    }
    for number in 0..120 {
        match number % 5 {
            0 => assert!(!hash.set(&name(number), &name(number + 3), FieldTtl::Keep, BIG)),
            1 => assert!(hash.set_expiry(&name(number), (number % 2 == 0).then_some(number as i64))),
            2 => assert!(hash.remove(&name(number))),
            _ => assert!(hash.as_ref().get(&name(number)).is_some()),
        }
    }
    let copy = hash.clone();
    while hash.expire(950, 7, |_| {}) > 0 {
        hash.set(&name(1), b"again", FieldTtl::At(2000), BIG);
        assert_eq!(hash.as_ref().iter().count(), hash.as_ref().len());
    }
    assert!(copy.as_ref().len() > hash.as_ref().len());
}

#[test]
fn tables_of_members() {
    let limits = SetLimits { ints: 0, packed: BIG };
    let mut set = <Set as Collection>::new();
    (0..200).for_each(|number| assert!(set.add(&name(number), limits)));
    let copy = set.clone();
    let mut random = SmallRng::seed_from_u64(7);
    let mut cursor = 0;
    while let Some(number) = (cursor < 200).then_some(cursor) {
        assert!(set.remove(&name(number)));
        assert!(set.pop(|| random.random()).is_some_and(|member| copy.as_ref().contains(&member)));
        let mut shown = 0;
        set.as_ref().scan(0, |_| shown += 1);
        assert!(shown <= set.as_ref().len());
        cursor = (number + 1..200).find(|number| set.as_ref().contains(&name(*number))).unwrap_or(200);
    }
    assert_eq!(copy.as_ref().iter().count(), 200);
}

#[test]
fn skiplists() {
    let mut zset = Zset::new();
    for number in 0..150 {
        assert_eq!(zset.set(&name(number), (number * 7 % 50) as f64, BIG), None);
    }
    for number in 0..150 {
        match number % 4 {
            0 => assert!(zset.remove(&name(number))),
            1 => assert!(zset.set(&name(number), -1.5, BIG).is_some()),
            _ => assert!(zset.as_ref().rank(&name(number)).is_some()),
        }
    }
    let copy = zset.clone();
    zset.remove_range(10, 50);
    assert_eq!((zset.as_ref().iter().count(), copy.as_ref().len()), (zset.as_ref().len(), zset.as_ref().len() + 50));
    assert!(copy.as_ref().iter().map(|(_, score)| score).is_sorted());
}
