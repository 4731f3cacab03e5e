//! The body of a request while it arrives.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::answer::{Failure, bad, broken, refused};
use super::held::Held;
use crate::client::Shared;

/// What of a body that nobody wants is read all the same, so that its sender sees why.
const DISCARDED: usize = 64 << 20;
/// Room is made for so many bytes at first, and then for as many again as have come.
const FIRST_ROOM: usize = 16 * 1024;

/// A body, counted as what its client has sent.
pub struct Upload {
    pub bytes: Bytes,
    _held: Held,
}

/// Reads a body to its end.
pub async fn read_body(
    head: &Parts,
    body: &mut Incoming,
    limit: usize,
    patience: Duration,
    client: &Arc<Shared>,
) -> Result<Upload, Failure> {
    let mut held = Held::input(client);
    if body.is_end_stream() {
        return Ok(Upload { bytes: Bytes::new(), _held: held });
    }
    if head.method == Method::GET || head.method == Method::HEAD {
        return bad(format!("ERR a {} request has no body", head.method));
    }
    if body.size_hint().lower() > limit as u64 {
        return too_large(limit);
    }
    match tokio::time::timeout(patience, collect(body, limit, &mut held)).await {
        Ok(bytes) => Ok(Upload { bytes: bytes?, _held: held }),
        Err(_) => Err(Failure::Broken(StatusCode::REQUEST_TIMEOUT, "ERR the body did not arrive in time".to_owned())),
    }
}

async fn collect(body: &mut Incoming, limit: usize, held: &mut Held) -> Result<Bytes, Failure> {
    // What a sender only says that he will send takes no memory.
    let most = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(limit);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.or_else(|error| broken(format!("ERR the body cannot be read: {error}")))?;
        // Trailers mean nothing here.
        let Ok(piece) = frame.into_data() else { continue };
        let length = bytes.len() + piece.len();
        if length > limit {
            return too_large(limit);
        }
        if length > bytes.capacity() {
            bytes.reserve_exact((2 * length).max(FIRST_ROOM).min(most).max(length) - bytes.len());
        }
        bytes.extend_from_slice(&piece);
        held.set(length, bytes.capacity());
    }
    bytes.shrink_to_fit();
    held.set(bytes.len(), bytes.capacity());
    Ok(bytes.into())
}

fn too_large<T>(limit: usize) -> Result<T, Failure> {
    refused(StatusCode::PAYLOAD_TOO_LARGE, format!("ERR the body is larger than {limit} bytes"))
}

/// Reads what is left of the body of a request that was refused, within limits: a sender that is cut off while it sends
/// may not get to read why. Where it does not end in time, the connection is closed.
pub async fn discard_body(mut body: Incoming, patience: Duration) {
    let drain = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DISCARDED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(patience, drain).await;
}
