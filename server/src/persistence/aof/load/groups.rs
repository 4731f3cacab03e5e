//! Keys that commands have tied together, by their hashes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Which keys are tied together: the usual structure for that, a forest in which each tree is a group. Of keys that are
/// tied to none nothing is known here.
#[derive(Default)]
pub struct Groups {
    places: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    /// The place above in the tree, or the place itself.
    above: Vec<u32>,
    hashes: Vec<u64>,
}

impl Groups {
    pub fn is_empty(&self) -> bool {
        self.above.is_empty()
    }

    pub fn clear(&mut self) {
        self.places.clear();
        self.above.clear();
        self.hashes.clear();
    }

    /// Makes the groups of two keys one.
    pub fn tie(&mut self, one: u64, other: u64) {
        if one != other {
            let (one, other) = (self.place(one), self.place(other));
            let (one, other) = (self.top(one), self.top(other));
            // The first key stays the one that stands for the group.
            self.above[one.max(other) as usize] = one.min(other);
        }
    }

    /// The key that stands for all that a key is tied to.
    pub fn of(&mut self, hash: u64) -> u64 {
        match self.places.get(&hash) {
            Some(place) => {
                let top = self.top(*place);
                self.hashes[top as usize]
            }
            None => hash,
        }
    }

    fn place(&mut self, hash: u64) -> u32 {
        *self.places.entry(hash).or_insert_with(|| {
            let place = self.above.len() as u32;
            self.above.push(place);
            self.hashes.push(hash);
            place
        })
    }

    fn top(&mut self, place: u32) -> u32 {
        let mut place = place;
        loop {
            let above = self.above[place as usize];
            if above == place {
                return place;
            }
            // What is looked for is found sooner the next time.
            self.above[place as usize] = self.above[above as usize];
            place = above;
        }
    }
}

/// Takes a hash for what it is.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two keys are in one group exactly if a way leads from one to the other.
        #[test]
        fn groups_are_what_is_tied(ties in prop::collection::vec((0..40_u64, 0..40_u64), 0..40)) {
            let mut groups = Groups::default();
            let mut colours: Vec<u64> = (0..40).collect();
            for (one, other) in ties {
                groups.tie(one, other);
                let (from, to) = (colours[one as usize], colours[other as usize]);
                colours.iter_mut().filter(|colour| **colour == from).for_each(|colour| *colour = to);
            }
            for one in 0..40 {
                for other in 0..40 {
                    let same = colours[one as usize] == colours[other as usize];
                    prop_assert_eq!(groups.of(one) == groups.of(other), same);
                }
                prop_assert_eq!(colours[groups.of(one) as usize], colours[one as usize]);
            }
        }
    }
}
