//! Memory of hashes, a big one and many small ones, counted and resident.
//!
//! `cargo run -p spinel-storage --example hash_memory`

use storage::hash::{FieldTtl, Hash};
use storage::memory::{CountingAllocator, anonymous_rss, used_memory};
use storage::{Collection, Event, Keyspace, PackLimits};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LIMITS: PackLimits = PackLimits { entries: 512, value: 64 };
const FIELDS: usize = 1_000_000;
const SESSIONS: usize = 200_000;
/// Far ahead.
const WHEN: i64 = 4_000_000_000_000;

/// Shows what `build` leaves behind, for each of `count` things.
fn measure<T>(what: &str, count: usize, build: impl FnOnce() -> T) -> T {
    let (counted, resident) = (used_memory(), anonymous_rss());
    let built = build();
    let each = |before: usize, after: usize| after.saturating_sub(before) as f64 / count as f64;
    println!("{what}: {:.1} bytes, {:.1} resident", each(counted, used_memory()), each(resident, anonymous_rss()));
    built
}

fn main() {
    let _sessions = measure("a session of five fields with a time to live", SESSIONS, || {
        let keyspace = Keyspace::new(1);
        for n in 0..SESSIONS {
            let name = format!("session:{n:08}");
            let key = keyspace.key(name.as_bytes());
            let mut view = keyspace.view_one(0, &key, 0);
            let set = view.change::<Hash, _>(&key, |hash, log| {
                let fields = [
                    ("user", n.to_string()),
                    ("name", format!("user{n}")),
                    ("ip", format!("10.0.{}.{}", n / 256 % 256, n % 256)),
                    ("seen", (1_700_000_000 + n).to_string()),
                    ("role", "member".into()),
                ];
                for (field, value) in fields {
                    hash.set(field.as_bytes(), value.as_bytes(), FieldTtl::Clear, LIMITS);
                }
                log.changed(Event::HSET, 5);
            });
            assert!(set.is_ok() && view.set_expiry(&key, Some(WHEN), Event::EXPIRE));
        }
        keyspace
    });

    let mut hash = measure("a field of one hash of a million", FIELDS, || {
        let mut hash = <Hash as Collection>::new();
        for n in 0..FIELDS {
            hash.set(format!("field:{n}").as_bytes(), format!("value-{n}").as_bytes(), FieldTtl::Clear, LIMITS);
        }
        hash
    });
    println!("  as MEMORY USAGE tells it: {:.1} bytes", hash.memory() as f64 / FIELDS as f64);
    measure("  and its expiry", FIELDS, || {
        for n in 0..FIELDS {
            // Neither in order nor all the same.
            hash.set_expiry(format!("field:{n}").as_bytes(), Some(WHEN + (n * 7919 % FIELDS) as i64));
        }
    });
}
