//! What MONITOR shows: every command with its time, database, client and arguments.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Args, Reply};

use crate::client::Client;
use crate::command::Command;
use crate::command::context::Within;
use crate::redact;
use crate::server::Server;

/// Sends a command that was carried out to everybody who watches; a client that watches itself finds it among its
/// replies.
#[cold]
pub fn feed(server: &Server, client: &Client, command: &Command, args: Args<'_>, reply: &mut Reply, within: Within) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut line = format!("+{}.{:06} [{} ", now.as_secs(), now.subsec_micros(), client.db());
    let peer = &client.shared.peer;
    if within == Within::Script {
        line.push_str("lua");
    } else if peer.unix {
        line.push_str("unix:");
        line.push_str(peer.addr.trim_end_matches(":0"));
    } else {
        line.push_str(&peer.addr);
    }
    line.push_str("] ");
    line.push_str(&quoted(command, args));
    line.push_str("\r\n");
    // The replies to what a script does are not the client's.
    let among_replies = within != Within::Script && client.shared.monitor.load(Relaxed);
    if among_replies {
        reply.raw(line.as_bytes());
    }
    server.clients.feed_monitors(line.as_bytes(), if among_replies { client.id() } else { 0 });
}

/// All arguments of a request, each in quotes, secrets left out.
pub fn quoted(command: &Command, args: Args<'_>) -> String {
    let mut text = String::new();
    for (index, arg) in redact::without_secrets(command, args).enumerate() {
        if index > 0 {
            text.push(' ');
        }
        quote(arg, &mut text);
    }
    text
}

/// Bytes in quotes, with escapes for what is not printable ASCII.
pub fn quote(bytes: &[u8], into: &mut String) {
    into.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                into.push('\\');
                into.push(byte as char);
            }
            b'\n' => into.push_str("\\n"),
            b'\r' => into.push_str("\\r"),
            b'\t' => into.push_str("\\t"),
            0x07 => into.push_str("\\a"),
            0x08 => into.push_str("\\b"),
            b' '..=b'~' => into.push(byte as char),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(into, "\\x{byte:02x}");
            }
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes_what_is_not_printable() {
        let mut text = String::new();
        quote(b"a\"\\\n\r\t\x07\x08\x00\xff~", &mut text);
        assert_eq!(text, r#""a\"\\\n\r\t\a\b\x00\xff~""#);
    }
}
