//! Replies as exact bytes: where one ends, what its elements are, and how to show it.

use std::fmt;
use std::io::{self, BufRead, Read};

/// One reply, RESP2 or RESP3, exactly as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply(pub Vec<u8>);

impl Reply {
    /// The byte that names the reply's kind.
    pub fn kind(&self) -> u8 {
        self.0.first().copied().unwrap_or(b'?')
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.kind(), b'-' | b'!')
    }

    /// The number in an integer reply.
    pub fn integer(&self) -> Option<i64> {
        if self.kind() == b':' { self.payload_text()?.parse().ok() } else { None }
    }

    /// The content of a simple string, an error or a bulk string; of other kinds the rest of the first line.
    pub fn payload(&self) -> &[u8] {
        let line_end = self.0.iter().position(|&byte| byte == b'\n').map_or(self.0.len(), |at| at + 1);
        let trim = |bytes: &'_ [u8]| bytes.len() - if bytes.ends_with(b"\r\n") { 2 } else { 0 };
        let body = if matches!(self.kind(), b'$' | b'!' | b'=') && self.0.len() > line_end {
            self.0.get(line_end..)
        } else {
            self.0.get(1..line_end)
        };
        let body = body.unwrap_or_default();
        body.get(..trim(body)).unwrap_or_default()
    }

    fn payload_text(&self) -> Option<&str> {
        std::str::from_utf8(self.payload()).ok()
    }

    /// The elements of an aggregate (a map's keys and values one after the other), each as its exact bytes; none for
    /// other kinds.
    pub fn elements(&self) -> Vec<Reply> {
        if !is_aggregate(self.kind()) {
            return Vec::new();
        }
        let header = self.0.iter().position(|&byte| byte == b'\n').map_or(self.0.len(), |at| at + 1);
        let mut rest = self.0.get(header..).unwrap_or_default();
        let mut elements = Vec::new();
        while !rest.is_empty() {
            match read(&mut rest) {
                Ok(element) => elements.push(element),
                Err(_) => break,
            }
        }
        elements
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

fn is_aggregate(kind: u8) -> bool {
    matches!(kind, b'*' | b'%' | b'~' | b'>')
}

/// Reads exactly one reply; an attribute counts as part of the reply that follows it.
pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    let mut due: u64 = 1;
    while due > 0 {
        due -= 1;
        let start = bytes.len();
        if stream.read_until(b'\n', &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = bytes.get(start..).unwrap_or_default();
        let Some((&kind, rest)) = line.strip_suffix(b"\r\n").and_then(<[u8]>::split_first) else {
            return Err(malformed(&bytes));
        };
        let number = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok());
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
            b'$' | b'!' | b'=' => match number() {
                Some(-1) => {}
                Some(length @ 0..) => {
                    let length = length.unsigned_abs() + 2;
                    if stream.by_ref().take(length).read_to_end(&mut bytes)? as u64 != length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if !bytes.ends_with(b"\r\n") {
                        return Err(malformed(&bytes));
                    }
                }
                _ => return Err(malformed(&bytes)),
            },
            b'*' | b'~' | b'>' | b'%' | b'|' => match number() {
                Some(-1) => {}
                Some(count @ 0..) => {
                    let count = count.unsigned_abs();
                    due += match kind {
                        b'%' => 2 * count,
                        b'|' => 2 * count + 1,
                        _ => count,
                    };
                }
                _ => return Err(malformed(&bytes)),
            },
            _ => return Err(malformed(&bytes)),
        }
    }
    Ok(Reply(bytes))
}

fn malformed(bytes: &[u8]) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a RESP reply: {}", escape(bytes)))
}

/// Bytes as `redis-cli` would take them in double quotes; long runs are cut in the middle.
pub fn escape(bytes: &[u8]) -> String {
    const SHOWN: usize = 2000;
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\'", "'");
    match (bytes.get(..SHOWN / 2), bytes.len().checked_sub(SHOWN / 2).and_then(|from| bytes.get(from..))) {
        (Some(head), Some(tail)) if bytes.len() > SHOWN => {
            format!("{}...({} bytes)...{}", text(head), bytes.len() - SHOWN, text(tail))
        }
        _ => text(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly_one_reply() {
        let stream: &[u8] = b"*2\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n_\r\n:5\r\n|1\r\n+a\r\n:1\r\n$-1\r\n";
        let mut rest = stream;
        let first = read(&mut rest).unwrap();
        assert_eq!(first.0, b"*2\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n_\r\n");
        assert_eq!(first.elements().len(), 2);
        assert_eq!(first.elements()[0].payload(), b"a\r\n");
        assert_eq!(read(&mut rest).unwrap().integer(), Some(5));
        assert_eq!(read(&mut rest).unwrap().0, b"|1\r\n+a\r\n:1\r\n$-1\r\n");
        assert!(rest.is_empty());
        assert_eq!(read(&mut rest).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn refuses_what_is_no_reply() {
        for mut bytes in [&b"hello\r\n"[..], b"$5\r\nabc\r\n", b"$-2\r\n", b"\r\n", b"$3\r\nabcde"] {
            assert!(read(&mut bytes).is_err());
        }
    }
}
