//! Removing entries from the front.

use super::entries::Entries;
use super::id::StreamId;
use super::{Groups, References, Stream};

/// What stays.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    /// So many entries.
    Last(usize),
    /// The entries from this ID on.
    From(StreamId),
}

/// How to trim a stream.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    pub keep: Keep,
    /// Only whole nodes go.
    pub approximate: bool,
    /// No more entries than this go; 0 is no limit.
    pub limit: usize,
    pub references: References,
}

impl Stream {
    /// Removes entries from the front. Returns how many.
    pub fn trim(&mut self, trim: Trim) -> usize {
        let (entries, groups) = self.parts_mut(trim.references);
        // Where there are no groups, nobody refers to anything.
        let references = if groups.is_empty() { References::Keep } else { trim.references };
        let removed = trim_entries(entries, groups, Trim { references, ..trim });
        if removed > 0 {
            entries.find_first();
        }
        removed
    }
}

fn trim_entries(entries: &mut Entries, groups: &mut Groups, trim: Trim) -> usize {
    let (mut removed, mut from) = (0, StreamId::MIN);
    while let Some((&first, node)) = entries.nodes.range(from..).next() {
        let mut spare = match trim.keep {
            Keep::Last(most) => entries.len.saturating_sub(most),
            Keep::From(_) => usize::MAX,
        };
        let alive = node.alive();
        if spare == 0 || trim.limit > 0 && removed + alive > trim.limit {
            break;
        }
        let whole = match trim.keep {
            Keep::Last(_) => alive <= spare,
            Keep::From(id) => node.as_ref(first).last_id().is_none_or(|last| last < id),
        };
        if trim.approximate && !whole {
            break;
        }
        if whole && trim.references != References::Acknowledged {
            if trim.references == References::Delete {
                let ids = node.as_ref(first).ids();
                ids.for_each(|id| forget(groups, id));
            }
            entries.remove_node(first);
            entries.len -= alive;
            removed += alive;
            continue;
        }
        let gone = entries.delete_in(first, |id| {
            if spare == 0 || matches!(trim.keep, Keep::From(least) if id >= least) {
                return None;
            }
            match trim.references {
                References::Acknowledged if !groups.values().all(|group| group.is_done_with(id)) => return Some(false),
                References::Delete => forget(groups, id),
                _ => {}
            }
            spare -= 1;
            Some(true)
        });
        entries.len -= gone;
        removed += gone;
        if trim.references != References::Acknowledged {
            break;
        }
        // What is still needed stays, but there may be more to remove behind it.
        if entries.nodes.get(&first).is_some_and(|node| node.alive() == 0) {
            entries.remove_node(first);
        }
        match first.next() {
            Some(next) => from = next,
            None => break,
        }
    }
    removed
}

fn forget(groups: &mut Groups, id: StreamId) {
    for group in groups.values_mut() {
        group.acknowledge(id);
    }
}
