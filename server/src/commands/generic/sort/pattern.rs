//! Patterns that lead from an element to a value elsewhere.

use storage::hash::Hash;
use storage::{Key, View};

/// What a BY or GET pattern stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pattern<'a> {
    /// The element itself.
    Element,
    /// The string under the key that has the element in the middle, or a field of the hash there.
    Key { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
    /// The same for every element, which is as good as nothing.
    Nothing,
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Pattern<'a> {
        // Marks count up to a NUL only, what stands around them to the end.
        let visible = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        if visible == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr::memchr(b'*', visible) else { return Pattern::Nothing };
        let arrow = memchr::memmem::find(&visible[star + 1..], b"->").map(|at| star + 1 + at);
        let (before, behind) = (&text[..star], &text[star + 1..]);
        match arrow {
            Some(arrow) if visible.len() > arrow + 2 => {
                Pattern::Key { before, behind: &text[star + 1..arrow], field: Some(&text[arrow + 2..]) }
            }
            _ => Pattern::Key { before, behind, field: None },
        }
    }

    /// Whether it looks at keys.
    pub(super) fn reads_keys(self) -> bool {
        matches!(self, Pattern::Key { .. })
    }

    /// Shows `each` the value for an element.
    pub(super) fn resolve<R>(self, db: &mut View<'_>, element: &[u8], each: impl FnOnce(Option<&[u8]>) -> R) -> R {
        let (before, behind, field) = match self {
            Pattern::Element => return each(Some(element)),
            Pattern::Nothing => return each(None),
            Pattern::Key { before, behind, field } => (before, behind, field),
        };
        let name = [before, element, behind].concat();
        let key: Key<'_> = db.keyspace().key(&name);
        let mut digits = itoa::Buffer::new();
        let entry = db.read(&key);
        each(entry.and_then(|entry| match field {
            Some(field) => Some(entry.get::<Hash>().ok()?.get(field)?.bytes(&mut digits)),
            None => Some(entry.string().ok()?.bytes(&mut digits)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let key = |before, behind, field| Pattern::Key { before, behind, field };
        let cases: &[(&[u8], Pattern<'_>)] = &[
            (b"#", Pattern::Element),
            (b"#\0x*", Pattern::Element),
            (b"##", Pattern::Nothing),
            (b"", Pattern::Nothing),
            (b"name->x", Pattern::Nothing),
            (b"a\0*", Pattern::Nothing),
            (b"*", key(b"", b"", None)),
            (b"a*b*c", key(b"a", b"b*c", None)),
            (b"->*", key(b"->", b"", None)),
            (b"h_*->f", key(b"h_", b"", Some(b"f"))),
            (b"h_*:x->f\0g", key(b"h_", b":x", Some(b"f\0g"))),
            (b"h_*->", key(b"h_", b"->", None)),
            (b"h_*->\0", key(b"h_", b"->\0", None)),
            (b"h_*->->", key(b"h_", b"", Some(b"->"))),
            (b"h_*\0->f", key(b"h_", b"\0->f", None)),
        ];
        for (text, expected) in cases {
            assert_eq!(Pattern::parse(text), *expected, "{}", text.escape_ascii());
        }
    }
}
