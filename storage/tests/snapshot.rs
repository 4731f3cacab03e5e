//! Snapshots that are written while the data changes: what is in the file is what was there at their moment, whatever
//! happens between two steps of the writing.

mod changes;
mod samples;
mod seed;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::SmallRng;
use storage::hash::{FieldTtl, Hash};
use storage::list::{End, List};
use storage::rdb::file::{FileWriter, Options};
use storage::set::Set;
use storage::snapshot::{CommandWriter, Form, Snapshot, Supervisor, Written};
use storage::stream::{Stream, StreamId, StreamLimits};
use storage::zset::Zset;
use storage::{Collection, Event, Evictable, Free, Key, Keyspace, NewValue, Ttl, View};

use changes::{BIG, change, store_big};
use samples::{DATABASES, NOW_MS, contents, limits, loaded, store, text};
use seed::Seed;

/// A file in memory.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does something between any two steps, which is told how many keys the one before has written: none, where it was about
/// a part of one.
struct Meanwhile<F>(RefCell<F>);

impl<F: FnMut(u64)> Supervisor for Meanwhile<F> {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn rest_after(&self, keys: u64) -> Duration {
        self.0.borrow_mut()(keys);
        Duration::ZERO
    }
}

fn begin(keyspace: &Keyspace) -> Arc<Snapshot> {
    keyspace.view_all(0, NOW_MS).begin_snapshot(Form::Rdb { compress: false }, false)
}

fn write(keyspace: &Keyspace, snapshot: &Arc<Snapshot>, meanwhile: impl FnMut(u64)) -> (io::Result<Written>, Vec<u8>) {
    let file = File::default();
    let options = Options { compress: false, checksum: true, timed: true };
    let target = Box::new(FileWriter::new(file.clone(), options));
    let written = snapshot.write(keyspace, target, &Meanwhile(RefCell::new(meanwhile)));
    let bytes = std::mem::take(&mut *file.0.lock());
    (written, bytes)
}

/// Names of which all keys fall into a few shards, so that their tables have many pages.
fn names(keyspace: &Keyspace, count: usize) -> Vec<Vec<u8>> {
    let names = (0..).map(|number: usize| format!("key:{number}").into_bytes());
    names.filter(|name| keyspace.key(name).shard() < 3).take(count).collect()
}

/// Changes keys in one of all ways.
fn disturb(keyspace: &Keyspace, names: &[Vec<u8>], random: &mut SmallRng) {
    let mut name = || &names[random.random_range(0..names.len())];
    let (one, other) = (keyspace.key(name()), keyspace.key(name()));
    let (db, other_db) = (random.random_range(0..DATABASES), random.random_range(0..DATABASES));
    let mut view = keyspace.view_all(db, NOW_MS);
    match random.random_range(0..24) {
        0..4 => store(&mut view, one.bytes, random),
        4..8 => change(&mut view, &one, random),
        8 => drop(view.set(&one, NewValue::Int(7), Ttl::Keep, Event::SET)),
        9..12 => drop(view.remove(&one, if random.random() { Free::Now } else { Free::Later }, Event::DEL)),
        12 => drop(one.bytes != other.bytes && view.rename(&one, &other)),
        13 => drop((db, one.bytes) != (other_db, other.bytes) && view.copy(&one, &other, other_db)),
        14 => drop(db != other_db && view.move_to(&one, other_db)),
        15 => view.swap(db, other_db),
        16 if random.random_ratio(1, 10) => drop(view.flush(db..db + 1, Free::Later)),
        17 => drop(view.set_expiry(&one, Some(NOW_MS + random.random_range(0..20)), Event::EXPIRE)),
        18 => drop(view.evict(&one, Evictable::All, |_| true)),
        19 => {
            // Time passes: whatever is due goes.
            drop(view);
            let mut view = keyspace.view_all(db, NOW_MS + random.random_range(0..20));
            for name in names {
                view.exists(&keyspace.key(name));
            }
        }
        // Pages merge, and split.
        20 if random.random_ratio(1, 5) => {
            for name in names.iter().filter(|_| random.random_ratio(3, 4)) {
                view.remove(&keyspace.key(name), Free::Now, Event::DEL);
            }
        }
        21 if random.random_ratio(1, 5) => {
            for name in names {
                if random.random_ratio(3, 4) {
                    view.set(&keyspace.key(name), NewValue::Str(&text(random)), Ttl::Clear, Event::SET);
                }
            }
        }
        22 => {
            let _ = view.edit(&one, random.random_range(0..9000), Event::SETRANGE, |bytes| {
                bytes.iter_mut().for_each(|byte| *byte ^= 1);
                ((), true)
            });
        }
        _ => {
            for _ in 0..50 {
                let name = &names[random.random_range(0..names.len())];
                store(&mut view, name, random);
            }
        }
    }
}

/// Takes a snapshot of a keyspace that is disturbed before and while it is written.
fn check(keyspace: &Keyspace, haste: usize, mut disturb: impl FnMut()) {
    let before = contents(keyspace);
    let snapshot = begin(keyspace);
    (0..haste).for_each(|_| disturb());
    let (written, file) = write(keyspace, &snapshot, |_| (0..haste).for_each(|_| disturb()));
    assert_eq!(written.expect("memory takes everything"), Written::Whole);
    let (copy, _) = loaded(&file[..]).expect("a whole file");
    let after = contents(&copy);
    for (key, value) in &before {
        assert!(after.get(key) == Some(value), "{} in {}", key.1.escape_ascii(), key.0);
    }
    assert_eq!(after.len(), before.len());
    assert_eq!(
        (snapshot.memory(), snapshot.keys(), snapshot.keys_done()),
        (0, before.len() as u64, before.len() as u64)
    );
    disturb();
}

#[test]
fn a_file_has_what_was_there_at_the_moment() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..4 {
        let keyspace = Keyspace::new(DATABASES);
        let names = names(&keyspace, random.random_range(1..2000));
        for name in &names {
            let mut view = keyspace.view_all(random.random_range(0..DATABASES), NOW_MS);
            store(&mut view, name, &mut random);
        }
        let haste = random.random_range(0..40);
        check(&keyspace, haste, || disturb(&keyspace, &names, &mut random));
    }
}

#[test]
fn big_collections_are_as_they_were_at_the_moment() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..6 {
        let keyspace = Keyspace::new(DATABASES);
        let names: Vec<Vec<u8>> = (1..=10).map(|length| b"collection"[..length].to_vec()).collect();
        for name in &names {
            let mut view = keyspace.view_all(random.random_range(0..DATABASES), NOW_MS);
            store_big(&mut view, name, &mut random);
        }
        // What came and went before is no part of it.
        for name in names.iter().cycle().take(random.random_range(0..200)) {
            let mut view = keyspace.view_all(random.random_range(0..DATABASES), NOW_MS);
            change(&mut view, &keyspace.key(name), &mut random);
        }
        let haste = random.random_range(0..4);
        check(&keyspace, haste, || {
            for _ in 0..10 {
                let mut view = keyspace.view_all(random.random_range(0..DATABASES), NOW_MS);
                let name = &names[random.random_range(0..names.len())];
                let key = keyspace.key(name);
                (0..5).for_each(|_| change(&mut view, &key, &mut random));
                if random.random_ratio(1, 40) {
                    store_big(&mut view, name, &mut random);
                }
            }
            if random.random_ratio(1, 4) {
                disturb(&keyspace, &names, &mut random);
            }
        });
    }
}

#[test]
fn a_collection_may_leave_while_it_is_written() {
    type Leave = fn(&mut View<'_>, &Key<'_>, &Key<'_>) -> bool;
    let ways: [Leave; 10] = [
        |view, key, other| view.rename(key, other),
        |view, key, _| view.move_to(key, 1),
        |view, key, _| view.remove(key, Free::Now, Event::DEL),
        |view, key, _| view.remove(key, Free::Later, Event::DEL),
        |view, key, _| view.set(key, NewValue::Int(1), Ttl::Clear, Event::SET),
        |view, _, _| view.flush(0..DATABASES, Free::Later) > 0,
        |view, _, _| {
            view.swap(0, 2);
            true
        },
        |view, key, other| {
            view.copy(key, other, 0);
            view.rename(other, key)
        },
        |view, key, _| view.evict(key, Evictable::All, |_| true),
        |view, key, other| {
            view.rename(key, other);
            view.move_to(other, 3);
            view.select(3);
            view.rename(other, key)
        },
    ];
    let seed = Seed::pick();
    let mut random = seed.rng();
    for (way, leave) in ways.into_iter().enumerate() {
        for name in BIG {
            let keyspace = Keyspace::new(DATABASES);
            let (key, other) = (keyspace.key(name), keyspace.key(b"other"));
            store_big(&mut keyspace.view_all(0, NOW_MS), name, &mut random);
            let mut calls = 0;
            check(&keyspace, 1, || {
                calls += 1;
                let mut view = keyspace.view_all(0, NOW_MS);
                for (db, key) in [(0, &key), (0, &other), (1, &key), (3, &key)] {
                    view.select(db);
                    change(&mut view, key, &mut random);
                }
                view.select(0);
                if calls == 4 {
                    // It may have been emptied.
                    let was_there = view.exists(&key);
                    assert!(leave(&mut view, &key, &other) || !was_there, "way {way}");
                }
            });
            assert!(calls > 4, "way {way} came too late");
        }
    }
}

#[test]
fn who_changes_more_than_may_wait_writes_it_himself() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    let keyspace = Keyspace::new(DATABASES);
    let names: Vec<Vec<u8>> = (0..1500).map(|number| format!("long:{number}").into_bytes()).collect();
    let fill = |with: u8| {
        let mut view = keyspace.view_all(0, NOW_MS);
        for name in &names {
            view.set(&keyspace.key(name), NewValue::Str(&[with; 60_000]), Ttl::Clear, Event::SET);
        }
    };
    fill(b'a');
    for name in BIG {
        store_big(&mut keyspace.view_all(0, NOW_MS), name, &mut random);
    }
    let snapshot = begin(&keyspace);
    let mut filled = false;
    let (written, file) = write(&keyspace, &snapshot, |keys| {
        // Beside a collection that is being written the bound gives way.
        if keys > 0 && !std::mem::replace(&mut filled, true) {
            fill(b'b');
        }
    });
    assert_eq!(written.expect("memory takes everything"), Written::Whole);
    let (copy, _) = loaded(&file[..]).expect("a whole file");
    let mut view = copy.view_all(0, NOW_MS);
    assert_eq!(view.counts(0).keys, names.len() + BIG.len());
    for name in &names {
        let entry = view.peek(&copy.key(name)).expect("it is there");
        let text = entry.string().expect("a string");
        assert!(text.bytes(&mut itoa::Buffer::new()) == [b'a'; 60_000], "{}", name.escape_ascii());
    }
    // All of it would be 90 million bytes, and more with the room that buffers have to spare.
    let peak = snapshot.peak_memory();
    assert!((30_000_000..65_000_000).contains(&peak), "{peak}");
}

#[test]
fn what_is_kept_of_a_list_is_told_as_long_as_it_is() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    let keyspace = Keyspace::new(DATABASES);
    let name = b"list-lis";
    let key = keyspace.key(name);
    store_big(&mut keyspace.view_all(0, NOW_MS), name, &mut random);
    let bytes = keyspace.view_all(0, NOW_MS).peek(&key).map_or(0, |entry| entry.memory());
    let snapshot = begin(&keyspace);
    keyspace
        .view_all(0, NOW_MS)
        .change_existing::<List, _>(&key, |list, log| {
            for index in (0..list.as_ref().len()).step_by(8) {
                list.set(index, b"other");
            }
            log.changed(Event::LSET, 1);
        })
        .expect("a list");
    let mut told = vec![snapshot.memory()];
    let (written, _) = write(&keyspace, &snapshot, |_| told.push(snapshot.memory()));
    assert_eq!(written.expect("memory takes everything"), Written::Whole);
    assert!(told[0] > bytes / 4 && told[0] < 2 * bytes, "{} of {bytes}", told[0]);
    // It becomes less with each piece.
    let (most, least) = (told[0], snapshot.memory());
    assert!(told.is_sorted_by(|before, after| before >= after), "{told:?}");
    assert!(told.iter().any(|held| (1..most).contains(held)), "{told:?}");
    assert_eq!((least, snapshot.peak_memory()), (0, most));
}

/// What a snapshot is as commands, one a line.
fn commands(keyspace: &Keyspace) -> Vec<String> {
    let file = File::default();
    let snapshot = keyspace.view_all(0, NOW_MS).begin_snapshot(Form::Commands, false);
    let target = Box::new(CommandWriter::new(file.clone()));
    let written = snapshot.write(keyspace, target, &Meanwhile(RefCell::new(|_| ())));
    assert_eq!(written.expect("memory takes everything"), Written::Whole);
    let text = String::from_utf8(std::mem::take(&mut *file.0.lock())).expect("plain names");
    let mut lines = text.lines();
    let mut commands = Vec::new();
    while let Some(count) = lines.next() {
        let count: usize = count.strip_prefix('*').and_then(|count| count.parse().ok()).expect("a command");
        let arguments = (0..count).map(|_| {
            let length = lines.next().and_then(|length| length.strip_prefix('$')?.parse::<usize>().ok());
            lines.next().filter(|text| Some(text.len()) == length).expect("an argument")
        });
        commands.push(arguments.collect::<Vec<_>>().join(" "));
    }
    commands
}

#[test]
fn commands_make_the_keys_anew() {
    let (keyspace, limits) = (Keyspace::new(DATABASES), limits());
    let key = keyspace.key(b"key");
    let check = |expected: &[&str]| assert_eq!(commands(&keyspace), [&["SELECT 2"], expected].concat());
    let view = || keyspace.view_all(2, NOW_MS);
    view().set(&key, NewValue::Int(-5), Ttl::At(NOW_MS + 7), Event::SET);
    check(&["SET key -5", "PEXPIREAT key 1000007"]);
    let mut list = List::new();
    (0..66).for_each(|_| list.push(End::Tail, b"e"));
    view().store(&key, list, Event::RPUSH, 66);
    check(&[&format!("RPUSH key{}", " e".repeat(64)), "RPUSH key e e"]);
    let mut zset = Zset::new();
    zset.set(b"member", -1.5, limits.zset);
    zset.set(b"other", f64::INFINITY, limits.zset);
    view().store(&key, zset, Event::ZADD, 2);
    check(&["ZADD key -1.5 member inf other"]);
    let mut hash = Hash::new();
    hash.set(b"field", b"value", FieldTtl::At(NOW_MS + 9), limits.hash);
    view().store(&key, hash, Event::HSET, 1);
    check(&["HMSET key field value", "HPEXPIREAT key 1000009 FIELDS 1 field"]);
    let mut stream = Stream::new();
    stream.append(StreamId::new(3, 1), &[b"name", b"value"], StreamLimits { bytes: 4096, entries: 10 });
    stream.add_group(b"group", StreamId::new(2, 0), None);
    if let Some((entries, group)) = stream.group_mut(b"group") {
        let (consumer, _) = group.find_or_add(b"me", 77);
        group.deliver(entries, consumer, 5, true, 99, |_| {});
    }
    view().store(&key, stream, Event::XADD, 1);
    let expected = [
        "XADD key 3-1 name value",
        "XSETID key 3-1 ENTRIESADDED 1 MAXDELETEDID 0-0",
        "XGROUP CREATE key group 3-1 ENTRIESREAD 1",
        "XCLAIM key group me 0 3-1 TIME 99 RETRYCOUNT 1 JUSTID FORCE",
        "XGROUP CREATECONSUMER key group me",
    ];
    check(&expected);
    // In pieces each element is a command.
    let mut set = Set::new();
    (0..2000).for_each(|number| {
        set.add(format!("member{number}").as_bytes(), limits.set);
    });
    view().store(&key, set, Event::SADD, 2000);
    view().set_expiry(&key, Some(NOW_MS + 5), Event::EXPIRE);
    let mut all = commands(&keyspace);
    assert_eq!((all.remove(0).as_str(), all.pop().as_deref()), ("SELECT 2", Some("PEXPIREAT key 1000005")));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2000);
    assert!(all.iter().all(|command| command.starts_with("SADD key member")));
}
