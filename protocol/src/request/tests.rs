use super::*;

fn words(args: Args<'_>) -> Vec<Vec<u8>> {
    if let Some(sent) = args.as_sent() {
        let mut encoded = Vec::new();
        crate::encode_command(&mut encoded, args);
        assert_eq!(sent.escape_ascii().to_string(), encoded.escape_ascii().to_string());
    }
    args.iter().map(<[u8]>::to_vec).collect()
}

/// Feeds pieces and collects what comes out: the requests, and the error in the end.
fn read<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut reader = RequestReader::new();
    let mut requests = Vec::new();
    for piece in pieces {
        reader.put_slice(piece);
        loop {
            reader.parse(limits, 3);
            if reader.is_empty() {
                break;
            }
            requests.extend(reader.requests().map(words));
            reader.finish_batch();
        }
    }
    (requests, reader.error())
}

fn one_shot(input: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let limits = Limits::default();
    let whole = read(&limits, [input]);
    assert_eq!(read(&limits, input.chunks(1)), whole, "{}", input.escape_ascii());
    whole
}

fn error(input: &[u8]) -> Option<String> {
    one_shot(input).1.map(|error| error.to_string())
}

const PING: &[u8] = b"PING";

#[test]
fn reads_pipelines_of_both_kinds() {
    let (requests, error) =
        one_shot(b"*1\r\n$4\r\nPING\r\nPING\r\n\r\n  \n*0\r\n*-1\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n\"PING\"\n");
    assert_eq!(error, None);
    assert_eq!(
        requests,
        [vec![PING.to_vec()], vec![PING.to_vec()], vec![b"ECHO".to_vec(), vec![]], vec![PING.to_vec()]]
    );
}

/// Whether a single request is passed on in the bytes that it came in.
fn is_passed_on(input: &[u8]) -> bool {
    let mut reader = RequestReader::new();
    reader.put_slice(input);
    reader.parse(&Limits::default(), 1);
    let args = reader.request(0);
    words(args);
    assert_eq!(args.tail(1).as_sent(), None);
    args.as_sent().is_some()
}

#[test]
fn only_what_is_in_order_is_passed_on_as_it_was_sent() {
    let many = |count: usize| [format!("*{count}\r\n"), "$1\r\na\r\n".repeat(count)].concat();
    for input in ["*1\r\n$4\r\nPING\r\n", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1", &many(9), &many(10), &many(99)] {
        assert!(is_passed_on(input.as_bytes()), "{input:?}");
    }
    let long = [&b"*2\r\n$3\r\nGET\r\n$40000\r\n"[..], &[b'x'; 40_000], b"\r\n"].concat();
    assert!(is_passed_on(&long));
    for input in [
        "PING\r\n",
        "*1\rx$4\r\nPING\r\n",
        "*1\r\n$4\rxPING\r\n",
        "*1\r\n$4\r\nPINGxx",
        "*2\r\n$3\r\nGETxx$1\r\na\r\n",
        "*2\r\n$3\r\nGET\r\n$1\rxa\r\n",
        "*1\r\n$10\r\n0123456789\r\n",
        &many(100),
    ] {
        assert!(!is_passed_on(input.as_bytes()), "{input:?}");
    }
    // A big one that came in pieces has a buffer of its own.
    let mut reader = RequestReader::new();
    long.chunks(1000).for_each(|piece| {
        reader.put_slice(piece);
        reader.parse(&Limits::default(), 1);
    });
    assert_eq!(reader.request(0).as_sent(), None);
}

#[test]
fn line_ends_are_skipped_unseen() {
    for input in [&b"*1\rx$4\ryPINGzz"[..], b"*1\r\n$4\r\nPING\0\0"] {
        assert_eq!(one_shot(input), (vec![vec![PING.to_vec()]], None));
    }
}

#[test]
fn refuses_what_redis_refuses_in_its_words() {
    for count in ["a", "+1", "01", "-0", "", "-9223372036854775809", "2147483648", " 1", "1 ", "1\nX", "99999999999"] {
        let input = format!("*{count}\r\n");
        assert_eq!(error(input.as_bytes()).as_deref(), Some("Protocol error: invalid multibulk length"), "{count}");
        // The error comes with the line's end and the byte after it, not before.
        assert_eq!(error(&input.as_bytes()[..input.len() - 1]), None, "{count}");
    }
    for length in ["-1", "-0", "04", "4x", "", "536870913"] {
        let input = format!("*1\r\n${length}\r\n");
        assert_eq!(error(input.as_bytes()).as_deref(), Some("Protocol error: invalid bulk length"), "{length}");
        assert_eq!(error(&input.as_bytes()[..input.len() - 1]), None, "{length}");
    }
    let got = |byte: &str| Some(format!("Protocol error: expected '$', got '{byte}'"));
    assert_eq!(error(b"*1\r\nP\r\n"), got("P"));
    assert_eq!(error(b"*1\r\nPING"), None);
    assert_eq!(error(b"*1\r\n\r\n"), got(" "));
    assert_eq!(error(b"*1\r\n\n\r\n"), got(" "));
    assert_eq!(error(b"*1\r\n\xff4\r\n"), got("\u{fffd}"));
    for accepted in ["*2147483647\r\n", "*-9223372036854775808\r\n", "*1\r\n$536870912\r\n"] {
        assert_eq!(error(accepted.as_bytes()), None);
    }
    assert_eq!(error(b"ECHO 'a\r\n").as_deref(), Some("Protocol error: unbalanced quotes in request"));
}

#[test]
fn lines_end_at_64_kib() {
    let long = vec![b'1'; 64 * 1024];
    for (prefix, text) in [
        ("*", "Protocol error: too big mbulk count string"),
        ("*1\r\n$", "Protocol error: too big bulk count string"),
        ("*1\r\nQ", "Protocol error: too big bulk count string"),
        ("Q", "Protocol error: too big inline request"),
    ] {
        let input = [prefix.as_bytes(), &long].concat();
        assert_eq!(error(&input).as_deref(), Some(text));
        assert_eq!(error(&input[..input.len() - 1]), None);
    }
    let fits = [&long[1..], b"\r\n"].concat();
    assert_eq!(one_shot(&fits).0[0][0].len(), 64 * 1024 - 1);
}

#[test]
fn nul_hides_the_line_end() {
    assert_eq!(one_shot(b"PI\0NG\r\nPING\r\n"), (vec![], None));
    let rest = b"A\r\n".repeat(30_000);
    for (prefix, expected) in [
        ("\0", ProtocolError::TooBigInline),
        ("*\0", ProtocolError::TooBigMultibulkCount),
        ("*1\r\n$\0", ProtocolError::TooBigBulkCount),
    ] {
        assert_eq!(one_shot(&[prefix.as_bytes(), &rest].concat()), (vec![], Some(expected)));
    }
}

#[test]
fn strangers_may_send_little() {
    let limits = Limits { authenticated: false, ..Limits::default() };
    let error = |input: &str| read(&limits, [input.as_bytes()]).1;
    assert_eq!(error("*10\r\n"), None);
    assert_eq!(error("*11\r\n"), Some(ProtocolError::UnauthenticatedMultibulkLength));
    assert_eq!(error("*2147483648\r\n"), Some(ProtocolError::InvalidMultibulkLength));
    assert_eq!(error("*2\r\n$16384\r\n"), None);
    assert_eq!(error("*2\r\n$16385\r\n"), Some(ProtocolError::UnauthenticatedBulkLength));
    assert_eq!(error("*2\r\n$99999999999\r\n"), Some(ProtocolError::InvalidBulkLength));
}

#[test]
fn limits_may_change_between_requests() {
    let mut reader = RequestReader::new();
    let mut limits = Limits { authenticated: false, ..Limits::default() };
    reader.put_slice(b"AUTH x\r\n*11\r\n");
    reader.parse(&limits, 1);
    assert_eq!((reader.len(), reader.error()), (1, None));
    reader.finish_batch();
    limits.authenticated = true;
    reader.parse(&limits, 1);
    assert_eq!((reader.len(), reader.error()), (0, None));
}

#[test]
fn big_arguments_get_a_buffer_of_their_own() {
    let value: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
    let mut input = Vec::new();
    crate::encode_command(&mut input, [b"SET", &b"k"[..], &value, b"EX"]);
    input.extend_from_slice(b"PING\r\n");
    let mut reader = RequestReader::new();
    let mut requests = Vec::new();
    for piece in input.chunks(10_000) {
        reader.put_slice(piece);
        reader.parse(&Limits::default(), 10);
        for args in reader.requests() {
            requests.push(words(args));
            if args.len() > 1 {
                assert_eq!(args.shared(2).map(|bytes| &bytes[..]), Some(&value[..]));
                assert_eq!(args.shared(3), None);
                assert_eq!(args.bytes(2).as_ptr(), args[2].as_ptr());
            }
        }
        reader.finish_batch();
        // The bytes are where they belong, not in the common buffer too.
        assert!(reader.memory() < 350_000);
    }
    assert_eq!(requests, [vec![b"SET".to_vec(), b"k".to_vec(), value, b"EX".to_vec()], vec![PING.to_vec()]]);
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn claims_cost_nothing() {
    let mut reader = RequestReader::new();
    reader.put_slice(b"*1000000000\r\n$3\r\nSET\r\n$536870912\r\nabc");
    reader.parse(&Limits::default(), 10);
    assert!(reader.memory() < 2 * BIG_ARG_STEP);
    assert_eq!((reader.multibulk_bytes(), reader.unparsed()), (3, 3));
    // As the argument comes, its buffer grows with it, and never beyond its length.
    let piece = vec![0; 1 << 20];
    for _ in 0..40 {
        reader.put_slice(&piece);
        reader.parse(&Limits::default(), 10);
    }
    assert!(reader.memory() < 200 << 20);
}

#[test]
fn many_arguments_and_their_memory() {
    let mut input = b"*100000\r\n".to_vec();
    input.extend(b"$1\r\na\r\n".repeat(100_000));
    input.extend_from_slice(b"PIN");
    let mut reader = RequestReader::new();
    for piece in input.chunks(1000) {
        reader.put_slice(piece);
        reader.parse(&Limits::default(), 1);
    }
    assert_eq!(reader.len(), 1);
    assert_eq!(reader.request(0).len(), 100_000);
    assert_eq!(reader.buffered(), input.len());
    assert!(reader.memory() > input.len());
    reader.finish_batch();
    assert_eq!(reader.buffered(), 3);
    reader.shrink();
    assert!(reader.memory() <= START_CAPACITY);
    reader.put_slice(b"G\r\n");
    reader.parse(&Limits::default(), 1);
    assert_eq!(words(reader.request(0)), [PING]);
    reader.finish_batch();
    reader.shrink();
    assert_eq!(reader.memory(), 0);
}

#[test]
fn bytes_may_come_before_the_batch_is_finished() {
    let mut reader = RequestReader::new();
    for _ in 0..5000 {
        reader.put_slice(b"*1\r\n$4\r\nPING\r\n");
        reader.parse(&Limits::default(), usize::MAX);
    }
    assert!(reader.requests().all(|args| &args[0] == PING));
    assert_eq!(reader.len(), 5000);
}
