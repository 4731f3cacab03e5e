//! Sorted sets against a sorted vector, under long random sequences of changes.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use storage::listpack::Item;
use storage::zset::Zset;
use storage::{Collection, PackLimits};

fn member(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..20) {
        0 => vec![b'x'; random.random_range(0..3000)],
        1..10 => random.random_range(0..150i64).to_string().into_bytes(),
        _ => format!("member:{}", random.random_range(0..150)).into_bytes(),
    }
}

fn score(random: &mut SmallRng) -> f64 {
    match random.random_range(0..10) {
        0 => [f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e300, -1e-300, 5e-324][random.random_range(0..6)],
        1..6 => random.random_range(-5..6i64) as f64,
        _ => random.random_range(-10.0..10.0),
    }
}

fn check(zset: &Zset, model: &[(f64, Vec<u8>)], random: &mut SmallRng) {
    assert!(model.is_empty() || zset.packed().is_none_or(|(form, bytes)| Zset::validate(form, bytes)));
    let zset = zset.as_ref();
    assert_eq!(zset.len(), model.len());
    let same = |(member, score): (storage::listpack::Item<'_>, f64)| (score, member.to_vec());
    assert!(zset.iter().map(same).eq(model.iter().cloned()));
    let rank = random.random_range(0..=model.len());
    assert!(zset.iter_from(rank).map(same).eq(model.iter().skip(rank).cloned()));
    if rank < model.len() {
        assert!(zset.iter_back_from(rank).map(same).eq(model[..=rank].iter().rev().cloned()));
        assert_eq!(zset.rank(&model[rank].1), Some((rank, model[rank].0)));
    }
    let bound = score(random);
    let expected = model.iter().take_while(|(score, _)| *score < bound).count();
    assert_eq!(zset.partition_point(|score, _| score < bound), expected);
}

#[test]
fn behaves_as_a_sorted_vector() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for limits in [
        PackLimits { entries: 128, value: 64 },
        PackLimits { entries: 1000, value: 10_000 },
        PackLimits { entries: 0, value: 0 },
    ] {
        let (mut zset, mut model) = (Zset::new(), Vec::<(f64, Vec<u8>)>::new());
        for step in 0..3000 {
            match random.random_range(0..if step < 2000 { 20 } else { 30 }) {
                0..14 => {
                    let (member, score) = (member(&mut random), score(&mut random));
                    let old = model.iter().position(|(_, name)| *name == member).map(|at| model.remove(at).0);
                    assert_eq!(zset.set(&member, score, limits), old);
                    // What has the score already keeps it as it is, be it minus zero.
                    let score = if old == Some(score) { old.unwrap_or(score) } else { score };
                    let at = model.partition_point(|(other, name)| {
                        other.total_cmp(&score).then_with(|| name.cmp(&member)).is_lt()
                    });
                    model.insert(at, (score, member));
                }
                14..24 => {
                    let member = member(&mut random);
                    let at = model.iter().position(|(_, name)| *name == member);
                    assert_eq!(zset.remove(&member), at.is_some());
                    at.map(|at| model.remove(at));
                }
                24 => {
                    let rank = random.random_range(0..=model.len());
                    let count = random.random_range(0..20);
                    zset.remove_range(rank, count);
                    model.drain(rank..(rank + count).min(model.len()));
                }
                25 => zset = zset.clone(),
                _ => {
                    let member = member(&mut random);
                    let expected = model.iter().find(|(_, name)| *name == member).map(|(score, _)| *score);
                    assert_eq!(zset.as_ref().score(&member), expected);
                }
            }
            check(&zset, &model, &mut random);
        }
    }
}

const BIG: PackLimits = PackLimits { entries: 0, value: 0 };

/// A sorted set with the same elements, made anew.
fn fresh(zset: &Zset) -> Zset {
    let mut fresh = Zset::new();
    for (member, score) in zset.as_ref().iter() {
        fresh.set(&member.to_vec(), score, BIG);
    }
    fresh
}

fn assert_modest(zset: &Zset) {
    let (held, needed) = (zset.memory(), fresh(zset).memory());
    assert!(held <= needed * 3 / 2 + 8192, "{held} bytes where {needed} do");
}

#[test]
fn memory_stays_in_proportion_when_members_of_all_lengths_come_and_go() {
    let mut zset = Zset::new();
    for round in 0..30 {
        for number in 0..5000u32 {
            zset.set(format!("{number:0width$}", width = 20 + 4 * round).as_bytes(), f64::from(number % 977), BIG);
        }
        zset.remove_range(0, zset.as_ref().len() - 1);
        assert_eq!(zset.as_ref().len(), 1);
        assert_modest(&zset);
    }
}

#[test]
fn memory_stays_in_proportion_in_a_window_that_slides() {
    let mut zset = Zset::new();
    let name = |number: usize| format!("{number:0width$}", width = 10 + number / 400);
    for number in 0..40_000 {
        zset.set(name(number).as_bytes(), number as f64, BIG);
        if number >= 3000 {
            assert!(zset.remove(name(number - 3000).as_bytes()));
        }
        if number % 5000 == 4999 {
            assert_modest(&zset);
            let first = number - 2999;
            assert!(zset.as_ref().iter().map(|(_, score)| score as usize).eq(first..=number));
            for number in [first, first + 1500, number] {
                let found = zset.as_ref().rank(name(number).as_bytes());
                assert_eq!(found, Some((number - first, number as f64)));
            }
        }
    }
}

#[test]
fn memory_follows_members_that_have_allocations_of_their_own() {
    let mut zset = Zset::new();
    let name = |number: u32| format!("{number:02000}");
    for number in 0..2000 {
        zset.set(name(number).as_bytes(), 1.0, BIG);
    }
    for number in (0..2000).filter(|number| number % 100 != 7) {
        assert!(zset.remove(name(number).as_bytes()));
    }
    assert_modest(&zset);
    let left: Vec<Vec<u8>> = zset.as_ref().iter().map(|(member, _)| member.to_vec()).collect();
    let expected: Vec<Vec<u8>> = (0..20).map(|hundred| name(hundred * 100 + 7).into_bytes()).collect();
    assert_eq!(left, expected);
    assert!(left.iter().all(|member| zset.as_ref().score(member) == Some(1.0)));
}

#[test]
fn long_random_changes_keep_a_large_set_whole_and_small() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    let (mut zset, mut model) = (Zset::new(), std::collections::BTreeMap::<Vec<u8>, i64>::new());
    for phase in 0..12 {
        let (adds, longest) = if phase % 2 == 0 { (8, 40) } else { (2, 300) };
        for _ in 0..6000 {
            let member = random.random_range(0..6000u32);
            let width = if member % 500 == 0 { 1500 } else { 5 + member as usize % longest };
            let name = format!("{member:0width$}").into_bytes();
            if random.random_range(0..10) < adds {
                let score = random.random_range(0..1000);
                assert_eq!(zset.set(&name, score as f64, BIG), model.insert(name, score).map(|score| score as f64));
            } else {
                assert_eq!(zset.remove(&name), model.remove(&name).is_some());
            }
        }
        let mut sorted: Vec<(i64, &Vec<u8>)> = model.iter().map(|(name, score)| (*score, name)).collect();
        sorted.sort_unstable();
        let held = zset.as_ref().iter().map(|(member, score)| (score as i64, member.to_vec()));
        assert!(held.eq(sorted.iter().map(|(score, name)| (*score, (*name).clone()))));
        for (rank, (score, name)) in sorted.iter().enumerate().step_by(37) {
            assert_eq!(zset.as_ref().rank(name), Some((rank, *score as f64)));
        }
        assert_modest(&zset);
    }
}

#[test]
fn sorted_elements_make_the_set_that_single_ones_make() {
    for (count, limits) in [(0, BIG), (100, PackLimits { entries: 128, value: 64 }), (3000, BIG)] {
        let elements: Vec<(String, f64)> =
            (0..count).map(|number| (format!("{number:05}"), f64::from(number / 3) / 2.0)).collect();
        let zset = Zset::from_sorted(elements.iter().map(|(name, score)| (Item::Str(name.as_bytes()), *score)), limits);
        let zset = zset.expect("room");
        let mut single = Zset::new();
        for (name, score) in elements.iter().rev() {
            single.set(name.as_bytes(), *score, limits);
        }
        assert_eq!(zset.as_ref().encoding(), if count == 3000 { "skiplist" } else { "listpack" });
        let model: Vec<(f64, Vec<u8>)> =
            elements.iter().map(|(name, score)| (*score, name.clone().into_bytes())).collect();
        check(&zset, &model, &mut Seed::pick().rng());
        check(&single, &model, &mut Seed::pick().rng());
        assert!(elements.iter().all(|(name, score)| zset.as_ref().score(name.as_bytes()) == Some(*score)));
    }
}
