//! The digits of a double, by the algorithm Grisu2 (Florian Loitsch, 2010).
//!
//! The standard library's digits are always the fewest, and these are not quite always (1e23 comes out as
//! 9.999999999999999e22). But they are the ones that Redis shows.

/// The digits of a positive, finite double, which is `digits * 10^exponent`.
pub(super) struct Digits {
    buffer: [u8; Digits::MOST],
    len: usize,
    pub(super) exponent: i32,
}

/// A number `fraction * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

impl Scaled {
    /// Shifts the fraction until its highest bit is set.
    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Self { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// Bits of a double's fraction, and the one that is understood before them.
const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;

impl Digits {
    /// A double has 17 digits that matter; the last step may find one more.
    const MOST: usize = 20;

    /// The digits of `value`, which must be positive and finite.
    pub(super) fn of(value: f64) -> Self {
        let biased = (value.to_bits() >> FRACTION_BITS) as i32;
        let fraction = value.to_bits() & (HIDDEN_BIT - 1);
        let exact = if biased == 0 {
            Scaled { fraction, exponent: -1074 }
        } else {
            Scaled { fraction: fraction | HIDDEN_BIT, exponent: biased - 1075 }
        };
        // All numbers between these two, halfway to the neighbours, read back as `value`.
        let upper = Scaled { fraction: exact.fraction * 2 + 1, exponent: exact.exponent - 1 }.normalized();
        let shift = if exact.fraction == HIDDEN_BIT { 2 } else { 1 };
        let lower_exponent = exact.exponent - shift;
        let lower = ((exact.fraction << shift) - 1) << (lower_exponent - upper.exponent);
        let lower = Scaled { fraction: lower, exponent: upper.exponent };

        let (power, decimal) = power_for(upper.exponent);
        let exact = exact.normalized().times(power);
        let upper = upper.times(power);
        let lower = lower.times(power);
        let mut digits = Self { buffer: [0; Self::MOST], len: 0, exponent: -decimal };
        // One unit off either end makes up for the rounding of the products.
        digits.generate(upper.fraction - 1, upper.exponent, lower.fraction + 1, exact.fraction);
        digits
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn put(&mut self, digit: u64) {
        if digit > 0 || self.len > 0 {
            self.buffer[self.len] = b'0' + digit as u8;
            self.len += 1;
        }
    }

    /// Writes digits of `upper` until what is left of it is within the interval.
    fn generate(&mut self, upper: u64, exponent: i32, lower: u64, exact: u64) {
        let shift = -exponent as u32;
        let one = 1u64 << shift;
        let distance = upper - exact;
        let mut width = upper - lower;
        let mut whole = upper >> shift;
        let mut part = upper & (one - 1);

        let mut unit = 1_000_000_000;
        for position in (0..10).rev() {
            self.put(whole / unit);
            whole %= unit;
            let rest = (whole << shift) + part;
            if rest <= width {
                self.exponent += position;
                return self.round(width, rest, unit << shift, distance);
            }
            unit /= 10;
        }
        let mut scale: u64 = 1;
        loop {
            part *= 10;
            width *= 10;
            scale *= 10;
            self.exponent -= 1;
            self.put(part >> shift);
            part &= one - 1;
            if part < width {
                return self.round(width, part, one, distance.wrapping_mul(scale));
            }
        }
    }

    /// Lowers the last digit as long as that brings the number closer to the exact one.
    fn round(&mut self, width: u64, mut rest: u64, unit: u64, distance: u64) {
        while rest < distance
            && width - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            self.buffer[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// Exponents of the powers of ten in the table: from here on, in steps.
const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// A power of ten that brings a number with this binary exponent into the range of -60 to -32, and its decimal exponent.
fn power_for(exponent: i32) -> (Scaled, i32) {
    let estimate = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (estimate - FIRST_POWER) / POWER_STEP;
    loop {
        let decimal = FIRST_POWER + index * POWER_STEP;
        // The binary logarithm of ten in 16 bits after the point is exact enough for all of these.
        let power = Scaled { fraction: POWERS[index as usize], exponent: ((decimal * 217_706) >> 16) - 63 };
        match exponent + power.exponent + 64 {
            ..-60 => index += 1,
            -31.. => index -= 1,
            _ => return (power, decimal),
        }
    }
}

/// The highest 64 bits of the powers of ten, rounded.
#[rustfmt::skip]
static POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea, 0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f, 0xbe5691ef416bd60c, 0x8dd01fad907ffc3c,
    0xd3515c2831559a83, 0x9d71ac8fada6c9b5, 0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57,
    0xc21094364dfb5637, 0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996, 0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8, 0x87625f056c7c4a8b, 0xc9bcff6034c13053,
    0x964e858c91ba2655, 0xdff9772470297ebd, 0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b, 0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c, 0x9c40000000000000,
    0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984, 0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068, 0x9f4f2726179a2245, 0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db,
    0xc45d1df942711d9a, 0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3, 0xde469fbd99a05fe3,
    0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece, 0x88fcf317f22241e2, 0xcc20ce9bd35c78a5,
    0x98165af37b2153df, 0xe2a0b5dc971f303a, 0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a, 0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841, 0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];
