//! Packed collections from outside: what is no collection, or not in order, is refused.

use storage::hash::Hash;
use storage::list::List;
use storage::listpack::{Item, ListPackBuf};
use storage::set::Set;
use storage::zset::Zset;
use storage::{Collection, Stored};

fn pack(items: &[Item<'_>]) -> Vec<u8> {
    let mut pack = ListPackBuf::new();
    items.iter().for_each(|item| pack.push_back(*item));
    pack.as_ref().as_bytes().to_vec()
}

fn accepts<C: Stored>(form: u8, items: &[Item<'_>]) -> bool {
    C::validate(form, &pack(items))
}

const A: Item<'_> = Item::Str(b"a");
const B: Item<'_> = Item::Str(b"b");
const ONE: Item<'_> = Item::Int(1);
/// Redis would have stored it as a number, and nobody would find it.
const TEXT_ONE: Item<'_> = Item::Str(b"1");

#[test]
fn hashes_and_sets_have_each_name_once() {
    assert!(accepts::<Hash>(0, &[A, ONE, B, TEXT_ONE]));
    for wrong in [&[][..], &[A], &[A, ONE, B], &[A, ONE, A, B], &[TEXT_ONE, A]] {
        assert!(!accepts::<Hash>(0, wrong), "{wrong:?}");
    }
    assert!(accepts::<Set>(1, &[A, ONE, B]));
    for wrong in [&[][..], &[A, B, A], &[ONE, ONE], &[TEXT_ONE]] {
        assert!(!accepts::<Set>(1, wrong), "{wrong:?}");
    }
    assert!(!accepts::<Set>(0, &[A]), "no intset");
    assert!(Set::validate(0, &[2, 0, 0, 0, 1, 0, 0, 0, 5, 0]) && !Set::validate(0, &[2, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn sorted_sets_are_sorted_by_scores() {
    let score = |text: &'static str| Item::Str(text.as_bytes());
    assert!(accepts::<Zset>(0, &[B, score("-inf"), ONE, ONE, A, score("1.5"), Item::Str(b"c"), score("1e+300")]));
    assert!(accepts::<Zset>(0, &[A, ONE, B, ONE]));
    for wrong in [
        &[][..],
        &[A],
        &[B, ONE, A, ONE],
        &[A, ONE, B, Item::Int(0)],
        &[A, ONE, A, Item::Int(2)],
        &[A, B],
        &[A, score("nan")],
    ] {
        assert!(!accepts::<Zset>(0, wrong), "{wrong:?}");
    }
}

#[test]
fn lists_are_not_empty() {
    assert!(accepts::<List>(0, &[A, A, ONE]));
    assert!(!accepts::<List>(0, &[]) && !accepts::<List>(0, &[TEXT_ONE]));
    assert!(!List::validate(0, b"") && !List::validate(0, &pack(&[A])[1..]));
}
