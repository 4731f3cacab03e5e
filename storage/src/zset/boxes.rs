//! Members that are too long for the arena: each an allocation of its own, found by its number.

use crate::memory::good_size;

/// See the module's description. There are no gaps: where a member goes, the last one takes its number.
#[derive(Clone, Default)]
pub(super) struct Boxes(Vec<Boxed>);

#[derive(Clone)]
struct Boxed {
    member: Box<[u8]>,
    /// The element that knows the number.
    owner: u32,
}

impl Boxes {
    #[inline]
    pub(super) fn member(&self, number: u32) -> &[u8] {
        &self.0[number as usize].member
    }

    pub(super) fn set_owner(&mut self, number: u32, owner: u32) {
        self.0[number as usize].owner = owner;
    }

    /// The number of a new member. There are fewer than links, so it fits.
    pub(super) fn add(&mut self, member: &[u8], owner: u32) -> u32 {
        self.0.push(Boxed { member: member.into(), owner });
        self.0.len() as u32 - 1
    }

    /// Removes a member. Returns the owner of the one that has its number now, if there is one.
    pub(super) fn remove(&mut self, number: u32) -> Option<u32> {
        self.0.swap_remove(number as usize);
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        self.0.get(number as usize).map(|boxed| boxed.owner)
    }

    pub(super) fn memory(&self) -> usize {
        let members: usize = self.0.iter().map(|boxed| good_size(boxed.member.len())).sum();
        members + good_size(self.0.capacity() * size_of::<Boxed>())
    }
}
