//! HyperLogLogs against exact sets, and sparse ones against dense ones, under long random sequences of additions.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use std::collections::HashSet;
use storage::hyperloglog::{self as hll, Registers};

/// The limit that Redis has by default.
const LONGEST: usize = 3000;

fn registers(bytes: &[u8]) -> Registers {
    let mut registers = Registers::default();
    registers.merge(bytes).expect("never corrupt");
    registers
}

fn element(random: &mut SmallRng, most: u64) -> Vec<u8> {
    let number = random.random_range(0..most);
    match number % 3 {
        0 => number.to_le_bytes().to_vec(),
        1 => number.to_string().into_bytes(),
        _ => format!("element:{number}:{}", "x".repeat(number as usize % 40)).into_bytes(),
    }
}

fn new_dense() -> Vec<u8> {
    let mut dense = hll::new();
    assert_eq!(hll::make_dense(&mut dense), Ok(true));
    dense
}

/// The standard error is 1.04 over the root of 16384 registers, 0.8 percent. Six of it, and one for small numbers.
fn assert_near(estimate: u64, exact: usize) {
    let most = (exact as f64 * 6.0 * 1.04 / 128.0) as u64 + 1;
    assert!(estimate.abs_diff(exact as u64) <= most, "{exact} elements were counted as {estimate}");
}

#[test]
fn the_estimate_is_near_and_every_form_has_the_same_registers() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for most in [10, 300, 3_000, 100_000, 1_000_000] {
        let (mut bytes, mut sparse, mut dense) = (hll::new(), hll::new(), new_dense());
        let mut exact = HashSet::new();
        for step in 0..most.min(20_000) * 2 {
            let element = element(&mut random, most);
            let before = sparse.len();
            let changed = hll::add(&mut bytes, &element, LONGEST).expect("never corrupt");
            assert_eq!(hll::add(&mut sparse, &element, usize::MAX), Ok(changed));
            assert_eq!(hll::add_dense(&mut dense, &element), changed);
            assert!(exact.insert(element) || !changed, "what is there already changes nothing");
            // Dense as soon as the sparse form would be too long, and not before; registers above 32 are too rare to
            // come up here.
            if sparse.len() > LONGEST {
                assert!(hll::is_dense(&bytes));
            } else if before + 4 <= LONGEST && step < 1000 {
                assert!(!hll::is_dense(&bytes) && bytes == sparse);
            }
            if step % 1000 == 0 || step < 20 {
                assert!(hll::is_valid(&bytes) && hll::is_valid(&sparse) && hll::is_valid(&dense));
                let expected = registers(&dense);
                assert!([&bytes, &sparse].iter().all(|form| registers(form).values() == expected.values()));
                assert_near(expected.estimate(), exact.len());
            }
        }
        hll::make_dense(&mut sparse).expect("never corrupt");
        assert_eq!(sparse, dense);
    }
}

#[test]
fn a_merge_counts_what_any_of_them_has_seen() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for most in [20, 2_000, 200_000] {
        let (mut together, mut exact, mut merged) = (hll::new(), HashSet::new(), Registers::default());
        let mut one_by_one = hll::new();
        for _ in 0..4 {
            let mut part = hll::new();
            for _ in 0..random.random_range(0..3_000) {
                let element = element(&mut random, most);
                hll::add(&mut part, &element, LONGEST).expect("never corrupt");
                hll::add(&mut together, &element, LONGEST).expect("never corrupt");
                exact.insert(element);
            }
            merged.merge(&part).expect("never corrupt");
            hll::raise_all(&mut one_by_one, &registers(&part), LONGEST).expect("never corrupt");
        }
        assert_eq!(merged.values(), registers(&together).values());
        assert_eq!(merged.values(), registers(&one_by_one).values());
        assert_near(merged.estimate(), exact.len());
    }
}

/// Where Redis 8.0 turns dense when it is given 0, 1, 2 and so on, for three limits.
#[test]
fn it_becomes_dense_where_redis_does() {
    for (longest, expected) in [(100, 28), (1000, 466), (3000, 1648)] {
        let mut bytes = hll::new();
        let added = (0..).take_while(|number: &u32| {
            hll::add(&mut bytes, number.to_string().as_bytes(), longest).expect("never corrupt");
            !hll::is_dense(&bytes)
        });
        assert_eq!(added.count(), expected);
    }
}

#[test]
fn registers_that_no_hash_sets_are_estimated_as_in_redis() {
    let mut dense = new_dense();
    dense[16..].fill(0xff);
    assert_eq!(registers(&dense).estimate() as i64, i64::MIN);
}
