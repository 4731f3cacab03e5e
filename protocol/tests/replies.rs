//! Replies: what is written in either version of the protocol reads back as what was meant.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::decode::{DecodeError, ReplyBounds};
use protocol::{Reply, ReplyDecoder, ReplyFrame, Resp};

/// A reply as the server means it.
#[derive(Clone, Debug)]
enum Meant {
    Ok,
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    Double(f64),
    Boolean(bool),
    Verbatim(String),
    BigNumber(u64),
    /// Whether the header comes after the elements.
    Array(bool, Vec<Meant>),
    Push(Vec<Meant>),
    /// Entries by number, as maps and sets want their keys to differ.
    Map(bool, Vec<Meant>),
    Set(bool, usize),
}

impl Meant {
    fn write(&self, reply: &mut Reply) {
        match self {
            Self::Ok => reply.ok(),
            Self::Error(text) => reply.error(text),
            Self::Integer(value) => reply.integer(*value),
            Self::Bulk(value) if value.len() % 2 == 0 => reply.bulk(value),
            Self::Bulk(value) => reply.bulk_shared(Bytes::from(value.clone())),
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
            Self::Double(value) => reply.double(*value),
            Self::Boolean(value) => reply.boolean(*value),
            Self::Verbatim(text) => reply.verbatim("txt", text.as_bytes()),
            Self::BigNumber(value) => reply.big_number(&value.to_string()),
            Self::Array(false, elements) => {
                reply.array(elements.len());
                elements.iter().for_each(|element| element.write(reply));
            }
            Self::Array(true, elements) => {
                let deferred = reply.defer();
                elements.iter().for_each(|element| element.write(reply));
                // What is taken back leaves no trace.
                let mark = reply.mark();
                elements.iter().for_each(|element| element.write(reply));
                reply.truncate_to(mark);
                reply.end_array(deferred, elements.len());
            }
            Self::Push(elements) => {
                reply.push(elements.len());
                elements.iter().for_each(|element| element.write(reply));
            }
            Self::Map(late, values) => {
                let deferred = late.then(|| reply.defer());
                if deferred.is_none() {
                    reply.map(values.len());
                }
                for (index, value) in values.iter().enumerate() {
                    reply.bulk_integer(index as i64);
                    value.write(reply);
                }
                if let Some(deferred) = deferred {
                    reply.end_map(deferred, values.len());
                }
            }
            Self::Set(late, count) => {
                let deferred = late.then(|| reply.defer());
                if deferred.is_none() {
                    reply.set(*count);
                }
                (0..*count).for_each(|member| reply.bulk_display(format_args!("m{member}")));
                if let Some(deferred) = deferred {
                    reply.end_set(deferred, *count);
                }
            }
        }
    }

    fn frame(&self, resp: Resp) -> ReplyFrame {
        let v3 = resp == Resp::V3;
        let bulk = |data: &[u8]| ReplyFrame::BlobString { data: Bytes::copy_from_slice(data), attributes: None };
        let all = |elements: &[Self]| elements.iter().map(|element| element.frame(resp)).collect::<Vec<_>>();
        match self {
            Self::Ok => ReplyFrame::SimpleString { data: Bytes::from_static(b"OK"), attributes: None },
            Self::Error(text) => ReplyFrame::SimpleError { data: text.as_str().into(), attributes: None },
            Self::Integer(data) => ReplyFrame::Number { data: *data, attributes: None },
            Self::Bulk(value) => bulk(value),
            Self::Null | Self::NullArray => ReplyFrame::Null,
            Self::Double(data) if v3 => ReplyFrame::Double { data: *data, attributes: None },
            Self::Double(data) => {
                let mut reply = Reply::new(Resp::V3);
                reply.double(*data);
                let text = reply.to_vec();
                bulk(&text[1..text.len() - 2])
            }
            Self::Boolean(data) if v3 => ReplyFrame::Boolean { data: *data, attributes: None },
            Self::Boolean(data) => ReplyFrame::Number { data: i64::from(*data), attributes: None },
            Self::Verbatim(text) if v3 => ReplyFrame::VerbatimString {
                data: Bytes::from(text.clone()),
                format: redis_protocol::resp3::types::VerbatimStringFormat::Text,
                attributes: None,
            },
            Self::Verbatim(text) => bulk(text.as_bytes()),
            Self::BigNumber(value) if v3 => {
                ReplyFrame::BigNumber { data: Bytes::from(value.to_string()), attributes: None }
            }
            Self::BigNumber(value) => bulk(value.to_string().as_bytes()),
            Self::Push(elements) if v3 => ReplyFrame::Push { data: all(elements), attributes: None },
            Self::Array(_, elements) | Self::Push(elements) => {
                ReplyFrame::Array { data: all(elements), attributes: None }
            }
            Self::Map(_, values) => {
                let pairs =
                    values.iter().enumerate().map(|(i, value)| (bulk(i.to_string().as_bytes()), value.frame(resp)));
                if v3 {
                    ReplyFrame::Map { data: pairs.collect(), attributes: None }
                } else {
                    ReplyFrame::Array { data: pairs.flat_map(|(key, value)| [key, value]).collect(), attributes: None }
                }
            }
            Self::Set(_, count) => {
                let members = (0..*count).map(|member| bulk(format!("m{member}").as_bytes()));
                if v3 {
                    ReplyFrame::Set { data: members.collect(), attributes: None }
                } else {
                    ReplyFrame::Array { data: members.collect(), attributes: None }
                }
            }
        }
    }
}

fn meant() -> impl Strategy<Value = Meant> {
    let leaf = prop_oneof![
        Just(Meant::Ok),
        "ERR [ -~]{0,20}x".prop_map(Meant::Error),
        any::<i64>().prop_map(Meant::Integer),
        (-200i64..2000).prop_map(Meant::Integer),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Meant::Bulk),
        (0usize..40_000, any::<u8>()).prop_map(|(len, byte)| Meant::Bulk(vec![byte; len])),
        Just(Meant::Null),
        Just(Meant::NullArray),
        proptest::num::f64::ANY.prop_filter("equal to itself", |value| !value.is_nan()).prop_map(Meant::Double),
        any::<bool>().prop_map(Meant::Boolean),
        "[a-z\r\n]{0,20}".prop_map(Meant::Verbatim),
        any::<u64>().prop_map(Meant::BigNumber),
        (any::<bool>(), 0usize..5).prop_map(|(late, count)| Meant::Set(late, count)),
    ];
    leaf.prop_recursive(4, 30, 6, |inner| {
        let elements = || proptest::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            (any::<bool>(), elements()).prop_map(|(late, elements)| Meant::Array(late, elements)),
            elements().prop_map(Meant::Push),
            (any::<bool>(), elements()).prop_map(|(late, values)| Meant::Map(late, values)),
        ]
    })
}

/// Takes everything out as a socket would that accepts a few bytes at a time.
fn drain(reply: &mut Reply, at_once: usize, slices: usize) -> Vec<u8> {
    let mut sent = Vec::new();
    while !reply.is_empty() {
        let mut io = vec![IoSlice::new(&[]); slices];
        let filled = reply.fill_io_slices(&mut io);
        assert!(filled > 0);
        let offered: Vec<u8> = io[..filled].iter().flat_map(|slice| slice.to_vec()).take(at_once).collect();
        let before = reply.len();
        reply.consume(offered.len());
        assert_eq!(reply.len(), before - offered.len());
        sent.extend(offered);
    }
    sent
}

proptest! {
    #[test]
    fn replies_read_back_as_meant(
        replies in proptest::collection::vec(meant(), 1..5),
        v3 in any::<bool>(),
        at_once in 1usize..30_000,
        slices in 1usize..6,
        piece in 1usize..5000,
    ) {
        let resp = if v3 { Resp::V3 } else { Resp::V2 };
        let mut reply = Reply::new(resp);
        replies.iter().for_each(|meant| meant.write(&mut reply));
        let copy = reply.to_vec();
        let sent = drain(&mut reply, at_once, slices);
        prop_assert_eq!(&copy, &sent);
        let mut decoder = ReplyDecoder::default();
        let mut frames = Vec::new();
        for piece in sent.chunks(piece) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_reply().expect("a reply") {
                frames.push(frame);
            }
        }
        prop_assert_eq!(frames, replies.iter().map(|meant| meant.frame(resp)).collect::<Vec<_>>());
        prop_assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn doubles_read_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let mut reply = Reply::new(Resp::V3);
        reply.double(value);
        let text = String::from_utf8(reply.to_vec()).expect("text");
        let read: f64 = text[1..].trim_end().parse().expect("a double");
        prop_assert!(read == value || value.is_nan());
    }

    #[test]
    fn a_slow_client_misses_nothing(
        steps in proptest::collection::vec((1usize..40_000, 0usize..50_000, any::<u8>()), 1..40),
    ) {
        let mut reply = Reply::default();
        let (mut expected, mut sent) = (Vec::new(), Vec::new());
        for (len, taken, byte) in steps {
            reply.bulk_shared(Bytes::from(vec![byte; len]));
            expected.extend(format!("${len}\r\n").bytes().chain(vec![byte; len]).chain(*b"\r\n"));
            let taken = taken.min(reply.len());
            sent.extend_from_slice(&reply.to_vec()[..taken]);
            reply.consume(taken);
        }
        sent.extend(reply.to_vec());
        prop_assert_eq!(sent, expected);
    }

    #[test]
    fn any_bytes_are_a_reply_or_an_error(
        tokens in proptest::collection::vec(proptest::sample::select(vec![
            "*1\r\n", "*2\r\n", "*-1\r\n", "%1\r\n", "~2\r\n", ">1\r\n", "|1\r\n", "$-1\r\n", "$1\r\na\r\n", "$2\r\n", "=5\r\ntxt:a\r\n",
            "=3\r\nabc\r\n", ":1\r\n", ":\r\n", "+a\r\n", "-\r\n", "_\r\n", "#t\r\n", "#x\r\n", ",1\r\n", ",inf\r\n", ",x\r\n", "(1\r\n",
            "!1\r\na\r\n", "*?\r\n", ".\r\n", ";1\r\na\r\n", "\r\n", "H\r\n", "\u{ff}",
        ]), 0..20),
        piece in 1usize..9,
    ) {
        let input = tokens.concat();
        let decode = |piece: usize| {
            let mut decoder = ReplyDecoder::default();
            let mut results = Vec::new();
            for piece in input.as_bytes().chunks(piece.max(1)) {
                decoder.feed(piece);
                loop {
                    match decoder.next_reply() {
                        Ok(None) => break,
                        Ok(Some(frame)) => results.push(frame),
                        Err(error) => return (results, Some(error)),
                    }
                }
            }
            (results, None)
        };
        // Compared as text, because no NaN equals another.
        prop_assert_eq!(format!("{:?}", decode(piece)), format!("{:?}", decode(input.len())));
    }
}

#[test]
fn bounds_hold() {
    let decode = |bounds, input: &[u8]| {
        let mut decoder = ReplyDecoder::new(bounds);
        decoder.feed(input);
        decoder.next_reply()
    };
    let bounds = ReplyBounds::default();
    assert_eq!(decode(bounds, &b"*1\r\n".repeat(100_000)), Err(DecodeError::TooBig("levels")));
    assert_eq!(decode(bounds, b"*1000000000\r\n"), Err(DecodeError::TooBig("values")));
    assert_eq!(decode(bounds, b"$9000000000000000000\r\n"), Err(DecodeError::TooBig("bytes")));
    let small = ReplyBounds { bytes: 10, values: 3, depth: 1 };
    assert_eq!(decode(small, b"+0123456789"), Err(DecodeError::TooBig("bytes")));
    assert_eq!(decode(small, b"$5\r\n"), Err(DecodeError::TooBig("bytes")));
    assert_eq!(decode(small, b"*3\r\n"), Err(DecodeError::TooBig("values")));
    assert_eq!(decode(small, b"*1\r\n*1\r\n"), Err(DecodeError::TooBig("levels")));
    assert!(matches!(decode(small, b"*1\r\n:1\r\n"), Ok(Some(_))));
    // The deepest reply that is let through fits on the stack of any thread.
    let deepest = [b"*1\r\n".repeat(bounds.depth), b":1\r\n".to_vec()].concat();
    assert!(matches!(decode(bounds, &deepest), Ok(Some(_))));
}

#[test]
fn errors_that_are_not_text_are_read() {
    let mut decoder = ReplyDecoder::default();
    decoder.feed(b"*3\r\n-ERR '\xff\xfe'\r\n$-1\r\n-\xc3\r\n");
    let Ok(Some(ReplyFrame::Array { data, .. })) = decoder.next_reply() else { panic!("no array") };
    let texts: Vec<Option<&str>> = data
        .iter()
        .map(|reply| match reply {
            ReplyFrame::SimpleError { data, .. } => Some(&**data),
            _ => None,
        })
        .collect();
    assert_eq!(texts, [Some("ERR '\u{fffd}\u{fffd}'"), None, Some("\u{fffd}")]);
}
