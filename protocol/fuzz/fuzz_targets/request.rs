//! Any bytes, in any pieces: no panic, the same requests as from the whole, and memory in proportion to the input.
//!
//! The first bytes of the input choose the pieces, the batch size and whether the client has authenticated.
#![no_main]

use bytes::BufMut;
use libfuzzer_sys::fuzz_target;
use protocol::{Limits, ProtocolError, RequestReader};

type Requests = Vec<Vec<Vec<u8>>>;

fn read(input: &[u8], pieces: &[u8], batch: usize, limits: &Limits) -> (Requests, Option<ProtocolError>) {
    let mut reader = RequestReader::new();
    let mut requests = Vec::new();
    let mut rest = input;
    for turn in 0.. {
        let piece = match pieces {
            [] => rest.len(),
            pieces => (pieces[turn % pieces.len()] as usize + 1).pow(2).min(rest.len()),
        };
        let (piece, after) = rest.split_at(piece);
        rest = after;
        reader.put_slice(piece);
        loop {
            reader.parse(limits, batch);
            if reader.is_empty() {
                break;
            }
            for args in reader.requests() {
                requests.push(args.iter().map(<[u8]>::to_vec).collect());
                let mut encoded = Vec::new();
                protocol::encode_command(&mut encoded, args);
                assert!(args.as_sent().is_none_or(|sent| sent == encoded));
            }
            reader.finish_batch();
        }
        assert!(reader.buffered() <= input.len());
        assert!(reader.memory() <= (2 << 20) + 16 * input.len());
        if rest.is_empty() {
            break;
        }
        if piece.len() % 7 == 0 {
            reader.shrink();
        }
    }
    (requests, reader.error())
}

fuzz_target!(|data: &[u8]| {
    let Some((head, input)) = data.split_at_checked(5) else { return };
    let limits = Limits { authenticated: head[0] % 4 != 0, max_bulk: 512 << 20 };
    let batch = head[0] as usize / 4 + 1;
    assert_eq!(read(input, &head[1..], batch, &limits), read(input, &[], usize::MAX, &limits));
});
