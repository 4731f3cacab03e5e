//! Whole numbers: plain, of bytes, in octal.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::{FileLine, Intent, Readable, Setting, format_memory, parse_memory, single, until_nul};

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Plain,
    Memory,
    /// Bytes, or a share of `maxmemory` in percent, which is kept as a negative number.
    MemoryOrPercent,
    Octal,
}

/// A number between two bounds, read without a lock.
pub struct Number {
    value: AtomicI64,
    default: i64,
    /// Wide enough for the bounds of both signed and unsigned 64-bit numbers.
    min: i128,
    max: i128,
    unit: Unit,
    /// Numbers up to 2^64 - 1, kept in the same 64 bits.
    unsigned: bool,
    /// Where values that are accepted but not sensible are moved to.
    sensible: Option<(i64, i64)>,
}

impl Number {
    pub fn new(default: i64, min: i64, max: i64, unit: Unit) -> Number {
        let (min, max) = (min.into(), max.into());
        Number { value: AtomicI64::new(default), default, min, max, unit, unsigned: false, sensible: None }
    }

    pub fn unsigned(default: i64, unit: Unit) -> Number {
        Number { max: u64::MAX.into(), unsigned: true, ..Number::new(default, 0, 0, unit) }
    }

    pub fn moved_into(self, min: i64, max: i64) -> Number {
        Number { sensible: Some((min, max)), ..self }
    }

    /// The number that 64 bits stand for.
    fn wide(&self, bits: i64) -> i128 {
        if self.unsigned { i128::from(bits as u64) } else { bits.into() }
    }

    fn is_percent(&self, bits: i64) -> bool {
        self.unit == Unit::MemoryOrPercent && bits < 0
    }

    fn parse(&self, word: &[u8]) -> Result<i64, String> {
        let parsed = match self.unit {
            Unit::Plain => protocol::parse_i64(word).ok_or("argument couldn't be parsed into an integer"),
            Unit::Memory => parse_memory(word).map(|bytes| bytes as i64).ok_or("argument must be a memory value"),
            Unit::MemoryOrPercent => parse_memory(word)
                .map(|bytes| bytes as i64)
                .or_else(|| parse_percent(word))
                .ok_or("argument must be a memory or percent value"),
            Unit::Octal => parse_octal(word).ok_or("argument couldn't be parsed as an octal number"),
        };
        let bits = parsed?;
        let number = self.wide(bits);
        if self.is_percent(bits) {
            if number < self.min {
                return Err(format!("percentage argument must be less or equal to {}", -self.min));
            }
        } else if number < self.min || number > self.max {
            return Err(match self.unit {
                Unit::Octal => format!("argument must be between {:o} and {:o} inclusive", self.min, self.max),
                _ => format!("argument must be between {} and {} inclusive", self.min, self.max),
            });
        }
        Ok(bits)
    }
}

impl Readable for Number {
    type Output = i64;

    fn read(&self) -> i64 {
        let bits = self.value.load(Relaxed);
        if self.unsigned && bits < 0 { i64::MAX } else { bits }
    }
}

impl Setting for Number {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let mut bits = self.parse(single(words)?)?;
        if let Some((min, max)) = self.sensible {
            bits = bits.clamp(min, max);
        }
        if intent == Intent::Check {
            return Ok(bits != self.value.load(Relaxed));
        }
        Ok(self.value.swap(bits, Relaxed) != bits)
    }

    fn text(&self) -> Vec<u8> {
        let bits = self.value.load(Relaxed);
        let text = match self.unit {
            _ if self.is_percent(bits) => format!("{}%", bits.unsigned_abs()),
            Unit::Octal => format!("{bits:o}"),
            _ => self.wide(bits).to_string(),
        };
        text.into_bytes()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let bits = self.value.load(Relaxed);
        let line = match self.unit {
            Unit::Memory | Unit::MemoryOrPercent if !self.is_percent(bits) => format_memory(bits as u64).into_bytes(),
            _ => self.text(),
        };
        vec![(line, bits != self.default)]
    }
}

fn parse_percent(word: &[u8]) -> Option<i64> {
    let percent = protocol::parse_i64(word.strip_suffix(b"%")?)?;
    (percent >= 0).then_some(-percent)
}

fn parse_octal(word: &[u8]) -> Option<i64> {
    let word = until_nul(word);
    match word {
        [] => Some(0),
        _ => i64::from_str_radix(std::str::from_utf8(word).ok()?.trim_start(), 8).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(number: &Number, word: &str) -> Result<bool, String> {
        number.set(&[word.as_bytes()], Intent::Change)
    }

    fn printed(number: &Number) -> String {
        String::from_utf8(number.text()).expect("numbers are ASCII")
    }

    #[test]
    fn plain() {
        let number = Number::new(10, 1, 99, Unit::Plain);
        assert_eq!(set(&number, "42"), Ok(true));
        assert_eq!(set(&number, "42"), Ok(false));
        assert_eq!(number.read(), 42);
        for word in ["", "1 ", " 1", "+1", "01", "-0", "1k", "1.5", "0x10", "1e3", "99999999999999999999"] {
            assert_eq!(set(&number, word), Err("argument couldn't be parsed into an integer".into()), "{word}");
        }
        for word in ["0", "100", "-5"] {
            assert_eq!(set(&number, word), Err("argument must be between 1 and 99 inclusive".into()));
        }
        assert_eq!(number.read(), 42);
        assert_eq!(number.file_lines(), [(b"42".to_vec(), true)]);
    }

    #[test]
    fn bytes() {
        let number = Number::new(64, 32, i64::MAX, Unit::Memory);
        assert_eq!(set(&number, "3mb"), Ok(true));
        assert_eq!(printed(&number), "3145728");
        assert_eq!(number.file_lines(), [(b"3mb".to_vec(), true)]);
        assert_eq!(set(&number, "x"), Err("argument must be a memory value".into()));
        let text = "argument must be between 32 and 9223372036854775807 inclusive";
        assert_eq!(set(&number, "18446744073709551615"), Err(text.into()));
    }

    #[test]
    fn bytes_beyond_the_signed_range() {
        let number = Number::unsigned(0, Unit::Memory);
        assert_eq!(set(&number, "18446744073709551615"), Ok(true));
        assert_eq!(printed(&number), "18446744073709551615");
        assert_eq!(number.read(), i64::MAX);
    }

    #[test]
    fn percents() {
        let number = Number::new(0, -100, i64::MAX, Unit::MemoryOrPercent);
        assert_eq!(set(&number, "5%"), Ok(true));
        assert_eq!((number.read(), printed(&number).as_str()), (-5, "5%"));
        assert_eq!(number.file_lines(), [(b"5%".to_vec(), true)]);
        assert_eq!(set(&number, "101%"), Err("percentage argument must be less or equal to 100".into()));
        for word in ["%", "-5%", "5 %", "abc", "-1"] {
            assert_eq!(set(&number, word), Err("argument must be a memory or percent value".into()), "{word}");
        }
        assert_eq!(set(&number, "1k"), Ok(true));
        assert_eq!(printed(&number), "1000");
    }

    #[test]
    fn octal() {
        let number = Number::new(0, 0, 0o777, Unit::Octal);
        assert_eq!(set(&number, "700"), Ok(true));
        assert_eq!((number.read(), printed(&number).as_str()), (0o700, "700"));
        assert_eq!(set(&number, "999"), Err("argument couldn't be parsed as an octal number".into()));
        assert_eq!(set(&number, "1000"), Err("argument must be between 0 and 777 inclusive".into()));
    }

    #[test]
    fn values_out_of_sense_are_moved() {
        let number = Number::new(10, 0, i32::MAX.into(), Unit::Plain).moved_into(1, 500);
        assert_eq!(set(&number, "100000"), Ok(true));
        assert_eq!(number.read(), 500);
        assert_eq!(set(&number, "0"), Ok(true));
        assert_eq!(number.read(), 1);
    }
}
