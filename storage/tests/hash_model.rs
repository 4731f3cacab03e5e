//! Hashes against a model, under long random sequences of operations, in and between all their forms.

mod seed;

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use storage::hash::{FieldTtl, Hash, HashRef};
use storage::{Collection, PackLimits};

/// Values and expiries by field.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn contents(hash: HashRef<'_>) -> Model {
    let fields: Vec<_> = hash.iter().map(|(field, value, expiry)| (field.to_vec(), (value.to_vec(), expiry))).collect();
    let count = fields.len();
    let model = Model::from_iter(fields);
    assert_eq!(model.len(), count, "a field twice");
    model
}

fn assert_same(hash: &Hash, model: &Model, now: i64) {
    let view = hash.as_ref();
    assert_eq!(contents(view), *model);
    assert_eq!((view.len(), view.is_empty()), (model.len(), model.is_empty()));
    match hash.next_expiry() {
        // Hidden fields.
        Some(when) if when < now => assert!(!hash.is_empty()),
        next => {
            assert_eq!(next, model.values().filter_map(|(_, expiry)| *expiry).min());
            assert_eq!(hash.is_empty(), model.is_empty());
        }
    }
    let mut walked = HashSet::new();
    let mut cursor = 0;
    loop {
        cursor = view.scan(cursor, |field, _| _ = walked.insert(field.to_vec()));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(walked.len(), model.len());
}

/// A field or a value: numbers in all lengths, texts, texts like numbers, and long ones.
fn text(rng: &mut SmallRng, most: u32) -> Vec<u8> {
    let number = rng.random_range(0..most);
    match number % 7 {
        0 => number.to_string().into_bytes(),
        1 => (-(1i64 << (number % 63))).to_string().into_bytes(),
        2 => format!("0{number}").into_bytes(),
        3 => vec![number as u8; (number % 80) as usize],
        4 if number % 40 == 4 => vec![b'x'; 300 + number as usize],
        _ => format!("field:{number}").into_bytes(),
    }
}

fn compare_with_model(most: u32, limits: PackLimits, operations: usize) -> HashSet<&'static str> {
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let (mut hash, mut model, mut now) = (<Hash as Collection>::new(), Model::new(), 1_000i64);
    let mut encodings = HashSet::new();
    for step in 0..operations {
        let (field, value) = (text(&mut rng, most), text(&mut rng, most));
        let when = now + rng.random_range(0..200);
        match rng.random_range(0..100) {
            0..40 => {
                let ttl = match rng.random_range(0..10) {
                    0..2 => FieldTtl::At(when),
                    2..5 => FieldTtl::Keep,
                    _ => FieldTtl::Clear,
                };
                let before = model.get(&field).and_then(|(_, expiry)| *expiry);
                let expiry = match ttl {
                    FieldTtl::At(when) => Some(when),
                    FieldTtl::Keep => before,
                    FieldTtl::Clear => None,
                };
                let new = hash.set(&field, &value, ttl, limits);
                assert_eq!(new, model.insert(field, (value, expiry)).is_none());
            }
            40..60 => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
            60..75 => {
                let expiry = rng.random_ratio(3, 4).then_some(when);
                let known = model.get_mut(&field).map(|(_, old)| *old = expiry).is_some();
                assert_eq!(hash.set_expiry(&field, expiry), known);
            }
            75..90 => {
                let view = hash.as_ref();
                assert_eq!(
                    view.get(&field).map(|value| value.to_vec()),
                    model.get(&field).map(|(value, _)| value.clone())
                );
                assert_eq!(view.expiry(&field), model.get(&field).map(|(_, expiry)| *expiry));
                let picked = view.random(|| rng.random());
                assert_eq!(picked.is_none(), model.is_empty());
                if let Some((field, value)) = picked {
                    assert_eq!(model.get(&field.to_vec()).map(|(value, _)| value.clone()), Some(value.to_vec()));
                }
            }
            90..98 => {
                now += rng.random_range(0..20);
                model.retain(|_, (_, expiry)| expiry.is_none_or(|when| when >= now));
                // Often not all at once: what is left is hidden.
                let most = if rng.random() { usize::MAX } else { rng.random_range(0..5) };
                let removed = hash.expire(now, most, |_| {});
                assert!(removed <= most || hash.as_ref().encoding() == "listpackex");
                assert!(removed >= most || hash.next_expiry().is_none_or(|when| when >= now));
            }
            _ if rng.random_ratio(1, 20) => {
                hash = <Hash as Collection>::new();
                model.clear();
            }
            _ => {
                // Into an entry of the keyspace and back, or to another key.
                let copy = hash.clone();
                hash = match copy.packed() {
                    Some((form, bytes)) => {
                        assert_eq!(Hash::validate(form, bytes), !model.is_empty());
                        <Hash as Collection>::from_packed(form, bytes.to_vec())
                    }
                    None => copy,
                };
            }
        }
        encodings.insert(hash.as_ref().encoding());
        if step % 50 == 0 {
            assert_same(&hash, &model, now);
        }
    }
    assert_same(&hash, &model, now);
    encodings
}

#[test]
fn behaves_as_a_map_with_expiries_in_every_form() {
    let all = HashSet::from(["listpack", "listpackex", "hashtable"]);
    assert_eq!(compare_with_model(30, PackLimits { entries: 20, value: 64 }, 100_000), all);
    assert_eq!(compare_with_model(2_000, PackLimits { entries: 512, value: 64 }, 200_000), all);
    assert_eq!(compare_with_model(60, PackLimits { entries: 1000, value: 1000 }, 50_000).len(), 2);
    assert!(compare_with_model(2_000, PackLimits { entries: 0, value: 0 }, 100_000).contains("hashtable"));
}

const LIMITS: PackLimits = PackLimits { entries: 512, value: 64 };

fn with_fields(count: usize) -> Hash {
    let mut hash = <Hash as Collection>::new();
    for number in 0..count {
        assert!(hash.set(format!("field:{number}").as_bytes(), b"value", FieldTtl::Clear, LIMITS));
    }
    hash
}

#[test]
fn the_form_changes_where_redis_changes_it() {
    let mut hash = with_fields(512);
    assert_eq!(hash.as_ref().encoding(), "listpack");
    assert!(!hash.set(b"field:0", &[b'x'; 64], FieldTtl::Clear, LIMITS));
    assert_eq!(hash.as_ref().encoding(), "listpack");
    assert!(hash.set_expiry(b"field:1", Some(5)));
    assert_eq!(hash.as_ref().encoding(), "listpackex");
    assert!(hash.set_expiry(b"field:1", None));
    assert_eq!((hash.as_ref().encoding(), hash.next_expiry()), ("listpackex", None));
    assert!(hash.set(b"one more", b"", FieldTtl::Clear, LIMITS));
    assert_eq!(hash.as_ref().encoding(), "hashtable");
    let mut hash = with_fields(1);
    hash.set(b"field:0", &[b'x'; 65], FieldTtl::Clear, LIMITS);
    assert_eq!(hash.as_ref().encoding(), "hashtable");
}

#[test]
fn fields_expire_in_order_and_only_those_that_are_due() {
    let mut hash = with_fields(20_000);
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let mut due: BTreeMap<i64, usize> = BTreeMap::new();
    for number in (0..20_000).step_by(2) {
        let when = rng.random_range(1..5_000);
        *due.entry(when).or_default() += 1;
        assert!(hash.set_expiry(format!("field:{number}").as_bytes(), Some(when)));
    }
    for (when, count) in due {
        assert_eq!(hash.next_expiry(), Some(when));
        assert_eq!(hash.expire(when, usize::MAX, |_| {}), 0, "a field lives to the end of its last millisecond");
        assert_eq!(hash.expire(when + 1, usize::MAX, |_| {}), count);
    }
    assert_eq!((hash.next_expiry(), hash.as_ref().len()), (None, 10_000));
}

#[test]
fn what_is_due_is_hidden_until_it_is_removed() {
    let mut hash = with_fields(10_000);
    for number in 0..9_999 {
        assert!(hash.set_expiry(format!("field:{number}").as_bytes(), Some(10)));
    }
    assert_eq!(hash.expire(11, 100, |_| {}), 100);
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let view = hash.as_ref();
    assert_eq!((view.len(), view.iter().count()), (1, 1));
    for _ in 0..20 {
        let (field, _) = view.random(|| rng.random()).expect("the field that stays");
        assert_eq!(field.to_vec(), b"field:9999");
    }
    let hidden = (0..9_999).find(|number| !hash.remove(format!("field:{number}").as_bytes()));
    assert_eq!(hidden, Some(0), "what is hidden cannot be removed");
    assert!(!hash.set_expiry(b"field:7", None));
    // Hidden fields make room for new ones of their names.
    assert!(hash.set(b"field:7", b"new", FieldTtl::Keep, LIMITS));
    assert_eq!((hash.as_ref().expiry(b"field:7"), hash.as_ref().len()), (Some(None), 2));
    assert!(hash.remove(b"field:7") && hash.remove(b"field:9999"));
    assert!(hash.as_ref().is_empty() && !hash.is_empty());
    assert!(hash.as_ref().random(|| rng.random()).is_none());
    let copy = hash.clone();
    assert!(copy.as_ref().is_empty() && !copy.is_empty());
    while hash.expire(11, 1_000, |_| {}) > 0 {}
    assert!(hash.is_empty());
}

#[test]
fn a_walk_shows_what_stays_while_fields_come_and_go() {
    let mut hash = with_fields(2_000);
    let seed = Seed::pick();
    let mut rng = seed.rng();
    let (mut seen, mut cursor) = (HashSet::new(), 0);
    loop {
        cursor = hash.as_ref().scan(cursor, |field, _| _ = seen.insert(field.to_vec()));
        if cursor == 0 {
            break;
        }
        for _ in 0..100 {
            let other = format!("other:{}", rng.random_range(0..10_000));
            if rng.random() {
                hash.set(other.as_bytes(), b"value", FieldTtl::Clear, LIMITS);
            } else {
                hash.remove(other.as_bytes());
            }
        }
    }
    assert!((0..2_000).all(|number| seen.contains(format!("field:{number}").as_bytes())));
}

#[test]
fn every_field_is_picked_equally_often() {
    for count in [10, 600] {
        let hash = with_fields(count);
        let seed = Seed::pick();
        let mut rng = seed.rng();
        let mut picked: HashMap<Vec<u8>, u32> = HashMap::new();
        const TIMES: usize = 200;
        for _ in 0..count * TIMES {
            let (field, _) = hash.as_ref().random(|| rng.random()).expect("a field");
            *picked.entry(field.to_vec()).or_default() += 1;
        }
        assert_eq!(picked.len(), count);
        // Each count is about normal with a deviation of fourteen: none of six hundred is off by seven deviations.
        assert!(picked.values().all(|times| times.abs_diff(TIMES as u32) < 100), "{picked:?}");
    }
}
