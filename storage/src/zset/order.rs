//! The order of elements: by score, then by member.

/// Scores as whole numbers that sort like them. Both zeros are one.
#[inline]
pub(super) fn order_of(score: f64) -> u64 {
    // Adding zero makes zero of minus zero.
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The score of that order. What is below the least of scores, which is no order, stands for it.
#[inline]
fn score_of(order: u64) -> f64 {
    const LEAST: u64 = !f64::NEG_INFINITY.to_bits();
    let order = order.max(LEAST);
    f64::from_bits(if order >> 63 == 0 { !order } else { order & !(1 << 63) })
}

/// Whether one element comes before another.
#[inline]
pub(super) fn is_before(score: f64, member: &[u8], other: f64, other_member: &[u8]) -> bool {
    score < other || score == other && member < other_member
}

/// A place in a sorted set, between two elements. As much of it as possible is found by the orders of scores alone.
pub(super) trait Place {
    /// Whether elements with scores of this order and above may lie before the place.
    fn reaches(&mut self, order: u64) -> bool;

    /// Whether there may be elements on both sides that have scores of these orders.
    fn divides(&self, least: u64, greatest: u64) -> bool;

    /// Whether the place is behind this element.
    fn is_behind(&mut self, score: f64, member: &[u8]) -> bool;

    /// Whether the place is behind this element, or is its own.
    fn is_from(&mut self, score: f64, member: &[u8]) -> bool;
}

/// The place of an element, before it if it is there.
#[derive(Clone, Copy)]
pub(super) struct PlaceOf<'m> {
    order: u64,
    score: f64,
    member: &'m [u8],
}

impl<'m> PlaceOf<'m> {
    #[inline]
    pub(super) fn new(score: f64, member: &'m [u8]) -> PlaceOf<'m> {
        PlaceOf { order: order_of(score), score, member }
    }
}

impl Place for PlaceOf<'_> {
    #[inline]
    fn reaches(&mut self, order: u64) -> bool {
        order <= self.order
    }

    #[inline]
    fn divides(&self, least: u64, greatest: u64) -> bool {
        least <= self.order && self.order <= greatest
    }

    #[inline]
    fn is_behind(&mut self, score: f64, member: &[u8]) -> bool {
        is_before(score, member, self.score, self.member)
    }

    #[inline]
    fn is_from(&mut self, score: f64, member: &[u8]) -> bool {
        !is_before(self.score, self.member, score, member)
    }
}

/// The place behind all elements that a condition holds for, which are a beginning of the set.
pub(super) struct PlaceBehind<F>(pub(super) F);

impl<F: FnMut(f64, &[u8]) -> bool> Place for PlaceBehind<F> {
    /// The least that an element of this score can be has the empty member.
    #[inline]
    fn reaches(&mut self, order: u64) -> bool {
        (self.0)(score_of(order), b"")
    }

    #[inline]
    fn divides(&self, _: u64, _: u64) -> bool {
        true
    }

    #[inline]
    fn is_behind(&mut self, score: f64, member: &[u8]) -> bool {
        (self.0)(score, member)
    }

    #[inline]
    fn is_from(&mut self, score: f64, member: &[u8]) -> bool {
        self.is_behind(score, member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_sort_like_scores_and_lead_back_to_them() {
        let scores = [f64::NEG_INFINITY, -1e300, -2.0, -5e-324, 0.0, 5e-324, 1.0, 1.0 + f64::EPSILON, f64::INFINITY];
        assert!(scores.map(order_of).is_sorted_by(|a, b| a < b));
        assert_eq!(scores.map(|score| score_of(order_of(score))), scores);
        assert_eq!(order_of(-0.0), order_of(0.0));
        assert_eq!((score_of(0), score_of(order_of(f64::NEG_INFINITY) - 1)), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    }
}
