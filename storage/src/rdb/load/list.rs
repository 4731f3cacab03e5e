//! Lists.

use super::{pack, pack_of_ziplist, packed};
use crate::list::{End, List, NodeLimit, QuickList};
use crate::listpack::{Item, ListPackBuf};
use crate::rdb::legacy::read_ziplist;
use crate::rdb::{Cursor, Error, container};
use crate::value::Collection;

/// Elements one by one.
pub fn elements(from: &mut Cursor<'_>, limit: NodeLimit) -> Result<List, Error> {
    let mut list = QuickList::empty(limit);
    for _ in 0..from.elements()? {
        list.push(End::Tail, &from.string()?);
    }
    Ok(List::from_nodes(list))
}

/// All elements in a ziplist. As in Redis, it counts as a sequence until it is changed.
pub fn ziplist(from: &mut Cursor<'_>, limit: NodeLimit) -> Result<List, Error> {
    let mut list = QuickList::empty(limit);
    let bytes = from.string()?;
    let mut digits = itoa::Buffer::new();
    read_ziplist(&bytes, |item: Item<'_>| list.push(End::Tail, item.bytes(&mut digits)))
        .ok_or(Error::Corrupt("List ziplist integrity check failed"))?;
    if list.nodes() == 0 { Err(Error::Empty) } else { Ok(List::Quick(Box::new(list))) }
}

/// Nodes, each a ziplist.
pub fn ziplists(from: &mut Cursor<'_>, limit: NodeLimit) -> Result<List, Error> {
    nodes_of(from, limit, |from, list| {
        list.push_pack(pack_of_ziplist(&from.string()?, "Ziplist integrity check failed")?);
        Ok(())
    })
}

/// Nodes, each a listpack or a single element.
pub fn nodes(from: &mut Cursor<'_>, limit: NodeLimit) -> Result<List, Error> {
    nodes_of(from, limit, |from, list| {
        match (from.count()?, from.string()?) {
            (container::PLAIN, text) if text.is_empty() => return Err(Error::Corrupt("Quicklist node without bytes")),
            (container::PLAIN, text) => list.push_plain(&text),
            (container::PACKED, bytes) => {
                let node: List = packed(0, pack(bytes)?, "Listpack integrity check failed")?;
                list.push_pack(ListPackBuf::from_vec(node.into_buffer()));
            }
            _ => return Err(Error::Corrupt("Quicklist integrity check failed")),
        }
        Ok(())
    })
}

/// Nodes, of which each `next` adds one; empty ones do not matter while there are others.
fn nodes_of(
    from: &mut Cursor<'_>,
    limit: NodeLimit,
    mut next: impl FnMut(&mut Cursor<'_>, &mut QuickList) -> Result<(), Error>,
) -> Result<List, Error> {
    let mut list = QuickList::empty(limit);
    for _ in 0..from.elements()? {
        match next(from, &mut list) {
            Err(Error::Empty) => {}
            done => done?,
        }
    }
    let list = List::from_nodes(list);
    if list.is_empty() { Err(Error::Empty) } else { Ok(list) }
}
