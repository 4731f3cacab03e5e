//! Reading values.

mod hash;
mod list;
mod set;
mod stream;
mod zset;

use std::borrow::Cow;

use super::legacy::ziplist_to_listpack;
use super::{Cursor, Error, Limits, Loaded, kind};
use crate::listpack::ListPackBuf;
use crate::value::{Collection, Stored};

/// Larger listpacks are refused: nothing makes them, and changes to them could not be stored.
const LARGEST_PACK: usize = 1 << 30;

/// Reads a value of a form. Where it fails, the cursor is anywhere.
pub fn load_value(from: &mut Cursor<'_>, form: u8, limits: &Limits) -> Result<Loaded, Error> {
    match form {
        kind::STRING => from.string().map(|text| Loaded::Str(text.into_owned())),
        kind::LIST => list::elements(from, limits.list).map(collection),
        kind::LIST_ZIPLIST => list::ziplist(from, limits.list).map(collection),
        kind::LIST_QUICKLIST => list::ziplists(from, limits.list).map(collection),
        kind::LIST_QUICKLIST_2 => list::nodes(from, limits.list).map(collection),
        kind::SET => set::members(from, limits.set).map(collection),
        kind::SET_INTSET => set::intset(from, limits.set).map(collection),
        kind::SET_LISTPACK => set::listpack(from, limits.set).map(collection),
        kind::ZSET => zset::elements(from, Cursor::text_double, limits.zset).map(collection),
        kind::ZSET_2 => zset::elements(from, Cursor::double, limits.zset).map(collection),
        kind::ZSET_ZIPLIST => zset::ziplist(from, limits.zset).map(collection),
        kind::ZSET_LISTPACK => zset::listpack(from, limits.zset).map(collection),
        kind::HASH => hash::fields(from, limits.hash).map(collection),
        kind::HASH_ZIPMAP => hash::zipmap(from, limits.hash).map(collection),
        kind::HASH_ZIPLIST => hash::ziplist(from, limits.hash).map(collection),
        kind::HASH_LISTPACK => hash::listpack(from, limits.hash).map(collection),
        kind::HASH_METADATA | kind::HASH_METADATA_EARLY => {
            hash::timed_fields(from, form == kind::HASH_METADATA, limits.hash).map(collection)
        }
        kind::HASH_LISTPACK_EX | kind::HASH_LISTPACK_EX_EARLY => {
            hash::timed_listpack(from, form == kind::HASH_LISTPACK_EX, limits.hash).map(collection)
        }
        kind::STREAM_LISTPACKS => stream::load(from, 1).map(collection),
        kind::STREAM_LISTPACKS_2 => stream::load(from, 2).map(collection),
        kind::STREAM_LISTPACKS_3 => stream::load(from, 3).map(collection),
        kind::MODULE | kind::MODULE_2 => Err(Error::Module(module_name(from.count()?))),
        _ => Err(Error::UnknownKind(form)),
    }
}

fn collection(collection: impl Stored) -> Loaded {
    Loaded::Collection(collection.into_boxed())
}

/// A listpack that has elements, of which nothing else is known yet.
fn pack(bytes: Cow<'_, [u8]>) -> Result<Vec<u8>, Error> {
    /// Bytes of an empty one.
    const EMPTY: usize = 7;
    match bytes.len() {
        EMPTY => Err(Error::Empty),
        0..=LARGEST_PACK => Ok(bytes.into_owned()),
        _ => Err(Error::Corrupt("Listpack too large")),
    }
}

/// The collection that some bytes are the packed form of.
fn packed<C: Collection>(form: u8, bytes: Vec<u8>, problem: &'static str) -> Result<C, Error> {
    if C::validate(form, &bytes) { Ok(C::from_packed(form, bytes)) } else { Err(Error::Corrupt(problem)) }
}

/// A listpack of what a ziplist held.
fn pack_of_ziplist(bytes: &[u8], problem: &'static str) -> Result<ListPackBuf, Error> {
    if bytes.len() > LARGEST_PACK {
        return Err(Error::Corrupt("Ziplist too large"));
    }
    let pack = ziplist_to_listpack(bytes).ok_or(Error::Corrupt(problem))?;
    if pack.as_ref().is_empty() { Err(Error::Empty) } else { Ok(pack) }
}

/// The name of a module's type: nine letters of six bits each, and its version in ten bits.
pub fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).map(|place| LETTERS[(id >> (10 + 6 * (8 - place)) & 63) as usize] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_names() {
        let id = b"vectorset".iter().fold(0, |id, letter| id << 6 | u64::from(letter - b'a' + 26)) << 10 | 3;
        assert_eq!(module_name(id), "vectorset");
    }
}
