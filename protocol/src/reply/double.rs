//! Doubles as text, in the form that Redis gives them.

use super::grisu::Digits;

/// The text of a double, on the stack.
pub struct DoubleText {
    buffer: [u8; DoubleText::CAPACITY],
    len: usize,
}

impl DoubleText {
    /// More than the longest takes: 18 digits with a sign, a point, and up to seven zeros or an exponent.
    const CAPACITY: usize = 40;

    /// As replies have it: whole numbers without an exponent.
    pub fn new(value: f64) -> Self {
        Self::build(value, true)
    }

    /// With an exponent wherever that is shorter.
    pub fn shortest(value: f64) -> Self {
        Self::build(value, false)
    }

    fn build(value: f64, whole: bool) -> Self {
        let mut text = Self { buffer: [0; Self::CAPACITY], len: 0 };
        if value.is_nan() {
            text.put(b"nan");
        } else if value.is_infinite() {
            text.put(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if value == 0.0 {
            text.put(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else if whole && value.abs() <= MOST_EXACT && value.trunc() == value {
            text.put(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            if value < 0.0 {
                text.put(b"-");
            }
            text.put_digits(&Digits::of(value.abs()));
        }
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn put_zeros(&mut self, count: usize) {
        self.put(&[b'0'; Self::CAPACITY][..count]);
    }

    /// Chooses between plain and exponential notation.
    fn put_digits(&mut self, number: &Digits) {
        let digits = number.as_bytes();
        let magnitude = number.exponent + digits.len() as i32 - 1;
        if number.exponent >= 0 && magnitude < digits.len() as i32 + 7 {
            self.put(digits);
            self.put_zeros(number.exponent as usize);
        } else if number.exponent < 0 && (number.exponent > -7 || magnitude.abs() < 4) {
            if magnitude < 0 {
                self.put(b"0.");
                self.put_zeros((-magnitude - 1) as usize);
                self.put(digits);
            } else {
                let (whole, part) = digits.split_at(magnitude as usize + 1);
                self.put(whole);
                self.put(b".");
                self.put(part);
            }
        } else {
            self.put(&digits[..1]);
            if digits.len() > 1 {
                self.put(b".");
                self.put(&digits[1..]);
            }
            self.put(if magnitude < 0 { b"e-" } else { b"e+" });
            self.put(itoa::Buffer::new().format(magnitude.unsigned_abs()).as_bytes());
        }
    }
}

/// Whole numbers up to this one, 2^62, are written as integers.
const MOST_EXACT: f64 = (1u64 << 62) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_redis_writes() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123.456, "123.456"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (4e18, "4000000000000000000"),
            (9.3e18, "9.3e+18"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (1.5e20, "1.5e+20"),
            (1e22, "1e+22"),
            (1e23, "99999999999999990000000"),
            (1e100, "1e+100"),
            (2.5e100, "2.5e+100"),
            (12345678901234567890.0, "12345678901234567000"),
            (1.234_567_890_123_456_7e25, "1.2345678901234566e+25"),
            (0.0001, "0.0001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-5, "0.000015"),
            (1.5e-7, "1.5e-7"),
            (1.234e-6, "1.234e-6"),
            (1.234e-5, "1.234e-5"),
            (-0.001234567890123, "-0.001234567890123"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
        ];
        for (value, text) in cases {
            assert_eq!(String::from_utf8_lossy(DoubleText::new(*value).as_bytes()), *text);
        }
    }
}
