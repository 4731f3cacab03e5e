//! Looking for keys to evict, and evicting them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use storage::memory::{CountingAllocator, own_memory, used_memory};
use storage::{Class, Event, Evictable, Keyspace, NewValue, Sampled, Ttl};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Numbers that look random.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn set(keyspace: &Keyspace, db: usize, name: &str, ttl: Ttl) {
    let key = keyspace.key(name.as_bytes());
    keyspace.view_one(db, &key, 0).set(&key, NewValue::Str(b"value"), ttl, Event::SET);
}

/// How often each key comes up in so many samples.
fn sampled(keyspace: &Keyspace, from: Evictable, count: usize, times: usize) -> BTreeMap<(usize, String), usize> {
    let mut state = 1;
    let mut seen = BTreeMap::new();
    for _ in 0..times {
        let found = keyspace.sample(
            from,
            count,
            0,
            || random(&mut state),
            |candidate| {
                let name = String::from_utf8(candidate.key().to_vec()).expect("text");
                *seen.entry((candidate.db, name)).or_default() += 1;
            },
        );
        assert_eq!(found, Sampled::Found);
    }
    seen
}

#[test]
fn every_key_of_every_database_comes_up_about_as_often() {
    let keyspace = Keyspace::new(4);
    for n in 0..3000 {
        set(&keyspace, n % 3, &format!("key:{n}"), Ttl::Clear);
    }
    let seen = sampled(&keyspace, Evictable::All, 5, 20_000);
    assert_eq!(seen.len(), 3000);
    let most = seen.values().max().expect("keys");
    assert!(*most < 300, "{most}");
}

#[test]
fn a_few_keys_that_expire_are_found_among_many() {
    let keyspace = Keyspace::new(1);
    for n in 0..100_000 {
        set(&keyspace, 0, &format!("key:{n}"), Ttl::Clear);
    }
    for n in 0..3 {
        set(&keyspace, 0, &format!("brief:{n}"), Ttl::At(1_000_000));
    }
    let seen = sampled(&keyspace, Evictable::Expiring, 5, 50);
    assert_eq!(seen.keys().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["brief:0", "brief:1", "brief:2"]);
}

#[test]
fn what_is_not_there_is_told_from_what_is_locked() {
    let keyspace = Keyspace::new(1);
    let sample = |from| keyspace.sample(from, 5, 0, || 0, |_| {});
    assert_eq!(sample(Evictable::All), Sampled::Nothing);
    set(&keyspace, 0, "stays", Ttl::Clear);
    assert_eq!(sample(Evictable::Expiring), Sampled::Nothing);
    assert_eq!(sample(Evictable::All), Sampled::Found);
    let key = keyspace.key(b"stays");
    let view = keyspace.view_one(0, &key, 0);
    assert_eq!(sample(Evictable::All), Sampled::NotYet);
    drop(view);
}

#[test]
fn only_what_may_go_is_evicted() {
    let keyspace = Keyspace::new(1);
    set(&keyspace, 0, "stays", Ttl::Clear);
    set(&keyspace, 0, "brief", Ttl::At(1_000_000));
    set(&keyspace, 0, "expired", Ttl::At(500));
    let told: Arc<Mutex<Vec<&str>>> = Arc::default();
    let heard = Arc::clone(&told);
    keyspace.set_observer(Box::new(move |told| heard.lock().expect("one thread").push(told.event.name)));
    keyspace.observe([Class::Evicted, Class::Expired]);
    let mut view = keyspace.view_all(0, 1000);
    let keys = ["stays", "brief", "expired", "missing"].map(|name| keyspace.key(name.as_bytes()));
    assert!(!view.evict(&keys[0], Evictable::Expiring, |_| true));
    assert!(!view.evict(&keys[1], Evictable::Expiring, |candidate| candidate.expiry() != Some(1_000_000)));
    assert!(view.evict(&keys[1], Evictable::Expiring, |_| true));
    assert!(!view.evict(&keys[2], Evictable::All, |_| true), "it has expired");
    assert!(!view.evict(&keys[3], Evictable::All, |_| true));
    assert!(view.evict(&keys[0], Evictable::All, |_| true));
    assert_eq!((view.effects.evicted, view.effects.expired, view.effects.dirty), (2, 1, 0));
    assert_eq!(*told.lock().expect("one thread"), ["evicted", "expired", "evicted"]);
    assert_eq!(view.counts(0).keys, 0);
}

#[test]
fn what_the_background_frees_is_known_until_it_is_freed() {
    let keyspace = Keyspace::new(1);
    let key = keyspace.key(b"long");
    let long = vec![b'x'; 8 << 20];
    let mut view = keyspace.view_one(0, &key, 0);
    view.set(&key, NewValue::Str(&long), Ttl::Clear, Event::SET);
    let before = used_memory() as isize;
    assert!(view.evict(&key, Evictable::All, |_| true));
    drop(view);
    keyspace.reclaimer.wait();
    assert_eq!(keyspace.reclaimer.pending_bytes(), 0);
    assert!(before - used_memory() as isize > 7 << 20);
}

#[test]
fn a_thread_knows_what_it_has_taken_itself() {
    let before = own_memory().expect("this thread's own");
    let taken = vec![0u8; 1 << 20];
    assert_eq!(own_memory().expect("this thread's own") - before, 1 << 20);
    drop(taken);
    assert_eq!(own_memory(), Some(before));
}
