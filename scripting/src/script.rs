//! What is known of a script before it runs: its digest, and what its first line says.

use std::fmt;

use protocol::split_words;
use sha1::{Digest as _, Sha1};

/// What no hexadecimal digit has.
const NO_DIGIT: u8 = 0x80;

/// The values of hexadecimal digits by their characters.
const DIGIT_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
};

/// The digest that a script is called by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha([u8; 20]);

impl Sha {
    /// Digits of a digest in hexadecimal form.
    pub const DIGITS: usize = 40;

    /// The digest of a script's text.
    pub fn of(script: &[u8]) -> Self {
        Self(Sha1::digest(script).into())
    }

    /// The digest of a text that comes in pieces.
    pub(crate) fn of_pieces<'a, E>(mut pieces: impl Iterator<Item = Result<&'a [u8], E>>) -> Result<Self, E> {
        let digest = pieces.try_fold(Sha1::new(), |digest, piece| Ok(digest.chain_update(piece?)))?;
        Ok(Self(digest.finalize().into()))
    }

    /// Reads forty hexadecimal digits of either case.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != Self::DIGITS {
            return None;
        }
        let (mut bytes, mut all) = ([0; 20], 0);
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let (high, low) = (DIGIT_VALUES[pair[0] as usize], DIGIT_VALUES[pair[1] as usize]);
            *byte = high << 4 | low & 15;
            all |= high | low;
        }
        (all & NO_DIGIT == 0).then_some(Self(bytes))
    }

    /// Forty hexadecimal digits in lower case.
    pub fn to_hex(self) -> [u8; Self::DIGITS] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; Self::DIGITS];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[(byte >> 4) as usize];
            pair[1] = DIGITS[(byte & 15) as usize];
        }
        hex
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a script or function says it does and does not do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// It writes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// It may run when memory has run out.
    pub const ALLOW_OOM: Self = Self(2);
    /// It may run on a replica whose data is stale.
    pub const ALLOW_STALE: Self = Self(4);
    /// It does not run in a cluster.
    pub const NO_CLUSTER: Self = Self(8);
    /// It may use keys of different slots.
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(16);
    /// Accepted and without effect: keys that were not declared are always locked as needed.
    pub const ALLOW_KEY_LOCKING: Self = Self(32);

    /// All flags by their names, in the order in which Redis lists them.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
        (Self::ALLOW_KEY_LOCKING, "allow-key-locking"),
    ];

    /// Whether all of `flags` are among these.
    pub fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The names of these flags.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }

    /// Adds the flag of a name that `is` recognizes; `false` if there is none.
    pub(crate) fn add(&mut self, is: impl Fn(&str) -> bool) -> bool {
        let found = Self::ALL.iter().find(|(_, name)| is(name));
        if let Some((flag, _)) = found {
            self.0 |= flag.0;
        }
        found.is_some()
    }
}

/// The first line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it says; `None` for scripts without such a line, which may do what was always allowed.
    pub flags: Option<Flags>,
    /// Bytes before the line's end. Compiling begins there, so that lines keep their numbers.
    pub(crate) length: usize,
}

impl Header {
    /// Reads the first line of a script. The error is a text without a code.
    pub fn parse(script: &[u8]) -> Result<Self, Vec<u8>> {
        if !script.starts_with(b"#!") {
            return Ok(Self { flags: None, length: 0 });
        }
        let Some(length) = script.iter().position(|&byte| byte == b'\n') else {
            return Err(b"Invalid script shebang".to_vec());
        };
        let words = words(&script[..length]).filter(|words| !words.is_empty());
        let Some(words) = words else { return Err(b"Invalid engine in script shebang".to_vec()) };
        let mut flags = Flags::default();
        for (index, word) in words.iter().map(Vec::as_slice).enumerate() {
            if index == 0 {
                if word != b"#!lua" {
                    return Err([b"Unexpected engine in script shebang: ", word].concat());
                }
            } else if let Some(list) = word.strip_prefix(b"flags=") {
                for flag in list.split(|&byte| byte == b',') {
                    if !list.is_empty() && !flags.add(|name| name.as_bytes() == flag) {
                        return Err([b"Unexpected flag in script shebang: ", flag].concat());
                    }
                }
            } else {
                return Err([b"Unknown lua shebang option: ", word].concat());
            }
        }
        Ok(Self { flags: Some(flags), length })
    }
}

/// The words of a line, quotes undone; `None` if a quote is not closed.
pub(crate) fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut line = line.to_vec();
    let mut spans = Vec::new();
    split_words(&mut line, |start, length| spans.push(start..start + length)).ok()?;
    Some(spans.into_iter().map(|span| line[span].to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::{Flags, Header, Sha};

    #[test]
    fn digests_are_read_in_either_case() {
        let sha = Sha::of(b"return 1");
        assert_eq!(sha.to_string(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        assert_eq!(Sha::parse(b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), Some(sha));
        assert_eq!(Sha::parse(&sha.to_hex()), Some(sha));
        assert_eq!(Sha::parse(b"xyz"), None);
        assert_eq!(Sha::parse(&[b'g'; 40]), None);
    }

    #[test]
    fn headers() {
        assert_eq!(Header::parse(b"return 1").unwrap().flags, None);
        let flags = Header::parse(b"#!lua flags=no-writes,allow-oom\nreturn 1").unwrap().flags.unwrap();
        assert_eq!(flags.names().collect::<Vec<_>>(), ["no-writes", "allow-oom"]);
        assert_eq!(Header::parse(b"#!lua flags=\nreturn 1").unwrap().flags, Some(Flags::default()));
        for (script, error) in [
            ("#!lua flags=foo\n", "Unexpected flag in script shebang: foo"),
            ("#!lua flags=no-writes,\n", "Unexpected flag in script shebang: "),
            ("#!lua name=foo\n", "Unknown lua shebang option: name=foo"),
            ("#!luax\n", "Unexpected engine in script shebang: #!luax"),
            ("#!\n", "Unexpected engine in script shebang: #!"),
            ("#!lua", "Invalid script shebang"),
            ("#!lua \"\n", "Invalid engine in script shebang"),
        ] {
            assert_eq!(Header::parse(script.as_bytes()).unwrap_err(), error.as_bytes());
        }
    }
}
