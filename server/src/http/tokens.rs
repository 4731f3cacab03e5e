//! The two tokens of the configuration: who has shown one acts for somebody as long as it is in force.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::client::Shared;
use crate::config::Config;
use crate::log;

/// A token as it was shown.
#[derive(Clone)]
pub enum Token {
    Full(Vec<u8>),
    ReadOnly(Vec<u8>),
}

impl Token {
    fn is_in_force(&self, config: &Config) -> bool {
        match self {
            Token::Full(shown) => config.http_token()[..] == shown[..],
            Token::ReadOnly(shown) => config.http_readonly_token()[..] == shown[..],
        }
    }
}

/// Answers without an end that somebody with a token has asked for.
#[derive(Default)]
pub struct TokenStreams(Mutex<Vec<(Arc<Shared>, Token)>>);

impl TokenStreams {
    /// The stream of a client has begun, which ends when the token does.
    pub fn begin(&self, client: &Arc<Shared>, token: Token, config: &Config) {
        self.0.lock().push((Arc::clone(client), token));
        // It may have been changed since it was shown.
        self.tokens_changed(config);
    }

    /// The client's stream is over.
    pub fn end(&self, client: &Shared) {
        self.0.lock().retain(|(known, _)| known.id != client.id);
    }

    /// Ends the streams whose tokens are not in force any more.
    pub fn tokens_changed(&self, config: &Config) {
        let streams = self.0.lock();
        let outdated = streams.iter().filter(|(_, token)| !token.is_in_force(config));
        outdated.for_each(|(client, _)| client.kill());
    }
}

/// Warns where whoever was to read only may write.
pub fn warn_of_equal_tokens(config: &Config) {
    let token = config.http_token();
    if !token.is_empty() && token[..] == config.http_readonly_token()[..] {
        log::warning!("http-token and http-readonly-token are the same: who shows it may write");
    }
}
