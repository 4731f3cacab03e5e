//! Requests: whatever the pieces they arrive in, the same arguments come out, and the `redis-protocol` crate agrees.

use bytes::BufMut;
use proptest::prelude::*;
use protocol::{BIG_ARG, Limits, OwnedArgs, ProtocolError, RequestReader, encode_command};
use redis_protocol::resp2::decode::decode as decode_resp2;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

type Request = Vec<Vec<u8>>;

/// Reads pieces, whose lengths repeat, with batches of a bounded size.
fn read(input: &[u8], pieces: &[usize], batch: usize, limits: &Limits) -> (Vec<Request>, Option<ProtocolError>) {
    let mut reader = RequestReader::new();
    let mut requests = Vec::new();
    let mut rest = input;
    for &piece in pieces.iter().cycle() {
        let (piece, after) = rest.split_at(piece.clamp(1, rest.len().max(1)).min(rest.len()));
        rest = after;
        reader.put_slice(piece);
        loop {
            reader.parse(limits, batch);
            if reader.is_empty() {
                break;
            }
            requests.extend(reader.requests().map(|args| args.iter().map(<[u8]>::to_vec).collect::<Request>()));
            reader.finish_batch();
        }
        assert!(reader.buffered() <= input.len());
        assert!(reader.multibulk_bytes() <= reader.buffered());
        if rest.is_empty() {
            break;
        }
        if piece.len() % 3 == 0 {
            reader.shrink();
        }
    }
    (requests, reader.error())
}

/// What the other crate makes of the same bytes.
fn oracle(mut input: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    while let Some((frame, len)) = decode_resp2(input).expect("an encoded request") {
        let OwnedFrame::Array(frames) = frame else { panic!("not an array") };
        requests.push(frames.iter().map(|frame| frame.as_bytes().expect("a bulk string").to_vec()).collect());
        input = &input[len..];
        if input.is_empty() {
            break;
        }
    }
    requests
}

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..40),
        2 => "[\r\n*$0-9 \"']{0,12}".prop_map(String::into_bytes),
        1 => (0usize..70_000, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        1 => (BIG_ARG - 3..BIG_ARG + 3).prop_map(|len| (0..len).map(|i| i as u8).collect()),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    proptest::collection::vec(argument(), 1..8)
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1usize..4, 1usize..100, 1usize..40_000], 1..12)
}

/// Bytes that look enough like the protocol to get past its first checks.
fn nearly_protocol() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => proptest::sample::select(vec![
            &b"*1\r\n"[..], b"*2\r\n", b"*0\r\n", b"*-1\r\n", b"$4\r\n", b"$0\r\n", b"$-1\r\n", b"PING", b"\r\n", b"\r", b"\n",
            b"\"", b"'", b"\\x41", b" ", b"\0", b"*", b"$", b"$40000\r\n", b"*12\r\n", b"-", b"99999999999999999999",
        ]).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (1usize..70_000).prop_map(|len| vec![b'a'; len]),
    ];
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn agrees_with_the_other_crate(
        requests in proptest::collection::vec(request(), 1..6),
        pieces in pieces(),
        batch in 1usize..5,
    ) {
        let mut input = Vec::new();
        for request in &requests {
            let frame = OwnedFrame::Array(request.iter().cloned().map(OwnedFrame::BulkString).collect());
            let mut encoded = vec![0; frame.encode_len(false)];
            let len = redis_protocol::resp2::encode::encode(&mut encoded, &frame, false).expect("room enough");
            let mut ours = Vec::new();
            encode_command(&mut ours, request);
            prop_assert_eq!(&ours[..], &encoded[..len]);
            input.extend_from_slice(&encoded[..len]);
        }
        let (read, error) = read(&input, &pieces, batch, &Limits::default());
        prop_assert_eq!(error, None);
        prop_assert_eq!(&read, &requests);
        prop_assert_eq!(read, oracle(&input));
    }

    #[test]
    fn inline_and_multibulk_mix(
        requests in proptest::collection::vec((request(), any::<bool>()), 1..6),
        pieces in pieces(),
        batch in 1usize..5,
    ) {
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for (request, inline) in requests {
            let size: usize = request.iter().map(|argument| 4 * argument.len() + 3).sum();
            if inline && size < 64 * 1024 {
                for argument in &request {
                    input.push(b'"');
                    for byte in argument {
                        input.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
                    }
                    input.extend_from_slice(b"\" ");
                }
                input.extend_from_slice(b"\r\n");
            } else {
                encode_command(&mut input, &request);
            }
            expected.push(request);
        }
        prop_assert_eq!(read(&input, &pieces, batch, &Limits::default()), (expected, None));
    }

    #[test]
    fn pieces_make_no_difference(
        input in nearly_protocol(),
        pieces in pieces(),
        batch in 1usize..5,
        authenticated in any::<bool>(),
    ) {
        let limits = Limits { authenticated, max_bulk: 50_000 };
        let whole = read(&input, &[input.len()], usize::MAX, &limits);
        prop_assert_eq!(read(&input, &pieces, batch, &limits), whole);
    }

    #[test]
    fn owned_arguments_are_the_same(request in request(), pieces in pieces(), from in 0usize..9) {
        let mut input = Vec::new();
        encode_command(&mut input, &request);
        let mut reader = RequestReader::new();
        for piece in input.chunks(pieces[0]) {
            reader.put_slice(piece);
            reader.parse(&Limits::default(), 1);
        }
        let args = reader.request(0);
        let owned = OwnedArgs::from(args.tail(from));
        let rest = request.get(from..).unwrap_or_default();
        prop_assert!(owned.as_args().iter().eq(rest.iter().map(Vec::as_slice)));
        for (index, argument) in rest.iter().enumerate() {
            prop_assert_eq!(&owned.as_args().bytes(index)[..], &argument[..]);
            prop_assert_eq!(owned.as_args().shared(index), args.shared(from + index));
        }
    }
}
