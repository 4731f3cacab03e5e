//! Collections in the keyspace: the gate stores them, removes them when they are empty, expires what is inside, and
//! serves those who wait.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use storage::hash::{FieldTtl, Hash};
use storage::{
    Event, Free, Keyspace, NewValue, PackLimits, SHARDS, Served, SweepAt, Ttl, Type, View, Waiter, WrongType,
};

const LIMITS: PackLimits = PackLimits { entries: 512, value: 64 };

fn set(view: &mut View<'_>, name: &[u8], field: &[u8], ttl: FieldTtl) -> Result<bool, WrongType> {
    let key = view.keyspace().key(name);
    view.change::<Hash, _>(&key, |hash, log| {
        let new = hash.set(field, b"value", ttl, LIMITS);
        log.changed(Event::SET, 1);
        new
    })
}

fn len(view: &mut View<'_>, name: &[u8]) -> Option<usize> {
    let key = view.keyspace().key(name);
    view.peek(&key).map(|entry| entry.get::<Hash>().expect("a hash").len())
}

#[test]
fn a_collection_grows_out_of_its_entry_and_goes_when_empty() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"h");
    let mut view = keyspace.view_one(0, &key, 0);
    for n in 0..2000u32 {
        assert_eq!(set(&mut view, b"h", &n.to_le_bytes(), FieldTtl::Clear), Ok(true));
        assert_eq!(len(&mut view, b"h"), Some(n as usize + 1));
    }
    assert_eq!(view.effects.dirty, 2000);
    view.set_expiry(&key, Some(5), Event::EXPIRE);
    let entry = view.peek(&key).expect("the key");
    assert_eq!((entry.encoding(), entry.kind().name(), entry.string().is_err()), ("hashtable", "hash", true));
    for n in 0..2000u32 {
        let removed = view.change_existing::<Hash, _>(&key, |hash, log| {
            log.changed(Event::SET, 1);
            hash.remove(&n.to_le_bytes())
        });
        assert_eq!(removed, Ok(Some(true)));
    }
    assert!(!view.exists(&key));
    assert_eq!(view.change_existing::<Hash, _>(&key, |_, _| ()), Ok(None));
}

#[test]
fn what_is_not_reported_is_not_done() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"h");
    let mut view = keyspace.view_one(0, &key, 0);
    assert_eq!(view.change::<Hash, _>(&key, |hash, _| hash.set(b"f", b"v", FieldTtl::Clear, LIMITS)), Ok(true));
    assert!(!view.exists(&key));
    assert_eq!(set(&mut view, b"h", b"f", FieldTtl::Clear), Ok(true));
    assert_eq!(view.change::<Hash, _>(&key, |hash, _| hash.remove(b"f")), Ok(true));
    assert_eq!(len(&mut view, b"h"), Some(1));
}

#[test]
fn types_are_kept_apart_and_replaced() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"k");
    let mut view = keyspace.view_one(0, &key, 0);
    view.set(&key, NewValue::Str(b"text"), Ttl::Clear, Event::SET);
    assert_eq!(set(&mut view, b"k", b"f", FieldTtl::Clear), Err(WrongType));
    let mut hash = <Hash as storage::Collection>::new();
    hash.set(b"f", b"v", FieldTtl::At(100), LIMITS);
    view.store(&key, hash, Event::SET, 1);
    assert_eq!(view.peek(&key).map(|entry| entry.encoding()), Some("listpackex"));
    assert!(view.edit(&key, 3, Event::APPEND, |_| ((), true)).is_err());
    view.set(&key, NewValue::Int(1), Ttl::Clear, Event::SET);
    drop(view);
    assert_eq!(keyspace.view_none(0, 0).counts(0).timed, 0);
}

/// Looks through a shard in steps of so many entries. Returns how many steps it took.
fn sweep(keyspace: &Keyspace, shard: usize, now_ms: i64, budget: usize) -> usize {
    let (mut at, mut steps) = (SweepAt::default(), 1);
    while let Some(next) = keyspace.expire_shard(shard, at, now_ms, budget).expect("nobody holds it").next {
        at = next;
        steps += 1;
    }
    steps
}

/// Hints are in whole seconds: what is due later in the same second is looked at, but only once a sweep.
#[test]
fn a_sweep_ends_however_many_keys_are_due_a_little_later() {
    const KEYS: usize = 200_000;
    let keyspace = Keyspace::new(3);
    let mut view = keyspace.view_all(0, 1000);
    for number in 0..KEYS {
        view.select(number % 2 * 2);
        let name = number.to_string();
        view.set(&keyspace.key(name.as_bytes()), NewValue::Raw(b""), Ttl::At(1900), Event::SET);
    }
    drop(view);
    let per_shard = KEYS / SHARDS;
    for shard in 0..SHARDS {
        assert!(sweep(&keyspace, shard, 1500, 100) < 2 * per_shard / 100 + 10);
    }
    assert_eq!(keyspace.view_none(0, 1500).total_keys(), KEYS);
    // A table that shrinks moves entries to where the sweep has been already: the next one finds them.
    let mut sweeps = 0;
    while keyspace.view_none(0, 1901).total_keys() > 0 {
        for shard in 0..SHARDS {
            sweep(&keyspace, shard, 1901, 100);
        }
        sweeps += 1;
    }
    assert!(sweeps < 20);
}

#[test]
fn fields_are_gone_when_their_time_has_come() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"h");
    let other = keyspace.key(b"other");
    {
        let mut view = keyspace.view_all(0, 0);
        for n in 0..1000i64 {
            assert_eq!(set(&mut view, b"h", &n.to_le_bytes(), FieldTtl::At(n + 1)), Ok(true));
        }
        assert_eq!(set(&mut view, b"other", b"f", FieldTtl::At(10)), Ok(true));
        assert!(view.copy(&key, &keyspace.key(b"copy"), 0));
        assert!(view.rename(&key, &keyspace.key(b"h2")));
        assert!(view.rename(&keyspace.key(b"h2"), &key));
    }
    assert_eq!(keyspace.view_none(0, 0).counts(0).timed, 3);
    let mut view = keyspace.view_all(0, 500);
    assert_eq!(len(&mut view, b"h"), Some(501));
    assert!((1..=499).contains(&view.effects.expired_fields));
    // As a whole it is there until somebody looks inside.
    assert!(view.exists(&other) && view.rename(&other, &key) && view.rename(&key, &other));
    assert_eq!(len(&mut view, b"other"), None);
    assert!(!view.exists(&other));
    drop(view);
    for shard in 0..storage::SHARDS {
        sweep(&keyspace, shard, 5000, 10);
    }
    let counts = keyspace.view_none(0, 0).counts(0);
    assert_eq!((counts.keys, counts.timed), (0, 0));
}

#[test]
fn a_hash_whose_fields_are_all_due_is_emptied_in_pieces() {
    const FIELDS: u32 = 20_000;
    const BUDGET: usize = 300;
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"h");
    let mut view = keyspace.view_one(0, &key, 0);
    for n in 0..FIELDS {
        assert_eq!(set(&mut view, b"h", &n.to_le_bytes(), FieldTtl::At(10)), Ok(true));
    }
    drop(view);
    // Whoever meets it removes a few and sees none.
    for _ in 0..3 {
        let mut view = keyspace.view_one(0, &key, 20);
        let entry = view.read(&key).expect("fields are left");
        let hash = entry.get::<Hash>().expect("a hash");
        assert_eq!((hash.len(), hash.get(&1u32.to_le_bytes()).is_some()), (0, false));
        assert!((1..=200).contains(&view.effects.expired_fields));
    }
    let (mut at, mut removed) = (Some(SweepAt::default()), 0);
    while let Some(from) = at {
        let sweep = keyspace.expire_shard(key.shard(), from, 20, BUDGET).expect("nobody holds it");
        assert!(sweep.effects.expired_fields <= BUDGET as u64);
        assert!(sweep.next.is_none() || sweep.effects.expired_fields > 0, "a step that does nothing");
        (at, removed) = (sweep.next, removed + sweep.effects.expired_fields);
    }
    assert!(removed > u64::from(FIELDS) - 700);
    let counts = keyspace.view_none(0, 20).counts(0);
    assert_eq!((counts.keys, counts.timed), (0, 0));
}

#[test]
fn fields_of_one_hash_go_one_after_the_other() {
    let keyspace = Keyspace::new(1);
    let mut view = keyspace.view_all(0, 0);
    for (field, when) in [(b"a", 1000), (b"b", 5000)] {
        assert_eq!(set(&mut view, b"h", field, FieldTtl::At(when)), Ok(true));
    }
    drop(view);
    for (now_ms, keys) in [(500, 1), (2000, 1), (6000, 0)] {
        for shard in 0..SHARDS {
            sweep(&keyspace, shard, now_ms, 10);
        }
        assert_eq!(keyspace.view_none(0, now_ms).counts(0).keys, keys, "at {now_ms}");
    }
}

/// Takes a field out of a hash when there is one.
struct Taker {
    name: &'static str,
    from: &'static [u8],
    to: Option<&'static [u8]>,
    extra: Vec<usize>,
    took: Arc<Mutex<Vec<&'static str>>>,
    left: AtomicUsize,
}

impl Waiter for Taker {
    fn wants(&self) -> Type {
        Type::Hash
    }

    fn serve(&self, view: &mut View<'_>) -> Served {
        if self.left.load(Relaxed) == 0 {
            return Served::Done;
        }
        let key = view.keyspace().key(self.from);
        let Some(entry) = view.peek(&key) else { return Served::NotYet };
        let Some(field) = entry.get::<Hash>().ok().and_then(|hash| hash.iter().next()).map(|(f, ..)| f.to_vec()) else {
            return Served::NotYet;
        };
        let taken = view.change_existing::<Hash, _>(&key, |hash, log| {
            log.changed(Event::SET, 1);
            hash.remove(&field)
        });
        assert_eq!(taken, Ok(Some(true)));
        if let Some(to) = self.to {
            assert_eq!(set(view, to, &field, FieldTtl::Clear), Ok(true));
        }
        self.took.lock().expect("unpoisoned").push(self.name);
        self.left.store(0, Relaxed);
        Served::Done
    }

    fn hears_of_removal(&self) -> bool {
        false
    }

    fn extra_shards(&self) -> &[usize] {
        &self.extra
    }
}

#[test]
fn those_who_wait_are_served_in_order_and_feed_each_other() {
    let keyspace = Keyspace::new(1);
    let took = Arc::new(Mutex::new(Vec::new()));
    let park = |name, from: &'static [u8], to: Option<&'static [u8]>| {
        let extra = to.map(|to| keyspace.key(to).shard()).into_iter().collect();
        let taker = Taker { name, from, to, extra, took: Arc::clone(&took), left: AtomicUsize::new(1) };
        let key = keyspace.key(from);
        keyspace.view_one(0, &key, 0).park(&key, Arc::new(taker));
    };
    park("end", b"c", None);
    park("first", b"a", Some(b"b"));
    park("second", b"a", None);
    park("middle", b"b", Some(b"c"));
    assert_eq!(keyspace.view_none(0, 0).awaited_keys(), (3, 0));
    let key = keyspace.key(b"a");
    for expected in [&["first", "middle", "end"][..], &["second"], &[]] {
        let mut view = keyspace.view_one(0, &key, 0);
        assert_eq!(set(&mut view, b"a", b"f", FieldTtl::Clear), Ok(true));
        view.serve_waiters();
        drop(view);
        assert_eq!(std::mem::take(&mut *took.lock().expect("unpoisoned")), expected);
    }
    assert_eq!(keyspace.view_none(0, 0).awaited_keys(), (0, 0));
    assert!(keyspace.view_one(0, &key, 0).remove(&key, Free::Now, Event::DEL));
}

#[test]
fn upkeep_waits_for_nobody() {
    let keyspace = Keyspace::new(1);
    let names: Vec<[u8; 4]> = (0..1000u32).map(u32::to_le_bytes).collect();
    for name in &names {
        let key = keyspace.key(name);
        keyspace.view_one(0, &key, 0).set(&key, NewValue::Str(b"value"), Ttl::At(5), Event::SET);
    }
    let (busy, free) = (keyspace.key(&names[0]), keyspace.key(&names[1]));
    assert_ne!(busy.shard(), free.shard());
    let held = keyspace.view_one(0, &busy, 0);
    assert!(keyspace.expire_shard(busy.shard(), SweepAt::default(), 10, 400).is_none());
    assert!(keyspace.about_keys().is_some_and(|keys| (900..1100).contains(&keys)));
    let sweep = keyspace.expire_shard(free.shard(), SweepAt::default(), 10, 400);
    assert!(sweep.is_some_and(|sweep| sweep.effects.expired > 0));
    drop(held);
    let held = keyspace.view_all(0, 0);
    assert_eq!(keyspace.about_keys(), None);
    drop(held);
    assert!(keyspace.expire_shard(busy.shard(), SweepAt::default(), 10, 400).is_some());
}
