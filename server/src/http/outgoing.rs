//! The body of an answer while it is sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::answer::HungUp;
use super::batch::Pieces;
use super::events::Events;
use super::held::Piece;
use crate::client::Shared;

/// What an answer consists of.
pub enum Content {
    /// All of it is there, in as many parts as it had before.
    Whole(Vec<Bytes>),
    /// It is made while it is sent.
    Pieces(Pieces),
    /// It goes on until one of both sides ends it.
    Events(Box<Events>),
}

/// The same on its way. All that this hands out is counted as the client's output until it has been sent, and there is
/// nothing else that could be sent as an answer.
pub enum Outgoing {
    Whole(VecDeque<Piece>),
    Pieces(Pieces),
    Events(Box<Events>),
}

impl Outgoing {
    pub fn new(content: Content, client: &Arc<Shared>) -> Outgoing {
        match content {
            Content::Whole(parts) => {
                let parts = parts.into_iter().filter(|part| !part.is_empty());
                Outgoing::Whole(parts.map(|part| Piece::new(part, client)).collect())
            }
            Content::Pieces(pieces) => Outgoing::Pieces(pieces),
            Content::Events(events) => Outgoing::Events(events),
        }
    }
}

impl Body for Outgoing {
    type Data = Piece;
    type Error = HungUp;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, HungUp>>> {
        match self.get_mut() {
            Outgoing::Whole(parts) => Poll::Ready(parts.pop_front().map(|part| Ok(Frame::data(part)))),
            Outgoing::Pieces(pieces) => pieces.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Outgoing::Events(events) => events.poll_piece(cx).map(|piece| Some(Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(parts) if parts.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(parts) => SizeHint::with_exact(parts.iter().map(|part| part.len() as u64).sum()),
            Outgoing::Pieces(_) | Outgoing::Events(_) => SizeHint::default(),
        }
    }
}
