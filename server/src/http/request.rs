//! What a request asks for: its path, its query, its headers and its body.

use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri, Version};
use percent_encoding::percent_decode;
use protocol::OwnedArgs;

use super::answer::{Failure, bad, broken, refused};
use super::commands::{self, Command, Commands, NULL_ARGUMENT};
use super::json::Encoding;

/// Names the database in which a request begins, which is the first one without.
const DATABASE: &str = "spinel-database";

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    Dashboard,
    Health,
    Metrics,
    Command,
    Pipeline,
    Transaction,
    Events,
    Keys,
    Value,
}

/// A path and a query, decoded.
pub struct Target {
    pub route: Route,
    /// The parts of the path, for a command and its arguments.
    words: Vec<Vec<u8>>,
    /// What the query adds behind them.
    options: Vec<Vec<u8>>,
    /// `_token` of the query.
    pub token: Option<Vec<u8>>,
}

/// How replies are to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Json(Encoding),
    Resp2,
}

/// Commands that end in an endless answer.
const STREAMING: [&[u8]; 4] = [b"subscribe", b"psubscribe", b"ssubscribe", b"monitor"];

impl Target {
    pub fn parse(method: &Method, uri: &Uri) -> Result<Target, Failure> {
        let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
        let words = match path {
            "" => Vec::new(),
            path => path.split('/').map(|word| decoded(word.as_bytes())).collect::<Result<Vec<_>, _>>()?,
        };
        let (mut options, mut token) = (Vec::new(), None);
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let [name, value] = [name, value].map(|part| decoded(part.replace('+', " ").as_bytes()));
            let (name, value) = (name?, value?);
            if name == b"_token" {
                token = Some(value);
                continue;
            }
            options.push(name);
            if !value.is_empty() {
                options.push(value);
            }
        }
        let route = Target::route(method, &words)?;
        Ok(Target { route, words, options, token })
    }

    fn route(method: &Method, words: &[Vec<u8>]) -> Result<Route, Failure> {
        let looks = method == Method::GET || method == Method::HEAD;
        let first = words.first().map(Vec::as_slice);
        let (route, alone, allowed) = match first {
            None if looks => (Route::Dashboard, true, true),
            None => (Route::Command, true, true),
            Some(b"healthz") => (Route::Health, true, looks),
            Some(b"metrics") => (Route::Metrics, true, looks),
            Some(b"pipeline") => (Route::Pipeline, true, !looks),
            Some(b"multi-exec") => (Route::Transaction, true, !looks),
            Some(b"dashboard") if matches!(words, [_, what] if what == b"keys") => (Route::Keys, false, !looks),
            Some(b"dashboard") if matches!(words, [_, what] if what == b"value") => (Route::Value, false, !looks),
            Some(b"favicon.ico" | b"robots.txt") => return refused(StatusCode::NOT_FOUND, "ERR there is no such page"),
            Some(name) if STREAMING.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                (Route::Events, false, method != Method::HEAD)
            }
            Some(_) => (Route::Command, false, true),
        };
        if alone && words.len() > 1 {
            return refused(StatusCode::NOT_FOUND, "ERR there is no such page");
        }
        if !allowed {
            return refused(StatusCode::METHOD_NOT_ALLOWED, format!("ERR {method} is not for this path"));
        }
        Ok(route)
    }

    /// The command of a request for one.
    pub async fn command(self, body: &Bytes, read: &mut Commands) -> Result<OwnedArgs, Failure> {
        if self.words.is_empty() {
            return command(read).await;
        }
        let mut args = OwnedArgs::new();
        self.words.iter().for_each(|word| commands::push(&mut args, word));
        // What event streams are asked for has no body to speak of.
        if !body.is_empty() && self.route == Route::Command {
            args.push_bytes(body.clone());
        }
        self.options.iter().for_each(|word| commands::push(&mut args, word));
        Ok(args)
    }
}

/// The command in a body.
pub async fn command(read: &mut Commands) -> Result<OwnedArgs, Failure> {
    let first = read.next().await.or_else(|error| malformed(&error))?;
    // It must be the only one.
    if read.next().await.or_else(|error| malformed(&error))?.is_some() {
        return malformed("more than one command");
    }
    match first {
        Some(Command::Whole(args)) => Ok(args),
        Some(Command::WithNull) => bad(NULL_ARGUMENT),
        None => malformed("no command"),
    }
}

/// The refusal of a body that is no JSON or not what it should be.
pub fn malformed<T>(error: &str) -> Result<T, Failure> {
    bad(format!("ERR failed to parse the body as JSON: {error}"))
}

/// Undoes percent-encoding, of any bytes: keys need not be text, and those that begin with zeros are many.
fn decoded(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut escapes = text.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at);
    let whole = |at: usize| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !escapes.all(whole) {
        return bad("ERR incomplete percent-encoding in the path or the query");
    }
    Ok(percent_decode(text).collect())
}

/// Whether the head of a request is one that is answered here.
pub fn check_head(head: &Parts) -> Result<(), Failure> {
    if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(&head.method) {
        return refused(StatusCode::METHOD_NOT_ALLOWED, format!("ERR method {} is not supported", head.method));
    }
    let headers = &head.headers;
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && head.version > Version::HTTP_10) {
        return broken("ERR there must be one Host header");
    }
    let encodings: Vec<_> = headers.get_all(TRANSFER_ENCODING).iter().collect();
    if encodings.len() > 1 || encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return broken("ERR unsupported Transfer-Encoding");
    }
    let websocket = |value: &[u8]| value.to_ascii_lowercase().windows(9).any(|part| part == b"websocket");
    if headers.get_all(UPGRADE).iter().any(|protocol| websocket(protocol.as_bytes())) {
        return bad("ERR WebSockets are not supported");
    }
    if headers.get(EXPECT).is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return refused(StatusCode::EXPECTATION_FAILED, "ERR unknown expectation");
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "ERR the body must not be compressed");
    }
    Ok(())
}

/// How the replies are wanted.
pub fn format(headers: &HeaderMap, route: Route) -> Result<Format, Failure> {
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes().to_ascii_lowercase());
    let encoding = match header("upstash-encoding").as_deref() {
        None | Some(b"") => Encoding::Text,
        Some(b"base64") => Encoding::Base64,
        Some(_) => return bad("ERR unknown Upstash-Encoding"),
    };
    match header("upstash-response-format").as_deref() {
        None | Some(b"json") => Ok(Format::Json(encoding)),
        Some(b"resp2") if encoding == Encoding::Base64 => {
            bad("ERR Upstash-Encoding and Upstash-Response-Format cannot be combined")
        }
        Some(b"resp2") if route == Route::Transaction => Ok(Format::Json(encoding)),
        Some(b"resp2") => Ok(Format::Resp2),
        Some(_) => bad("ERR unknown Upstash-Response-Format"),
    }
}

/// The database that a request is about, as its sender has written it.
pub fn database(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(DATABASE).map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn words(method: Method, uri: &str, body: &'static [u8]) -> Option<Vec<String>> {
        let target = Target::parse(&method, &uri.parse().ok()?).ok()?;
        let body = Bytes::from_static(body);
        let mut read = Commands::single(&body, &Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
        let args = runtime.block_on(target.command(&body, &mut read)).ok()?;
        Some(args.as_args().iter().map(|arg| arg.escape_ascii().to_string()).collect())
    }

    #[test]
    fn commands_stand_in_the_path_the_query_and_the_body() {
        for (method, uri, body, expected) in [
            (Method::GET, "/set/foo/bar", &b""[..], &["set", "foo", "bar"][..]),
            (Method::GET, "/set/a%2Fb/%e2%82%ac+%20", b"", &["set", "a/b", r"\xe2\x82\xac+ "]),
            (Method::GET, "/get/", b"", &["get", ""]),
            (Method::POST, "/set/foo?EX=100&NX&_token=x", b"bar", &["set", "foo", "bar", "EX", "100", "NX"]),
            (Method::POST, "/set/foo?a+b=c%2Bd&GET=", b"\x00", &["set", "foo", r"\x00", "a b", "c+d", "GET"]),
            (Method::POST, "/get/%ac%ed%00%05?%00=a%00", b"", &["get", r"\xac\xed\x00\x05", r"\x00", r"a\x00"]),
            (Method::PUT, "/publish/chat/hello", b"", &["publish", "chat", "hello"]),
            (Method::POST, "/", b"[\"SET\",\"foo\",1]", &["SET", "foo", "1"]),
            (Method::POST, "/subscribe/chat", b"[]", &["subscribe", "chat"]),
        ] {
            assert_eq!(words(method, uri, body).unwrap(), expected, "{uri}");
        }
        for uri in ["/get/%", "/get/%a", "/get/%zz", "/get/a?x=%0", "/pipeline/x", "/metrics/x", "/favicon.ico"] {
            assert!(words(Method::POST, uri, b"").is_none(), "{uri}");
        }
    }

    #[test]
    fn paths_have_their_methods() {
        let route = |method, uri: &str| Target::parse(&method, &uri.parse().unwrap()).map(|target| target.route).ok();
        assert_eq!(route(Method::GET, "/"), Some(Route::Dashboard));
        assert_eq!(route(Method::POST, "/"), Some(Route::Command));
        assert_eq!(route(Method::POST, "/?_token=x"), Some(Route::Command));
        assert_eq!(route(Method::POST, "/pipeline"), Some(Route::Pipeline));
        assert_eq!(route(Method::GET, "/pipeline"), None);
        assert_eq!(route(Method::PUT, "/multi-exec"), Some(Route::Transaction));
        assert_eq!(route(Method::HEAD, "/healthz"), Some(Route::Health));
        assert_eq!(route(Method::POST, "/metrics"), None);
        assert_eq!(route(Method::GET, "/PSubscribe/a*"), Some(Route::Events));
        assert_eq!(route(Method::HEAD, "/monitor"), None);
    }
}
