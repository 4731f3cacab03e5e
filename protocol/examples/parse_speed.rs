//! Nanoseconds per request or reply: `cargo run --release -p spinel-protocol --example parse_speed`.
//!
//! Requests are read from a pipeline of 16 by this crate's reader and by the decoders of `redis-protocol`.

use std::hint::black_box;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::{Limits, Reply, RequestReader, encode_command};

const PIPELINE: usize = 16;
const ROUNDS: usize = 100_000;

/// Runs `work` on one pipeline again and again, and prints the time per request of the best of five runs.
fn measure(name: &str, mut work: impl FnMut()) {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / (ROUNDS * PIPELINE) as f64
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:44} {best:8.1} ns");
}

fn requests(name: &str, args: &[&[u8]]) {
    let mut pipeline = Vec::new();
    (0..PIPELINE).for_each(|_| encode_command(&mut pipeline, args));

    let mut reader = RequestReader::new();
    let limits = Limits::default();
    measure(&format!("{name}, RequestReader"), || {
        reader.put_slice(&pipeline);
        reader.parse(&limits, 128);
        assert_eq!(reader.len(), PIPELINE);
        for args in reader.requests() {
            black_box(args.iter().map(<[u8]>::len).sum::<usize>());
        }
        reader.finish_batch();
    });

    let mut buffer = Vec::new();
    measure(&format!("{name}, redis-protocol decode_range"), || {
        buffer.clear();
        buffer.extend_from_slice(&pipeline);
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            match redis_protocol::resp2::decode::decode_range(rest) {
                Ok(Some((frame, len))) => {
                    black_box(frame);
                    rest = &rest[len..];
                }
                other => panic!("not a request: {other:?}"),
            }
        }
    });

    let mut buffer = BytesMut::new();
    measure(&format!("{name}, redis-protocol decode_bytes_mut"), || {
        buffer.extend_from_slice(&pipeline);
        for _ in 0..PIPELINE {
            match redis_protocol::resp2::decode::decode_bytes_mut(&mut buffer) {
                Ok(Some(decoded)) => drop(black_box(decoded)),
                other => panic!("not a request: {other:?}"),
            }
        }
    });
}

fn replies(name: &str, mut write: impl FnMut(&mut Reply)) {
    let mut reply = Reply::default();
    measure(name, || {
        (0..PIPELINE).for_each(|_| write(&mut reply));
        reply.consume(black_box(reply.len()));
    });
}

fn main() {
    requests("GET of a 14-byte key", &[b"GET", b"key:0000000001"]);
    requests("SET of 64 bytes", &[b"SET", b"key:0000000001", &[b'x'; 64]]);
    replies("reply: OK", |reply| reply.ok());
    replies("reply: null", |reply| reply.null());
    replies("reply: 64 bytes", |reply| reply.bulk(black_box(&[b'x'; 64])));
    replies("reply: 300 bytes", |reply| reply.bulk(black_box(&[b'x'; 300])));
    replies("reply: integer 42", |reply| reply.integer(black_box(42)));
    replies("reply: integer 1234567", |reply| reply.integer(black_box(1_234_567)));
    replies("reply: double 2.345", |reply| reply.double(black_box(2.345)));
    let value = Bytes::from(vec![b'x'; 16 * 1024]);
    replies("reply: 16 KiB, spliced", |reply| reply.bulk_shared(value.clone()));
    replies("reply: 16 KiB, copied", |reply| reply.bulk(&value));
}
