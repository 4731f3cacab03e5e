//! Sorted sets against a sorted vector, under long random sequences of changes.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
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
