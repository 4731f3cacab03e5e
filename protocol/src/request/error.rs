//! What a client may claim, and what it is told when it claims more.

use std::fmt;

/// Longest line of the protocol: an inline request, a multibulk count or a bulk length.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// What clients that have not authenticated may send: arguments per request, and bytes per argument.
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
const UNAUTHENTICATED_BULK: i64 = 16384;

/// The bounds that hold for a client at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one argument (`proto-max-bulk-len`).
    pub max_bulk: u64,
    /// Whether the client may send more than the little that AUTH takes.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bulk: 512 * 1024 * 1024, authenticated: true }
    }
}

impl Limits {
    /// Number of arguments that a multibulk count asks for; zero and less are empty requests.
    #[inline]
    pub(super) fn check_count(&self, count: Option<i64>) -> Result<u32, ProtocolError> {
        match count {
            Some(count) if count <= i64::from(i32::MAX) => {
                if count > UNAUTHENTICATED_ARGUMENTS && !self.authenticated {
                    return Err(ProtocolError::UnauthenticatedMultibulkLength);
                }
                Ok(count.max(0) as u32)
            }
            _ => Err(ProtocolError::InvalidMultibulkLength),
        }
    }

    /// Number of bytes that a bulk header announces.
    #[inline]
    pub(super) fn check_bulk(&self, length: Option<i64>) -> Result<usize, ProtocolError> {
        match length {
            Some(length) if length >= 0 && length as u64 <= self.max_bulk => {
                if length > UNAUTHENTICATED_BULK && !self.authenticated {
                    return Err(ProtocolError::UnauthenticatedBulkLength);
                }
                Ok(length as usize)
            }
            _ => Err(ProtocolError::InvalidBulkLength),
        }
    }
}

/// A violation of the protocol: the client is told, and the connection closed.
///
/// Displays as the text that follows `-ERR `. Where the client's byte is quoted and is not ASCII, what is displayed is
/// only fit for a log; [`Reply::protocol_error`](crate::Reply::protocol_error) sends the byte itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number after `*` is none, or too big.
    InvalidMultibulkLength,
    /// More arguments than a client may send before AUTH.
    UnauthenticatedMultibulkLength,
    /// A line with the number of arguments that does not end.
    TooBigMultibulkCount,
    /// Something else, whose first byte is given, where the length of an argument should be.
    ExpectedBulk(u8),
    /// The number after `$` is none, negative, or above the limit.
    InvalidBulkLength,
    /// A longer argument than a client may send before AUTH.
    UnauthenticatedBulkLength,
    /// A line with the length of an argument that does not end.
    TooBigBulkCount,
    /// An inline request that does not end.
    TooBigInline,
    /// An inline request with a quote that is not closed, or is closed within a word.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The text, but for the byte that `ExpectedBulk` quotes at its end.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => "Protocol error: unauthenticated multibulk length",
            Self::TooBigMultibulkCount => "Protocol error: too big mbulk count string",
            Self::ExpectedBulk(_) => "Protocol error: expected '$', got ",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::TooBigBulkCount => "Protocol error: too big bulk count string",
            Self::TooBigInline => "Protocol error: too big inline request",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
        }
    }

    /// The client's byte that belongs in quotes behind the text, made fit for one line.
    pub(crate) fn quoted_byte(self) -> Option<u8> {
        match self {
            Self::ExpectedBulk(b'\r' | b'\n') => Some(b' '),
            Self::ExpectedBulk(byte) => Some(byte),
            _ => None,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self.quoted_byte() {
            Some(byte) if byte.is_ascii() => write!(f, "'{}'", byte as char),
            Some(_) => write!(f, "'{}'", char::REPLACEMENT_CHARACTER),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
