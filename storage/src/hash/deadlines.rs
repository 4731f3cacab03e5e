//! When the fields of a table expire: a heap, earliest first, and each field knows its place in it by its link.
//!
//! Twelve bytes a field here and four for the link; fields that do not expire cost nothing.

use crate::blob::Blob;

/// The last time that a field can expire at, in Unix milliseconds: as in Redis.
pub const MAX_EXPIRY: i64 = (1 << 46) - 1;

/// A field and its time, in six bytes each.
struct Deadline {
    when: [u8; 6],
    field: Blob,
}

impl Deadline {
    fn when(&self) -> i64 {
        let [a, b, c, d, e, f] = self.when;
        i64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    fn set_when(&mut self, when: i64) {
        self.when.copy_from_slice(&when.to_le_bytes()[..6]);
    }
}

#[derive(Default)]
pub(super) struct Deadlines(Vec<Deadline>);

impl Deadlines {
    /// The earliest time.
    pub fn first(&self) -> Option<i64> {
        self.0.first().map(Deadline::when)
    }

    /// The field with the earliest time.
    pub fn first_field(&self) -> Option<&Blob> {
        self.0.first().map(|deadline| &deadline.field)
    }

    /// The earliest time that does not lie before another.
    pub fn first_from(&self, when: i64) -> Option<i64> {
        self.0.iter().map(Deadline::when).filter(|time| *time >= when).min()
    }

    /// How many times lie before another.
    pub fn count_before(&self, when: i64) -> usize {
        self.0.iter().filter(|deadline| deadline.when() < when).count()
    }

    /// The time of the field with this link.
    pub fn when(&self, link: u32) -> i64 {
        self.0[link as usize].when()
    }

    fn push(&mut self, field: &mut Blob, when: i64) {
        let place = u32::try_from(self.0.len()).expect("fewer fields than would fill a terabyte");
        field.set_link(Some(place));
        // SAFETY: the alias goes or is renewed when the field does: whoever changes fields sees to it.
        let mut deadline = Deadline { when: [0; 6], field: unsafe { field.alias() } };
        deadline.set_when(when);
        if self.0.len() == self.0.capacity() {
            // Steps of a quarter: doubling would show in the memory of big hashes.
            self.0.reserve_exact(self.0.len() / 4 + 4);
        }
        self.0.push(deadline);
        self.rise(place as usize);
    }

    /// Forgets the field with this link, which is to be freed.
    pub fn remove(&mut self, link: u32) {
        let place = link as usize;
        self.0.swap_remove(place);
        if place < self.0.len() {
            self.tell(place);
            self.settle(place);
        }
        if self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to(self.0.len() + self.0.len() / 4);
        }
    }

    /// Makes a field expire at another time, or not at all. It may move for that.
    pub fn put(&mut self, field: &mut Blob, expiry: Option<i64>) {
        match (field.link(), expiry) {
            (None, None) => {}
            (None, Some(when)) => self.push(field, when),
            (Some(link), Some(when)) => self.change(link, when),
            (Some(link), None) => {
                self.remove(link);
                field.set_link(None);
            }
        }
    }

    /// Gives the field with this link another time.
    fn change(&mut self, link: u32, when: i64) {
        self.0[link as usize].set_when(when);
        self.settle(link as usize);
    }

    /// Takes note that a field has moved, before anything else is done here.
    pub fn moved(&mut self, field: &Blob) {
        if let Some(link) = field.link() {
            // SAFETY: as in `push`.
            self.0[link as usize].field = unsafe { field.alias() };
        }
    }

    pub fn memory(&self) -> usize {
        match self.0.capacity() {
            0 => 0,
            capacity => crate::memory::good_size(capacity * size_of::<Deadline>()),
        }
    }

    /// Brings the deadline at a place, which may be anything, to where it belongs.
    fn settle(&mut self, place: usize) {
        if self.rise(place) == place {
            self.sink(place);
        }
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.0[above].when() <= self.0[place].when() {
                break;
            }
            self.swap(above, place);
            place = above;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let below = 2 * place + 1;
            let below = match (self.0.get(below), self.0.get(below + 1)) {
                (None, _) => break,
                (Some(left), Some(right)) if right.when() < left.when() => below + 1,
                _ => below,
            };
            if self.0[place].when() <= self.0[below].when() {
                break;
            }
            self.swap(place, below);
            place = below;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.0.swap(a, b);
        self.tell(a);
        self.tell(b);
    }

    /// Tells a field its place.
    fn tell(&mut self, place: usize) {
        self.0[place].field.set_link(Some(place as u32));
    }
}
