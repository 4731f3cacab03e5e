//! Formatted text, written straight into the output.

use std::fmt::{self, Write};

use super::output::Output;

/// Writes text as it is and counts its bytes.
pub(super) struct Plain<'a> {
    out: &'a mut Output,
    len: usize,
}

impl<'a> Plain<'a> {
    pub(super) fn new(out: &'a mut Output) -> Self {
        Self { out, len: 0 }
    }

    /// Appends the text and answers its length.
    pub(super) fn display(mut self, text: impl fmt::Display) -> usize {
        // Appending cannot fail, so an error could only be the value's own: then what it has written stands.
        let _ = write!(self, "{text}");
        self.len
    }
}

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.room(text.len()).extend_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// Writes text as one line: line breaks at its ends are dropped, those within become spaces.
pub(super) struct OneLine<'a> {
    out: &'a mut Output,
    begun: bool,
    /// Line breaks that are dropped unless more text comes.
    breaks: usize,
}

impl<'a> OneLine<'a> {
    pub(super) fn new(out: &'a mut Output) -> Self {
        Self { out, begun: false, breaks: 0 }
    }

    pub(super) fn display(mut self, text: impl fmt::Display) {
        // As above: only the value itself could fail.
        let _ = write!(self, "{text}");
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        for (index, part) in text.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
            if index > 0 && self.begun {
                self.breaks += 1;
            }
            if !part.is_empty() {
                let out = self.out.room(self.breaks + part.len());
                out.resize(out.len() + self.breaks, b' ');
                out.extend_from_slice(part);
                self.begun = true;
                self.breaks = 0;
            }
        }
    }
}

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
