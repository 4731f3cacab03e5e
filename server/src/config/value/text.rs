//! Words that stand for themselves: names, paths, passwords.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{FileLine, Intent, Readable, Setting, quoted, single, until_nul};

/// Says why a text is not valid.
pub type Validator = fn(&[u8]) -> Result<(), String>;

/// Bytes behind a lock, replaced as a whole.
struct Cell {
    value: RwLock<Arc<[u8]>>,
    default: &'static str,
}

impl Cell {
    fn new(default: &'static str) -> Cell {
        Cell { value: RwLock::new(default.as_bytes().into()), default }
    }

    fn get(&self) -> Arc<[u8]> {
        Arc::clone(&self.value.read())
    }

    fn set(&self, word: &[u8], intent: Intent) -> bool {
        let changed = **self.value.read() != *word;
        if changed && intent != Intent::Check {
            *self.value.write() = word.into();
        }
        changed
    }

    fn file_line(&self) -> FileLine {
        let value = self.get();
        (quoted(&value), *value != *self.default.as_bytes())
    }
}

/// A text, as far as its first zero byte.
pub struct Text {
    cell: Cell,
    /// Whether the directive is left out of files when it is empty.
    optional: bool,
    validator: Option<Validator>,
}

impl Text {
    /// A text that may be empty.
    pub fn new(default: &'static str) -> Text {
        Text { cell: Cell::new(default), optional: false, validator: None }
    }

    /// A text that counts as absent when it is empty.
    pub fn optional() -> Text {
        Text { optional: true, ..Text::new("") }
    }

    pub fn checked(self, validator: Validator) -> Text {
        Text { validator: Some(validator), ..self }
    }
}

impl Readable for Text {
    type Output = Arc<str>;

    fn read(&self) -> Arc<str> {
        String::from_utf8_lossy(&self.cell.get()).into()
    }
}

impl Setting for Text {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        let word = until_nul(single(words)?);
        if let Some(validator) = self.validator {
            validator(word)?;
        }
        Ok(self.cell.set(word, intent))
    }

    fn text(&self) -> Vec<u8> {
        self.cell.get().to_vec()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let line = self.cell.file_line();
        if self.optional && self.cell.get().is_empty() { Vec::new() } else { vec![line] }
    }
}

/// A password: any bytes at all, absent when empty.
pub struct Secret(Cell);

impl Secret {
    pub fn absent() -> Secret {
        Secret(Cell::new(""))
    }
}

impl Readable for Secret {
    type Output = Arc<[u8]>;

    fn read(&self) -> Arc<[u8]> {
        self.0.get()
    }
}

impl Setting for Secret {
    fn set(&self, words: &[&[u8]], intent: Intent) -> Result<bool, String> {
        Ok(self.0.set(single(words)?, intent))
    }

    fn text(&self) -> Vec<u8> {
        self.0.get().to_vec()
    }

    fn file_lines(&self) -> Vec<FileLine> {
        let line = self.0.file_line();
        if self.0.get().is_empty() { Vec::new() } else { vec![line] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_at_a_zero_byte_and_secrets_do_not() {
        let text = Text::new("dump.rdb");
        assert_eq!(text.file_lines(), [(b"\"dump.rdb\"".to_vec(), false)]);
        assert_eq!(text.set(&[b"a\0b"], Intent::Change), Ok(true));
        assert_eq!((text.text(), &*text.read()), (b"a".to_vec(), "a"));
        let secret = Secret::absent();
        assert!(secret.file_lines().is_empty());
        assert_eq!(secret.set(&[b"\xff\0b"], Intent::Change), Ok(true));
        assert_eq!(&*secret.read(), b"\xff\0b");
        assert_eq!(secret.file_lines(), [(b"\"\\xff\\x00b\"".to_vec(), true)]);
    }

    #[test]
    fn validators_are_asked_first() {
        let text = Text::optional().checked(|word| if word == b"no" { Err("not that".into()) } else { Ok(()) });
        assert_eq!(text.set(&[b"no"], Intent::Change), Err("not that".into()));
        assert_eq!(text.set(&[b"x"], Intent::Change), Ok(true));
        assert_eq!(text.set(&[b"x"], Intent::Change), Ok(false));
        assert_eq!(text.set(&[], Intent::Change), Err("wrong number of arguments".into()));
    }
}
