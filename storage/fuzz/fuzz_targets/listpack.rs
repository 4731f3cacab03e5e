//! Bytes from outside as a listpack: what is accepted behaves as a vector of values, and can be used as any collection.
#![no_main]

use libfuzzer_sys::fuzz_target;
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
                assert_eq!(found, model.iter().position(|item| *item == wanted).and_then(|at| changed.as_ref().nth(at)));
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

/// The bytes as each type of collection, though they may be none: whatever they are taken for, nothing breaks.
fn use_as_collections(bytes: &[u8], operations: &[u8]) {
    // A field needs a value, and a member a score.
    let paired = ListPack::from_bytes(bytes).len() % 2 == 0;
    let limits = PackLimits { entries: 30, value: 20 };
    let random = || 0x9e37_79b9_7f4a_7c15;
    let mut hash = <Hash as Collection>::from_packed(0, bytes.to_vec());
    let mut zset = <Zset as Collection>::from_packed(0, bytes.to_vec());
    let mut list = <List as Collection>::from_packed(0, bytes.to_vec());
    // The form of listpacks.
    let mut set = <Set as Collection>::from_packed(1, bytes.to_vec());
    let set_limits = SetLimits { ints: 10, packed: limits };
    for text in operations.chunks(4) {
        let number = text.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let index = usize::from(text[0]) % 40;
        match text.len() + index % 4 {
            0..=4 => {
                hash.set(text, text, if index < 20 { FieldTtl::Keep } else { FieldTtl::At(number.into()) }, limits);
                if paired && index < 20 {
                    assert_eq!(hash.as_ref().get(text).map(|value| value.to_vec()), Some(text.to_vec()));
                }
                zset.set(text, f64::from(f32::from_bits(number & 0xff7f_ffff)), limits);
                assert!(!paired || zset.as_ref().rank(text).is_some());
                set.add(text, set_limits);
                assert!(set.as_ref().contains(text));
                list.push(End::Tail, text);
                list.settle(NodeLimit::new(5));
            }
            5 => {
                hash.remove(text);
                zset.remove(text);
                set.remove(text);
                list.remove_equal(text, 2, End::Head);
            }
            6 => {
                hash.set_expiry(text, Some(number.into()));
                hash.expire(number.into(), 3);
                zset.remove_range(index, 2);
                list.insert(index, true, text);
                list.remove_range(index, 2);
                set.make_ints(set_limits);
            }
            _ => {
                list.pop(End::Head, 2, |_| ());
                list.set(index, text);
                set.pop(random);
            }
        }
        let (fields, scores) = (hash.as_ref().iter().count(), zset.as_ref().iter().count());
        assert!(fields <= hash.as_ref().len() + 1 && scores <= zset.as_ref().len() + 1);
        assert_eq!(list.as_ref().iter().count(), list.as_ref().iter_back().count());
        hash.as_ref().random(random);
        zset.as_ref().random(random);
        zset.as_ref().iter_back_from(index).count();
        zset.as_ref().partition_point(|score, _| score < f64::from(number));
        set.as_ref().random(random);
        list.as_ref().get(index);
    }
}
