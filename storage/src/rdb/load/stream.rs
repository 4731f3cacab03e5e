//! Streams.

use std::collections::BTreeMap;

use super::pack;
use crate::rdb::{Cursor, Error};
use crate::stream::{Group, Stream, StreamId};
use crate::value::Collection;

/// Pending entries whose consumers are not known yet: when they were delivered, and how often.
type Unowned = BTreeMap<StreamId, (i64, i64)>;

/// Reads a stream. Its second version knows of deleted entries, its third when consumers got something last.
pub fn load(from: &mut Cursor<'_>, version: u8) -> Result<Stream, Error> {
    let mut stream = Stream::new();
    for _ in 0..from.count()? {
        let first = match from.string()?.as_ref().try_into().map(u128::from_be_bytes) {
            Ok(id) => StreamId::new((id >> 64) as u64, id as u64),
            Err(_) => return Err(Error::Corrupt("Stream node key entry is not the size of a stream ID")),
        };
        if !stream.append_node(first, pack(from.string()?)?) {
            return Err(Error::Corrupt("Stream listpack integrity check failed"));
        }
    }
    load_history(from, version, &mut stream)?;
    for _ in 0..from.count()? {
        load_group(from, version, &mut stream)?;
    }
    Ok(stream)
}

fn id(from: &mut Cursor<'_>) -> Result<StreamId, Error> {
    Ok(StreamId::new(from.count()?, from.count()?))
}

/// An ID in sixteen bytes.
fn raw_id(from: &mut Cursor<'_>) -> Result<StreamId, Error> {
    Ok(StreamId::new(from.big_endian()?, from.big_endian()?))
}

/// What is known about entries that are not there any more.
fn load_history(from: &mut Cursor<'_>, version: u8, stream: &mut Stream) -> Result<(), Error> {
    let (len, last_id) = (from.count()?, id(from)?);
    let (mut added, mut max_deleted_id) = (len, StreamId::MIN);
    if version >= 2 {
        // The first ID is that of the first entry.
        id(from)?;
        (max_deleted_id, added) = (id(from)?, from.count()?);
    }
    let entries = stream.entries();
    if len != entries.len() as u64 {
        return Err(Error::Corrupt("Stream length inconsistent with its entries"));
    }
    let last_entry = entries.last().map_or(StreamId::MIN, |entry| entry.id);
    if last_id < last_entry || added < len || max_deleted_id > last_id {
        return Err(Error::Corrupt("Stream metadata inconsistent with its entries"));
    }
    // Entries behind the last one may be there still, deleted; nothing may come to lie among them.
    let last_id = last_id.max(entries.last_id());
    stream.set_history(last_id, Some(added), Some(max_deleted_id));
    Ok(())
}

fn load_group(from: &mut Cursor<'_>, version: u8, stream: &mut Stream) -> Result<(), Error> {
    let (name, last_id) = (from.string()?, id(from)?);
    let entries_read = match version {
        1 => stream.entries().distance(last_id),
        // All bits set mean that nobody knows.
        _ => Some(from.count()? as i64).filter(|read| *read >= 0),
    };
    if !stream.add_group(&name, last_id, entries_read) {
        return Err(Error::Corrupt("Duplicate stream consumer group detected"));
    }
    let mut unowned = Unowned::new();
    for _ in 0..from.count()? {
        let (id, delivered_ms, deliveries) = (raw_id(from)?, from.int64()?.max(0), from.count()?);
        let deliveries = i64::try_from(deliveries).unwrap_or(i64::MAX);
        if unowned.insert(id, (delivered_ms, deliveries)).is_some() {
            return Err(Error::Corrupt("Duplicate pending entry in a stream consumer group"));
        }
    }
    let Some((_, group)) = stream.group_mut(&name) else { return Ok(()) };
    for _ in 0..from.count()? {
        load_consumer(from, version, group, &mut unowned)?;
    }
    if unowned.is_empty() { Ok(()) } else { Err(Error::Corrupt("Pending entry without a stream consumer")) }
}

fn load_consumer(from: &mut Cursor<'_>, version: u8, group: &mut Group, unowned: &mut Unowned) -> Result<(), Error> {
    let (name, seen_ms) = (from.string()?, from.int64()?.max(0));
    let active_ms = if version >= 3 { from.int64()? } else { seen_ms };
    let (at, is_new) = group.find_or_add(&name, seen_ms);
    if !is_new {
        return Err(Error::Corrupt("Duplicate stream consumer detected"));
    }
    if let Some(consumer) = group.consumer_mut(at) {
        // Below zero: never.
        consumer.active_ms = Some(active_ms).filter(|active| *active >= 0);
    }
    for _ in 0..from.count()? {
        let id = raw_id(from)?;
        let (delivered_ms, deliveries) =
            unowned.remove(&id).ok_or(Error::Corrupt("Stream consumer entry that is not pending in its group"))?;
        group.assign(id, at, delivered_ms, deliveries);
    }
    Ok(())
}
