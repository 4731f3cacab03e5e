//! Glob patterns as Redis has them: `*`, `?`, `[a-z]`, `[^a]` and backslash escapes.

/// Whether a pattern fits nothing but itself.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Whether a text matches a pattern. Takes time proportional to the product of the lengths at worst, whatever the
/// pattern: only the last star is ever gone back to.
pub fn matches(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let same = |a: u8, b: u8| if ignore_case { a.eq_ignore_ascii_case(&b) } else { a == b };
    // An empty text has nothing for even a star to begin with, but all keys are meant by a single one.
    if text.is_empty() {
        return pattern.is_empty() || pattern == b"*";
    }
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and up to where it has swallowed the text.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            None if t == text.len() => return true,
            None => None,
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(_) if t == text.len() => None,
            Some(b'?') => Some(1),
            Some(b'[') => {
                let (found, length) = class(&pattern[p..], text[t], ignore_case);
                found.then_some(length)
            }
            Some(b'\\') if p + 1 < pattern.len() => same(pattern[p + 1], text[t]).then_some(2),
            Some(&byte) => same(byte, text[t]).then_some(1),
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, swallowed))) if swallowed < text.len() => {
                star = Some((after, swallowed + 1));
                (p, t) = (after, swallowed + 1);
            }
            _ => return false,
        }
    }
}

/// Whether a byte belongs to the class that `pattern` begins with, and how long the class is. An unclosed one goes to
/// the end.
fn class(pattern: &[u8], byte: u8, ignore_case: bool) -> (bool, usize) {
    let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
    // An escape in a class is met by no other case of the letter.
    let (exact, byte) = (byte, fold(byte));
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= escaped == exact;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [low, b'-', high, ..] => {
                // Bytes are signed here, as they are for Redis: those beyond ASCII come first.
                let (low, high) = (low as i8, high as i8);
                let (low, high) = (fold(low.min(high) as u8) as i8, fold(low.max(high) as u8) as i8);
                found |= (low..=high).contains(&(byte as i8));
                at += 3;
            }
            [single, ..] => {
                found |= fold(single) == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let yes = [
            ("", ""),
            ("*", ""),
            ("a**", "a"),
            ("*", "abc"),
            ("a*c", "abbbc"),
            ("a*b*c", "aXbYbZc"),
            ("?", "a"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[c-a]llo", "hbllo"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a\\", "a\\"),
            ("[a", "a"),
        ];
        let no =
            [("", "a"), ("?", ""), ("a*c", "abb"), ("h[^a]llo", "hallo"), ("\\*", "a"), ("[a-c]", "d"), ("abc", "ab")];
        yes.iter().for_each(|(pattern, text)| {
            assert!(matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}")
        });
        no.iter().for_each(|(pattern, text)| {
            assert!(!matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}")
        });
        assert!(matches(b"FO*[A-C]", b"foob", true));
        assert!(!matches(b"FOO", b"foo", false));
        assert!(matches(b"[F]OO", b"foo", true) && !matches(b"[\\F]OO", b"foo", true));
        assert!(matches(b"[b-\x80]", b"A", false), "from 0x80, the lowest, up to b");
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(5_000) + "b";
        let text = "a".repeat(20_000);
        assert!(!matches(pattern.as_bytes(), text.as_bytes(), false));
    }
}
