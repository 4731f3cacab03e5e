//! Random elements are fair: chi-squared tests of every form of every collection, with fixed seeds.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use storage::hash::{FieldTtl, Hash};
use storage::set::{Set, SetLimits};
use storage::zset::Zset;
use storage::{Collection, PackLimits};

/// Draws for each element, in the mean.
const DRAWS: usize = 200;
const PACKED: PackLimits = PackLimits { entries: 512, value: 64 };
const BIG: PackLimits = PackLimits { entries: 0, value: 0 };

/// Draws many times, and compares how often each of `count` elements comes with what chance gives.
fn assert_fair(what: &str, count: usize, mut draw: impl FnMut(&mut SmallRng) -> Vec<u8>) {
    let mut random = SmallRng::seed_from_u64(count as u64);
    let mut drawn: HashMap<Vec<u8>, usize> = HashMap::new();
    for _ in 0..count * DRAWS {
        *drawn.entry(draw(&mut random)).or_default() += 1;
    }
    assert_eq!(drawn.len(), count, "{what}: an element that never came");
    let square = |times: &usize| (*times as f64 - DRAWS as f64).powi(2) / DRAWS as f64;
    let (chi_squared, freedom) = (drawn.values().map(square).sum::<f64>(), count as f64 - 1.0);
    // Chi-squared has this mean and, by the cube root, about a normal distribution (Wilson and Hilferty).
    let deviation = (2.0 / (9.0 * freedom)).sqrt();
    let sigmas = ((chi_squared / freedom).cbrt() - (1.0 - 2.0 / (9.0 * freedom))) / deviation;
    assert!(sigmas.abs() < 6.0, "{what}: {sigmas:.1} standard deviations off with {count} elements");
}

fn set(count: usize, limits: SetLimits, name: impl Fn(usize) -> String) -> Set {
    let mut set = <Set as Collection>::new();
    (0..count).for_each(|number| assert!(set.add(name(number).as_bytes(), limits)));
    set
}

#[test]
fn members_of_sets() {
    let limits = |packed| SetLimits { ints: 512, packed };
    for count in [2, 7, 100, 512] {
        let ints = set(count, limits(PACKED), |number| (number * number * 50).to_string());
        let packed = set(count, limits(PACKED), |number| format!("member:{number}"));
        for (form, set) in [("intset", ints), ("listpack", packed)] {
            assert_eq!(set.as_ref().encoding(), form);
            assert_fair(form, count, |random| set.as_ref().random(|| random.random()).expect("a member").to_vec());
        }
    }
    for count in [2, 41, 100, 1000, 5000] {
        let set = set(count, limits(BIG), |number| format!("member:{number}"));
        assert_eq!(set.as_ref().encoding(), "hashtable");
        assert_fair("table", count, |random| set.as_ref().random(|| random.random()).expect("a member").to_vec());
    }
}

/// As SPOP takes them: the first one, and the second one once that is gone.
#[test]
fn members_that_are_popped() {
    for (form, packed, count) in [("listpack", PACKED, 30), ("table", BIG, 90)] {
        let whole = set(count, SetLimits { ints: 0, packed }, |number| format!("member:{number}"));
        for round in 1..=2 {
            assert_fair(form, count, |random| {
                let mut set = whole.clone();
                let popped = (0..round).map(|_| set.pop(|| random.random()).expect("a member")).last();
                popped.expect("one at least")
            });
        }
    }
}

#[test]
fn fields_of_hashes() {
    for (limits, timed, form) in
        [(PACKED, false, "listpack"), (PACKED, true, "listpackex"), (BIG, false, "hashtable"), (BIG, true, "hashtable")]
    {
        for count in [2, 33, 400] {
            let mut hash = <Hash as Collection>::new();
            for number in 0..count {
                let ttl = if timed { FieldTtl::At(1000 + number as i64) } else { FieldTtl::Clear };
                assert!(hash.set(format!("field:{number}").as_bytes(), b"value", ttl, limits));
            }
            assert_eq!(hash.as_ref().encoding(), form);
            assert_fair(form, count, |random| hash.as_ref().random(|| random.random()).expect("a field").0.to_vec());
        }
    }
}

/// What is due and not removed yet has no weight, be it little or next to everything.
#[test]
fn fields_among_hidden_ones() {
    for (all, hidden) in [(400, 100), (400, 390), (3000, 2995)] {
        let mut hash = <Hash as Collection>::new();
        for number in 0..all {
            let ttl = if number < hidden { FieldTtl::At(10) } else { FieldTtl::Clear };
            assert!(hash.set(format!("field:{number}").as_bytes(), b"value", ttl, BIG));
        }
        assert_eq!(hash.expire(11, 1, |_| {}), 1);
        assert_eq!(hash.as_ref().len(), all - hidden);
        assert_fair("hidden", all - hidden, |random| {
            hash.as_ref().random(|| random.random()).expect("a field").0.to_vec()
        });
    }
}

#[test]
fn members_of_sorted_sets() {
    for (limits, form) in [(PACKED, "listpack"), (BIG, "skiplist")] {
        for count in [2, 33, 500] {
            let mut zset = Zset::new();
            for number in 0..count {
                assert_eq!(zset.set(format!("member:{number}").as_bytes(), (number / 3) as f64, limits), None);
            }
            assert_eq!(zset.as_ref().encoding(), form);
            assert_fair(form, count, |random| zset.as_ref().random(|| random.random()).expect("a member").0.to_vec());
        }
    }
}
