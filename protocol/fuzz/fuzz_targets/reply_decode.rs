//! Any bytes, in pieces: replies or an error, and the same ones as from the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::ReplyDecoder;

fn decode(input: &[u8], piece: usize) -> String {
    let mut decoder = ReplyDecoder::default();
    let mut replies = Vec::new();
    for piece in input.chunks(piece.max(1)) {
        decoder.feed(piece);
        loop {
            match decoder.next_reply() {
                Ok(None) => break,
                Ok(Some(reply)) => replies.push(reply),
                Err(error) => return format!("{replies:?} {error}"),
            }
        }
    }
    // As text, because no NaN equals another.
    format!("{replies:?}")
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, input)) = data.split_first() else { return };
    assert_eq!(decode(input, piece as usize), decode(input, input.len()));
});
