//! The table against a model, under long random sequences of operations.

mod seed;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use seed::Seed;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use storage::table::{HashTable, NO_HINT, PlainItem};

/// Nine bytes as in the keyspace: a number that identifies the item, and a byte that changes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Item {
    id: [u8; 8],
    value: u8,
}

// SAFETY: bytes only.
unsafe impl PlainItem for Item {}

impl Item {
    fn new(id: u64, value: u8) -> Self {
        Item { id: id.to_le_bytes(), value }
    }

    fn id(&self) -> u64 {
        u64::from_le_bytes(self.id)
    }
}

fn good_hash(id: u64) -> u64 {
    let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
    hasher.write_u64(id);
    hasher.finish()
}

fn insert(table: &mut HashTable<Item>, id: u64, value: u8, hash: impl Fn(u64) -> u64) {
    let position = table.insert_unique(hash(id), Item::new(id, value), |item| hash(item.id()));
    assert_eq!(table.at(position).id(), id);
}

fn assert_same(table: &HashTable<Item>, model: &HashMap<u64, u8>) {
    assert_eq!(table.len(), model.len());
    assert_eq!(table.iter().count(), model.len());
    assert!(table.iter().all(|item| model.get(&item.id()) == Some(&item.value)));
}

/// Random operations; the number of items wanders up and down between nothing and `most`.
fn compare_with_model(hash: impl Fn(u64) -> u64 + Copy, most: u64, operations: usize) {
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let mut table = HashTable::new();
    let mut model: HashMap<u64, u8> = HashMap::new();
    let mut growing = true;
    for step in 0..operations {
        if rng.random_ratio(1, most as u32) {
            growing = !growing;
        }
        let id = rng.random_range(0..most);
        let value: u8 = rng.random();
        let is_it = |item: &Item| item.id() == id;
        match rng.random_range(0..100) {
            0..40 if growing => {
                let (position, new) =
                    table.find_or_insert_with(hash(id), is_it, || Item::new(id, value), |item| hash(item.id()));
                assert_eq!(new, !model.contains_key(&id));
                model.entry(id).or_insert(value);
                assert_eq!(*table.at(position), Item::new(id, model[&id]));
            }
            0..40 => assert_eq!(table.remove(hash(id), is_it).map(|item| item.value), model.remove(&id)),
            40..55 => assert_eq!(table.find(hash(id), is_it).map(|item| item.value), model.get(&id).copied()),
            55..70 => {
                let found = table.find_mut(hash(id), is_it).map(|item| std::mem::replace(&mut item.value, value));
                assert_eq!(found, model.get_mut(&id).map(|known| std::mem::replace(known, value)));
            }
            70..85 => match table.position(hash(id), is_it) {
                Some(position) => {
                    assert_eq!(Some(table.at(position).value), model.insert(id, value));
                    assert_eq!(table.replace_at(position, Item::new(id, value)).id(), id);
                }
                None => assert!(!model.contains_key(&id)),
            },
            85..95 => match table.position(hash(id), is_it) {
                Some(position) => assert_eq!(Some(table.remove_at(position).value), model.remove(&id)),
                None => {
                    assert_eq!(model.insert(id, value), None);
                    insert(&mut table, id, value, hash);
                }
            },
            95..99 => {
                table.prefetch(hash(id));
                table.prefetch_item(hash(id), |item| assert!(model.contains_key(&item.id())));
            }
            _ => {
                let found = table.random(|| rng.random()).copied();
                assert_eq!(found.map(|item| item.value), found.and_then(|item| model.get(&item.id()).copied()));
                assert_eq!(found.is_none(), model.is_empty());
            }
        }
        assert_eq!(table.len(), model.len());
        if step % (operations / 50) == 0 {
            assert_same(&table, &model);
        }
        if step % (operations / 7) == operations / 8 {
            let mut gone = HashSet::new();
            table.drain_filter(|item| item.value % 3 == 0, |item| assert!(gone.insert(item.id())));
            model.retain(|id, value| {
                assert_eq!(value.is_multiple_of(3), gone.contains(id));
                !value.is_multiple_of(3)
            });
            assert_same(&table, &model);
        }
    }
    let mut gone = HashMap::new();
    table.drain(|item| assert_eq!(gone.insert(item.id(), item.value), None));
    assert_eq!(gone, model);
    assert_eq!((table.len(), table.memory(), table.page_count()), (0, 0, 0));
}

#[test]
fn behaves_as_a_map() {
    compare_with_model(good_hash, 20, 50_000);
    compare_with_model(good_hash, 500, 200_000);
    compare_with_model(good_hash, 20_000, 600_000);
}

#[test]
fn behaves_as_a_map_with_bad_hashes() {
    compare_with_model(|_| 0x5555_5555_5555_5555, 500, 60_000);
    compare_with_model(|_| u64::MAX, 1200, 40_000);
    compare_with_model(|id| id, 5_000, 200_000);
    compare_with_model(|id| id << 56, 3_000, 50_000);
    compare_with_model(|id| id << 20, 3_000, 50_000);
    compare_with_model(|id| good_hash(id) & 0xff00_0000_0000_0003, 3_000, 50_000);
}

#[test]
fn an_empty_table_is_small_and_answers() {
    let mut table: HashTable<Item> = HashTable::new();
    assert!(size_of::<HashTable<Item>>() <= 48);
    assert!(table.is_empty() && table.memory() == 0);
    for hash in [0, 1, u64::MAX] {
        assert!(table.find(hash, |_| true).is_none());
        assert!(table.remove(hash, |_| true).is_none());
        assert_eq!(table.scan(hash, |_| panic!("nothing to show")), 0);
        table.lower_hint(hash, 1);
        table.prefetch(hash);
    }
    assert!(table.random(|| 0).is_none());
    assert_eq!(table.visit_page(7, |_| panic!("nothing to visit")), 0);
    table.drain_filter(|_| true, |_| ());
    table.drain(|_| ());
}

#[test]
fn a_scan_shows_what_was_there_all_along() {
    let seed = Seed::pick();
    let mut rng = seed.rng();
    for round in 0..300 {
        let stable = rng.random_range(0..2_000u64);
        let mut table = HashTable::new();
        (0..stable).for_each(|id| insert(&mut table, id, 0, good_hash));
        let mut others = 0u64;
        let mut seen = HashSet::new();
        let mut cursor = 0;
        // Between the calls the table moves towards another size again and again.
        let mut wanted = 0;
        loop {
            if rng.random_ratio(1, 4) {
                wanted = rng.random_range(0..8_000);
            }
            for _ in 0..rng.random_range(0..400) {
                let id = 1_000_000 + others;
                if others < wanted {
                    insert(&mut table, id, 0, good_hash);
                    others += 1;
                } else if others > 0 {
                    others -= 1;
                    assert!(table.remove(good_hash(id - 1), |item| item.id() == id - 1).is_some());
                }
            }
            cursor = table.scan(cursor, |item| _ = seen.insert(item.id()));
            if cursor == 0 {
                break;
            }
        }
        assert!((0..stable).all(|id| seen.contains(&id)), "round {round}: {stable} items, {} seen", seen.len());
    }
}

#[test]
fn a_scan_of_an_unchanged_table_shows_each_item_once() {
    let mut table = HashTable::new();
    for id in 0..5_000 {
        insert(&mut table, id, 0, good_hash);
        if id % 97 != 0 {
            continue;
        }
        let (mut seen, mut cursor, mut calls) = (HashSet::new(), 0, 0);
        loop {
            cursor = table.scan(cursor, |item| assert!(seen.insert(item.id())));
            calls += 1;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!((seen.len() as u64, calls), (id + 1, table.page_count()));
    }
}

#[test]
fn a_scan_from_any_cursor_ends() {
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let mut table = HashTable::new();
    (0..3_000).for_each(|id| insert(&mut table, id, 0, good_hash));
    for start in [1, u64::MAX, 1 << 63, 1 << 32, (1 << 32) - 1].into_iter().chain((0..500).map(|_| rng.random())) {
        let (mut cursor, mut calls) = (start, 0);
        while calls == 0 || cursor != 0 {
            cursor = table.scan(cursor, |_| ());
            calls += 1;
            assert!(cursor < 1 << storage::table::HASH_BITS && calls <= table.page_count());
        }
    }
}

#[test]
fn random_is_fair() {
    let mut rng = SmallRng::seed_from_u64(7);
    for count in [1u64, 2, 31, 33, 49, 1_000, 1_500] {
        let mut table = HashTable::new();
        (0..count).for_each(|id| insert(&mut table, id, 0, good_hash));
        let mut hits = vec![0u32; count as usize];
        let per_item = 200;
        for _ in 0..count * per_item {
            hits[table.random(|| rng.random()).unwrap().id() as usize] += 1;
        }
        let squares: f64 = hits.iter().map(|&n| (f64::from(n) - per_item as f64).powi(2) / per_item as f64).sum();
        let freedom = (count - 1) as f64;
        // Five standard deviations of the chi-squared distribution.
        assert!(squares <= freedom + 5.0 * (2.0 * freedom).sqrt() + 1e-9, "{count} items: {squares}");
    }
}

#[test]
fn hints_stay_lower_bounds() {
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let mut table = HashTable::new();
    // What each item's figure is; the hint of its page must never be above.
    let mut figures: HashMap<u64, u32> = HashMap::new();
    let mut wanted = 0;
    let mut next = 0;
    for step in 0..200_000 {
        if step % 2_000 == 0 {
            wanted = rng.random_range(0..6_000);
        }
        let id = rng.random_range(0..6_000u64);
        if figures.len() < wanted && !figures.contains_key(&id) {
            let figure = if rng.random_ratio(1, 10) { rng.random() } else { NO_HINT };
            insert(&mut table, id, 0, good_hash);
            table.lower_hint(good_hash(id), figure);
            figures.insert(id, figure);
        } else if figures.remove(&id).is_some() {
            assert!(table.remove(good_hash(id), |item| item.id() == id).is_some());
        }
        if step % 50 == 0 {
            let remove = rng.random_ratio(1, 3);
            next = table.visit_page(next, |page| {
                let bound = |page: &storage::table::PageView<'_, Item>| {
                    page.items().iter().map(|item| figures[&item.id()]).min().unwrap_or(NO_HINT)
                };
                assert!(page.hint() <= bound(page));
                page.items_mut().iter_mut().for_each(|item| item.value = item.value.wrapping_add(1));
                let mut gone = Vec::new();
                for slot in (0..page.items().len()).rev().filter(|slot| remove && slot % 2 == 0) {
                    gone.push(page.remove(slot).id());
                }
                let exact = bound(page);
                gone.iter().for_each(|id| _ = figures.remove(id));
                page.set_hint(exact);
            });
            assert_eq!(table.len(), figures.len());
        }
    }
    let mut visited = 0;
    for number in 0..table.page_count() {
        table.visit_page(number, |page| {
            assert!(page.items().iter().all(|item| page.hint() <= figures[&item.id()]));
            visited += page.items().len();
        });
    }
    assert_eq!(visited, figures.len());
}

#[test]
fn memory_follows_the_items_up_and_down() {
    let mut table = HashTable::new();
    let per_item = |table: &HashTable<Item>| table.memory() as f64 / table.len() as f64;
    for id in 0..100_000 {
        insert(&mut table, id, 0, good_hash);
        assert!(id < 1_000 || per_item(&table) < 12.5, "{} items: {}", table.len(), per_item(&table));
    }
    for id in 0..100_000 {
        assert!(table.remove(good_hash(id), |item| item.id() == id).is_some());
        assert!(id > 99_000 || per_item(&table) < 13.5, "{} items: {}", table.len(), per_item(&table));
    }
    assert_eq!(table.memory(), 0);
}
