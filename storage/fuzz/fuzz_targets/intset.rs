//! Bytes from outside as an intset: what is accepted behaves as a sorted set.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use storage::Collection;
use storage::intset::{IntSet, IntSetBuf};
use storage::set::{Set, SetLimits};

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, split], rest)) = input.split_first_chunk() else { return };
    let (bytes, operations) = rest.split_at(rest.len().min(split.into()));
    let Some(set) = IntSet::validate(&intset_of(shape, bytes)).map(|set| set.as_bytes().to_vec()) else { return };

    let mut set = IntSetBuf::from_vec(set);
    let mut model: BTreeSet<i64> = set.as_ref().iter().collect();
    check(set.as_ref(), &model);
    use_as_set(set.as_ref().as_bytes(), operations);
    for operation in operations.chunks_exact(9) {
        let [kind, number @ ..] = operation else { return };
        let number = i64::from_le_bytes(number.try_into().expect("eight bytes"));
        let value = number >> (8 * (kind >> 2 & 7));
        match kind & 3 {
            0 | 1 => assert_eq!(set.add(value), model.insert(value)),
            2 => assert_eq!(set.remove(value), model.remove(&value)),
            _ => assert_eq!(set.as_ref().contains(value), model.contains(&value)),
        }
        check(set.as_ref(), &model);
    }
});

/// The bytes as they are, or behind a header that fits them, sorted or not.
fn intset_of(shape: u8, bytes: &[u8]) -> Vec<u8> {
    let width = [0, 2, 4, 8][usize::from(shape & 3)];
    if width == 0 {
        return bytes.to_vec();
    }
    let mut integers: Vec<i64> = bytes
        .chunks_exact(width)
        .map(|chunk| {
            let mut padded = [if chunk[width - 1] >> 7 == 1 { 0xff } else { 0 }; 8];
            padded[..width].copy_from_slice(chunk);
            i64::from_le_bytes(padded)
        })
        .collect();
    if shape & 4 != 0 {
        integers.sort_unstable();
        integers.dedup();
    }
    let mut set = Vec::new();
    set.extend_from_slice(&(width as u32).to_le_bytes());
    set.extend_from_slice(&(integers.len() as u32).to_le_bytes());
    integers.iter().for_each(|integer| set.extend_from_slice(&integer.to_le_bytes()[..width]));
    set
}

fn check(set: IntSet<'_>, model: &BTreeSet<i64>) {
    assert!(IntSet::validate(set.as_bytes()).is_some());
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert!(set.iter().eq(model.iter().copied()));
    assert!(set.iter().rev().eq(model.iter().rev().copied()));
    assert!((0..=model.len()).all(|index| set.get(index).is_some() == (index < model.len())));
}

/// The bytes as a whole set, which goes over to its other forms.
fn use_as_set(bytes: &[u8], operations: &[u8]) {
    let limits = SetLimits { ints: 20, packed: storage::PackLimits { entries: 30, value: 20 } };
    // The form of intsets is 0.
    let mut set = <Set as Collection>::from_packed(0, bytes.to_vec());
    for member in operations.chunks(3) {
        let known = set.as_ref().contains(member);
        assert_eq!(set.add(member, limits), !known);
        assert!(set.as_ref().contains(member));
    }
    for member in operations.chunks(3) {
        set.remove(member);
        assert!(!set.as_ref().contains(member));
    }
}
