//! What changes at run time: certificates, ports.

use harness::{Connection, free_port, tls};
use rustls::ALL_VERSIONS;

use super::{Secured, ask};

#[test]
fn certificates_are_read_again() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    let shown = || {
        let mut client = tls::connect(secured.port, &secured.unknown(ALL_VERSIONS)).unwrap();
        assert_eq!(ask(&mut client, "PING").unwrap(), "PONG");
        let chain = client.socket().conn.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        (client, chain)
    };
    let (mut old, chain) = shown();
    assert_eq!(chain, std::slice::from_ref(&secured.identity.certificate));
    let renewed = secured.authority.issue("renewed");
    renewed.write(secured.folder.path(), "server").unwrap();
    assert_eq!(shown().1, chain, "nobody has asked for it");
    // The names are those of before.
    assert_eq!(secured.set(&format!("tls-cert-file {}", secured.file("server.crt"))), "OK");
    assert_eq!(shown().1, [renewed.certificate]);
    assert_eq!(ask(&mut old, "PING").unwrap(), "PONG", "who is connected stays so");
}

#[test]
fn ports_change() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    let config = secured.unknown(ALL_VERSIONS);
    let (plain, port) = (secured.server.port(), free_port().unwrap());
    let speaks_tls = |port| tls::connect(port, &config).and_then(|mut client| ask(&mut client, "PING")).ok();
    let speaks_plainly =
        |port| Connection::open(("127.0.0.1", port)).and_then(|mut client| ask(&mut client, "PING")).ok();
    let pong = || Some("PONG".to_string());
    let mut client = tls::connect(secured.port, &config).unwrap();
    let mut set = |directives: &str| ask(&mut client, &format!("CONFIG SET {directives}")).unwrap();
    assert_eq!(set(&format!("tls-port {port}")), "OK");
    assert_eq!((speaks_tls(port), speaks_tls(secured.port)), (pong(), None));
    assert_eq!(set(&format!("tls-port {plain} port {port}")), "OK");
    assert_eq!((speaks_tls(plain), speaks_plainly(port)), (pong(), pong()), "they have changed places");
    assert_eq!(set("tls-port 0"), "OK");
    assert_eq!((speaks_tls(plain), speaks_plainly(port)), (None, pong()));
    assert_eq!(set(&format!("port {plain}")), "OK");
    assert_eq!(set("port 0"), "OK");
    assert_eq!(set(&format!("tls-port {plain}")), "OK");
    assert_eq!((speaks_tls(plain), speaks_plainly(port)), (pong(), None));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let refused = set(&format!("tls-port {}", taken.local_addr().unwrap().port()));
    let expected = "ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to listen on this port. \
                    Check server logs.";
    assert_eq!((refused.as_str(), speaks_tls(plain)), (expected, pong()));
}

#[test]
fn what_was_changed_while_tls_was_off_is_read_when_it_is_turned_on() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    assert_eq!(secured.set("tls-port 0"), "OK");
    assert_eq!(secured.set("tls-cert-file /none"), "OK");
    let refused = secured.set(&format!("tls-port {}", secured.port));
    assert!(refused.contains("'tls-port') - Unable to update TLS configuration. Check server logs."), "{refused}");
    assert_eq!(secured.get("tls-port"), "0");
    let directives = format!("tls-port {} tls-cert-file {}", secured.port, secured.file("server.crt"));
    assert_eq!(secured.set(&directives), "OK");
    assert_eq!(secured.ping(&secured.unknown(ALL_VERSIONS)).unwrap(), "PONG");
}
