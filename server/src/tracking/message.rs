//! The messages that clients get.

use protocol::{Reply, Resp};

/// The channel that messages seem to come from where a client has no other way to tell them from replies.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What is to be thrown away.
#[derive(Clone, Copy)]
pub(super) enum Stale<'a> {
    Key(&'a [u8]),
    /// An array of keys as it is sent.
    Keys(&'a [u8]),
    Everything,
}

impl Stale<'_> {
    /// Writes the message in the client's version of the protocol. In the older one only a subscriber can be told, and
    /// then as if it had subscribed to [`CHANNEL`].
    pub(super) fn write(self, out: &mut Reply, to_subscriber: bool) {
        match out.resp() {
            Resp::V3 => {
                out.push(2);
                out.bulk(b"invalidate");
            }
            Resp::V2 if to_subscriber => {
                out.push(3);
                out.bulk(b"message");
                out.bulk(CHANNEL);
            }
            Resp::V2 => return,
        }
        match self {
            Stale::Key(key) => {
                out.array(1);
                out.bulk(key);
            }
            Stale::Keys(encoded) => out.raw(encoded),
            Stale::Everything => out.null(),
        }
    }
}

/// Writes that messages reach nobody any more, because the client that was to get them has gone.
pub(super) fn write_broken(out: &mut Reply, redirect: u64) {
    if out.resp() == Resp::V3 {
        out.push(2);
        out.bulk(b"tracking-redir-broken");
        out.integer(redirect as i64);
    }
}
