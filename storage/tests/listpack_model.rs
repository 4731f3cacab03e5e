//! Listpacks against vectors of texts, under long random sequences of changes.

mod seed;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use storage::listpack::{Item, ListPack, ListPackBuf};

/// Texts of every encoding, and those around their borders.
fn text(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..10) {
        0..4 => {
            let bits = random.random_range(0..64);
            (random.random::<i64>() >> bits).to_string().into_bytes()
        }
        4 => {
            let border = 1i64 << random.random_range(0..63);
            let sign = if random.random() { 1 } else { -1 };
            (border * sign + random.random_range(-1..=1)).to_string().into_bytes()
        }
        5 => [&b"-0"[..], b"007", b"+1", b"", b"-", b"9223372036854775808", b"-9223372036854775809", b" 1", b"1 "]
            [random.random_range(0..9)]
        .to_vec(),
        6 => vec![b'x'; [63, 64, 126, 127, 128, 4095, 4096, 16_380, 16_381, 16_384][random.random_range(0..10)]],
        _ => (0..random.random_range(0..20)).map(|_| random.random()).collect(),
    }
}

fn check(pack: ListPack<'_>, model: &[Vec<u8>]) {
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
    assert!(ListPack::validate(pack.as_bytes()).is_some());
    assert!(pack.iter().map(Item::to_vec).eq(model.iter().cloned()));
    assert!(pack.iter().rev().map(Item::to_vec).eq(model.iter().rev().cloned()));
}

#[test]
fn behaves_as_a_vector() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..40 {
        let mut pack = ListPackBuf::new();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for _ in 0..300 {
            let value = text(&mut random);
            let index = random.random_range(0..=model.len());
            let position = pack.as_ref().nth(index).unwrap_or(pack.as_ref().end());
            match random.random_range(0..12) {
                0..3 => {
                    pack.push_back(Item::from_text(&value));
                    model.push(value);
                }
                3 | 4 => {
                    pack.push_front(Item::from_text(&value));
                    model.insert(0, value);
                }
                5 | 6 => {
                    pack.insert(position, &[Item::from_text(&value), Item::Int(7)]);
                    model.splice(index..index, [value, b"7".to_vec()]);
                }
                7 if index < model.len() => {
                    pack.replace(position, Item::from_text(&value));
                    model[index] = value;
                }
                8 | 9 => {
                    let count = random.random_range(0..6);
                    let until = (index + count).min(model.len());
                    assert_eq!(pack.remove(position, count), until - index);
                    model.drain(index..until);
                }
                10 => {
                    let tail = pack.split_off(position);
                    check(tail.as_ref(), &model[index..]);
                    check(pack.as_ref(), &model[..index]);
                    pack.append(tail.as_ref());
                }
                _ => {
                    let found = pack.as_ref().find(pack.as_ref().start(), &value, 1);
                    let expected = model.iter().position(|text| *text == value);
                    assert_eq!(found, expected.and_then(|index| pack.as_ref().nth(index)));
                }
            }
            check(pack.as_ref(), &model);
            if let Some(expected) = model.get(index) {
                assert_eq!(pack.as_ref().get(index).map(Item::to_vec).as_ref(), Some(expected));
            }
        }
    }
}

#[test]
fn counts_beyond_its_header() {
    let mut pack = ListPackBuf::new();
    for n in 0..70_000 {
        pack.push_back(Item::Int(n % 100));
    }
    assert_eq!(pack.as_ref().len(), 70_000);
    assert_eq!(pack.remove(pack.as_ref().start(), 69_999), 69_999);
    assert_eq!(pack.as_ref().len(), 1);
}

#[test]
fn the_bytes_are_those_of_redis() {
    let mut pack = ListPackBuf::new();
    for text in [&b"name"[..], b"1", b"-1", b"200", b"-4097", b"40000", b"-8388609", b"5000000000"] {
        pack.push_back(Item::from_text(text));
    }
    let expected = [
        &[45, 0, 0, 0, 8, 0][..],
        b"\x84name\x05",
        &[1, 1],
        &[0xdf, 0xff, 2],
        &[0xc0, 200, 2],
        &[0xf1, 0xff, 0xef, 3],
        &[0xf2, 0x40, 0x9c, 0, 4],
        &[0xf3, 0xff, 0xff, 0x7f, 0xff, 5],
        &[0xf4, 0, 0xf2, 5, 0x2a, 1, 0, 0, 0, 9],
        &[0xff],
    ]
    .concat();
    let mut expected = expected;
    expected[0] = expected.len() as u8;
    assert_eq!(pack.as_ref().as_bytes(), expected);
}

#[test]
fn bytes_from_outside_are_looked_at_to_the_last() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..20_000 {
        let mut pack = ListPackBuf::new();
        for _ in 0..random.random_range(0..5) {
            pack.push_back(Item::from_text(&text(&mut random)));
        }
        let mut bytes = pack.as_ref().as_bytes().to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes[at] = random.random(),
                1 => bytes.truncate(at),
                _ => bytes.insert(at, random.random()),
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Some(pack) = ListPack::validate(&bytes) {
            assert_eq!(pack.iter().count(), pack.iter().rev().count());
        }
    }
}
