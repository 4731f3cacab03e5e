//! A message, encoded once for all who receive it.

use bytes::Bytes;
use protocol::Reply;

/// Payloads from this size on are shared by the outputs of their receivers; smaller ones are copied.
const SHARE_FROM: usize = 16 * 1024;

/// A push of a few strings. Only its header depends on the version of the protocol.
pub(super) struct Message {
    parts: usize,
    /// All of it, or all up to the bytes of a big payload.
    encoded: Vec<u8>,
    big: Option<Bytes>,
}

impl Message {
    /// `shared` is the payload once more, if it lies in a buffer that can be sent from.
    pub(super) fn new(words: &[&[u8]], payload: &[u8], shared: Option<&Bytes>) -> Message {
        const HEADERS: usize = 32;
        let big = payload.len() >= SHARE_FROM;
        let words_len: usize = words.iter().map(|word| word.len() + HEADERS).sum();
        let mut encoded = Vec::with_capacity(words_len + HEADERS + if big { 0 } else { payload.len() });
        for word in words {
            put_header(&mut encoded, word.len());
            encoded.extend_from_slice(word);
            encoded.extend_from_slice(b"\r\n");
        }
        put_header(&mut encoded, payload.len());
        let big = if big {
            Some(shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(payload)))
        } else {
            encoded.extend_from_slice(payload);
            encoded.extend_from_slice(b"\r\n");
            None
        };
        Message { parts: words.len() + 1, encoded, big }
    }

    pub(super) fn write(&self, out: &mut Reply) {
        out.push(self.parts);
        out.raw(&self.encoded);
        if let Some(big) = &self.big {
            out.raw_shared(big.clone());
            out.raw(b"\r\n");
        }
    }
}

fn put_header(encoded: &mut Vec<u8>, len: usize) {
    encoded.push(b'$');
    encoded.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    encoded.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use protocol::Resp;

    use super::*;

    #[test]
    fn encodes_as_a_reply_of_strings_would() {
        let long = vec![b'x'; SHARE_FROM];
        let shared = Bytes::from(long.clone());
        for (payload, shared) in [(&b"text"[..], None), (b"", None), (&long, None), (&long, Some(&shared))] {
            let message = Message::new(&[b"pmessage", b"a*", b"abc"], payload, shared);
            for resp in [Resp::V2, Resp::V3] {
                let (mut out, mut expected) = (Reply::new(resp), Reply::new(resp));
                message.write(&mut out);
                expected.push(4);
                [b"pmessage", &b"a*"[..], b"abc", payload].iter().for_each(|part| expected.bulk(part));
                assert!(out.to_vec() == expected.to_vec());
            }
        }
    }
}
