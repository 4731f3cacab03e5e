//! Replies as JSON.
//!
//! They become what Upstash's clients expect:
//! strings, integers, `null` and arrays of these, whatever shape RESP3 would give them.

use std::io::IoSlice;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::body::Bytes;
use memchr::memchr;
use protocol::{Reply, ReplyDecoder, ReplyFrame};

/// How an outcome begins that is no error.
const RESULT: &[u8] = b"{\"result\":";

/// How strings are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As text, in which U+FFFD stands for what is not UTF-8.
    Text,
    /// In base64, but for a status of `OK`.
    Base64,
}

/// Replies cannot be written as JSON.
#[derive(Debug)]
pub struct Unreadable;

/// The single replies in what commands have written.
#[derive(Default)]
pub struct Replies(ReplyDecoder);

impl Replies {
    /// Takes the next part of what commands have written.
    pub fn feed(&mut self, part: &[u8]) {
        self.0.feed(part);
    }

    /// Goes past the beginning of an array to its elements. Tells whether there is one.
    pub fn enter_array(reply: &mut Reply) -> bool {
        let mut front = [IoSlice::new(&[])];
        reply.fill_io_slices(&mut front);
        let is_array = front[0].starts_with(b"*") && !front[0].starts_with(b"*-");
        let head = memchr(b'\n', &front[0]).filter(|_| is_array).map_or(0, |end| end + 1);
        reply.consume(head);
        head > 0
    }

    /// The next one, if it is there as a whole.
    pub fn arrived(&mut self) -> Result<Option<ReplyFrame>, Unreadable> {
        self.0.next_reply().map_err(|_| Unreadable)
    }

    /// The next one; there must be one.
    pub fn next(&mut self) -> Result<ReplyFrame, Unreadable> {
        self.arrived()?.ok_or(Unreadable)
    }
}

/// One reply, in the parts in which it was written, as an object in parts. A long string is not copied where JSON has it as
/// it is, and else once.
pub fn outcome(mut parts: Vec<Bytes>, encoding: Encoding) -> Result<Vec<Bytes>, Unreadable> {
    if let [head, value, end] = parts.as_mut_slice()
        && head.starts_with(b"$")
        && end == "\r\n"
    {
        let value = std::mem::take(value);
        if encoding == Encoding::Text && is_plain(&value) {
            return Ok(vec![[RESULT, b"\""].concat().into(), value, Bytes::from_static(b"\"}")]);
        }
        let mut out = Vec::with_capacity(value.len() / 3 * 4 + 64);
        out.extend_from_slice(RESULT);
        write_string(&value, encoding, &mut out);
        out.push(b'}');
        return Ok(vec![out.into()]);
    }
    let mut replies = Replies::default();
    parts.into_iter().for_each(|part| replies.feed(&part));
    let mut out = Vec::new();
    write_outcome(&replies.next()?, encoding, &mut out)?;
    Ok(vec![out.into()])
}

/// Whether JSON has these bytes as they are in a string.
fn is_plain(bytes: &[u8]) -> bool {
    let escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // In stretches that are compared at once.
    let plain = |stretch: &[u8]| !stretch.iter().fold(false, |any, byte| any | escaped(byte));
    bytes.chunks(64).all(plain) && std::str::from_utf8(bytes).is_ok()
}

/// Writes a reply as an object, `{"result": ...}` or `{"error": ...}`. Tells whether it is an error.
pub fn write_outcome(reply: &ReplyFrame, encoding: Encoding, out: &mut Vec<u8>) -> Result<bool, Unreadable> {
    if let Some(error) = error_text(reply) {
        write_error(error, out);
        return Ok(true);
    }
    out.extend_from_slice(RESULT);
    match reply {
        ReplyFrame::SimpleString { data, .. } if &data[..] == b"OK" => out.extend_from_slice(b"\"OK\""),
        reply => write_value(reply, encoding, out)?,
    }
    out.push(b'}');
    Ok(false)
}

/// Writes `{"error": ...}`.
pub fn write_error(error: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"error\":");
    write_text(error, out);
    out.push(b'}');
}

/// The text of an error, its code first.
pub fn error_text(reply: &ReplyFrame) -> Option<&str> {
    match reply {
        ReplyFrame::SimpleError { data, .. } => Some(data),
        _ => None,
    }
}

/// Clients speak RESP2 here, which has no other kinds of values than these.
fn write_value(value: &ReplyFrame, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    match value {
        ReplyFrame::BlobString { data, .. } | ReplyFrame::SimpleString { data, .. } => {
            write_string(data, encoding, out)
        }
        ReplyFrame::SimpleError { data, .. } => write_string(data.as_bytes(), encoding, out),
        ReplyFrame::Number { data, .. } => out.extend_from_slice(itoa::Buffer::new().format(*data).as_bytes()),
        ReplyFrame::Null => out.extend_from_slice(b"null"),
        ReplyFrame::Array { data, .. } => {
            out.push(b'[');
            for (index, element) in data.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(element, encoding, out)?;
            }
            out.push(b']');
        }
        _ => return Err(Unreadable),
    }
    Ok(())
}

fn write_string(bytes: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Text => write_text(&String::from_utf8_lossy(bytes), out),
        Encoding::Base64 => {
            out.push(b'"');
            let start = out.len();
            out.resize(start + bytes.len().div_ceil(3) * 4, 0);
            // There is just enough room.
            let written = BASE64_STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
            out.truncate(start + written);
            out.push(b'"');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reply: &[u8], encoding: Encoding) -> String {
        let mut out = Vec::new();
        let mut replies = Replies::default();
        replies.feed(reply);
        write_outcome(&replies.next().unwrap(), encoding, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_become_json() {
        for (reply, text, base64) in [
            (&b"+OK\r\n"[..], r#"{"result":"OK"}"#, r#"{"result":"OK"}"#),
            (b"+PONG\r\n", r#"{"result":"PONG"}"#, r#"{"result":"UE9ORw=="}"#),
            (b"$2\r\nOK\r\n", r#"{"result":"OK"}"#, r#"{"result":"T0s="}"#),
            (b"$3\r\na\"\xff\r\n", "{\"result\":\"a\\\"\u{fffd}\"}", r#"{"result":"YSL/"}"#),
            (b"$-1\r\n", r#"{"result":null}"#, r#"{"result":null}"#),
            (b":-9223372036854775808\r\n", r#"{"result":-9223372036854775808}"#, r#"{"result":-9223372036854775808}"#),
            (
                b"*4\r\n$1\r\na\r\n*2\r\n+OK\r\n*-1\r\n:1\r\n-ERR no\r\n",
                r#"{"result":["a",["OK",null],1,"ERR no"]}"#,
                r#"{"result":["YQ==",["T0s=",null],1,"RVJSIG5v"]}"#,
            ),
            (b"*0\r\n", r#"{"result":[]}"#, r#"{"result":[]}"#),
            (b"-ERR \"no\"\r\n", r#"{"error":"ERR \"no\""}"#, r#"{"error":"ERR \"no\""}"#),
        ] {
            assert_eq!(shown(reply, Encoding::Text), text);
            assert_eq!(shown(reply, Encoding::Base64), base64);
        }
    }

    #[test]
    fn long_strings_are_sent_from_where_they_are() {
        let shown = |value: &[u8], encoding| {
            let value = Bytes::copy_from_slice(value);
            let head = format!("${}\r\n", value.len());
            let parts = outcome(vec![head.into(), value.clone(), "\r\n".into()], encoding).unwrap();
            let shared = parts.iter().any(|part| part.as_ptr() == value.as_ptr());
            (String::from_utf8(parts.concat()).unwrap(), shared)
        };
        let long = "ab\u{7f}\u{20ac}".repeat(100);
        assert_eq!(shown(long.as_bytes(), Encoding::Text), (format!("{{\"result\":\"{long}\"}}"), true));
        assert!(!shown(long.as_bytes(), Encoding::Base64).1);
        for (other, json) in [(&b"\""[..], "\\\""), (b"\\", "\\\\"), (b"\n", "\\n"), (b"\xff", "\u{fffd}")] {
            let value = [long.as_bytes(), other].concat();
            assert_eq!(shown(&value, Encoding::Text), (format!("{{\"result\":\"{long}{json}\"}}"), false));
        }
    }

    #[test]
    fn errors_that_are_not_text_are_shown() {
        assert_eq!(shown(b"-ERR '\xff'\r\n", Encoding::Text), "{\"error\":\"ERR '\u{fffd}'\"}");
    }
}
