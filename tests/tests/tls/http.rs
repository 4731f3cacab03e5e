//! HTTP inside of TLS.

use harness::{free_port, tls};
use rustls::ALL_VERSIONS;

use super::Secured;

#[test]
fn http_goes_over_tls_as_well() {
    let secured = Secured::start(&["--tls-auth-clients", "no", "--http-token", "secret"]);
    let port = loop {
        let port = free_port().unwrap();
        // Another process may be quicker.
        if secured.set(&format!("https-port {port}")) == "OK" {
            break port;
        }
    };
    let config = secured.unknown(ALL_VERSIONS);
    let mut http = tls::connect_http(port, &config).unwrap();
    let token = "Authorization: Bearer secret";
    let large = "x".repeat(1 << 20);
    assert_eq!(http.call("POST", "/set/a", &[token], large.as_bytes()).unwrap().text(), r#"{"result":"OK"}"#);
    assert_eq!(http.call("GET", "/get/a", &[token], b"").unwrap().text(), format!("{{\"result\":\"{large}\"}}"));
    assert_eq!(http.call("GET", "/get/a", &[], b"").unwrap().status, 401);
    // Events come as they do without.
    http.send("GET", "/subscribe/chat", &[token], b"").unwrap();
    assert_eq!(http.read_head().unwrap().status, 200);
    assert_eq!(http.read_chunk().unwrap(), b"data: subscribe,chat,1\n\n");
    let mut resp = secured.server.connect().unwrap();
    assert_eq!(resp.call(&["PUBLISH", "chat", "hello"]).unwrap().integer(), Some(1));
    assert_eq!(http.read_chunk().unwrap(), b"data: message,chat,hello\n\n");
    // Who has to show a certificate has to here, too.
    assert_eq!(secured.set("tls-auth-clients yes"), "OK");
    let refused = tls::connect_http(port, &config).unwrap().call("GET", "/get/a", &[token], b"");
    assert!(refused.is_err());
    let mut known = tls::connect_http(port, &secured.known()).unwrap();
    assert_eq!(known.call("GET", "/exists/a", &[token], b"").unwrap().text(), r#"{"result":1}"#);
    assert_eq!(secured.set("https-port 0"), "OK");
    assert!(tls::connect_http(port, &config).is_err());
}
