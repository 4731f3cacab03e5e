//! Slots, into which keys fall by their hashes, and groups of such as are tied together.

/// Many times as many as keys of a batch that are tied to others, so that these do not become one group.
pub const SLOTS: usize = 1 << 16;

/// Which slots are tied together: the usual structure for that, a forest of which each tree is a group.
pub struct Groups {
    parents: Box<[u16]>,
    any: bool,
}

impl Groups {
    /// Every slot is a group of its own.
    pub fn new() -> Groups {
        Groups { parents: (0..=u16::MAX).collect(), any: false }
    }

    /// Every slot is a group of its own again.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.any) {
            self.parents.iter_mut().zip(0..=u16::MAX).for_each(|(parent, slot)| *parent = slot);
        }
    }

    /// The group of a slot, as the lowest slot in it.
    pub fn of(&mut self, slot: usize) -> usize {
        let mut slot = slot;
        loop {
            let parent = usize::from(self.parents[slot]);
            if parent == slot {
                return slot;
            }
            // What is looked up is found sooner the next time.
            self.parents[slot] = self.parents[parent];
            slot = parent;
        }
    }

    /// Makes the groups of two slots one.
    pub fn tie(&mut self, one: usize, other: usize) {
        let (one, other) = (self.of(one), self.of(other));
        if one != other {
            self.parents[one.max(other)] = one.min(other) as u16;
            self.any = true;
        }
    }
}
