//! Finding the end of a value without reading it, so that several threads can read the values of one file.

use super::super::load::module_name;
use super::super::{Cursor, Error, kind};

/// The numbers of what modules write.
mod part {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

/// Bytes of an ID where it is written as such.
const ID_LEN: u64 = 16;

/// Whether values have such a form.
pub fn is_form(number: u8) -> bool {
    matches!(number, kind::STRING..=kind::MODULE_2 | kind::HASH_ZIPMAP..=kind::HASH_LISTPACK_EX)
}

/// Moves behind a value of a form.
pub fn skip_value(from: &mut Cursor<'_>, form: u8) -> Result<(), Error> {
    match form {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::ZSET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::ZSET_LISTPACK
        | kind::SET_LISTPACK
        | kind::HASH_LISTPACK_EX_EARLY => from.skip_string(),
        kind::HASH_LISTPACK_EX => {
            from.int64()?;
            from.skip_string()
        }
        kind::LIST | kind::SET | kind::LIST_QUICKLIST => each(from, Cursor::skip_string),
        kind::ZSET => each(from, |from| {
            from.skip_string()?;
            from.text_double().map(drop)
        }),
        kind::ZSET_2 => each(from, |from| {
            from.skip_string()?;
            from.double().map(drop)
        }),
        kind::HASH => each(from, pair),
        kind::LIST_QUICKLIST_2 => each(from, |from| {
            from.count()?;
            from.skip_string()
        }),
        kind::HASH_METADATA | kind::HASH_METADATA_EARLY => {
            if form == kind::HASH_METADATA {
                from.int64()?;
            }
            each(from, |from| {
                from.count()?;
                pair(from)
            })
        }
        kind::STREAM_LISTPACKS => skip_stream(from, 1),
        kind::STREAM_LISTPACKS_2 => skip_stream(from, 2),
        kind::STREAM_LISTPACKS_3 => skip_stream(from, 3),
        // Where the end of the first ones is only their module knows.
        kind::MODULE => Err(Error::Module(module_name(from.count()?))),
        kind::MODULE_2 => skip_module(from).map(drop),
        _ => Err(Error::UnknownKind(form)),
    }
}

fn each<'a>(from: &mut Cursor<'a>, mut skip: impl FnMut(&mut Cursor<'a>) -> Result<(), Error>) -> Result<(), Error> {
    (0..from.count()?).try_for_each(|_| skip(from))
}

fn pair(from: &mut Cursor<'_>) -> Result<(), Error> {
    from.skip_string()?;
    from.skip_string()
}

fn counts(from: &mut Cursor<'_>, count: usize) -> Result<(), Error> {
    (0..count).try_for_each(|_| from.count().map(drop))
}

fn skip_stream(from: &mut Cursor<'_>, version: u8) -> Result<(), Error> {
    each(from, pair)?;
    // Its length and last ID; then the first and the last deleted one, and how many were added.
    counts(from, if version >= 2 { 8 } else { 3 })?;
    each(from, |from| {
        from.skip_string()?;
        counts(from, if version >= 2 { 3 } else { 2 })?;
        each(from, |from| {
            from.take(ID_LEN)?;
            from.int64()?;
            counts(from, 1)
        })?;
        each(from, |from| {
            from.skip_string()?;
            from.take(if version >= 3 { 16 } else { 8 })?;
            each(from, |from| from.take(ID_LEN).map(drop))
        })
    })
}

/// Moves behind what a module has written. Its name.
pub fn skip_module(from: &mut Cursor<'_>) -> Result<String, Error> {
    let name = module_name(from.count()?);
    loop {
        match from.count()? {
            part::END => return Ok(name),
            part::SIGNED | part::UNSIGNED => counts(from, 1)?,
            part::FLOAT => drop(from.take(4)?),
            part::DOUBLE => drop(from.take(8)?),
            part::STRING => from.skip_string()?,
            _ => return Err(Error::Corrupt("Unknown part of module data")),
        }
    }
}
