//! Operations from bytes, on the table and on a model of it.
//!
//! The hashes are the fuzzer's own: an identifier's hash keeps few of its bits, so that collisions, long pages and
//! lopsided splits are as common as good hashes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::{HashMap, HashSet};
use storage::table::{HashTable, NO_HINT, PlainItem};

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Item {
    id: [u8; 2],
    value: [u8; 7],
}

// SAFETY: bytes only.
unsafe impl PlainItem for Item {}

impl Item {
    fn new(id: u16, value: u8) -> Self {
        Item { id: id.to_le_bytes(), value: [value; 7] }
    }

    fn id(&self) -> u16 {
        u16::from_le_bytes(self.id)
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&mask, operations)) = input.split_first() else { return };
    let hash = |id: u16| u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) & spread(mask);
    let hasher = |item: &Item| hash(item.id());

    let mut table = HashTable::new();
    // Each item's value, and the figure that the hint of its page bounds.
    let mut model: HashMap<u16, (u8, u32)> = HashMap::new();
    // The items that have been there since the scan began, and those that it has shown.
    let (mut cursor, mut awaited, mut shown) = (0, HashSet::new(), HashSet::new());
    let mut page = 0;

    for operation in operations.chunks_exact(4) {
        let [kind, low, high, value] = *operation else { return };
        let id = u16::from_le_bytes([low, high]);
        let is_it = |item: &Item| item.id() == id;
        match kind % 12 {
            0 => {
                let (position, new) = table.find_or_insert_with(hash(id), is_it, || Item::new(id, value), hasher);
                assert_eq!(new, !model.contains_key(&id));
                let (value, _) = *model.entry(id).or_insert((value, NO_HINT));
                assert_eq!(*table.at(position), Item::new(id, value));
            }
            // Runs of items, to grow and to shrink much in few bytes.
            1 => {
                for id in (0..u16::from(value) * 4).map(|n| id.wrapping_add(n)) {
                    model.entry(id).or_insert_with(|| {
                        table.insert_unique(hash(id), Item::new(id, value), hasher);
                        (value, NO_HINT)
                    });
                }
            }
            2 => {
                for id in (0..u16::from(value) * 4).map(|n| id.wrapping_add(n)) {
                    let removed = table.remove(hash(id), |item| item.id() == id);
                    assert_eq!(removed.map(|item| item.value[0]), model.remove(&id).map(|known| known.0));
                    awaited.remove(&id);
                }
            }
            3 => {
                let position = table.position(hash(id), is_it);
                assert_eq!(position.map(|at| table.remove_at(at).value[0]), model.remove(&id).map(|known| known.0));
                awaited.remove(&id);
            }
            4 => {
                let found = table.find_mut(hash(id), is_it).map(|item| std::mem::replace(item, Item::new(id, value)));
                let known = model.get_mut(&id).map(|known| std::mem::replace(&mut known.0, value));
                assert_eq!(found.map(|item| item.value[0]), known);
            }
            5 => assert_eq!(table.find(hash(id), is_it).map(|item| item.value[0]), model.get(&id).map(|known| known.0)),
            6 => {
                if let Some(known) = model.get_mut(&id) {
                    known.1 = known.1.min(u32::from(value));
                    table.lower_hint(hash(id), u32::from(value));
                }
            }
            7 => {
                page = table.visit_page(page, |page| {
                    let mut slot = 0;
                    while slot < page.items().len() {
                        let id = page.items()[slot].id();
                        assert!(page.hint() <= model[&id].1);
                        if (id ^ u16::from(value)) % 4 == 0 {
                            assert_eq!(page.remove(slot).id(), id);
                            model.remove(&id);
                            awaited.remove(&id);
                        } else {
                            slot += 1;
                        }
                    }
                    page.set_hint(page.items().iter().map(|item| model[&item.id()].1).min().unwrap_or(NO_HINT));
                });
            }
            8 => {
                if cursor == 0 {
                    awaited = model.keys().copied().collect();
                    shown.clear();
                }
                cursor = table.scan(cursor, |item| _ = shown.insert(item.id()));
                if cursor == 0 {
                    assert!(awaited.iter().all(|id| shown.contains(id)));
                }
            }
            9 => {
                let hostile = u64::from_le_bytes([low, high, value, kind, value, low, high, kind]);
                let _ = table.scan(hostile, |item| assert!(model.contains_key(&item.id())));
                table.prefetch_item(hostile, |item| assert!(model.contains_key(&item.id())));
            }
            10 => {
                let mut state = u64::from(id) + 1;
                let random = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state ^ (state >> 29)
                };
                let found = table.random(random).map(Item::id);
                assert!(found.map_or(model.is_empty(), |id| model.contains_key(&id)));
            }
            _ => table.drain_filter(
                |item| item.id() % 8 == u16::from(value),
                |item| {
                    assert_eq!(model.remove(&item.id()).map(|known| known.0), Some(item.value[0]));
                    awaited.remove(&item.id());
                },
            ),
        }
        assert_eq!(table.len(), model.len());
    }
    assert!(table.iter().all(|item| model.get(&item.id()).is_some_and(|known| known.0 == item.value[0])));
    assert_eq!(table.iter().count(), model.len());
    let mut drained = 0;
    table.drain(|_| drained += 1);
    assert_eq!((drained, table.memory()), (model.len(), 0));
});

/// Turns a byte into a mask of hash bits: each of its bits stands for eight. A zero keeps them all.
fn spread(mask: u8) -> u64 {
    if mask == 0 {
        return u64::MAX;
    }
    (0..8).filter(|bit| mask >> bit & 1 == 1).fold(0, |bits, bit| bits | 0xff << (8 * bit))
}
