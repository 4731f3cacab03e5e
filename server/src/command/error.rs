//! Error replies.

use std::borrow::Cow;
use std::fmt;

use protocol::Args;

/// An error reply: its code and text, as the client gets it behind the dash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(Cow<'static, [u8]>);

impl Error {
    pub const SYNTAX: Error = Error::fixed("ERR syntax error");
    pub const NOT_AN_INTEGER: Error = Error::fixed("ERR value is not an integer or out of range");
    pub const NOT_A_FLOAT: Error = Error::fixed("ERR value is not a valid float");
    pub const OVERFLOW: Error = Error::fixed("ERR increment or decrement would overflow");
    pub const NO_SUCH_KEY: Error = Error::fixed("ERR no such key");
    pub const WRONG_TYPE: Error = Error::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// A collection would outgrow what it can be made of.
    pub const TOO_LARGE: Error = Error::fixed("ERR Elements are too large to be stored");
    pub const STRING_TOO_LONG: Error = Error::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const OFFSET_OUT_OF_RANGE: Error = Error::fixed("ERR offset is out of range");
    pub const DB_OUT_OF_RANGE: Error = Error::fixed("ERR DB index is out of range");
    pub const OUT_OF_MEMORY: Error = Error::fixed("OOM command not allowed when used memory > 'maxmemory'.");
    /// What is written cannot be saved.
    pub const NOT_SAVED: Error = Error::fixed(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
         may modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
         snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
         error.",
    );
    pub const LOADING: Error = Error::fixed("LOADING Redis is loading the dataset in memory");
    pub const NO_AUTH: Error = Error::fixed("NOAUTH Authentication required.");

    /// An error whose text never changes.
    pub const fn fixed(text: &'static str) -> Error {
        Error(Cow::Borrowed(text.as_bytes()))
    }

    /// An error with a text made up for the occasion, code first.
    pub fn new(text: impl Into<Vec<u8>>) -> Error {
        Error(Cow::Owned(text.into()))
    }

    /// An error that quotes a client's bytes, as they are, up to the first NUL.
    pub fn quoting(before: &str, bytes: &[u8], after: &str) -> Error {
        Error::new([before.as_bytes(), shown(bytes, usize::MAX), after.as_bytes()].concat())
    }

    /// The text as it is sent.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The code that error statistics are kept under: the first word.
    pub fn code(&self) -> &str {
        let code = self.0.split(|&byte| byte == b' ').next().unwrap_or_default();
        std::str::from_utf8(code).unwrap_or("ERR")
    }

    /// "invalid expire time", which names the command.
    pub fn invalid_expire(command: &str) -> Error {
        Error::new(format!("ERR invalid expire time in '{command}' command"))
    }

    /// A request of a subcommand that is unknown, or does not take so many arguments.
    pub fn unknown_subcommand(args: Args<'_>) -> Error {
        Error::see_help("ERR unknown subcommand or wrong number of arguments for '", args)
    }

    /// An error about a request's subcommand, which names the container as the client did.
    pub fn see_help(before: &str, args: Args<'_>) -> Error {
        let [container, subcommand] = [0, 1].map(|index| args.get(index).unwrap_or_default());
        let container = shown(container, usize::MAX).to_ascii_uppercase();
        Error::new([before.as_bytes(), shown(subcommand, 128), b"'. Try ", &container, b" HELP."].concat())
    }

    /// A call with the wrong number of arguments; `command` is the full name, as in `client|kill`.
    pub fn wrong_arity(command: &str) -> Error {
        Error::new(format!("ERR wrong number of arguments for '{command}' command"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// What a message shows of a client's bytes: no more than `max`, and nothing from a NUL on.
pub fn shown(bytes: &[u8], max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(max)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

impl From<storage::WrongType> for Error {
    fn from(_: storage::WrongType) -> Error {
        Error::WRONG_TYPE
    }
}
