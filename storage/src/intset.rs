//! The intset: sorted integers of one width, in Redis's own format, so that snapshots and other servers can take it as
//! it is.
//!
//! ```text
//! [bytes of each: u32, 2, 4 or 8] [how many: u32] integer...
//! ```

const HEADER: usize = 8;
const EMPTY: &[u8] = &[2, 0, 0, 0, 0, 0, 0, 0];

/// An intset, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct IntSet<'a>(&'a [u8]);

impl<'a> IntSet<'a> {
    /// Bytes that an intset was made of before, here or after [`IntSet::validate`].
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> IntSet<'a> {
        IntSet(if bytes.len() < HEADER { EMPTY } else { bytes })
    }

    /// Bytes that come from outside, if they are an intset through and through.
    pub fn validate(bytes: &'a [u8]) -> Option<IntSet<'a>> {
        let width = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let len = u32::from_le_bytes(bytes.get(4..HEADER)?.try_into().ok()?) as usize;
        if !matches!(width, 2 | 4 | 8) || len.checked_mul(width)?.checked_add(HEADER)? != bytes.len() {
            return None;
        }
        let set = IntSet(bytes);
        set.iter().zip(set.iter().skip(1)).all(|(a, b)| a < b).then_some(set)
    }

    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    #[inline]
    fn width(self) -> usize {
        match self.0[0] {
            2 => 2,
            4 => 4,
            _ => 8,
        }
    }

    #[inline]
    pub fn len(self) -> usize {
        (self.0.len() - HEADER) / self.width()
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.0.len() == HEADER
    }

    /// The `index`th integer.
    #[inline]
    pub fn get(self, index: usize) -> Option<i64> {
        let width = self.width();
        match *self.0.get(HEADER + index * width..HEADER + (index + 1) * width)? {
            [a, b] => Some(i16::from_le_bytes([a, b]).into()),
            [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    /// Where an integer stands, or where it would.
    fn search(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) {
                Some(found) if found == value => return Ok(middle),
                Some(found) if found < value => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }

    #[inline]
    pub fn contains(self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    pub fn iter(self) -> impl DoubleEndedIterator<Item = i64> + use<'a> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

/// An intset to be changed. An empty one has allocated nothing.
#[derive(Clone, Default, Debug)]
pub struct IntSetBuf(Vec<u8>);

impl IntSetBuf {
    pub const fn new() -> IntSetBuf {
        IntSetBuf(Vec::new())
    }

    /// A buffer that holds an intset, or nothing.
    pub fn from_vec(bytes: Vec<u8>) -> IntSetBuf {
        IntSetBuf(bytes)
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }

    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    #[inline]
    pub fn as_ref(&self) -> IntSet<'_> {
        IntSet::from_bytes(&self.0)
    }

    /// Adds an integer. Tells whether it is new.
    pub fn add(&mut self, value: i64) -> bool {
        let Err(index) = self.as_ref().search(value) else { return false };
        if self.0.is_empty() {
            self.0.extend_from_slice(EMPTY);
        }
        let needed = width_of(value);
        if needed > self.as_ref().width() {
            self.widen(needed);
        }
        let width = self.as_ref().width();
        let (at, end) = (HEADER + index * width, self.0.len());
        self.0.resize(end + width, 0);
        self.0.copy_within(at..end, at + width);
        self.0[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.set_len();
        true
    }

    /// Removes an integer. Tells whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.as_ref().search(value) else { return false };
        let width = self.as_ref().width();
        self.0.drain(HEADER + index * width..HEADER + (index + 1) * width);
        self.set_len();
        true
    }

    fn widen(&mut self, width: usize) {
        let mut wide = Vec::with_capacity(HEADER + (self.as_ref().len() + 1) * width);
        wide.extend_from_slice(&(width as u32).to_le_bytes());
        wide.extend_from_slice(&[0; 4]);
        for value in self.as_ref().iter() {
            wide.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.0 = wide;
        self.set_len();
    }

    fn set_len(&mut self) {
        let len = self.as_ref().len() as u32;
        self.0[4..HEADER].copy_from_slice(&len.to_le_bytes());
    }
}

fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}
