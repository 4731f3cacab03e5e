//! A table as it was at one moment, shown page by page while it changes.

use crate::set::MemberTable;
use crate::table::{HASH_BITS, HashTable, PlainItem};

/// The end of the line on which [`HashTable::scan`] places items.
const END: u64 = 1 << HASH_BITS;

/// A walk over a table whose items are to be shown as they were when it began.
///
/// Whoever is about to change an item, or to remove it, *claims* it first: if the walk has not come to it yet, it is for
/// the claimant to show it as it still is, and the walk steps over it. Whoever has added an item claims it as well, and
/// shows nothing. So each item that was there is shown once, and nothing else is. Claims are by name, not by hash: two
/// items may have the same.
#[derive(Default)]
pub(crate) struct Frozen {
    /// Up to where on the line all was shown.
    point: u64,
    /// What is beyond the point and not to be shown any more.
    claimed: MemberTable,
}

/// Where on the line an item stands. It never moves.
fn place(hash: u64) -> u64 {
    u64::from((hash as u32).reverse_bits())
}

impl Frozen {
    /// Whether an item is still to be shown. From now on it is not.
    pub(crate) fn claim(&mut self, hash: u64, name: &[u8]) -> bool {
        place(hash) >= self.point && self.claimed.add(name)
    }

    /// Shows the items of the next page. Tells whether there are more pages.
    pub(crate) fn step<'t, T: PlainItem>(
        &mut self,
        table: &'t HashTable<T>,
        hash: impl Fn(&'t T) -> u64,
        name: impl Fn(&'t T) -> &'t [u8],
        mut show: impl FnMut(&'t T),
    ) -> bool {
        let Some((items, stretch)) = table.page_at(self.point) else {
            self.point = END;
            return false;
        };
        // Once pages were merged, the first part of a stretch may have been shown already.
        let merged = stretch.start < self.point;
        for item in items {
            let shown = merged && place(hash(item)) < self.point;
            if !shown && (self.claimed.len() == 0 || !self.claimed.remove(name(item))) {
                show(item);
            }
        }
        self.point = stretch.end;
        self.point < END
    }

    /// Bytes that the claims take.
    pub(crate) fn memory(&self) -> usize {
        self.claimed.memory()
    }
}
