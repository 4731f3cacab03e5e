//! What subscribers and monitors hear, as server-sent events.

use std::task::{Context, Poll, ready};

use protocol::{ReplyDecoder, ReplyFrame};
use tokio::sync::OwnedMutexGuard;

use super::held::Piece;
use super::session::Session;
use super::tokens::Token;
use crate::persistence::aof::Gate;

/// All that comes for a client from now on, until it goes.
pub struct Events {
    session: OwnedMutexGuard<Session>,
    decoder: ReplyDecoder,
    /// What waits at the gate.
    held: Option<Piece>,
    gate: Gate,
}

impl Events {
    /// Begins with what the client's command has replied. With the token that it came with, if one, it ends.
    pub fn new(session: OwnedMutexGuard<Session>, token: Option<Token>) -> Events {
        if let Some(token) = token {
            let server = session.executor.server;
            server.token_streams.begin(&session.client.shared, token, &server.config);
        }
        Events { session, decoder: ReplyDecoder::default(), held: None, gate: Gate::default() }
    }

    /// The events that have come since the last look, if any.
    fn collect(&mut self) -> Option<Piece> {
        let Session { client, reply, .. } = &mut *self.session;
        if client.shared.mailbox.is_full() {
            client.shared.mailbox.take(reply);
        }
        while let Some(part) = self.session.next_part() {
            self.decoder.feed(&part);
        }
        let mut out = Vec::new();
        // What comes for clients is written by the server itself, so it can be read.
        while let Ok(Some(message)) = self.decoder.next_reply() {
            write_event(&text(&message), &mut out);
        }
        (!out.is_empty()).then(|| Piece::new(out, &self.session.client.shared))
    }

    /// The task that polls this is the connection's, which is woken when there is mail.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        // What waits at the gate goes out before anything comes behind it.
        if !self.gate.is_closed() {
            self.held = self.collect();
        }
        if self.held.is_none() {
            return Poll::Pending;
        }
        let Session { client, executor, .. } = &*self.session;
        // An event may tell of a change that is not as safe yet as whoever made it was promised.
        ready!(self.gate.poll(cx, executor.server, &client.shared, false));
        self.held.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.session.executor.server.token_streams.end(&self.session.client.shared);
    }
}

/// A message as Upstash's clients read it: its parts behind each other, with commas between.
fn text(message: &ReplyFrame) -> String {
    match message {
        ReplyFrame::Array { data, .. } => data.iter().map(text).collect::<Vec<_>>().join(","),
        ReplyFrame::SimpleString { data, .. } if &data[..] == b"OK" => "\"OK\"".to_owned(),
        ReplyFrame::BlobString { data, .. } | ReplyFrame::SimpleString { data, .. } => {
            String::from_utf8_lossy(data).into_owned()
        }
        ReplyFrame::Number { data, .. } => data.to_string(),
        _ => String::new(),
    }
}

/// Writes an event. Line breaks within would end it early, so each line gets a field of its own, as readers expect.
fn write_event(text: &str, out: &mut Vec<u8>) {
    for line in text.replace("\r\n", "\n").split(['\r', '\n']) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &[u8]) -> String {
        let mut decoder = ReplyDecoder::default();
        decoder.feed(message);
        let mut out = Vec::new();
        write_event(&text(&decoder.next_reply().unwrap().unwrap()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_become_events() {
        assert_eq!(shown(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n"), "data: subscribe,chat,1\n\n");
        assert_eq!(shown(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na,b c\r\n"), "data: message,c,a,b c\n\n");
        assert_eq!(shown(b"+OK\r\n"), "data: \"OK\"\n\n");
        assert_eq!(shown(b"+1.2 [0 x] \"GET\" \"k\"\r\n"), "data: 1.2 [0 x] \"GET\" \"k\"\n\n");
        let broken = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$12\r\na\n\ndata: x\rb\r\n";
        assert_eq!(shown(broken), "data: message,c,a\ndata: \ndata: data: x\ndata: b\n\n");
    }
}
