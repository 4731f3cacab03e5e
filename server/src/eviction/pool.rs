//! The best candidates for eviction that were met so far.

/// How many are remembered.
const PLACES: usize = 16;

/// A key that was found worth evicting.
#[derive(Debug, Default)]
pub struct Candidate {
    /// The higher, the better to do without.
    pub score: u64,
    pub db: usize,
    pub key: Vec<u8>,
}

/// Few samples at a time, of which the best are kept from one eviction to the next, come close to the order that an
/// index of all keys would give.
#[derive(Debug, Default)]
pub struct Pool {
    /// From the worst to the best.
    candidates: Vec<Candidate>,
    /// Buffers of keys that were taken out.
    spare: Vec<Vec<u8>>,
}

impl Pool {
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    pub fn clear(&mut self) {
        self.candidates.clear();
    }

    /// Remembers a key, if it is better than the worst one or there is room.
    pub fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let full = self.candidates.len() == PLACES;
        if full && self.candidates.first().is_some_and(|worst| worst.score >= score) {
            return;
        }
        if let Some(known) = self.candidates.iter().position(|other| other.db == db && other.key == key) {
            let known = self.candidates.remove(known);
            self.spare.push(known.key);
        } else if full {
            let worst = self.candidates.remove(0);
            self.spare.push(worst.key);
        }
        let mut name = self.spare.pop().unwrap_or_default();
        name.clear();
        name.extend_from_slice(key);
        let place = self.candidates.partition_point(|other| other.score < score);
        self.candidates.insert(place, Candidate { score, db, key: name });
    }

    /// Takes the best one out.
    pub fn take_best(&mut self) -> Option<Candidate> {
        self.candidates.pop()
    }

    /// Takes back what was taken out, for its memory.
    pub fn recycle(&mut self, candidate: Candidate) {
        const LONG: usize = 256;
        if candidate.key.capacity() <= LONG && self.spare.len() < PLACES {
            self.spare.push(candidate.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(pool: &mut Pool) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| pool.take_best()).map(|candidate| (candidate.score, candidate.key)).collect()
    }

    #[test]
    fn the_best_are_kept_and_come_first() {
        let mut pool = Pool::default();
        for n in 0..100u64 {
            // Each number below 100 once, in a mixed order.
            let score = n * 37 % 100;
            pool.offer(score, 0, format!("key{score}").as_bytes());
        }
        let expected: Vec<(u64, Vec<u8>)> = (84..100).rev().map(|n| (n, format!("key{n}").into_bytes())).collect();
        assert_eq!(drained(&mut pool), expected);
        assert!(pool.is_empty() && pool.take_best().is_none());
    }

    #[test]
    fn a_key_is_remembered_once_with_its_latest_score() {
        let mut pool = Pool::default();
        pool.offer(5, 0, b"a");
        pool.offer(6, 0, b"b");
        pool.offer(5, 1, b"a");
        pool.offer(7, 0, b"a");
        assert_eq!(drained(&mut pool), [(7, b"a".to_vec()), (6, b"b".to_vec()), (5, b"a".to_vec())]);
    }

    #[test]
    fn a_worse_one_does_not_push_out_a_better() {
        let mut pool = Pool::default();
        (0..PLACES as u64).for_each(|n| pool.offer(10, 0, &n.to_le_bytes()));
        pool.offer(10, 0, b"equal");
        pool.offer(9, 0, b"worse");
        assert!(pool.candidates.iter().all(|candidate| candidate.key.len() == 8));
        pool.offer(11, 0, b"better");
        assert_eq!(pool.candidates.len(), PLACES);
        let best = pool.take_best().expect("a candidate");
        assert_eq!(best.key, b"better");
        pool.recycle(best);
        assert_eq!(pool.spare.len(), 1);
    }
}
