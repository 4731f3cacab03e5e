//! Commands from JSON, and replies as JSON.
//!
//! Arguments are taken as they are written: a number keeps its digits. Replies become what Upstash's clients expect:
//! strings, integers, `null` and arrays of these, whatever shape RESP3 would give them.

use std::borrow::Cow;
use std::fmt;

use std::io::IoSlice;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::body::Bytes;
use memchr::{memchr, memchr_iter};
use protocol::{BIG_ARG, OwnedArgs, Reply, ReplyDecoder, ReplyFrame};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What is said to commands with `null` among their arguments, which is what JavaScript's `undefined` becomes.
pub const NULL_ARGUMENT: &str = "ERR null args are not supported";

/// How an outcome begins that is no error.
const RESULT: &[u8] = b"{\"result\":";

/// One command.
pub enum Command {
    Whole(OwnedArgs),
    /// Cannot be carried out ([`NULL_ARGUMENT`]).
    WithNull,
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
        deserializer.deserialize_seq(Arguments)
    }
}

/// Collects the arguments of a command.
struct Arguments;

impl<'de> Visitor<'de> for Arguments {
    type Value = Command;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array with a command and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Command, A::Error> {
        let mut args = OwnedArgs::new();
        let mut with_null = false;
        while let Some(element) = elements.next_element::<&RawValue>()? {
            match element.get() {
                "null" => with_null = true,
                raw => push(&mut args, &argument(raw).map_err(de::Error::custom)?),
            }
        }
        if with_null {
            return Ok(Command::WithNull);
        }
        if args.as_args().is_empty() {
            return Err(de::Error::custom("empty command"));
        }
        Ok(Command::Whole(args))
    }
}

/// Adds an argument; a long one gets a buffer of its own, which can become the stored value.
pub fn push(args: &mut OwnedArgs, argument: &[u8]) {
    if argument.len() < BIG_ARG {
        args.push(argument);
    } else {
        args.push_bytes(argument.to_vec().into());
    }
}

/// The bytes that a value stands for as an argument.
fn argument(raw: &str) -> Result<Cow<'_, [u8]>, String> {
    match raw.as_bytes() {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Ok(Cow::Borrowed(text)),
        [b'"', ..] => Ok(Cow::Owned(unescaped(raw)?)),
        [b'[' | b'{', ..] => Err("an argument must be a string, a number or a boolean".to_owned()),
        _ => Ok(Cow::Borrowed(raw.as_bytes())),
    }
}

/// The text of a string with escapes. Halves of characters, which JavaScript's strings may end in, become U+FFFD.
fn unescaped(raw: &str) -> Result<Vec<u8>, String> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            let mut text = bytes.to_vec();
            // A half is given as three bytes, which is as many as U+FFFD has. No whole character begins like this.
            for at in memchr_iter(0xed, bytes) {
                if let Some(half @ [_, 0xa0..=0xff, _]) = text.get_mut(at..at + 3) {
                    half.copy_from_slice("\u{fffd}".as_bytes());
                }
            }
            Ok(text)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    (&mut deserializer).deserialize_bytes(Text).map_err(|error| error.to_string())
}

/// The command in a body: `["SET", "key", 1]`.
pub fn read_command(body: &[u8]) -> Result<Command, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// The commands in a body, one after another: `[["SET", "key", 1], ["GET", "key"]]`.
pub struct Commands<'a> {
    body: &'a [u8],
    position: usize,
    /// Those that have been read.
    count: usize,
}

impl<'a> Commands<'a> {
    pub fn new(body: &'a [u8]) -> Commands<'a> {
        Commands { body, position: 0, count: 0 }
    }

    /// How much of the body has been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next one. What is wrong with the body is told where it stands; there is nothing behind it.
    pub fn next(&mut self) -> Result<Option<Command>, String> {
        let first = self.position == 0;
        match (self.token(), first) {
            (Some(b'['), true) => {
                let start = self.position;
                if self.token() == Some(b']') {
                    return self.end();
                }
                self.position = start;
            }
            (Some(b','), false) => {}
            (Some(b']'), false) => return self.end(),
            (_, true) => return Err("expected an array of commands".to_owned()),
            (_, false) => return Err(format!("expected `,` or `]` behind command {}", self.count)),
        }
        self.count += 1;
        let rest = self.body.get(self.position..).unwrap_or_default();
        let mut commands = serde_json::Deserializer::from_slice(rest).into_iter();
        let command = match commands.next() {
            Some(command) => command.map_err(|error| format!("command {}: {error}", self.count))?,
            None => return Err(format!("expected command {}", self.count)),
        };
        self.position += commands.byte_offset();
        Ok(Some(command))
    }

    /// The next byte that is no white space.
    fn token(&mut self) -> Option<u8> {
        let rest = self.body.get(self.position..)?;
        let space = rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.position += space + 1;
        rest.get(space).copied()
    }

    fn end(&mut self) -> Result<Option<Command>, String> {
        if self.token().is_none() { Ok(None) } else { Err("something stands behind the commands".to_owned()) }
    }
}

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

    fn whole(command: Result<Command, String>) -> Option<OwnedArgs> {
        match command {
            Ok(Command::Whole(args)) => Some(args),
            _ => None,
        }
    }

    fn count(body: &[u8]) -> Result<usize, String> {
        let mut commands = Commands::new(body);
        let mut count = 0;
        while commands.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn words(args: &OwnedArgs) -> Vec<String> {
        args.as_args().iter().map(|arg| arg.escape_ascii().to_string()).collect()
    }

    #[test]
    fn arguments_are_taken_as_they_are_written() {
        let args =
            whole(read_command(br#" ["SET", "a\n\u00e9\u0000", 1763680000123456789, -1.50e+3, true, false, ""] "#))
                .unwrap();
        let expected = ["SET", r"a\n\xc3\xa9\x00", "1763680000123456789", "-1.50e+3", "true", "false", ""];
        assert_eq!(words(&args), expected);
        // Halves of characters are one character each.
        let args = whole(read_command(br#"["\ud83d\ude00", "a\ud83db", "\udc00\ud83d\ud83d\ude00\ud7ff"]"#)).unwrap();
        let texts: Vec<_> = args.as_args().iter().map(|arg| std::str::from_utf8(arg).unwrap()).collect();
        assert_eq!(texts, ["\u{1f600}", "a\u{fffd}b", "\u{fffd}\u{fffd}\u{1f600}\u{d7ff}"]);
        let long = "x".repeat(BIG_ARG);
        let args = whole(read_command(format!("[\"SET\",\"{long}\"]").as_bytes())).unwrap();
        assert!(args.as_args().shared(1).is_some());
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for body in [
            "",
            "[",
            "[]",
            "{}",
            "null",
            "\"GET\"",
            "[nul]",
            "[[\"GET\"]]",
            "[{}]",
            "[\"GET\",]",
            "[\"GET\"] x",
            "[01]",
            "[\"\n\"]",
            "[\"\\x\"]",
            "[\"\\u12\"]",
            "[+1]",
            "[NaN]",
        ] {
            assert!(read_command(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read_command(b"[\"\xff\"]").is_err());
        for body in [
            &b""[..],
            b"x",
            b"[",
            b"[[\"GET\",\"a\"],[]]",
            b"[\"GET\"]",
            b"[[\"GET\"],]",
            b"[,[\"GET\"]]",
            b"[[\"GET\"][\"GET\"]]",
            b"[[\"GET\"]",
            b"[[\"GET\"]] x",
            b"[[\"GET\"],x]",
            b"[] []",
            b"[]]",
            b"[null]",
            b"[[\"GET\"],",
        ] {
            assert!(count(body).is_err(), "{}", body.escape_ascii());
        }
        assert!(read_command("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(count(b" [ [\"GET\",\"a\"] ,\n[\"PING\"] ,[null]] "), Ok(3));
        assert_eq!((count(b"[]"), count(b" [ ] ")), (Ok(0), Ok(0)));
    }

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
