//! Sets against sorted sets of texts, under long random sequences of changes, in every form.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use std::collections::{BTreeSet, HashSet};
use storage::set::{Set, SetLimits, SetRef};
use storage::{Collection, PackLimits};

fn limits(ints: usize, entries: usize, value: usize) -> SetLimits {
    SetLimits { ints, packed: PackLimits { entries, value } }
}

fn member(random: &mut SmallRng, most: u64, numbers_only: bool) -> Vec<u8> {
    let number = random.random_range(0..most);
    match number % 5 {
        0 => (number as i64).wrapping_mul(1 << (number % 60)).to_string().into_bytes(),
        _ if numbers_only => number.to_string().into_bytes(),
        1 => format!("0{number}").into_bytes(),
        2 if number % 50 == 2 => vec![number as u8; number as usize % 1000],
        _ => format!("member:{number}").into_bytes(),
    }
}

fn check(set: SetRef<'_>, model: &BTreeSet<Vec<u8>>) {
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    let members: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
    assert_eq!(members.len(), model.len());
    assert!(members.iter().all(|member| model.contains(member) && set.contains(member)));
    let (mut walked, mut cursor) = (HashSet::new(), 0);
    loop {
        cursor = set.scan(cursor, |member| _ = walked.insert(member.to_vec()));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(walked.len(), model.len());
}

fn compare_with_model(most: u64, limits: SetLimits, steps: usize) -> HashSet<&'static str> {
    let seed = Seed::pick();
    let mut random = seed.rng();
    let (mut set, mut model, mut forms) = (<Set as Collection>::new(), BTreeSet::new(), HashSet::new());
    let mut numbers_only = true;
    for step in 0..steps {
        let name = member(&mut random, most, numbers_only);
        // Now it grows, now it shrinks.
        match random.random_range(0..if step / 5000 % 2 == 0 { 60 } else { 100 }) {
            0..40 => assert_eq!(set.add(&name, limits), model.insert(name)),
            40..75 => assert_eq!(set.remove(&name), model.remove(&name)),
            75..85 => {
                let popped = set.pop(|| random.random());
                assert_eq!(popped.is_none(), model.is_empty());
                assert!(popped.is_none_or(|member| model.remove(&member)));
            }
            85..97 => {
                assert_eq!(set.as_ref().contains(&name), model.contains(&name));
                let picked = set.as_ref().random(|| random.random()).map(|member| member.to_vec());
                assert_eq!(picked.is_none(), model.is_empty());
                assert!(picked.is_none_or(|member| model.contains(&member)));
            }
            97 => {
                let copy = set.clone();
                set = match copy.packed() {
                    Some((form, bytes)) => {
                        assert_eq!(Set::validate(form, bytes), !model.is_empty());
                        <Set as Collection>::from_packed(form, bytes.to_vec())
                    }
                    None => copy,
                };
            }
            98 => set.make_ints(limits),
            _ if random.random_ratio(1, 10) => {
                model.clear();
                set = Set::for_members(&name, random.random_range(0..100), limits);
            }
            _ => numbers_only = random.random(),
        }
        forms.insert(set.as_ref().encoding());
        if step % 500 == 0 {
            check(set.as_ref(), &model);
            assert!(
                set.memory() >= set.packed().map_or(1, |(_, bytes)| if model.is_empty() { 0 } else { bytes.len() })
            );
        }
    }
    check(set.as_ref(), &model);
    forms
}

#[test]
fn behaves_as_a_set_in_every_form() {
    let all = HashSet::from(["intset", "listpack", "hashtable"]);
    assert_eq!(compare_with_model(60, limits(20, 30, 64), 100_000), all);
    assert_eq!(compare_with_model(3_000, limits(512, 128, 64), 150_000), all);
    assert!(compare_with_model(20_000, limits(0, 0, 0), 100_000).contains("hashtable"));
}
