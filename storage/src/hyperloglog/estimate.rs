//! The estimator of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).

use super::{PATTERN_BITS, REGISTERS};

/// Half of one over the natural logarithm of two.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The estimate for registers of which so many have each value.
pub(super) fn from_histogram(counts: &[u32; 64]) -> u64 {
    let registers = REGISTERS as f64;
    let full = f64::from(counts[PATTERN_BITS as usize + 1]);
    let mut z = registers * tau((registers - full) / registers);
    for count in counts[1..=PATTERN_BITS as usize].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += registers * sigma(f64::from(counts[0]) / registers);
    let estimate = (ALPHA * registers * registers / z).round();
    // Registers that no hash sets, but somebody who writes bytes: what Redis makes of a number that it cannot hold.
    if estimate < i64::MAX as f64 { estimate as u64 } else { 1 << 63 }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
