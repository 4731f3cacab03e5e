//! How large the nodes of a list get.

/// How large a listpack may get, as `list-max-listpack-size` says: so many elements, or below zero a class of sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeLimit {
    size: i16,
    /// Elements of at least so many bytes are kept on their own; 0 leaves that to `size`.
    long_from: u32,
}

/// However few elements there may be, a listpack is not larger.
const SAFE: usize = 8192;

impl NodeLimit {
    pub fn new(size: i64) -> NodeLimit {
        NodeLimit { size: size.clamp(-5, i16::MAX.into()) as i16, long_from: 0 }
    }

    /// Has elements of at least so many bytes kept on their own, for tests.
    pub fn with_long_from(self, bytes: u32) -> NodeLimit {
        NodeLimit { long_from: bytes, ..self }
    }

    /// The `list-max-listpack-size` it was made of, as far as it matters.
    pub fn size(self) -> i64 {
        self.size.into()
    }

    fn class_bytes(self) -> Option<usize> {
        (self.size < 0).then(|| 4096 << (-1 - self.size))
    }

    fn most_elements(self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX).max(1)
    }

    /// Whether so much is too much for one listpack.
    pub(super) fn exceeded(self, bytes: usize, elements: usize) -> bool {
        match self.class_bytes() {
            Some(most) => bytes > most,
            None => elements > self.most_elements() || bytes > SAFE,
        }
    }

    /// Whether an element of so many bytes does not lie beside others.
    pub(super) fn is_long(self, text_len: usize) -> bool {
        match self.long_from {
            0 => text_len > self.class_bytes().unwrap_or(SAFE),
            from => text_len >= from as usize,
        }
    }

    /// Whether a sequence that has shrunk to so much goes back to one listpack: at half of the limit, so that it does
    /// not go to and fro.
    pub(super) fn well_below(self, bytes: usize, elements: usize) -> bool {
        match self.class_bytes() {
            Some(most) => bytes <= most / 2,
            None => elements <= self.most_elements() / 2,
        }
    }
}
