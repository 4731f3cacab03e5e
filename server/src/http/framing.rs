//! Where requests begin and end on a connection, followed beside hyper.
//!
//! hyper reads a few forms that a proxy in front may read otherwise, and does not tell of them: a length beside an
//! encoding, a length that stands there twice, lines that end in a line feed alone. Where two sides see the end of one
//! request in different places, a request hides in another. So whoever sends one of these is refused; all else that
//! is wrong hyper refuses itself.

use std::mem;

use memchr::memchr;

/// What has come so far.
#[derive(Default)]
pub struct Framing {
    part: Part,
    /// A line whose end has not come. hyper ends a connection on which lines become too long.
    line: Vec<u8>,
    /// Of the head that is coming.
    head: Head,
    /// Bytes of its lines that have come to their ends.
    head_length: usize,
    /// Heads that have come.
    heads: u64,
    /// Heads of which hyper has asked.
    asked: u64,
    /// The first head that is refused, and why. Nothing behind it is looked at.
    refused: Option<(u64, &'static str)>,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Part {
    #[default]
    Head,
    /// So many bytes of a body of known length.
    Body(u64),
    ChunkSize,
    /// So many bytes of a chunk and its line end.
    Chunk(u64),
    Trailers,
}

#[derive(Default)]
struct Head {
    has_request_line: bool,
    length: Option<u64>,
    is_encoded: bool,
}

impl Framing {
    /// Takes bytes as they come, in pieces of any length.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.refused.is_none() {
            bytes = match self.part {
                Part::Body(left) => self.skip(bytes, left, Part::Body, Part::Head),
                Part::Chunk(left) => self.skip(bytes, left, Part::Chunk, Part::ChunkSize),
                Part::Head | Part::ChunkSize | Part::Trailers => self.read_line(bytes),
            };
        }
    }

    /// Why the next request, of which hyper has read the head, is refused. Called once for each.
    pub fn objection(&mut self) -> Option<&'static str> {
        let index = self.asked;
        self.asked += 1;
        self.refused.filter(|(first, _)| *first <= index).map(|(_, reason)| reason)
    }

    /// Bytes of a head that is not whole yet.
    pub fn unfinished(&self) -> usize {
        self.head_length + self.line.len()
    }

    /// The head that is coming, or the next one that would, is refused.
    fn refuse(&mut self, reason: &'static str) {
        self.refused = Some((self.heads, reason));
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64, part: fn(u64) -> Part, next: Part) -> &'a [u8] {
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - count as u64;
        self.part = if left == 0 { next } else { part(left) };
        &bytes[count..]
    }

    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            return &[];
        };
        let (piece, rest) = bytes.split_at(end + 1);
        if self.line.is_empty() {
            self.end_line(piece);
        } else {
            self.line.extend_from_slice(piece);
            let line = mem::take(&mut self.line);
            self.end_line(&line);
        }
        rest
    }

    fn end_line(&mut self, line: &[u8]) {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return self.refuse("ERR a line ends in a line feed alone");
        };
        match self.part {
            Part::Head => {
                self.head_length += line.len();
                self.head_line(line);
            }
            Part::ChunkSize => self.chunk_size(line),
            Part::Trailers if line.is_empty() => self.part = Part::Head,
            Part::Trailers | Part::Body(_) | Part::Chunk(_) => {}
        }
    }

    fn head_line(&mut self, line: &[u8]) {
        if !self.head.has_request_line {
            // Empty lines may stand in front.
            self.head.has_request_line = !line.is_empty();
            return;
        }
        if line.is_empty() {
            return self.end_head();
        }
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.head.is_encoded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.head.length.is_some() {
                return self.refuse("ERR there must be one Content-Length header");
            }
            match number(value, 10) {
                Some(length) => self.head.length = Some(length),
                None => self.refuse("ERR invalid Content-Length"),
            }
        }
    }

    fn end_head(&mut self) {
        let head = mem::take(&mut self.head);
        self.head_length = 0;
        if head.is_encoded && head.length.is_some() {
            return self.refuse("ERR both Content-Length and Transfer-Encoding");
        }
        self.heads += 1;
        self.part = match head.length {
            _ if head.is_encoded => Part::ChunkSize,
            None | Some(0) => Part::Head,
            Some(length) => Part::Body(length),
        };
    }

    /// A line with the length of a chunk, and perhaps with extensions, which mean nothing here.
    fn chunk_size(&mut self, line: &[u8]) {
        let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
        self.part = match number(&line[..digits], 16) {
            Some(0) => Part::Trailers,
            Some(size) if size <= u64::MAX - 2 => Part::Chunk(size + 2),
            _ => return self.refuse("ERR invalid length of a chunk"),
        };
    }
}

/// A number of digits alone.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    if !text.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The objections to so many requests, whose bytes come in pieces of each length.
    fn objections(bytes: &str, requests: usize) -> Vec<Option<&'static str>> {
        let cut = |length: usize| {
            let mut framing = Framing::default();
            bytes.as_bytes().chunks(length).for_each(|piece| framing.follow(piece));
            (0..requests).map(|_| framing.objection()).collect::<Vec<_>>()
        };
        let whole = cut(bytes.len());
        for length in 1..40 {
            assert_eq!(cut(length), whole, "in pieces of {length}: {bytes:?}");
        }
        whole
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\nTRANSFER-encoding: chunked\r\n\r\n";
    const REASON: Option<&str> = Some("ERR both Content-Length and Transfer-Encoding");

    #[test]
    fn what_has_two_ends_is_refused_and_all_behind_it() {
        assert_eq!(objections(&format!("{GET}\r\n{GET}{BOTH}{GET}"), 4), [None, None, REASON, REASON]);
        let turned = "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(objections(turned, 1), [REASON]);
        for (head, reason) in [
            ("Content-Length: 4\r\nContent-Length: 4\r\n", "ERR there must be one Content-Length header"),
            ("Content-Length: +4\r\n", "ERR invalid Content-Length"),
            ("Content-Length:\r\n", "ERR invalid Content-Length"),
            ("Content-Length: 4, 4\r\n", "ERR invalid Content-Length"),
            ("Content-Length: 18446744073709551616\r\n", "ERR invalid Content-Length"),
            ("X: y\n", "ERR a line ends in a line feed alone"),
        ] {
            assert_eq!(objections(&format!("POST / HTTP/1.1\r\n{head}\r\n"), 1), [Some(reason)], "{head}");
        }
        assert_eq!(objections("GET / HTTP/1.1\n\n", 1), [Some("ERR a line ends in a line feed alone")]);
    }

    #[test]
    fn bodies_are_followed_to_their_ends() {
        // What stands in a body is no head, and what stands behind it is one.
        for body in [
            format!("Content-Length: {}\r\n\r\n{BOTH}", BOTH.len()),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{BOTH}\r\n0 \r\n\r\n", BOTH.len()),
            format!("Transfer-Encoding: chunked\r\n\r\n{:04X}\r\n{BOTH}\r\n000\r\nX: y\r\n\r\n", BOTH.len()),
            "Content-Length: 0\r\n\r\n".to_owned(),
        ] {
            let request = format!("POST / HTTP/1.1\r\n{body}");
            assert_eq!(objections(&format!("{request}{request}{BOTH}"), 3), [None, None, REASON], "{body}");
        }
        // Nobody knows what stands behind a body without an end.
        for body in ["x\r\n", "-1\r\n", "\r\n", "ffffffffffffffff\r\n", "fffffffffffffffff\r\n", "1\n", "0\r\nX: y\n"] {
            let request = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}{GET}");
            let told = objections(&request, 2);
            assert!(told[0].is_none() && told[1].is_some(), "{body:?}: {told:?}");
        }
    }
}
