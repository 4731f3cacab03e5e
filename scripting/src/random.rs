//! The random numbers of scripts: the generator of `lrand48`, so that a seed gives the same numbers everywhere.

/// 48 bits of state: a linear congruential generator.
pub(crate) struct Random(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;

impl Default for Random {
    fn default() -> Self {
        Self(0x1234_ABCD_330E)
    }
}

impl Random {
    /// Begins the sequence of a seed.
    pub(crate) fn seed(&mut self, seed: i32) {
        self.0 = u64::from(seed as u32) << 16 | 0x330E;
    }

    /// The next number between 0 and 1, without 1.
    pub(crate) fn next_fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        let bits = (self.0 >> 17) as u32;
        const MOST: u32 = i32::MAX as u32;
        f64::from(bits % MOST) / f64::from(MOST)
    }
}
