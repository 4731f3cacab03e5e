//! A user: whether and by which passwords it may log in, and its selectors.

use sha2::{Digest, Sha256};

use super::rules::{RuleError, join_selectors};
use super::selector::Selector;
use crate::config;
use crate::monitor::quote;

type PasswordHash = [u8; 32];

/// See the module's description. Users never change once they are in use: others take their place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    name: Vec<u8>,
    /// Tells users of the same name apart, of which one was deleted before the other was made.
    serial: u64,
    enabled: bool,
    any_password: bool,
    sanitizes_payloads: bool,
    passwords: Vec<PasswordHash>,
    root: Selector,
    selectors: Vec<Selector>,
    /// Whether one selector allows everything: nothing else has to be looked at then.
    unrestricted: bool,
}

impl User {
    /// The serial number of users that are not on the list of users, and never change.
    pub(super) const BUILT_IN: u64 = u64::MAX;

    /// A new user, who may neither log in nor do anything.
    pub fn new(name: &[u8], serial: u64, all_channels: bool) -> User {
        User {
            name: name.to_vec(),
            serial,
            enabled: false,
            any_password: false,
            sanitizes_payloads: true,
            passwords: Vec::new(),
            root: Selector::new(all_channels),
            selectors: Vec::new(),
            unrestricted: false,
        }
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn set_serial(&mut self, serial: u64) {
        self.serial = serial;
    }

    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether any password will do.
    pub fn takes_any_password(&self) -> bool {
        self.any_password
    }

    /// Whether somebody who has not logged in is this user already, which only the default user is asked.
    pub fn needs_no_login(&self) -> bool {
        self.enabled && self.any_password
    }

    /// Whether there is nothing that the user may not do.
    #[inline]
    pub fn is_unrestricted(&self) -> bool {
        self.unrestricted
    }

    /// All selectors, the root first.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// The selectors that rules in parentheses made.
    pub fn further_selectors(&self) -> &[Selector] {
        &self.selectors
    }

    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// Whether the user may log in with a password.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.enabled {
            return false;
        }
        if self.any_password {
            return true;
        }
        let given = hash(password);
        self.passwords.iter().any(|known| same(known, &given))
    }

    /// Applies a rule. `open_channels` is what `acl-pubsub-default` says about new selectors.
    pub fn apply(&mut self, rule: &[u8], open_channels: bool) -> Result<(), RuleError> {
        self.apply_part(rule, open_channels)?;
        let unrestricted = self.selectors().any(Selector::is_unrestricted);
        self.unrestricted = unrestricted;
        Ok(())
    }

    fn apply_part(&mut self, rule: &[u8], open_channels: bool) -> Result<(), RuleError> {
        match rule {
            [] => return Ok(()),
            [b'>', password @ ..] => self.add_password(hash(password)),
            [b'#', digits @ ..] => self.add_password(parse_hash(digits)?),
            [b'<', password @ ..] => self.remove_password(hash(password))?,
            [b'!', digits @ ..] => self.remove_password(parse_hash(digits)?)?,
            [b'(', rules @ .., b')'] => {
                let selector = parse_selector(rules, open_channels)?;
                // Quotes and parentheses inside would be read as something else from a file.
                let written = written_selector(&selector);
                let read = join_selectors(written.split(|&byte| byte == b' '));
                let same = read.is_ok_and(|rules| rules == [written.as_slice()])
                    && parse_selector(&written[1..written.len() - 1], open_channels)
                        .is_ok_and(|again| written_selector(&again) == written);
                if !same {
                    return Err(RuleError::Syntax);
                }
                self.selectors.push(selector);
            }
            _ => match rule.to_ascii_lowercase().as_slice() {
                b"on" => self.enabled = true,
                b"off" => self.enabled = false,
                b"sanitize-payload" => self.sanitizes_payloads = true,
                b"skip-sanitize-payload" => self.sanitizes_payloads = false,
                b"nopass" => {
                    self.passwords.clear();
                    self.any_password = true;
                }
                b"resetpass" => {
                    self.passwords.clear();
                    self.any_password = false;
                }
                b"clearselectors" => self.selectors.clear(),
                b"reset" => *self = User::new(&self.name, self.serial, open_channels),
                _ => self.root.apply(rule)?,
            },
        }
        Ok(())
    }

    fn add_password(&mut self, hash: PasswordHash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.any_password = false;
    }

    fn remove_password(&mut self, hash: PasswordHash) -> Result<(), RuleError> {
        let place = self.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(place);
        Ok(())
    }

    /// The flags as ACL GETUSER lists them.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let login = if self.enabled { "on" } else { "off" };
        let payloads = if self.sanitizes_payloads { "sanitize-payload" } else { "skip-sanitize-payload" };
        [Some(login), self.any_password.then_some("nopass"), Some(payloads)].into_iter().flatten()
    }

    /// The passwords' hashes in hexadecimal digits.
    pub fn password_hashes(&self) -> impl Iterator<Item = String> {
        self.passwords.iter().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// All rules, which make the same user of a new one.
    pub fn describe(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = self.flags().map(|flag| flag.into()).collect();
        words.extend(self.password_hashes().map(|hash| format!("#{hash}").into_bytes()));
        words.push(self.root.describe());
        words.extend(self.selectors.iter().map(written_selector));
        words.join(&b' ')
    }

    /// The name and all rules: what the ACL file has behind `user`.
    pub fn declaration(&self) -> Vec<u8> {
        [&self.name, b" ".as_slice(), &self.describe()].concat()
    }

    /// The same for the configuration file, in which quotes have a meaning.
    pub fn quoted_declaration(&self) -> Vec<u8> {
        let declaration = self.declaration();
        let words = declaration.split(|&byte| byte == b' ').map(|word| {
            if !word.iter().any(|byte| b"\"'".contains(byte)) {
                return word.to_vec();
            }
            let mut quoted = String::new();
            quote(word, &mut quoted);
            quoted.into_bytes()
        });
        words.collect::<Vec<_>>().join(&b' ')
    }
}

/// The selector of rules that stand in parentheses.
fn parse_selector(rules: &[u8], open_channels: bool) -> Result<Selector, RuleError> {
    let mut selector = Selector::new(open_channels);
    for rule in config::split_words(rules).unwrap_or_default() {
        selector.apply(&rule)?;
    }
    Ok(selector)
}

fn written_selector(selector: &Selector) -> Vec<u8> {
    [b"(", selector.describe().as_slice(), b")"].concat()
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    same(&hash(a), &hash(b))
}

fn hash(password: &[u8]) -> PasswordHash {
    Sha256::digest(password).into()
}

/// Compares in the same time wherever the two differ.
fn same(a: &PasswordHash, b: &PasswordHash) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b))) == 0
}

/// A hash from 64 hexadecimal digits in lower case.
fn parse_hash(digits: &[u8]) -> Result<PasswordHash, RuleError> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = digits.as_chunks::<2>() else { return Err(RuleError::NotAHash) };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(value(high)? << 4 | value(low)?)).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(RuleError::NotAHash)
}
