//! Sets of flags: the options of a shutdown, and the classes of keyspace events.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bitflags::bitflags;

use super::choice::{find, one_of};
use super::{FileLine, Intent, Readable, Setting, quoted, single, until_nul};

bitflags! {
    /// What a signal to leave asks for, besides leaving.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ShutdownFlags: u32 {
        const SAVE = 1;
        const NOSAVE = 1 << 1;
        const NOW = 1 << 2;
        const FORCE = 1 << 3;
    }

    /// Which keyspace events are published, and where.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct NotifyFlags: u32 {
        const KEYSPACE = 1;
        const KEYEVENT = 1 << 1;
        const GENERIC = 1 << 2;
        const STRING = 1 << 3;
        const LIST = 1 << 4;
        const SET = 1 << 5;
        const HASH = 1 << 6;
        const ZSET = 1 << 7;
        const EXPIRED = 1 << 8;
        const EVICTED = 1 << 9;
        const STREAM = 1 << 10;
        const MODULE = 1 << 11;
        const KEY_MISS = 1 << 12;
        const NEW = 1 << 13;
        const OVERWRITTEN = 1 << 14;
        const TYPE_CHANGED = 1 << 15;
    }
}

/// A set of flags that is written in its own way.
pub trait Flags: Copy + PartialEq + Send + Sync + 'static {
    fn to_bits(self) -> u32;

    fn of_bits(bits: u32) -> Self;

    fn parse(words: &[&[u8]]) -> Result<Self, String>;

    fn print(self) -> String;

    /// The words of its line in a file.
    fn file_line(self) -> Vec<u8> {
        self.print().into_bytes()
    }
}

/// The names of the flags; the first stands for none of them.
const SHUTDOWN_NAMES: &[(&str, ShutdownFlags)] = &[
    ("default", ShutdownFlags::empty()),
    ("save", ShutdownFlags::SAVE),
    ("nosave", ShutdownFlags::NOSAVE),
    ("now", ShutdownFlags::NOW),
    ("force", ShutdownFlags::FORCE),
];

impl Flags for ShutdownFlags {
    fn to_bits(self) -> u32 {
        self.bits()
    }

    fn of_bits(bits: u32) -> Self {
        Self::from_bits_truncate(bits)
    }

    fn parse(words: &[&[u8]]) -> Result<Self, String> {
        if words.is_empty() {
            return Err(one_of(SHUTDOWN_NAMES));
        }
        let mut all = Self::empty();
        for word in words {
            all |= find(SHUTDOWN_NAMES, word)?;
        }
        if all.contains(Self::SAVE | Self::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        Ok(all)
    }

    fn print(self) -> String {
        if self.is_empty() {
            return "default".into();
        }
        let names = SHUTDOWN_NAMES.iter().skip(1).filter(|(_, flag)| self.contains(*flag)).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(" ")
    }
}

/// Letters in the order that they are printed: those that `A` stands for, those that are not printed beside it although
/// it does not stand for them, and the rest.
const IN_ALL: &[(char, NotifyFlags)] = &[
    ('g', NotifyFlags::GENERIC),
    ('$', NotifyFlags::STRING),
    ('l', NotifyFlags::LIST),
    ('s', NotifyFlags::SET),
    ('h', NotifyFlags::HASH),
    ('z', NotifyFlags::ZSET),
    ('x', NotifyFlags::EXPIRED),
    ('e', NotifyFlags::EVICTED),
    ('t', NotifyFlags::STREAM),
    ('d', NotifyFlags::MODULE),
];
const HIDDEN_BY_ALL: &[(char, NotifyFlags)] =
    &[('n', NotifyFlags::NEW), ('o', NotifyFlags::OVERWRITTEN), ('c', NotifyFlags::TYPE_CHANGED)];
const BESIDE_ALL: &[(char, NotifyFlags)] =
    &[('K', NotifyFlags::KEYSPACE), ('E', NotifyFlags::KEYEVENT), ('m', NotifyFlags::KEY_MISS)];

impl NotifyFlags {
    /// What the letter `A` stands for.
    pub fn every_class() -> NotifyFlags {
        IN_ALL.iter().fold(NotifyFlags::empty(), |all, (_, flag)| all | *flag)
    }
}

impl Flags for NotifyFlags {
    fn to_bits(self) -> u32 {
        self.bits()
    }

    fn of_bits(bits: u32) -> Self {
        Self::from_bits_truncate(bits)
    }

    fn parse(words: &[&[u8]]) -> Result<Self, String> {
        let mut all = Self::empty();
        for &byte in until_nul(single(words)?) {
            let letter = char::from(byte);
            let known = IN_ALL.iter().chain(HIDDEN_BY_ALL).chain(BESIDE_ALL).find(|(other, _)| *other == letter);
            all |= match known {
                Some((_, flag)) => *flag,
                None if letter == 'A' => Self::every_class(),
                None => return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdnoc'.".into()),
            };
        }
        Ok(all)
    }

    fn print(self) -> String {
        let all = self.contains(Self::every_class());
        let classes = IN_ALL.iter().chain(HIDDEN_BY_ALL).filter(|_| !all).chain(BESIDE_ALL);
        let letters = classes.filter(|(_, flag)| self.contains(*flag)).map(|(letter, _)| *letter);
        all.then_some('A').into_iter().chain(letters).collect()
    }

    fn file_line(self) -> Vec<u8> {
        quoted(self.print().as_bytes())
    }
}

/// A set of flags, empty by default, read without a lock.
pub struct FlagSet<F> {
    bits: AtomicU32,
    flags: PhantomData<F>,
}

impl<F> FlagSet<F> {
    pub fn empty() -> FlagSet<F> {
        FlagSet { bits: AtomicU32::new(0), flags: PhantomData }
    }
}

impl<F: Flags> Readable for FlagSet<F> {
    type Output = F;

    fn read(&self) -> F {
        F::of_bits(self.bits.load(Relaxed))
    }
}

impl<F: Flags> Setting for FlagSet<F> {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let bits = F::parse(words)?.to_bits();
        if intent == Intent::Check {
            return Ok(bits != self.bits.load(Relaxed));
        }
        Ok(self.bits.swap(bits, Relaxed) != bits)
    }

    fn text(&self) -> Vec<u8> {
        self.read().print().into_bytes()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        vec![(self.read().file_line(), self.bits.load(Relaxed) != 0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(word: &str) -> Result<String, String> {
        NotifyFlags::parse(&[word.as_bytes()]).map(NotifyFlags::print)
    }

    #[test]
    fn events_print_in_one_order() {
        let pairs = [
            ("", ""),
            ("A", "A"),
            ("KEA", "AKE"),
            ("g$lshzxetdnKEm", "AKEm"),
            ("KEx$", "$xKE"),
            ("m", "m"),
            ("AKEmn", "AKEm"),
            ("n", "n"),
            ("ndK", "dnK"),
            ("AKEoc", "AKE"),
            ("cKog", "gocK"),
        ];
        for (word, printed) in pairs {
            assert_eq!(events(word), Ok(printed.into()), "{word}");
        }
        for word in ["Q", "KEAS", "r", " "] {
            assert_eq!(events(word), Err("Invalid event class character. Use 'Ag$lshzxeKEtmdnoc'.".into()));
        }
        let set = FlagSet::<NotifyFlags>::empty();
        assert_eq!(set.file_lines(), [(b"\"\"".to_vec(), false)]);
    }

    #[test]
    fn options_of_a_shutdown() {
        let set = FlagSet::<ShutdownFlags>::empty();
        assert_eq!(set.text(), b"default");
        assert_eq!(set.set(&[b"force", b"NOW", b"nosave"], Intent::Change), Ok(true));
        assert_eq!(set.text(), b"nosave now force");
        assert_eq!(set.set(&[b"default", b"save"], Intent::Change), Ok(true));
        assert_eq!(set.text(), b"save");
        let text = "shutdown options SAVE and NOSAVE can't be used simultaneously";
        assert_eq!(set.set(&[b"save", b"nosave"], Intent::Check), Err(text.into()));
        let text = "argument(s) must be one of the following: default, save, nosave, now, force";
        assert_eq!(set.set(&[], Intent::Check), Err(text.into()));
        assert_eq!(set.set(&[b"save", b""], Intent::Check), Err(text.into()));
    }
}
