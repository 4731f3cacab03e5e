//! Time and memory of the table, beside the standard library's (hashbrown) with the same hashes.
//!
//! `cargo run --profile quick -p spinel-storage --example table_bench [items ...]`

use ahash::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::time::Instant;
use storage::memory::{CountingAllocator, used_memory};
use storage::table::{HashTable, PlainItem};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Nine bytes, as a key's slot in the keyspace. The first eight are the key.
#[derive(Clone, Copy)]
#[repr(C)]
struct Item([u8; 8], u8);

// SAFETY: bytes only.
unsafe impl PlainItem for Item {}

const LOOKUPS: u64 = 4_000_000;
/// How many requests of a pipeline are prefetched together.
const BATCH: usize = 16;

fn scramble(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
    (n ^ (n >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d)
}

fn nanoseconds(start: Instant, operations: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn main() {
    let asked: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    memory_at_every_fill();
    for items in if asked.is_empty() { vec![1_000_000, 10_000_000] } else { asked } {
        println!("\n{items} items of 9 bytes, ns per operation");
        let keys: Vec<[u8; 8]> = (0..items).map(|n| scramble(n).to_le_bytes()).collect();
        let order: Vec<u32> = (0..LOOKUPS).map(|n| (scramble(n + (1 << 40)) % items) as u32).collect();
        spinel(&keys, &order);
        standard(&keys, &order);
    }
}

fn hash_of(state: &RandomState, key: &[u8; 8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u64(u64::from_le_bytes(*key));
    hasher.finish()
}

fn spinel(keys: &[[u8; 8]], order: &[u32]) {
    let state = RandomState::with_seeds(1, 2, 3, 4);
    let hash = |key: &[u8; 8]| hash_of(&state, key);
    let missing = |key: &[u8; 8]| (!u64::from_le_bytes(*key)).to_le_bytes();
    let mut table = HashTable::new();
    let start = Instant::now();
    for key in keys {
        table.insert_unique(hash(key), Item(*key, 0), |item| hash(&item.0));
    }
    print!("spinel    insert {:5.1}", nanoseconds(start, keys.len() as u64));

    let key_of = |&n: &u32| &keys[n as usize];
    let start = Instant::now();
    for key in order.iter().map(key_of) {
        black_box(table.find(hash(key), |item| item.0 == *key).is_some());
    }
    print!("  hit {:5.1}", nanoseconds(start, LOOKUPS));

    let start = Instant::now();
    for key in order.iter().map(key_of) {
        let key = missing(key);
        black_box(table.find(hash(&key), |item| item.0 == key).is_some());
    }
    print!("  miss {:5.1}", nanoseconds(start, LOOKUPS));

    let start = Instant::now();
    for batch in order.chunks(BATCH) {
        let mut hashes = [0; BATCH];
        for (n, to) in batch.iter().zip(&mut hashes) {
            *to = hash(key_of(n));
            table.prefetch(*to);
        }
        for (n, hash) in batch.iter().zip(hashes) {
            let key = key_of(n);
            black_box(table.find(hash, |item| item.0 == *key).is_some());
        }
    }
    print!("  hit, prefetched by {BATCH} {:5.1}", nanoseconds(start, LOOKUPS));

    let start = Instant::now();
    for key in keys.iter().map(|key| u64::from_le_bytes(*key).to_le_bytes()) {
        black_box(table.remove(hash(&key), |item| item.0 == key));
    }
    println!("  remove {:5.1}", nanoseconds(start, keys.len() as u64));
}

fn standard(keys: &[[u8; 8]], order: &[u32]) {
    let state = RandomState::with_seeds(1, 2, 3, 4);
    // The key is hashed as above, as one word.
    let mut table: HashMap<Key, u8, RandomState> = HashMap::with_hasher(state);
    let start = Instant::now();
    for key in keys {
        table.insert(Key(*key), 0);
    }
    print!("hashbrown insert {:5.1}", nanoseconds(start, keys.len() as u64));
    let start = Instant::now();
    for &n in order {
        black_box(table.contains_key(&Key(keys[n as usize])));
    }
    print!("  hit {:5.1}", nanoseconds(start, LOOKUPS));
    let start = Instant::now();
    for &n in order {
        black_box(table.contains_key(&Key((!u64::from_le_bytes(keys[n as usize])).to_le_bytes())));
    }
    print!("  miss {:5.1}", nanoseconds(start, LOOKUPS));
    let start = Instant::now();
    for key in keys {
        black_box(table.remove(&Key(*key)));
    }
    println!("  remove {:5.1}", nanoseconds(start, keys.len() as u64));
}

#[derive(PartialEq, Eq)]
struct Key([u8; 8]);

impl std::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_le_bytes(self.0));
    }
}

/// Bytes per item while a table grows to two million items, then shrinks, and where keys come and go.
fn memory_at_every_fill() {
    const STEP: u64 = 25_000;
    let state = RandomState::with_seeds(1, 2, 3, 4);
    let hash = |key: &[u8; 8]| hash_of(&state, key);
    let before = used_memory();
    let mut table = HashTable::new();
    let key = |n: u64| scramble(n).to_le_bytes();
    let per_item = |table: &HashTable<Item>| (used_memory() - before) as f64 / table.len() as f64;
    let report = |what: &str, figures: &[f64]| {
        let worst = figures.iter().fold(0.0, |a: f64, &b| a.max(b));
        let mean = figures.iter().sum::<f64>() / figures.len() as f64;
        println!("bytes per item, {what}: mean {mean:.2}, worst {worst:.2}");
    };
    let mut figures = Vec::new();
    let mut count = 0;
    let mut grow = |table: &mut HashTable<Item>, to: u64, figures: &mut Vec<f64>| {
        while count < to {
            let key = key(count);
            table.insert_unique(hash(&key), Item(key, 0), |item| hash(&item.0));
            count += 1;
            if count >= 100_000 && count % STEP == 0 {
                figures.push(per_item(table));
            }
        }
    };
    grow(&mut table, 2_000_000, &mut figures);
    report("growing from 100k to 2M", &figures);
    // The table's own count agrees with the allocator's, but for what this function and printing hold.
    assert!((used_memory() - before).abs_diff(table.memory()) < 16 * 1024);

    // Every item is replaced three times over by a new one.
    figures.clear();
    let mut oldest = 0;
    for round in 0..6_000_000 {
        let (gone, come) = (key(oldest), key(2_000_000 + oldest));
        oldest += 1;
        table.remove(hash(&gone), |item| item.0 == gone);
        table.insert_unique(hash(&come), Item(come, 0), |item| hash(&item.0));
        if round % 500_000 == 499_999 {
            figures.push(per_item(&table));
        }
    }
    report("steady at 2M with keys coming and going", &figures);

    figures.clear();
    while table.len() > 100_000 {
        let gone = key(oldest);
        oldest += 1;
        table.remove(hash(&gone), |item| item.0 == gone);
        if oldest % STEP == 0 {
            figures.push(per_item(&table));
        }
    }
    report("shrinking from 2M to 100k", &figures);
}
