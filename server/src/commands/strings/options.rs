//! The options that SET, GETEX and MSETEX share: expiries and conditions.

use protocol::Args;
use storage::Ttl;

use crate::command::Error;

/// Which options a command knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    Set,
    GetEx,
    MSetEx,
}

/// A time as it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    UnixSeconds,
    UnixMillis,
}

/// What must hold of the key for a command to have an effect.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    Always,
    Missing,
    Exists,
    Equals(&'a [u8]),
    Differs(&'a [u8]),
    DigestEquals(&'a [u8]),
    DigestDiffers(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// Whether it looks at the value.
    pub(super) fn compares(&self) -> bool {
        !matches!(self, Condition::Always | Condition::Missing | Condition::Exists)
    }

    /// A condition that compares, by its keyword.
    pub(super) fn comparing(word: &[u8], operand: &'a [u8]) -> Option<Condition<'a>> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"ifeq" => Condition::Equals(operand),
            b"ifne" => Condition::Differs(operand),
            b"ifdeq" => Condition::DigestEquals(operand),
            b"ifdne" => Condition::DigestDiffers(operand),
            _ => return None,
        })
    }
}

/// The options of one call.
pub(super) struct Options<'a> {
    pub(super) condition: Condition<'a>,
    pub(super) get: bool,
    pub(super) keep_ttl: bool,
    pub(super) persist: bool,
    expiry: Option<(Unit, &'a [u8])>,
}

impl<'a> Options<'a> {
    /// Reads options in any order and case.
    pub(super) fn parse(args: Args<'a>, accepts: Accepts) -> Result<Options<'a>, Error> {
        let mut options =
            Options { condition: Condition::Always, get: false, keep_ttl: false, persist: false, expiry: None };
        let (mut index, set) = (0, accepts == Accepts::Set);
        while let Some(word) = args.get(index) {
            let operand = args.get(index + 1);
            index += 1;
            let lower = word.to_ascii_lowercase();
            let timeless = options.expiry.is_none();
            match lower.as_slice() {
                b"nx" | b"xx" if accepts != Accepts::GetEx => {
                    let wanted = if lower == b"nx" { Condition::Missing } else { Condition::Exists };
                    options.set_condition(wanted)?;
                }
                b"get" if set => options.get = true,
                b"keepttl" if accepts != Accepts::GetEx && timeless => options.keep_ttl = true,
                b"persist" if accepts == Accepts::GetEx && timeless => options.persist = true,
                b"ex" => options.set_expiry(Unit::Seconds, operand)?,
                b"px" => options.set_expiry(Unit::Millis, operand)?,
                b"exat" => options.set_expiry(Unit::UnixSeconds, operand)?,
                b"pxat" => options.set_expiry(Unit::UnixMillis, operand)?,
                _ => {
                    let condition = operand.and_then(|operand| Condition::comparing(&lower, operand));
                    let condition = condition.filter(|_| set).ok_or(Error::SYNTAX)?;
                    if !matches!(options.condition, Condition::Always) {
                        return Err(Error::SYNTAX);
                    }
                    options.condition = condition;
                    index += 1;
                    continue;
                }
            }
            if matches!(lower.as_slice(), b"ex" | b"px" | b"exat" | b"pxat") {
                index += 1;
            }
        }
        Ok(options)
    }

    fn set_condition(&mut self, wanted: Condition<'a>) -> Result<(), Error> {
        let same = std::mem::discriminant(&self.condition) == std::mem::discriminant(&wanted);
        if !same && !matches!(self.condition, Condition::Always) {
            return Err(Error::SYNTAX);
        }
        self.condition = wanted;
        Ok(())
    }

    /// Only one kind of expiry; of the same kind the last one counts.
    fn set_expiry(&mut self, unit: Unit, operand: Option<&'a [u8]>) -> Result<(), Error> {
        let other = self.expiry.is_some_and(|(before, _)| before != unit);
        match operand {
            Some(operand) if !other && !self.keep_ttl && !self.persist => {
                self.expiry = Some((unit, operand));
                Ok(())
            }
            _ => Err(Error::SYNTAX),
        }
    }

    /// When the key shall expire, in Unix milliseconds.
    pub(super) fn expiry(&self, now_ms: i64, command: &str) -> Result<Option<i64>, Error> {
        let Some((unit, text)) = self.expiry else { return Ok(None) };
        absolute(unit, text, now_ms, command).map(Some)
    }

    /// Whether the expiry was given as a point in time.
    pub(super) fn is_absolute(&self) -> bool {
        matches!(self.expiry, Some((Unit::UnixSeconds | Unit::UnixMillis, _)))
    }

    /// Whether the expiry needs no reckoning.
    pub(super) fn is_in_unix_ms(&self) -> bool {
        matches!(self.expiry, Some((Unit::UnixMillis, _)))
    }

    /// What becomes of the key's expiry.
    pub(super) fn ttl(&self, now_ms: i64, command: &str) -> Result<Ttl, Error> {
        Ok(match self.expiry(now_ms, command)? {
            Some(when) => Ttl::At(when),
            None if self.keep_ttl => Ttl::Keep,
            None => Ttl::Clear,
        })
    }
}

/// A time in Unix milliseconds; zero, negative and overflowing ones are refused.
pub(super) fn absolute(unit: Unit, text: &[u8], now_ms: i64, command: &str) -> Result<i64, Error> {
    let number = protocol::parse_i64(text).ok_or(Error::NOT_AN_INTEGER)?;
    let millis = match unit {
        _ if number <= 0 => None,
        Unit::Seconds | Unit::UnixSeconds => number.checked_mul(1000),
        Unit::Millis | Unit::UnixMillis => Some(number),
    };
    let base = if matches!(unit, Unit::Seconds | Unit::Millis) { now_ms } else { 0 };
    millis.and_then(|millis| millis.checked_add(base)).ok_or_else(|| Error::invalid_expire(command))
}
