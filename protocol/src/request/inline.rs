//! Inline requests: a line of words, as typed into telnet.

use super::error::ProtocolError;

/// Blank between words: what C's `isspace` takes for one.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Splits a line into words, undoing quotes and escapes in place, and calls `word` with the start and length of each.
///
/// Between double quotes, `\n \r \t \b \a` and `\xHH` stand for their bytes and a backslash takes the magic from any
/// other; between single quotes only `\'` is special. A closing quote must end the word.
pub fn split_words(line: &mut [u8], mut word: impl FnMut(usize, usize)) -> Result<(), ProtocolError> {
    let mut read = 0;
    loop {
        while line.get(read).is_some_and(|&byte| is_blank(byte)) {
            read += 1;
        }
        if read == line.len() {
            return Ok(());
        }
        // A word never grows by being unquoted, so it can be written over its own raw form.
        let start = read;
        let mut write = read;
        while let Some(&byte) = line.get(read) {
            let raw = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b'"' | b'\'' => {
                    (read, write) = unquote(line, read, write)?;
                    break;
                }
                other => other,
            };
            line[write] = raw;
            write += 1;
            read += 1;
        }
        word(start, write - start);
    }
}

/// Moves what stands between the quote at `read` and its twin to `write`. Answers where both are afterwards.
fn unquote(line: &mut [u8], mut read: usize, mut write: usize) -> Result<(usize, usize), ProtocolError> {
    let quote = line[read];
    read += 1;
    loop {
        let rest = line.get(read..).unwrap_or_default();
        let (byte, taken) = match *rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [byte, ref rest @ ..] if byte == quote => {
                return match rest.first() {
                    Some(&next) if !is_blank(next) => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok((read + 1, write)),
                };
            }
            [b'\\', b'\'', ..] if quote == b'\'' => (b'\'', 2),
            [b'\\', escaped, ref rest @ ..] if quote == b'"' => match (escaped, hex_byte(rest)) {
                (b'x', Some(byte)) => (byte, 4),
                (b'n', _) => (b'\n', 2),
                (b'r', _) => (b'\r', 2),
                (b't', _) => (b'\t', 2),
                (b'b', _) => (0x08, 2),
                (b'a', _) => (0x07, 2),
                (other, _) => (other, 2),
            },
            [byte, ..] => (byte, 1),
        };
        line[write] = byte;
        write += 1;
        read += taken;
    }
}

/// The byte that two hexadecimal digits at the front stand for.
fn hex_byte(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| (*text.get(at)? as char).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut line = line.to_vec();
        let mut spans = Vec::new();
        split_words(&mut line, |start, len| spans.push(start..start + len)).ok()?;
        Some(spans.into_iter().map(|span| line[span].to_vec()).collect())
    }

    #[test]
    fn splits_and_unquotes() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b" \t\x0b\x0c\r", &[]),
            (b"SET  k\tv ", &[b"SET", b"k", b"v"]),
            (br#"ECHO "a\x41\n\q\"b""#, &[b"ECHO", b"aA\nq\"b"]),
            (br#"ECHO "\r\t\b\a\\""#, &[b"ECHO", b"\r\t\x08\x07\\"]),
            (br#"ECHO "\x4" "\xzz""#, &[b"ECHO", b"x4", b"xzz"]),
            (br"ECHO 'a\'b\n'", &[b"ECHO", br"a'b\n"]),
            (br#"ECHO a"b c" d"#, &[b"ECHO", b"ab c", b"d"]),
            (br#""" ''"#, &[b"", b""]),
            (b"a\x0bb \x0b c", &[b"a\x0bb", b"c"]),
            (b"\"a\"\x0bb", &[b"a", b"b"]),
            (b"a\rb", &[b"a", b"b"]),
            (b"\xc3\xa9\xff", &[b"\xc3\xa9\xff"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).as_deref(), Some(&words.iter().map(|w| w.to_vec()).collect::<Vec<_>>()[..]));
        }
    }

    #[test]
    fn refuses_unbalanced_quotes() {
        for line in [r#"ECHO "a"#, r#"ECHO 'a"#, r#""a"b"#, "'a'b", r#"a"b"c"#, r#""a\"#, r#""a\""#, r"'a\'", "'"] {
            assert_eq!(split(line.as_bytes()), None, "{line}");
        }
    }
}
