//! Intsets against sorted sets, under long random sequences of changes.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use std::collections::BTreeSet;
use storage::intset::{IntSet, IntSetBuf};

/// Integers of up to so many bits, often at the borders of the widths.
fn integer(random: &mut SmallRng, bits: u32) -> i64 {
    match random.random_range(0..8) {
        0 => {
            let border = 1i64.unbounded_shl(random.random_range(0..bits));
            border.wrapping_add(random.random_range(-1..=1)).wrapping_mul(if random.random() { 1 } else { -1 })
        }
        1 => random.random::<i64>() >> (64 - bits),
        _ => random.random_range(-60..60),
    }
}

fn check(set: IntSet<'_>, model: &BTreeSet<i64>) {
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert!(set.iter().eq(model.iter().copied()));
    assert!(set.iter().rev().eq(model.iter().rev().copied()));
    assert!(IntSet::validate(set.as_bytes()).is_some());
    assert_eq!(set.get(model.len()), None);
}

#[test]
fn behaves_as_a_sorted_set() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for bits in [8, 16, 32, 64, 64] {
        let (mut set, mut model) = (IntSetBuf::new(), BTreeSet::new());
        for step in 0..8000 {
            let value = integer(&mut random, bits);
            // Now it grows, now it shrinks.
            if random.random_ratio(if step / 1000 % 2 == 0 { 3 } else { 1 }, 4) {
                assert_eq!(set.add(value), model.insert(value));
            } else {
                assert_eq!(set.remove(value), model.remove(&value));
            }
            let other = integer(&mut random, 64);
            assert_eq!(set.as_ref().contains(other), model.contains(&other));
            if step % 20 == 0 {
                check(set.as_ref(), &model);
                set = IntSetBuf::from_vec(set.into_vec());
            }
        }
        check(set.as_ref(), &model);
        model.iter().for_each(|value| assert!(set.remove(*value)));
        check(set.as_ref(), &BTreeSet::new());
    }
}

/// A wider integer widens all of them; nothing makes them narrow again, as in Redis.
#[test]
fn the_bytes_are_those_of_redis() {
    let mut set = IntSetBuf::new();
    assert!(set.as_ref().is_empty());
    for (value, expected) in [
        (5i64, &[2, 0, 0, 0, 1, 0, 0, 0, 5, 0][..]),
        (-1, &[2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]),
        (0x8000, &[4, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 0, 0x80, 0, 0]),
    ] {
        assert!(set.add(value) && !set.add(value));
        assert_eq!(set.as_ref().as_bytes(), expected);
    }
    assert!(set.remove(0x8000) && set.remove(-1));
    assert_eq!(set.as_ref().as_bytes(), [4, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0]);
}

#[test]
fn bytes_from_outside_are_looked_at_to_the_last() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..20_000 {
        let mut set = IntSetBuf::new();
        for _ in 0..random.random_range(0..5) {
            set.add(integer(&mut random, 64));
        }
        let mut bytes = set.as_ref().as_bytes().to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len().max(1));
            match random.random_range(0..3) {
                0 if at < bytes.len() => bytes[at] = random.random(),
                1 => bytes.truncate(at),
                _ => bytes.insert(at, random.random()),
            }
        }
        if let Some(set) = IntSet::validate(&bytes) {
            let values: Vec<i64> = set.iter().collect();
            assert!(values.is_sorted_by(|a, b| a < b));
            assert!(values.iter().all(|value| set.contains(*value)));
        }
    }
}
