//! The skiplist with short runs and coarse keys, beside a sorted vector.

use super::super::order::is_before;
use super::*;

/// Numbers that a failure can be repeated with.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 ^ self.0 >> 32) % limit as u64) as usize
    }
}

type Model = Vec<(f64, Vec<u8>, u32)>;

/// All that must hold between towers, runs and elements.
fn check(list: &SkipList, model: &Model) {
    assert_eq!(list.len(), model.len());
    for (rank, (score, member, link)) in model.iter().enumerate() {
        assert_eq!((list.score(*link), list.member(*link), list.rank(*link)), (*score, &member[..], rank));
    }
    assert!(list.iter_from(0).eq(model.iter().map(|element| element.2)));
    for level in 0..list.towers.levels() {
        let (mut tower, mut rank) = (HEAD, 0);
        loop {
            let ahead = list.towers.ahead(tower, level);
            rank += ahead.span as usize;
            if ahead.tower == HEAD {
                break;
            }
            assert!(list.towers.levels_of(ahead.tower) > level);
            let run = list.run(ahead.tower);
            assert_eq!((run.tower, run.first()), (ahead.tower, Some(model[rank].2)));
            assert!(run.len() <= MOST && ahead.order <= order_of(model[rank].0));
            assert!(order_of(model[rank - 1].0) <= ahead.order);
            tower = ahead.tower;
        }
        assert_eq!(rank, model.len());
    }
}

fn insert(list: &mut SkipList, model: &mut Model, score: f64, member: &[u8]) {
    let link = list.insert(score, member).expect("room");
    let at = model.partition_point(|(other, name, _)| is_before(*other, name, score, member));
    model.insert(at, (score, member.to_vec(), link));
}

fn score(random: &mut Random, kind: usize) -> f64 {
    match kind {
        0 => 0.0,
        1 => random.below(5) as f64,
        2 => random.below(1_000_000) as f64 / 3.0 - 100_000.0,
        3 => f64::from_bits((random.below(usize::MAX) as u64) & !(1 << 62)),
        _ => [f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MAX, f64::MIN, 5e-324][random.below(7)],
    }
}

#[test]
fn behaves_as_a_sorted_vector_with_scores_of_all_kinds() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let (mut list, mut model) = (SkipList::new(), Model::new());
        for step in 0..400 {
            // It grows, shrinks and grows again.
            let grows = if step / 100 % 2 == 0 { 8 } else { 3 };
            let kind = if seed % 6 < 5 { seed as usize % 6 } else { random.below(5) };
            if random.below(10) < grows || model.is_empty() {
                let member = format!("{step:0width$}", width = [1, 10, 300, 1100][random.below(4)]);
                let score = score(&mut random, kind);
                insert(&mut list, &mut model, score, member.as_bytes());
            } else if random.below(3) > 0 {
                let (_, member, link) = model.remove(random.below(model.len()));
                let score = score(&mut random, kind);
                list.set_score(link, score);
                let at = model.partition_point(|(other, name, _)| is_before(*other, name, score, &member));
                model.insert(at, (score, member, link));
            } else {
                let (_, _, link) = model.remove(random.below(model.len()));
                list.remove(link);
            }
            if random.below(40) == 0 {
                let (rank, count) = (random.below(model.len() + 1), random.below(30));
                let mut gone: Vec<(Vec<u8>, u32)> = Vec::new();
                list.remove_range(rank, count, |member, link| gone.push((member.to_vec(), link)));
                let end = (rank + count).min(model.len());
                assert!(gone.into_iter().eq(model.drain(rank..end).map(|(_, member, link)| (member, link))));
            }
            list.tidy(|member, from, to| {
                let moved = model.iter_mut().find(|(_, name, link)| name == member && *link == from);
                moved.expect("a member").2 = to;
            });
            check(&list, &model);
            let rank = random.below(model.len() + 1);
            assert!(list.iter_from(rank).eq(model[rank..].iter().map(|element| element.2)));
            let back = model.iter().take(rank + 1).rev().map(|element| element.2);
            assert!(rank == model.len() || list.iter_back_from(rank).eq(back));
            let bound = score(&mut random, kind);
            let expected = model.partition_point(|(other, _, _)| *other < bound);
            assert_eq!(list.partition_point(|other, _| other < bound), expected);
            let expected = model.partition_point(|(other, _, _)| *other <= bound);
            assert_eq!(list.partition_point(|other, _| other <= bound), expected);
        }
        check(&list.clone(), &model);
    }
}

#[test]
fn members_order_elements_of_one_score() {
    let (mut list, mut model, mut random) = (SkipList::new(), Model::new(), Random(1));
    for number in 0..300 {
        insert(&mut list, &mut model, 7.0, format!("{:03}", number * 7 % 300).as_bytes());
    }
    check(&list, &model);
    for _ in 0..300 {
        let bound = format!("{:03}{}", random.below(300), ["", "x"][random.below(2)]).into_bytes();
        let expected = model.partition_point(|(_, member, _)| *member < bound);
        assert_eq!(list.partition_point(|_, member| member < &bound[..]), expected);
    }
}

#[test]
fn runs_are_full_where_elements_come_in_order() {
    for upwards in [true, false] {
        let (mut list, mut model) = (SkipList::new(), Model::new());
        for number in 0..20 * MOST as i32 {
            let score = if upwards { number } else { -number };
            insert(&mut list, &mut model, score.into(), b"member");
        }
        check(&list, &model);
        let (mut tower, mut runs) = (HEAD, 1);
        loop {
            tower = list.towers.ahead(tower, 0).tower;
            if tower == HEAD {
                break;
            }
            runs += 1;
        }
        assert_eq!(runs, 20);
    }
}

#[test]
fn towers_give_memory_back() {
    let (mut list, mut model) = (SkipList::new(), Model::new());
    for number in 0..60_000 {
        insert(&mut list, &mut model, number.into(), b"x");
    }
    let full = list.memory();
    list.remove_range(100, model.len() - 200, |_, _| {});
    model.drain(100..model.len() - 100);
    list.tidy(|member, from, to| {
        let moved = model.iter_mut().find(|(_, name, link)| name == member && *link == from);
        moved.expect("a member").2 = to;
    });
    check(&list, &model);
    assert!(list.memory() < full / 50, "{} of {full} bytes", list.memory());
}
