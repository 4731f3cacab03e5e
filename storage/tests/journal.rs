//! What views tell of whoever writes changes down.

use std::sync::{Arc, Mutex, PoisonError};

use storage::hash::{FieldTtl, Hash};
use storage::{Collection, Event, Evictable, Journal, Keyspace, Lapse, NewValue, PackLimits, Ttl, View};

const NOW_MS: i64 = 1_000_000;

/// Keeps what it is told, a line each.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Journal for Lines {
    fn is_on(&self) -> bool {
        true
    }

    fn lapsed(&self, db: usize, key: &[u8], lapse: Lapse<'_>) {
        let key = key.escape_ascii();
        self.add(match lapse {
            Lapse::Expired => format!("{db} {key} expired"),
            Lapse::Evicted => format!("{db} {key} evicted"),
            Lapse::Fields(fields) => format!("{db} {key} {} fields", fields.len()),
        });
    }

    fn complete(&self) {
        self.add("complete".to_owned());
    }
}

fn keyspace() -> (Keyspace, Lines) {
    let (keyspace, lines) = (Keyspace::new(4), Lines::default());
    keyspace.set_journal(Box::new(lines.clone()));
    (keyspace, lines)
}

fn set(view: &mut View<'_>, name: &[u8], ttl: Ttl) {
    let key = view.keyspace().key(name);
    view.set(&key, NewValue::Str(b"value"), ttl, Event::SET);
}

#[test]
fn what_goes_unasked_is_told_once_and_completed_with_the_view() {
    let (keyspace, lines) = keyspace();
    let key = keyspace.key(b"k");
    for db in [0, 2] {
        set(&mut keyspace.view_one(db, &key, NOW_MS), b"k", Ttl::At(NOW_MS + 5));
    }
    assert_eq!(lines.take(), [""; 0], "nothing has gone");
    let mut view = keyspace.view_one(2, &key, NOW_MS + 6);
    assert!(!view.exists(&key) && !view.exists(&key));
    assert_eq!(lines.take(), ["2 k expired"]);
    drop(view);
    assert_eq!(lines.take(), ["complete"]);
    let mut view = keyspace.view_one(0, &key, NOW_MS);
    assert!(view.evict(&key, Evictable::All, |_| true));
    drop(view);
    assert_eq!(lines.take(), ["0 k evicted", "complete"]);
}

#[test]
fn nothing_expires_for_one_who_makes_old_changes_anew() {
    let (keyspace, lines) = keyspace();
    let key = keyspace.key(b"k");
    let mut view = keyspace.view_one(0, &key, NOW_MS);
    view.keep_all();
    set(&mut view, b"k", Ttl::At(5));
    assert!(view.exists(&key));
    drop(view);
    assert_eq!(lines.take(), [""; 0]);
}

/// A hash of so many fields that expire at once.
fn expiring_hash(view: &mut View<'_>, name: &[u8], fields: usize) {
    let key = view.keyspace().key(name);
    let limits = PackLimits { entries: 0, value: 0 };
    let made = view.change::<Hash, _>(&key, |hash, log| {
        for field in 0..fields {
            hash.set(format!("f{field}").as_bytes(), b"1", FieldTtl::At(NOW_MS + 5), limits);
        }
        hash.set(b"stays", b"1", FieldTtl::Clear, limits);
        log.changed(Event::HSET, fields + 1);
    });
    assert!(made.is_ok());
}

#[test]
fn a_change_leaves_no_field_hidden_that_is_due() {
    let (keyspace, lines) = keyspace();
    let key = keyspace.key(b"h");
    expiring_hash(&mut keyspace.view_one(0, &key, NOW_MS), b"h", 500);
    let mut view = keyspace.view_one(0, &key, NOW_MS + 6);
    // Who only reads, removes some.
    assert!(view.exists(&key));
    let first = lines.take();
    assert_ne!(first, ["0 h 500 fields"]);
    let told = |lines: Vec<String>| -> usize {
        lines.iter().filter_map(|line| line.split(' ').nth(2)?.parse::<usize>().ok()).sum()
    };
    let len = view.change_existing::<Hash, _>(&key, |hash, _| hash.as_ref().len());
    assert_eq!(len.ok().flatten(), Some(1));
    assert_eq!(told(first) + told(lines.take()), 500);
}

#[test]
fn what_upkeep_removes_is_complete_key_by_key() {
    let (keyspace, lines) = keyspace();
    let shard = keyspace.key(b"h").shard();
    let names =
        (0u32..).map(|number| format!("k{number}")).filter(|name| keyspace.key(name.as_bytes()).shard() == shard);
    for name in names.take(3) {
        set(&mut keyspace.view_shard(0, shard, NOW_MS), name.as_bytes(), Ttl::At(NOW_MS + 5));
    }
    let sweep = keyspace.expire_shard(shard, storage::SweepAt::default(), NOW_MS + 6, 1000);
    assert_eq!(sweep.map(|sweep| sweep.effects.expired), Some(3));
    let lines = lines.take();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines.chunks(2).all(|pair| pair[0].ends_with("expired") && pair[1] == "complete"), "{lines:?}");
}
