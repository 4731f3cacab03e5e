//! Bytes from outside as a listpack: what is accepted behaves as a vector of values, and can be used as any collection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storage::hash::{FieldTtl, Hash};
use storage::list::{End, List, NodeLimit};
use storage::listpack::{Item, ListPack, ListPackBuf};
use storage::set::{Set, SetLimits};
use storage::zset::Zset;
use storage::{Collection, PackLimits};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Owned<'a> {
    Int(i64),
    Str(&'a [u8]),
}

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, split], rest)) = input.split_first_chunk() else { return };
    let (bytes, operations) = rest.split_at(rest.len().min(split.into()));
    let bytes = listpack_of(shape, bytes);
    let Some(pack) = ListPack::validate(&bytes) else { return };

    let mut model: Vec<Owned<'_>> = pack.iter().map(owned).collect();
    let mut changed = ListPackBuf::from_vec(bytes.clone());
    check(changed.as_ref(), &model);
    use_as_collections(&bytes, operations);
    for operation in operations.chunks(6) {
        let [kind, at, count, text @ ..] = operation else { break };
        let text = if kind & 16 == 0 { text } else { b"-300" };
        let index = usize::from(*at) % (model.len() + 1);
        let position = changed.as_ref().nth(index).unwrap_or(changed.as_ref().end());
        let count = usize::from(*count);
        match kind & 15 {
            0 | 1 => {
                changed.insert(position, &[Item::from_text(text), Item::Int(7)]);
                model.splice(index..index, [owned(Item::from_text(text)), Owned::Int(7)]);
            }
            2 => {
                changed.push_front(Item::from_text(text));
                model.insert(0, owned(Item::from_text(text)));
            }
            3 => {
                changed.push_back(Item::from_text(text));
                model.push(owned(Item::from_text(text)));
            }
            4 | 5 if index < model.len() => {
                changed.replace(position, Item::from_text(text));
                model[index] = owned(Item::from_text(text));
            }
            6 | 7 => {
                let until = (index + count).min(model.len());
                assert_eq!(changed.remove(position, count), until - index);
                model.drain(index..until);
            }
            8 => {
                let tail = changed.split_off(position);
                check(tail.as_ref(), &model[index..]);
                check(changed.as_ref(), &model[..index]);
                changed.append(tail.as_ref());
            }
            9 | 10 => {
                let (item, most) = (Item::from_text(text), count % 4);
                let places: Vec<usize> = (0..model.len()).filter(|at| model[*at] == owned(item)).collect();
                let last = kind & 32 != 0;
                let skipped = if last { places.len().saturating_sub(most) } else { 0 };
                let gone: Vec<usize> = places.into_iter().skip(skipped).take(most).collect();
                assert_eq!(changed.remove_equal(item, most, last), gone.len());
                gone.iter().rev().for_each(|at| _ = model.remove(*at));
            }
            11 => changed.shrink(),
            _ => {
                let wanted = owned(Item::from_text(text));
                let found = changed.as_ref().find(changed.as_ref().start(), text, 1);
                assert_eq!(
                    found,
                    model.iter().position(|item| *item == wanted).and_then(|at| changed.as_ref().nth(at))
                );
            }
        }
        check(changed.as_ref(), &model);
    }
});

fn owned(item: Item<'_>) -> Owned<'_> {
    match item {
        Item::Int(number) => Owned::Int(number),
        Item::Str(text) => Owned::Str(text),
    }
}

/// The bytes as they are, as entries behind a header that fits them, or as a whole listpack with one byte changed.
fn listpack_of(shape: u8, bytes: &[u8]) -> Vec<u8> {
    match shape & 3 {
        0 => bytes.to_vec(),
        1 => {
            let mut pack = Vec::new();
            pack.extend_from_slice(&(bytes.len() as u32 + 7).to_le_bytes());
            let count = if shape & 4 == 0 { u16::MAX } else { u16::from(shape >> 3) };
            pack.extend_from_slice(&count.to_le_bytes());
            pack.extend_from_slice(bytes);
            pack.push(0xff);
            pack
        }
        form => {
            let mut pack = ListPackBuf::new();
            let mut rest = bytes;
            while let Some((&len, behind)) = rest.split_first() {
                let (text, behind) = behind.split_at(behind.len().min(usize::from(len) % 24));
                match <[u8; 8]>::try_from(text) {
                    Ok(number) => pack.push_back(Item::Int(i64::from_le_bytes(number) >> (len & 63))),
                    Err(_) => pack.push_back(Item::Str(text)),
                }
                rest = behind;
            }
            let mut pack = pack.into_vec();
            let at = usize::from(shape >> 2);
            if form == 3 && at < pack.len() {
                pack[at] ^= bytes.first().copied().unwrap_or(1);
            }
            pack
        }
    }
}

fn check(pack: ListPack<'_>, model: &[Owned<'_>]) {
    assert!(ListPack::validate(pack.as_bytes()).is_some());
    assert_eq!((pack.len(), pack.is_empty()), (model.len(), model.is_empty()));
    assert!(pack.iter().map(owned).eq(model.iter().copied()));
    assert!(pack.iter().rev().map(owned).eq(model.iter().rev().copied()));
}

/// The bytes as each type of collection that they are.
fn use_as_collections(bytes: &[u8], operations: &[u8]) {
    // The form of listpacks is 0, but 1 in sets.
    if Hash::validate(0, bytes) {
        use_as_hash(<Hash as Collection>::from_packed(0, bytes.to_vec()), operations);
    }
    if Set::validate(1, bytes) {
        use_as_set(<Set as Collection>::from_packed(1, bytes.to_vec()), operations);
    }
    if Zset::validate(0, bytes) {
        use_as_zset(<Zset as Collection>::from_packed(0, bytes.to_vec()), operations);
    }
    if List::validate(0, bytes) {
        use_as_list(<List as Collection>::from_packed(0, bytes.to_vec()), operations);
    }
}

const LIMITS: PackLimits = PackLimits { entries: 30, value: 20 };

/// Short texts with numbers made of them.
fn texts(operations: &[u8]) -> impl Iterator<Item = (&[u8], u32)> {
    operations.chunks(4).map(|text| (text, text.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte))))
}

fn use_as_hash(mut hash: Hash, operations: &[u8]) {
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> =
        hash.as_ref().iter().map(|(field, value, _)| (field.to_vec(), value.to_vec())).collect();
    for (text, number) in texts(operations) {
        match text[0] % 4 {
            0 | 1 => {
                assert_eq!(
                    hash.set(text, text, FieldTtl::Clear, LIMITS),
                    model.insert(text.to_vec(), text.to_vec()).is_none()
                );
            }
            2 => {
                let known = model.contains_key(text);
                assert_eq!(hash.set_expiry(text, Some(number.into())), known);
                assert!(!known || hash.set_expiry(text, None));
            }
            _ => assert_eq!(hash.remove(text), model.remove(text).is_some()),
        }
        let found: BTreeMap<Vec<u8>, Vec<u8>> =
            hash.as_ref().iter().map(|(field, value, _)| (field.to_vec(), value.to_vec())).collect();
        assert_eq!((found.len(), hash.as_ref().len()), (model.len(), model.len()));
        assert!(found == model);
        assert_eq!(hash.as_ref().get(text).map(|value| value.to_vec()), model.get(text).cloned());
    }
}

fn use_as_set(mut set: Set, operations: &[u8]) {
    let limits = SetLimits { ints: 10, packed: LIMITS };
    let mut model: BTreeSet<Vec<u8>> = set.as_ref().iter().map(Item::to_vec).collect();
    for (text, _) in texts(operations) {
        match text[0] % 4 {
            0 | 1 => assert_eq!(set.add(text, limits), model.insert(text.to_vec())),
            2 => set.make_ints(limits),
            _ => assert_eq!(set.remove(text), model.remove(text)),
        }
        assert_eq!(set.as_ref().len(), model.len());
        assert!(set.as_ref().iter().map(Item::to_vec).collect::<BTreeSet<_>>() == model);
        assert_eq!(set.as_ref().contains(text), model.contains(text));
    }
}

fn use_as_zset(mut zset: Zset, operations: &[u8]) {
    let mut model: BTreeMap<Vec<u8>, f64> =
        zset.as_ref().iter().map(|(member, score)| (member.to_vec(), score)).collect();
    for (text, number) in texts(operations) {
        match text[0] % 4 {
            0 | 1 => {
                // No NaN.
                let score = f64::from(f32::from_bits(number & 0xff7f_ffff));
                assert_eq!(zset.set(text, score, LIMITS), model.insert(text.to_vec(), score));
            }
            2 => {
                let (rank, count) = (usize::from(text[0] >> 2), usize::from(text[0] >> 6));
                let gone: Vec<Vec<u8>> =
                    zset.as_ref().iter_from(rank).take(count).map(|(member, _)| member.to_vec()).collect();
                zset.remove_range(rank, count);
                gone.iter().for_each(|member| assert!(model.remove(member).is_some()));
            }
            _ => assert_eq!(zset.remove(text), model.remove(text).is_some()),
        }
        let view = zset.as_ref();
        assert_eq!((view.len(), view.iter().count()), (model.len(), model.len()));
        assert!(view.iter().map(|(_, score)| score).is_sorted());
        assert!(view.iter().enumerate().all(|(at, (member, score))| view.rank(&member.to_vec()) == Some((at, score))));
        assert_eq!(view.score(text), model.get(text).copied());
        assert_eq!(view.iter_back_from(model.len().saturating_sub(1)).count(), model.len());
        assert_eq!(view.partition_point(|score, _| score < 0.0), model.values().filter(|score| **score < 0.0).count());
    }
}

fn use_as_list(mut list: List, operations: &[u8]) {
    let mut model: VecDeque<Vec<u8>> = list.as_ref().iter().map(|item| item.to_vec()).collect();
    for (text, number) in texts(operations) {
        let index = number as usize % (model.len() + 1);
        match text[0] % 8 {
            0 | 1 => {
                list.push(End::Tail, text);
                list.settle(NodeLimit::new(5));
                model.push_back(text.to_vec());
            }
            2 => {
                list.push(End::Head, text);
                list.settle(NodeLimit::new(5));
                model.push_front(text.to_vec());
            }
            3 => {
                let popped = model.len().min(2);
                assert_eq!(list.pop(End::Head, 2, |_| ()), popped);
                model.drain(..popped);
            }
            4 => {
                list.remove_range(index, 2);
                model.drain(index..(index + 2).min(model.len()));
            }
            5 => {
                assert_eq!(list.set(index, text), index < model.len());
                model.get_mut(index).into_iter().for_each(|old| *old = text.to_vec());
            }
            6 if index < model.len() => {
                assert!(list.insert(index, true, text));
                model.insert(index + 1, text.to_vec());
            }
            _ => {
                let equal = model.iter().filter(|item| *item == text).count();
                assert_eq!(list.remove_equal(text, usize::MAX, End::Head), equal);
                model.retain(|item| item != text);
            }
        }
        assert_eq!(list.as_ref().len(), model.len());
        assert!(list.as_ref().iter().map(|item| item.to_vec()).eq(model.iter().cloned()));
        assert!(list.as_ref().iter_back().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
    }
}
