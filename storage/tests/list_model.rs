//! Lists against deques of texts, under long random sequences of changes.

mod seed;

use std::collections::VecDeque;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use storage::Collection;
use storage::list::{End, List, NodeLimit};

fn text(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..12) {
        0 => vec![b'x'; random.random_range(0..6000)],
        1..4 => random.random_range(0..5i64).to_string().into_bytes(),
        _ => (0..random.random_range(0..40)).map(|_| random.random()).collect(),
    }
}

fn check(list: &List, model: &VecDeque<Vec<u8>>) {
    let list = list.as_ref();
    assert_eq!(list.len(), model.len());
    assert!(list.iter().map(|item| item.to_vec()).eq(model.iter().cloned()));
    assert!(list.iter_back().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
}

#[test]
fn behaves_as_a_deque() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for limit in [
        NodeLimit::new(-2),
        NodeLimit::new(-1),
        NodeLimit::new(0),
        NodeLimit::new(3),
        NodeLimit::new(128),
        NodeLimit::new(8).with_long_from(10),
    ] {
        let (mut list, mut model) = (List::new(), VecDeque::new());
        for step in 0..1500 {
            // It grows for a while and then shrinks.
            let choice = random.random_range(0..if step < 900 { 10 } else { 13 });
            let index = random.random_range(0..=model.len());
            let end = if random.random() { End::Head } else { End::Tail };
            let value = text(&mut random);
            match choice {
                0..5 => {
                    list.prepare(1, value.len(), limit);
                    list.push(end, &value);
                    match end {
                        End::Head => model.push_front(value),
                        End::Tail => model.push_back(value),
                    }
                }
                5 | 6 => {
                    list.prepare(1, value.len(), limit);
                    let after = random.random();
                    assert_eq!(list.insert(index, after, &value), index < model.len());
                    if index < model.len() {
                        model.insert(index + usize::from(after), value);
                    }
                }
                7 => {
                    list.prepare(1, value.len(), limit);
                    assert_eq!(list.set(index, &value), index < model.len());
                    if let Some(place) = model.get_mut(index) {
                        *place = value;
                    }
                }
                8 => {
                    let most = random.random_range(1..4);
                    let mut removed = 0;
                    let mut keep = |text: &Vec<u8>| {
                        let goes = *text == value && removed < most;
                        removed += usize::from(goes);
                        !goes
                    };
                    match end {
                        End::Head => model.retain(&mut keep),
                        End::Tail => {
                            model.make_contiguous().reverse();
                            model.retain(&mut keep);
                            model.make_contiguous().reverse();
                        }
                    }
                    assert_eq!(list.remove_equal(&value, most, end), removed);
                }
                9 => {
                    assert_eq!(list.as_ref().get(index).map(|item| item.to_vec()).as_ref(), model.get(index));
                    assert!(list.as_ref().iter_from(index).map(|i| i.to_vec()).eq(model.iter().skip(index).cloned()));
                }
                10 | 11 => {
                    let count = random.random_range(0..8);
                    let mut taken = Vec::new();
                    list.pop(end, count, |item| taken.push(item.to_vec()));
                    let next = |model: &mut VecDeque<Vec<u8>>| match end {
                        End::Head => model.pop_front(),
                        End::Tail => model.pop_back(),
                    };
                    let expected: Vec<_> = (0..count).filter_map(|_| next(&mut model)).collect();
                    assert_eq!(taken, expected);
                }
                _ => {
                    let count = random.random_range(0..100);
                    list.remove_range(index, count);
                    model.drain(index..(index + count).min(model.len()));
                }
            }
            if choice > 6 {
                list.settle(limit);
            }
            check(&list, &model);
        }
    }
}
