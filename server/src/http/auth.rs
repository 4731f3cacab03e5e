//! Who sends a request, and whether from a page that has no business here.

use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, REFERER, USER_AGENT};
use protocol::OwnedArgs;

use super::tokens::Token;
use crate::acl::{DEFAULT_USER, Place, Session, same_secret};
use crate::client::Shared;
use crate::server::Server;

/// Says of a request that a browser sends which page it comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What was shown to prove who sends a request.
enum Credentials {
    None,
    Token(Vec<u8>),
    Login {
        user: Vec<u8>,
        password: Vec<u8>,
    },
    /// Not of any form that is known.
    Unreadable,
}

/// Whom a request acts for.
pub struct Sender {
    pub session: Session,
    /// The token of the configuration that says so, if one does.
    pub token: Option<Token>,
}

impl From<Session> for Sender {
    fn from(session: Session) -> Sender {
        Sender { session, token: None }
    }
}

/// Whom a request may act for; `None` where it does not show that. `token` is that of the query, if it has one.
pub fn sender(server: &Server, client: &Shared, headers: &HeaderMap, token: Option<&[u8]>) -> Option<Sender> {
    let sender = match credentials(headers, token) {
        Credentials::None => {
            let newcomer = server.acl.newcomer();
            return (!has_tokens(server) && !newcomer.needs_login()).then(|| newcomer.into());
        }
        Credentials::Token(token) => by_token(server, token),
        Credentials::Login { user, password } => by_password(server, &user, &password).map(Sender::from),
        Credentials::Unreadable => None,
    };
    if sender.is_none() {
        let args = OwnedArgs::from_iter(["HTTP"]);
        server.note_failed_login(client, Place::Toplevel, DEFAULT_USER, args.as_args());
    }
    sender
}

fn credentials(headers: &HeaderMap, token: Option<&[u8]>) -> Credentials {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (all.next(), all.next()) else {
        return match (headers.contains_key(AUTHORIZATION), token) {
            (true, _) => Credentials::Unreadable,
            (false, Some(token)) => Credentials::Token(token.to_vec()),
            (false, None) => Credentials::None,
        };
    };
    let (scheme, rest) = match header.as_bytes().iter().position(|&byte| byte == b' ') {
        Some(space) => header.as_bytes().split_at(space),
        None => (header.as_bytes(), &b""[..]),
    };
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Credentials::Token(rest.to_vec());
    }
    if scheme.eq_ignore_ascii_case(b"basic")
        && let Ok(login) = BASE64_STANDARD.decode(rest)
        && let Some(colon) = login.iter().position(|&byte| byte == b':')
    {
        let (user, password) = (login[..colon].to_vec(), login[colon + 1..].to_vec());
        return Credentials::Login { user, password };
    }
    Credentials::Unreadable
}

/// One of the two tokens of the configuration, `user:password`, or the default user's password.
fn by_token(server: &Server, token: Vec<u8>) -> Option<Sender> {
    let is = |secret: &[u8]| !secret.is_empty() && same_secret(secret, &token);
    if is(&server.config.http_token()) {
        let session = server.acl.vouched_for()?;
        return Some(Sender { session, token: Some(Token::Full(token)) });
    }
    if is(&server.config.http_readonly_token()) {
        return Some(Sender { session: server.acl.reader(), token: Some(Token::ReadOnly(token)) });
    }
    let session = match token.iter().position(|&byte| byte == b':') {
        Some(colon) => by_password(server, &token[..colon], &token[colon + 1..]),
        None => by_password(server, DEFAULT_USER, &token),
    };
    session.map(Sender::from)
}

fn by_password(server: &Server, user: &[u8], password: &[u8]) -> Option<Session> {
    // Whoever sets a token does not mean that any other word will do as well.
    let open = || server.acl.user(user).is_some_and(|user| user.takes_any_password());
    if has_tokens(server) && user == DEFAULT_USER && open() {
        return None;
    }
    server.acl.log_in(user, password)
}

/// Whether requests over HTTP have to show something, whatever the default user's password is.
pub fn has_tokens(server: &Server) -> bool {
    !server.config.http_token().is_empty() || !server.config.http_readonly_token().is_empty()
}

/// Whether a page of another site, or of none, has made a browser send this.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    signs(headers).contains(&Some(false))
}

/// What the headers by which browsers tell of a page say about it: whether it is ours.
fn signs(headers: &HeaderMap) -> [Option<bool>; 3] {
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_own = |page: &HeaderValue| {
        let page = page.to_str().unwrap_or_default();
        page.split_once("://")
            .and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
            .is_some_and(|page_host| !host.is_empty() && page_host.as_bytes().eq_ignore_ascii_case(host))
    };
    [
        headers.get(SEC_FETCH_SITE).map(|site| [&b"same-origin"[..], b"none"].contains(&site.as_bytes())),
        headers.get(ORIGIN).map(is_own),
        headers.get(REFERER).map(is_own),
    ]
}

/// Why a request is refused where anybody may do anything without proving who he is: a page of another site could have
/// sent it. A bearer token, even one that nobody checks, no page can have a browser send without asking first.
pub fn may_be_tricked(server: &Server, headers: &HeaderMap) -> Option<&'static str> {
    if has_tokens(server) || !server.acl.takes_any_password() {
        return None;
    }
    // A site may have given a name of its own to this machine: then its pages and this server are the same to a browser.
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    if server.config.protected_mode() && host.is_some_and(|host| !is_of_this_machine(host)) {
        return Some(
            "ERR without a password or http-token requests are only answered under an address or as localhost",
        );
    }
    if is_browser(headers) && !has_bearer(headers) && !signs(headers).contains(&Some(true)) {
        return Some(
            "ERR without a password or http-token browsers have to send a bearer token or to tell of their page",
        );
    }
    None
}

/// Whether a browser has sent this: all of them begin alike, and a page cannot change that of what it may send elsewhere.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

fn has_bearer(headers: &HeaderMap) -> bool {
    matches!(credentials(headers, None), Credentials::Token(_))
}

/// Whether a host is an address or `localhost`, with a port or without.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn pages_of_other_sites_are_told_from_ours() {
        let foreign = |pairs: &[(&'static str, &'static str)]| is_foreign(&headers(pairs));
        assert!(!foreign(&[("host", "localhost:8079")]));
        assert!(!foreign(&[("host", "localhost:8079"), ("origin", "http://LOCALHOST:8079")]));
        assert!(!foreign(&[
            ("host", "db.example"),
            ("origin", "https://db.example"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(foreign(&[("host", "localhost:8079"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("host", "localhost:8079"), ("origin", "null")]));
        assert!(foreign(&[("origin", "http://evil.example")]));
        assert!(foreign(&[("host", "localhost:8079"), ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("host", "localhost:8079"), ("sec-fetch-site", "same-site")]));
        assert!(!foreign(&[("host", "localhost:8079"), ("referer", "http://localhost:8079/?a=b")]));
        assert!(foreign(&[("host", "localhost:8079"), ("referer", "http://evil.example/localhost:8079")]));
        assert!(foreign(&[("host", "localhost:8079"), ("referer", "http://localhost:8078/")]));
        assert!(foreign(&[("host", "localhost:8079"), ("referer", "")]));
    }

    #[test]
    fn names_that_others_can_give_are_told_from_addresses() {
        for host in ["localhost", "localhost:8079", "127.0.0.1", "10.0.0.7:80", "[::1]:8079", "[::1]"] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example:1", ""] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
