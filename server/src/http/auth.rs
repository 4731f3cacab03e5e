//! Who sends a request, and whether from a page that has no business here.

use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use protocol::OwnedArgs;

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

/// Whom a request may act for; `None` where it does not show that. `token` is that of the query, if it has one.
pub fn session(server: &Server, client: &Shared, headers: &HeaderMap, token: Option<&[u8]>) -> Option<Session> {
    let session = match credentials(headers, token) {
        Credentials::None => {
            let newcomer = server.acl.newcomer();
            return (!has_tokens(server) && !newcomer.needs_login()).then_some(newcomer);
        }
        Credentials::Token(token) => by_token(server, &token),
        Credentials::Login { user, password } => by_password(server, &user, &password),
        Credentials::Unreadable => None,
    };
    if session.is_none() {
        let args = OwnedArgs::from_iter(["HTTP"]);
        server.note_failed_login(client, Place::Toplevel, DEFAULT_USER, args.as_args());
    }
    session
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
fn by_token(server: &Server, token: &[u8]) -> Option<Session> {
    let is = |secret: &[u8]| !secret.is_empty() && same_secret(secret, token);
    if is(&server.config.http_token()) {
        return server.acl.vouched_for();
    }
    if is(&server.config.http_readonly_token()) {
        return Some(server.acl.reader());
    }
    match token.iter().position(|&byte| byte == b':') {
        Some(colon) => by_password(server, &token[..colon], &token[colon + 1..]),
        None => by_password(server, DEFAULT_USER, token),
    }
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
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
    if site.is_some_and(|site| ![&b"same-origin"[..], b"none"].contains(&site)) {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match origin.split_once("://") {
        Some((_, origin)) => host.is_empty() || !origin.eq_ignore_ascii_case(host),
        None => true,
    }
}

/// Whether a request that proves nothing came under a name that a foreign site may have given to this machine: then its
/// pages and this server are the same site to a browser.
pub fn may_be_tricked(server: &Server, headers: &HeaderMap) -> bool {
    let guarded = server.config.protected_mode() && !has_tokens(server) && server.acl.takes_any_password();
    guarded && headers.get(HOST).is_some_and(|host| !is_of_this_machine(host.to_str().unwrap_or_default()))
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
