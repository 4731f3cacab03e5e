//! Numbers with a mantissa of 64 bits, as INCRBYFLOAT computes with: Redis uses the processor's long double there, and
//! what it prints differs from what 64-bit floats would give.

use num_bigint::{BigInt, BigUint, Sign};

/// Digits behind the point that are printed, before zeros at the end are dropped.
const FRACTION_DIGITS: u32 = 17;
/// Longer texts are not numbers.
const MAX_TEXT: usize = 5 * 1024;
/// Beyond two to this power a long double is infinite.
const MAX_EXPONENT: i64 = 16384;
/// Decimal exponents beyond this are infinite or nothing whatever the digits (no text is longer than `MAX_TEXT`).
const MAX_DECIMAL: i64 = 20_000;

/// A long double: an integer of at most 64 bits times a power of two, or an infinity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LongDouble {
    Finite { mantissa: BigInt, exponent: i64 },
    Infinite { negative: bool },
}

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble::Finite { mantissa: BigInt::ZERO, exponent: 0 };

    /// Reads a number as C's `strtold` does, but only if it is all of the text.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty() && text.len() < MAX_TEXT)?;
        let (negative, digits) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let lower = digits.to_ascii_lowercase();
        if matches!(lower.as_str(), "inf" | "infinity") {
            return Some(LongDouble::Infinite { negative });
        }
        let (numerator, denominator) = match lower.strip_prefix("0x") {
            Some(hexadecimal) => parse_scaled(hexadecimal, 16, 'p')?,
            None => parse_scaled(&lower, 10, 'e')?,
        };
        // Room for 64 bits and two to round by, whatever the sizes of both.
        let shift = (denominator.bits() as i64 - numerator.bits() as i64 + 66).max(0);
        let shifted = numerator << shift as u64;
        let (mut quotient, rest) = (&shifted / &denominator, &shifted % &denominator);
        if rest != BigUint::ZERO {
            // What is left over only matters for being there.
            quotient = (quotient << 1u32) | BigUint::from(1u32);
            return finish(rounded(BigInt::from_biguint(sign(negative), quotient), -shift - 1));
        }
        finish(rounded(BigInt::from_biguint(sign(negative), quotient), -shift))
    }

    /// The sum; `None` where that is no number.
    pub fn add(&self, other: &LongDouble) -> Option<LongDouble> {
        match (self, other) {
            (LongDouble::Infinite { negative: a }, LongDouble::Infinite { negative: b }) if a != b => None,
            (LongDouble::Infinite { .. }, _) => Some(self.clone()),
            (_, LongDouble::Infinite { .. }) => Some(other.clone()),
            (LongDouble::Finite { mantissa: a, exponent: i }, LongDouble::Finite { mantissa: b, exponent: j }) => {
                let low = *i.min(j);
                Some(rounded((a << (i - low) as u64) + (b << (j - low) as u64), low))
            }
        }
    }

    /// The largest finite number.
    pub fn largest() -> LongDouble {
        LongDouble::Finite { mantissa: BigInt::from(u64::MAX), exponent: MAX_EXPONENT - 64 }
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, LongDouble::Finite { mantissa, .. } if mantissa.sign() == Sign::NoSign)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self, LongDouble::Infinite { .. })
    }

    pub fn negated(&self) -> LongDouble {
        match self {
            LongDouble::Finite { mantissa, exponent } => {
                LongDouble::Finite { mantissa: -mantissa, exponent: *exponent }
            }
            LongDouble::Infinite { negative } => LongDouble::Infinite { negative: !negative },
        }
    }

    pub fn is_less(&self, other: &LongDouble) -> bool {
        match (self, other) {
            (LongDouble::Infinite { negative: a }, LongDouble::Infinite { negative: b }) => *a && !b,
            (LongDouble::Infinite { negative }, _) => *negative,
            (_, LongDouble::Infinite { negative }) => !negative,
            (LongDouble::Finite { mantissa: a, exponent: i }, LongDouble::Finite { mantissa: b, exponent: j }) => {
                let low = *i.min(j);
                (a << (i - low) as u64) < (b << (j - low) as u64)
            }
        }
    }

    /// The nearest 64-bit float.
    pub fn to_f64(&self) -> f64 {
        match self {
            LongDouble::Finite { mantissa, exponent } => {
                let digits = u64::try_from(mantissa.magnitude()).unwrap_or(u64::MAX) as f64;
                // In two steps, since the power alone may be too large or too small.
                let exponent = (*exponent).clamp(-2200, 2200) as i32;
                let size = digits * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
                if mantissa.sign() == Sign::Minus { -size } else { size }
            }
            LongDouble::Infinite { negative } => {
                if *negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
        }
    }

    /// The number times `factor`, rounded up to an integer; `None` where that is out of range.
    pub fn scaled_ceil(&self, factor: u32) -> Option<i64> {
        let LongDouble::Finite { mantissa, exponent } = self else { return None };
        let scaled = mantissa * BigInt::from(factor);
        // The shift rounds down.
        let whole = if *exponent >= 0 { scaled << *exponent as u64 } else { -(-scaled >> exponent.unsigned_abs()) };
        i64::try_from(whole).ok()
    }

    /// The number without an exponent, rounded to 17 digits behind the point and without zeros at the end; `None` for
    /// infinities.
    pub fn to_text(&self) -> Option<String> {
        let LongDouble::Finite { mantissa, exponent } = self else { return None };
        let scaled = mantissa.magnitude() * BigUint::from(10u32).pow(FRACTION_DIGITS);
        let scaled =
            if *exponent >= 0 { scaled << *exponent as u64 } else { shift_right_even(scaled, -exponent as u64) };
        let digits = format!("{scaled:0>width$}", width = FRACTION_DIGITS as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - FRACTION_DIGITS as usize);
        let fraction = fraction.trim_end_matches('0');
        let text = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
        Some(if mantissa.sign() == Sign::Minus && text != "0" { format!("-{text}") } else { text })
    }
}

fn sign(negative: bool) -> Sign {
    if negative { Sign::Minus } else { Sign::Plus }
}

fn finish(number: LongDouble) -> Option<LongDouble> {
    // A number too large to be one is no number, unlike an infinity that was written as such.
    Some(number).filter(|number| matches!(number, LongDouble::Finite { .. }))
}

/// A number in base `radix`, as a numerator and a denominator.
fn parse_scaled(text: &str, radix: u32, exponent_mark: char) -> Option<(BigUint, BigUint)> {
    let (digits, exponent) = match text.split_once(exponent_mark) {
        Some((digits, exponent)) => {
            let number = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let size = number.parse::<i64>().unwrap_or(i64::MAX).min(MAX_DECIMAL * 4);
            (digits, if exponent.starts_with('-') { -size } else { size })
        }
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = BigUint::parse_bytes(all.as_bytes(), radix)?;
    if number == BigUint::ZERO {
        return Some((number, BigUint::from(1u32)));
    }
    let (base, per_digit) = if radix == 16 { (2u32, 4) } else { (10, 1) };
    let power = exponent - fraction.len() as i64 * per_digit;
    if power.abs() > MAX_DECIMAL * 4 {
        return None;
    }
    let scale = BigUint::from(base).pow(power.unsigned_abs() as u32);
    Some(if power >= 0 { (number * scale, BigUint::from(1u32)) } else { (number, scale) })
}

/// The nearest number with a mantissa of 64 bits, ties to even.
fn rounded(mantissa: BigInt, exponent: i64) -> LongDouble {
    let extra = mantissa.bits().saturating_sub(64);
    let (sign, magnitude) = mantissa.into_parts();
    let magnitude = shift_right_even(magnitude, extra);
    let exponent = exponent + extra as i64;
    if magnitude.bits() as i64 + exponent > MAX_EXPONENT {
        return LongDouble::Infinite { negative: sign == Sign::Minus };
    }
    LongDouble::Finite { mantissa: BigInt::from_biguint(sign, magnitude), exponent }
}

/// Divides by a power of two, to the nearest, ties to even.
fn shift_right_even(number: BigUint, bits: u64) -> BigUint {
    if bits == 0 {
        return number;
    }
    let quotient = &number >> bits;
    let half = BigUint::from(1u32) << (bits - 1);
    let rest = number - (&quotient << bits);
    let up = rest > half || (rest == half && quotient.bit(0));
    if up { quotient + 1u32 } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::LongDouble;

    fn sum(a: &str, b: &str) -> Option<String> {
        LongDouble::parse(a.as_bytes())?.add(&LongDouble::parse(b.as_bytes())?)?.to_text()
    }

    #[test]
    fn sums_are_those_of_long_doubles() {
        let cases = [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "1.1", "4.1"),
            ("-3", "3", "0"),
            ("1", "-1.1", "-0.1"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x10", "0x1p-1", "16.5"),
            ("1e-30", "0", "0"),
            ("+5", ".5", "5.5"),
        ];
        for (a, b, expected) in cases {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn what_is_not_a_number() {
        for text in ["", " 1", "1 ", "abc", "1e", "nan", "--1", "1e5000", "0x", ".", "e5", "1_0"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(sum("inf", "-inf"), None);
    }
}
