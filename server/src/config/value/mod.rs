//! What directives hold. Each kind keeps its value, its default and its bounds together, and knows how the value is
//! read from words, how CONFIG GET prints it and which lines say it in a file.

mod choice;
mod flags;
mod limits;
mod list;
mod number;
mod text;

pub(super) use choice::choices;
pub use choice::{Choice, OneOf, Switch};
pub use flags::{FlagSet, NotifyFlags, ShutdownFlags};
pub use limits::{OutputLimit, OutputLimits};
pub use list::{Addresses, OomScores, Percentiles, ReplicaOf, SavePoint, SavePoints, WorkingDirectory};
pub use number::{Number, Unit};
pub use text::{Secret, Text, Validator};

/// What setting a value is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// Only to know whether the words are valid.
    Check,
    /// A line of a file or of the command line.
    Load,
    /// CONFIG SET.
    Change,
}

/// A line's words behind the directive's name, and whether a file that lacks the line must get it.
pub type FileLine = (Vec<u8>, bool);

/// A value that is set and printed as text, whatever its type.
pub trait Setting: Send + Sync {
    /// Takes over what the words say, unless only a check is wanted. Answers whether that changes anything.
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String>;

    /// The value as CONFIG GET prints it.
    fn text(&self) -> Vec<u8>;

    /// The lines that stand for the value in a file; none where the directive must be absent.
    fn file_lines(&self) -> Vec<FileLine>;
}

/// A value as the rest of the server reads it.
pub trait Readable {
    type Output;

    fn read(&self) -> Self::Output;
}

pub const WRONG_COUNT: &str = "wrong number of arguments";

/// The only word, for kinds that take one.
fn single<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], String> {
    match words {
        [word] => Ok(word),
        _ => Err(WRONG_COUNT.into()),
    }
}

/// The part of a word in front of its first zero byte: what a C string holds.
fn until_nul(word: &[u8]) -> &[u8] {
    word.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Bytes with an optional unit, by Redis's rules: digits may be absent, what exceeds 64 bits stops at the largest
/// number, and a unit then multiplies modulo 2^64.
pub fn parse_memory(word: &[u8]) -> Option<u64> {
    let word = until_nul(word);
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = word.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if number.len() > 127 {
        return None;
    }
    let number = number.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.wrapping_mul(factor))
}

/// Bytes in the largest unit that holds them without a rest, as files have them.
fn format_memory(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{}gb", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}mb", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}kb", bytes >> 10),
        _ => bytes.to_string(),
    }
}

/// A number in front of which blanks and a sign may stand; no digits at all are zero, and what exceeds 64 bits stops
/// at the bound. This is how the multi-word directives read numbers.
fn parse_loose(word: &[u8]) -> Option<i64> {
    let word = until_nul(word);
    if word.is_empty() {
        return Some(0);
    }
    let word = word.trim_ascii_start();
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0i64, |sum, digit| {
        let digit = i64::from(digit - b'0');
        sum.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    });
    Some(number)
}

/// Words in quotes where a file needs them.
pub(in crate::config) fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    crate::monitor::quote(bytes, &mut text);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_memory() {
        let valid: [(&[u8], u64); 14] = [
            (b"", 0),
            (b"k", 0),
            (b"1", 1),
            (b"1b", 1),
            (b"1K", 1000),
            (b"1KB", 1024),
            (b"2m", 2_000_000),
            (b"2mb", 2 << 20),
            (b"3g", 3_000_000_000),
            (b"3gB", 3 << 30),
            (b"18446744073709551615", u64::MAX),
            (b"99999999999999999999", u64::MAX),
            (b"99999999999gb", 15_140_462_030_378_500_096),
            (b"7\0x", 7),
        ];
        for (word, bytes) in valid {
            assert_eq!(parse_memory(word), Some(bytes), "{word:?}");
        }
        for word in [&b"-1"[..], b"1t", b"1.5gb", b"1 mb", b" 1", b"+1", b"50%", b"1mb "] {
            assert_eq!(parse_memory(word), None, "{word:?}");
        }
        for bytes in [0, 1, 1000, 1024, 5 << 20, 7 << 30, u64::MAX, 1_000_000] {
            assert_eq!(parse_memory(format_memory(bytes).as_bytes()), Some(bytes));
        }
        assert_eq!(format_memory(1536 << 20), "1536mb");
    }

    #[test]
    fn loose_numbers() {
        assert_eq!(parse_loose(b""), Some(0));
        assert_eq!(parse_loose(b" +12"), Some(12));
        assert_eq!(parse_loose(b"-12"), Some(-12));
        assert_eq!(parse_loose(b"99999999999999999999"), Some(i64::MAX));
        assert_eq!(parse_loose(b"-99999999999999999999"), Some(i64::MIN));
        for word in [&b"x"[..], b"1x", b"-", b" ", b"1 "] {
            assert_eq!(parse_loose(word), None, "{word:?}");
        }
    }
}
