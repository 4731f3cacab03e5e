//! Snapshots that are written while the data changes: what is in the file is what was there at their moment, whatever
//! happens between two steps of the writing.

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
use storage::snapshot::{Form, Snapshot, Supervisor, Written};
use storage::zset::Zset;
use storage::{Event, Evictable, Free, Key, Keyspace, NewValue, Ttl, View};

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

/// Does something between any two steps.
struct Meanwhile<F>(RefCell<F>);

impl<F: FnMut()> Supervisor for Meanwhile<F> {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn rest_after(&self, _: u64) -> Duration {
        self.0.borrow_mut()();
        Duration::ZERO
    }
}

fn begin(keyspace: &Keyspace) -> Arc<Snapshot> {
    keyspace.view_all(0, NOW_MS).begin_snapshot(Form::Rdb { compress: false }, false)
}

fn write(keyspace: &Keyspace, snapshot: &Snapshot, meanwhile: impl FnMut()) -> (io::Result<Written>, Vec<u8>) {
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

/// Changes a collection from within, if the key is one.
fn change(view: &mut View<'_>, key: &Key<'_>, random: &mut SmallRng) {
    let (text, other, limits) = (text(random), text(random), limits());
    for _ in 0..random.random_range(1..30) {
        let _ = view.change_existing::<Hash, _>(key, |hash, log| {
            hash.remove(&other);
            hash.set(&text, &other, FieldTtl::Keep, limits.hash);
            log.changed(Event::HSET, 1);
        });
        let _ = view.change_existing::<Set, _>(key, |set, log| {
            set.remove(&other);
            set.add(&text, limits.set);
            log.changed(Event::SADD, 1);
        });
        let _ = view.change_existing::<Zset, _>(key, |zset, log| {
            zset.remove(&other);
            zset.set(&text, random.random_range(0..9).into(), limits.zset);
            log.changed(Event::ZADD, 1);
        });
        let _ = view.change_existing::<List, _>(key, |list, log| {
            list.prepare(1, text.len(), limits.list);
            list.push(End::Head, &text);
            list.pop(End::Tail, 3, |_| ());
            log.changed(Event::LPUSH, 1);
        });
    }
}

#[test]
fn a_file_has_what_was_there_at_the_moment() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..6 {
        let keyspace = Keyspace::new(DATABASES);
        let names = names(&keyspace, random.random_range(1..2000));
        for name in &names {
            let mut view = keyspace.view_all(random.random_range(0..DATABASES), NOW_MS);
            store(&mut view, name, &mut random);
        }
        let before = contents(&keyspace);
        let snapshot = begin(&keyspace);
        let haste = random.random_range(0..40);
        (0..haste).for_each(|_| disturb(&keyspace, &names, &mut random));
        let (written, file) = write(&keyspace, &snapshot, || {
            (0..haste).for_each(|_| disturb(&keyspace, &names, &mut random));
        });
        assert_eq!(written.expect("memory takes everything"), Written::Whole);
        let (copy, _) = loaded(&file[..]).expect("a whole file");
        let after = contents(&copy);
        for (key, value) in &before {
            assert_eq!(after.get(key), Some(value), "{}", key.1.escape_ascii());
        }
        assert_eq!(after.len(), before.len());
        assert_eq!((snapshot.memory(), snapshot.keys()), (0, before.len() as u64));
        disturb(&keyspace, &names, &mut random);
    }
}
