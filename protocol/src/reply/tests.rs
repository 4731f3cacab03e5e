use super::*;

/// What is written in either version.
fn both(write: impl Fn(&mut Reply)) -> [String; 2] {
    [Resp::V2, Resp::V3].map(|resp| {
        let mut reply = Reply::new(resp);
        write(&mut reply);
        assert_eq!(reply.len(), reply.to_vec().len());
        reply.to_vec().escape_ascii().to_string()
    })
}

#[track_caller]
fn check(write: impl Fn(&mut Reply), v2: &str, v3: &str) {
    assert_eq!(both(write), [v2, v3].map(|text| text.replace('|', "\\r\\n")));
}

#[test]
fn each_kind_in_both_versions() {
    check(|r| r.ok(), "+OK|", "+OK|");
    check(|r| r.simple("a\nb"), "+a b|", "+a b|");
    check(|r| r.error("ERR a\r\nb\n"), "-ERR a  b|", "-ERR a  b|");
    check(|r| r.error(format_args!("\nERR {}", "x\n")), "-ERR x|", "-ERR x|");
    check(|r| r.error_bytes(b"ERR \xff\n."), "-ERR \\xff .|", "-ERR \\xff .|");
    check(|r| r.integer(99), ":99|", ":99|");
    check(|r| r.integer(i64::MIN), ":-9223372036854775808|", ":-9223372036854775808|");
    check(|r| r.integer(i64::MAX), ":9223372036854775807|", ":9223372036854775807|");
    check(|r| r.bulk(b""), "$0||", "$0||");
    check(|r| r.bulk_str("abc"), "$3|abc|", "$3|abc|");
    check(|r| r.bulk_integer(-17), "$3|-17|", "$3|-17|");
    check(|r| r.bulk_display(format_args!("{}-{}", 12, 3456)), "$7|12-3456|", "$7|12-3456|");
    check(|r| r.null(), "$-1|", "_|");
    check(|r| r.null_array(), "*-1|", "_|");
    check(|r| r.array(10), "*10|", "*10|");
    check(|r| r.map(100), "*200|", "%100|");
    check(|r| r.set(1000), "*1000|", "~1000|");
    check(|r| r.push(2), "*2|", ">2|");
    check(|r| r.double(0.5), "$3|0.5|", ",0.5|");
    check(|r| r.boolean(true), ":1|", "#t|");
    check(|r| r.boolean(false), ":0|", "#f|");
    check(|r| r.big_number("12"), "$2|12|", "(12|");
    check(|r| r.verbatim("txt", b"a\r\nb"), "$4|a|b|", "=8|txt:a|b|");
    check(|r| r.raw(b"x"), "x", "x");
    check(
        |r| r.protocol_error(ProtocolError::ExpectedBulk(0xff)),
        "-ERR Protocol error: expected \\'$\\', got \\'\\xff\\'|",
        "-ERR Protocol error: expected \\'$\\', got \\'\\xff\\'|",
    );
}

#[test]
fn attributes_are_for_resp3() {
    let mut reply = Reply::new(Resp::V2);
    assert!(!reply.attribute(1));
    assert!(reply.is_empty());
    reply.set_resp(Resp::V3);
    assert!(reply.attribute(1));
    assert_eq!(reply.to_vec(), b"|1\r\n");
}

#[test]
fn headers_may_come_later() {
    check(
        |r| {
            r.ok();
            let outer = r.defer();
            r.bulk_shared(Bytes::from(vec![b'x'; SPLICE_FROM]));
            let inner = r.defer();
            r.bulk_shared(Bytes::from(vec![b'y'; SPLICE_FROM]));
            r.integer(1);
            r.end_map(inner, 1);
            let empty = r.defer();
            r.end_set(empty, 0);
            r.end_array(outer, 3);
        },
        &format!("+OK|*3|$16384|{}|*2|$16384|{}|:1|*0|", "x".repeat(SPLICE_FROM), "y".repeat(SPLICE_FROM)),
        &format!("+OK|*3|$16384|{}|%1|$16384|{}|:1|~0|", "x".repeat(SPLICE_FROM), "y".repeat(SPLICE_FROM)),
    );
}

#[test]
fn big_values_are_not_copied() {
    let value = Bytes::from(vec![7; SPLICE_FROM]);
    let mut reply = Reply::default();
    reply.bulk_shared(value.clone());
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(reply.fill_io_slices(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), value.as_ptr());
    assert_eq!(reply.fill_io_slices(&mut slices[..2]), 2);
    reply.consume(8 + 10);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(reply.fill_io_slices(&mut slices), 2);
    assert_eq!(slices[0].len(), SPLICE_FROM - 10);
}

#[test]
fn memory_goes_back() {
    let mut reply = Reply::default();
    assert_eq!(reply.memory(), 0);
    for _ in 0..100_000 {
        reply.bulk(&[0; 100]);
    }
    assert!(reply.memory() < reply.len() + 2 * 64 * 1024);
    reply.consume(reply.len() - 10);
    assert!(reply.memory() <= 130 * 1024);
    reply.consume(10);
    assert!(reply.is_empty());
    reply.shrink();
    assert!(reply.memory() < 16 * 1024);
    reply.raw(&[0; 1 << 20]);
    reply.consume(1 << 20);
    assert!(reply.memory() < 16 * 1024);
}

#[test]
fn append_moves_everything_in_order() {
    let mut random = 7u64;
    let mut pick = |below: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    for _ in 0..200 {
        let (mut target, mut expected) = (Reply::new(Resp::V3), Vec::new());
        for _ in 0..4 {
            let mut source = Reply::new(Resp::V2);
            for _ in 0..pick(6) {
                match pick(3) {
                    0 => source.bulk(&vec![b'a' + pick(26) as u8; pick(50) as usize]),
                    1 => source.bulk(&vec![b'A' + pick(26) as u8; pick(40_000) as usize]),
                    _ => source.raw_shared(Bytes::from(vec![b'0' + pick(10) as u8; pick(40_000) as usize])),
                }
            }
            source.consume(pick(source.len() as u64 + 1) as usize);
            expected.extend(source.to_vec());
            target.append(&mut source);
            assert!(source.is_empty() && source.resp() == Resp::V2);
            assert!(target.len() == expected.len() && target.to_vec() == expected);
        }
        let sent = pick(expected.len() as u64 + 1) as usize;
        target.consume(sent);
        assert!(target.to_vec() == expected[sent..] && target.resp() == Resp::V3);
    }
}

#[test]
fn what_is_taken_is_what_would_be_sent() {
    let mut random = 11u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    let values: Vec<Bytes> =
        (0..4u8).map(|index| vec![b'a' + index; SPLICE_FROM * usize::from(index + 1)].into()).collect();
    let (mut reply, mut shared) = (Reply::new(Resp::V2), 0);
    for round in 0..2000 {
        for _ in 0..next(6) {
            match next(4) {
                0 => {
                    reply.bulk_shared(values[next(4) as usize].clone());
                    shared += 1;
                }
                1 => reply.raw(&vec![b'.'; next(200_000) as usize]),
                _ => reply.integer(next(1 << 40) as i64),
            }
        }
        reply.consume(next(100).min(reply.len() as u64) as usize);
        let expected = reply.to_vec();
        let mut taken = Vec::new();
        while let Some(part) = reply.take_front() {
            shared -= usize::from(values.iter().any(|value| value.as_ptr_range().contains(&part.as_ptr())));
            taken.extend_from_slice(&part);
            if next(10) == 0 {
                break;
            }
            assert_eq!(reply.len(), expected.len() - taken.len(), "round {round}");
        }
        assert!(expected.starts_with(&taken) && reply.to_vec() == expected[taken.len()..], "round {round}");
        assert!(!reply.is_empty() || shared == 0, "round {round}");
    }
}
