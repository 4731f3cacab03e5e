//! Yes or no, and one of several words.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use super::{FileLine, Intent, Readable, Setting, single, until_nul};

/// `yes` or `no`, read without a lock.
pub struct Switch {
    value: AtomicBool,
    default: bool,
    /// Why `yes` is not possible, where it is not.
    fixed: Option<&'static str>,
}

impl Switch {
    pub fn new(default: bool) -> Switch {
        Switch { value: AtomicBool::new(default), default, fixed: None }
    }

    /// One that refuses `yes`.
    pub fn off(why: &'static str) -> Switch {
        Switch { fixed: Some(why), ..Switch::new(false) }
    }
}

fn yes_or_no(value: bool) -> Vec<u8> {
    if value { b"yes".to_vec() } else { b"no".to_vec() }
}

impl Readable for Switch {
    type Output = bool;

    fn read(&self) -> bool {
        self.value.load(Relaxed)
    }
}

impl Setting for Switch {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let word = until_nul(single(words)?);
        let value = match () {
            _ if word.eq_ignore_ascii_case(b"yes") => true,
            _ if word.eq_ignore_ascii_case(b"no") => false,
            _ => return Err("argument must be 'yes' or 'no'".into()),
        };
        if let (true, Some(why)) = (value, self.fixed) {
            return Err(why.into());
        }
        if intent == Intent::Check {
            return Ok(value != self.read());
        }
        Ok(self.value.swap(value, Relaxed) != value)
    }

    fn text(&self) -> Vec<u8> {
        yes_or_no(self.read())
    }

    fn file_lines(&self) -> Vec<FileLine> {
        vec![(self.text(), self.read() != self.default)]
    }
}

/// An enumeration whose values have names in files.
pub trait Choice: Copy + PartialEq + Send + Sync + 'static {
    /// All names with their values; the first name of a value is the one that is printed.
    const NAMES: &'static [(&'static str, Self)];

    /// The name of this value.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("unknown", |(name, _)| name)
    }
}

/// Declares enumerations and the names of their values. A value may have more than one.
macro_rules! choices {
    ($($(#[doc = $doc:literal])+ $type:ident { $($variant:ident = $name:literal $(| $other:literal)*,)+ })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub enum $type { $($variant,)+ }

            impl $crate::config::value::Choice for $type {
                const NAMES: &'static [(&'static str, Self)] =
                    &[$(($name, $type::$variant), $(($other, $type::$variant),)*)+];
            }
        )+
    };
}
pub(crate) use choices;

/// One value of an enumeration, read without a lock.
pub struct OneOf<C> {
    /// The value's place among the names.
    place: AtomicU8,
    default: C,
    choices: PhantomData<C>,
}

impl<C: Choice> OneOf<C> {
    pub fn new(default: C) -> OneOf<C> {
        OneOf { place: AtomicU8::new(place_of(default)), default, choices: PhantomData }
    }
}

/// The place of the first name of a value.
fn place_of<C: Choice>(value: C) -> u8 {
    C::NAMES.iter().position(|(_, other)| *other == value).unwrap_or_default() as u8
}

pub(super) fn one_of<T>(names: &[(&str, T)]) -> String {
    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

pub(super) fn find<T: Copy>(names: &[(&str, T)], word: &[u8]) -> Result<T, String> {
    let word = until_nul(word);
    let found = names.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value).ok_or_else(|| one_of(names))
}

impl<C: Choice> Readable for OneOf<C> {
    type Output = C;

    fn read(&self) -> C {
        C::NAMES.get(usize::from(self.place.load(Relaxed))).map_or(self.default, |(_, value)| *value)
    }
}

impl<C: Choice> Setting for OneOf<C> {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let place = place_of(find(C::NAMES, single(words)?)?);
        if intent == Intent::Check {
            return Ok(place != self.place.load(Relaxed));
        }
        Ok(self.place.swap(place, Relaxed) != place)
    }

    fn text(&self) -> Vec<u8> {
        self.read().name().as_bytes().to_vec()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        vec![(self.text(), self.read() != self.default)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    choices! {
        /// A choice with two names for one value.
        Adjust { No = "no", Relative = "yes" | "relative", Absolute = "absolute", }
    }

    #[test]
    fn switches() {
        let switch = Switch::new(true);
        assert_eq!(switch.set(&[b"NO"], Intent::Check), Ok(true));
        assert!(switch.read(), "a check changes nothing");
        assert_eq!(switch.set(&[b"NO"], Intent::Change), Ok(true));
        assert_eq!(switch.set(&[b"no\0x"], Intent::Change), Ok(false));
        assert_eq!(switch.file_lines(), [(b"no".to_vec(), true)]);
        for word in [&b""[..], b"1", b"true", b"yes "] {
            assert_eq!(switch.set(&[word], Intent::Change), Err("argument must be 'yes' or 'no'".into()));
        }
        assert_eq!(switch.set(&[b"yes", b"no"], Intent::Change), Err("wrong number of arguments".into()));
        assert_eq!(Switch::off("not here").set(&[b"yes"], Intent::Check), Err("not here".into()));
    }

    #[test]
    fn one_of_several() {
        let choice = OneOf::new(Adjust::No);
        assert_eq!(choice.set(&[b"RELATIVE"], Intent::Change), Ok(true));
        assert_eq!((choice.read(), choice.text()), (Adjust::Relative, b"yes".to_vec()));
        assert_eq!(choice.set(&[b"yes"], Intent::Change), Ok(false));
        let text = "argument(s) must be one of the following: no, yes, relative, absolute";
        assert_eq!(choice.set(&[b"maybe"], Intent::Change), Err(text.into()));
    }
}
