//! The IDs of entries.

use std::fmt;

/// An entry's ID: Unix milliseconds, and a number that tells apart what was added within one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

impl StreamId {
    /// Before every entry: no entry has this ID.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The ID behind this one; `None` behind the last.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The ID before this one; `None` before the first.
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The ID in bytes that sort as the IDs do.
    pub(super) fn sortable(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The ID behind the last one of a stream that is added at a time.
    pub fn generate(last: StreamId, now_ms: i64) -> Option<StreamId> {
        match u64::try_from(now_ms) {
            Ok(ms) if ms > last.ms => Some(StreamId { ms, seq: 0 }),
            _ => last.next(),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours() {
        let (a, b) = (StreamId::new(4, u64::MAX), StreamId::new(5, 0));
        assert_eq!((a.next(), b.previous()), (Some(b), Some(a)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
        assert!(a.sortable() < b.sortable());
        assert_eq!(StreamId::new(1, 2).to_string(), "1-2");
    }

    #[test]
    fn generated_ids_never_go_back() {
        let last = StreamId::new(100, 7);
        assert_eq!(StreamId::generate(last, 101), Some(StreamId::new(101, 0)));
        assert_eq!(StreamId::generate(last, 100), Some(StreamId::new(100, 8)));
        assert_eq!(StreamId::generate(last, -5), Some(StreamId::new(100, 8)));
        assert_eq!(StreamId::generate(StreamId::MAX, 5), None);
    }
}
