//! What goes back: answers in JSON and other types, and refusals.

use std::fmt;

use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::events::Events;
use super::json;
use super::outgoing::Content;
use super::request::Format;

/// What is sent to a client.
pub type Answer = Response<Content>;

const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";
const EVENTS: &str = "text/event-stream";
/// Asks proxies to pass on what comes as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An answer with a body.
pub fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    respond(status, content_type, Content::Whole(vec![body.into()]))
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, JSON, body)
}

/// An answer with outcomes in the format that was asked for.
pub fn outcomes(status: StatusCode, format: Format, content: Content) -> Answer {
    let content_type = match format {
        Format::Json(_) => JSON,
        Format::Resp2 => OCTETS,
    };
    respond(status, content_type, content)
}

/// An answer that goes on until one of both sides ends it.
pub fn stream(events: Events) -> Answer {
    let mut answer = respond(StatusCode::OK, EVENTS, Content::Events(Box::new(events)));
    answer.headers_mut().insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    answer
}

fn respond(status: StatusCode, content_type: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Has the connection closed behind an answer.
pub fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Why a request gets no answer of its own.
#[derive(Debug)]
pub enum Failure {
    /// It is wrong, or not allowed: nothing was carried out.
    Refused(StatusCode, String),
    /// As well, and what comes behind it on the connection cannot be understood.
    Broken(StatusCode, String),
    /// The client is to be disconnected.
    Closed,
}

/// A refusal with a text.
pub fn refused<T>(status: StatusCode, text: impl fmt::Display) -> Result<T, Failure> {
    Err(Failure::Refused(status, text.to_string()))
}

/// The refusal of a request that is wrong.
pub fn bad<T>(text: impl fmt::Display) -> Result<T, Failure> {
    refused(StatusCode::BAD_REQUEST, text)
}

/// The refusal of a request behind which nothing more can be read.
pub fn broken<T>(text: impl fmt::Display) -> Result<T, Failure> {
    Err(Failure::Broken(StatusCode::BAD_REQUEST, text.to_string()))
}

impl Failure {
    /// What the client is told, unless it is told nothing.
    pub fn into_answer(self) -> Option<Answer> {
        let (status, text, close) = match self {
            Failure::Refused(status, text) => (status, text, false),
            Failure::Broken(status, text) => (status, text, true),
            Failure::Closed => return None,
        };
        let mut body = Vec::new();
        json::write_error(&text, &mut body);
        let mut answer = json(status, body);
        let headers = answer.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT"));
            }
            _ => {}
        }
        Some(if close { closing(answer) } else { answer })
    }
}

/// The client hears nothing more, so there is nothing to say.
#[derive(Debug)]
pub struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client was disconnected")
    }
}

impl std::error::Error for HungUp {}

/// What a client hears that is refused before its request is read, given the error reply that RESP has for it.
pub fn refusal(reply: &str) -> String {
    let text = reply.trim_start_matches('-').trim_end();
    let status = if text.starts_with("DENIED") { StatusCode::FORBIDDEN } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = Vec::new();
    json::write_error(text, &mut body);
    let (length, body) = (body.len(), String::from_utf8_lossy(&body));
    format!("HTTP/1.1 {status}\r\ncontent-type: {JSON}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
