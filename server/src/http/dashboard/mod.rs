//! The dashboard: one page, which talks to the server by the same requests as any other client.

use hyper::StatusCode;

use super::answer::{Answer, answer};

/// The page; it holds no data itself.
pub fn page() -> Answer {
    answer(StatusCode::OK, "text/html; charset=utf-8", "")
}
