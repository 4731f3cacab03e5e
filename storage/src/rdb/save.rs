//! Writing values.

use super::save_stream::{save_stream, save_stream_part};
use super::write::{Sink, Writer};
use super::{VERSION, VERSION_OF_7_0, container, kind};
use crate::entry::StrRef;
use crate::hash::HashRef;
use crate::list::ListRef;
use crate::set::SetRef;
use crate::snapshot::Element;
use crate::value::Value;
use crate::zset::ZsetRef;

/// The number of the form in which a value is written, which stands before its key.
pub fn kind_of(value: Value<'_>) -> u8 {
    match value {
        Value::Str(_) => kind::STRING,
        Value::List(_) => kind::LIST_QUICKLIST_2,
        Value::Set(SetRef::Ints(_)) => kind::SET_INTSET,
        Value::Set(_) => kind::SET,
        Value::Zset(ZsetRef::Packed(_)) => kind::ZSET_LISTPACK,
        Value::Zset(ZsetRef::Big(_)) => kind::ZSET_2,
        Value::Hash(HashRef::Packed(_)) => kind::HASH_LISTPACK,
        Value::Hash(HashRef::Timed(_)) if expires(value) => kind::HASH_LISTPACK_EX,
        Value::Hash(HashRef::Table(_)) if expires(value) => kind::HASH_METADATA,
        Value::Hash(_) => kind::HASH,
        Value::Stream(_) => kind::STREAM_LISTPACKS_2,
    }
}

/// The version of the format that knows a form.
pub(super) fn version_of(form: u8) -> u16 {
    if form > kind::STREAM_LISTPACKS_2 { VERSION } else { VERSION_OF_7_0 }
}

fn expires(value: Value<'_>) -> bool {
    matches!(value, Value::Hash(hash) if hash.earliest_expiry().is_some())
}

/// Writes a value in the form that [`kind_of`] tells.
pub fn save_value<S: Sink>(to: &mut S, value: Value<'_>, compress: bool) {
    let mut out = Writer::new(to, compress);
    match value {
        Value::Str(StrRef::Int(number)) => out.item(crate::listpack::Item::Int(number)),
        Value::Str(StrRef::Bytes(text)) => out.string(text),
        Value::List(list) => save_list(&mut out, list),
        Value::Set(set) => save_set(&mut out, set),
        Value::Zset(zset) => save_zset(&mut out, zset),
        Value::Hash(hash) => save_hash(&mut out, hash),
        Value::Stream(stream) => save_stream(&mut out, stream),
    }
}

/// Writes what stands before the elements of a big collection, which [`save_part`] writes: how many there are, and when
/// the first of them expires.
pub fn save_count<S: Sink>(to: &mut S, count: usize, earliest: Option<i64>) {
    let mut out = Writer::new(to, false);
    if let Some(earliest) = earliest {
        out.int64(earliest);
    }
    out.len(count);
}

/// Writes an element of a big collection, in which `earliest` is the first one's expiry.
pub fn save_part<S: Sink>(to: &mut S, element: Element<'_>, earliest: Option<i64>, compress: bool) {
    let mut out = Writer::new(to, compress);
    match element {
        Element::Member(member) => out.string(member),
        Element::Scored(member, score) => {
            out.string(member);
            out.double(score);
        }
        Element::Field(field, value, expiry) => {
            if let Some(earliest) = earliest {
                out.count(expiry.map_or(0, |expiry| expiry.abs_diff(earliest) + 1));
            }
            out.string(field);
            out.string(value);
        }
        Element::Node { plain, bytes } => save_node(&mut out, plain, bytes),
        Element::Part(part) => save_stream_part(&mut out, part),
    }
}

/// The number of the form of a big collection.
pub fn kind_of_big(value: Value<'_>, earliest: Option<i64>) -> u8 {
    match value {
        Value::Hash(_) if earliest.is_some() => kind::HASH_METADATA,
        Value::Hash(_) => kind::HASH,
        other => kind_of(other),
    }
}

fn save_list<S: Sink>(out: &mut Writer<'_, S>, list: ListRef<'_>) {
    out.len(list.node_count());
    list.node_bytes().for_each(|(plain, bytes)| save_node(out, plain, bytes));
}

/// Writes a node of a list, or a single element of one.
fn save_node<S: Sink>(out: &mut Writer<'_, S>, plain: bool, bytes: &[u8]) {
    out.count(if plain { container::PLAIN } else { container::PACKED });
    out.raw(bytes);
}

fn save_set<S: Sink>(out: &mut Writer<'_, S>, set: SetRef<'_>) {
    if let SetRef::Ints(ints) = set {
        return out.raw(ints.as_bytes());
    }
    out.len(set.len());
    set.iter().for_each(|member| out.item(member));
}

fn save_zset<S: Sink>(out: &mut Writer<'_, S>, zset: ZsetRef<'_>) {
    if let ZsetRef::Packed(pack) = zset {
        return out.raw(pack.as_bytes());
    }
    out.len(zset.len());
    // From the end on: then Redis, when it loads them, puts each before all others, which is quickest.
    for (member, score) in zset.iter_back_from(zset.len().saturating_sub(1)) {
        out.item(member);
        out.double(score);
    }
}

fn save_hash<S: Sink>(out: &mut Writer<'_, S>, hash: HashRef<'_>) {
    match (hash, hash.earliest_expiry()) {
        (HashRef::Packed(pack), _) => out.raw(pack.as_bytes()),
        (HashRef::Timed(pack), Some(earliest)) => {
            out.int64(earliest);
            out.raw(pack.as_bytes());
        }
        (HashRef::Table(_), Some(earliest)) => {
            out.int64(earliest);
            out.len(hash.len());
            for (field, value, expiry) in hash.iter() {
                out.count(expiry.map_or(0, |expiry| expiry.abs_diff(earliest) + 1));
                out.item(field);
                out.item(value);
            }
        }
        (_, None) => {
            out.len(hash.len());
            for (field, value, _) in hash.iter() {
                out.item(field);
                out.item(value);
            }
        }
    }
}
