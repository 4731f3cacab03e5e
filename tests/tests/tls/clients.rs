//! Who is let in, and what client and server agree on.

use std::sync::Arc;

use harness::tls::{self, Authority};
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, CipherSuite, ClientConfig, HandshakeKind};

use super::{Secured, ask, path};

#[test]
fn clients_speak_both_versions() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    for version in [&TLS12, &TLS13] {
        let mut client = tls::connect(secured.port, &secured.unknown(&[version])).unwrap();
        assert_eq!(ask(&mut client, "PING").unwrap(), "PONG");
        assert_eq!(client.socket().conn.protocol_version(), Some(version.version));
        assert_eq!(ask(&mut client, "QUIT").unwrap(), "OK");
        // The end is told of: without that, reading it would be an error.
        assert_eq!(client.read_to_close().unwrap(), b"");
    }
}

#[test]
fn certificates_are_asked_for() {
    let secured = Secured::start(&[]);
    let stranger = Authority::new("stranger");
    let config = |identity| Arc::new(tls::client(&secured.authority, identity, ALL_VERSIONS));
    let (known, foreign) = (secured.authority.issue("client"), stranger.issue("client"));
    let configs = [config(None), config(Some(&known)), config(Some(&foreign))];
    let outcomes = || configs.each_ref().map(|config| secured.ping(config).ok());
    let pong = || Some("PONG".to_string());
    assert_eq!(outcomes(), [None, pong(), None], "the default");
    for (setting, expected) in
        [("optional", [pong(), pong(), None]), ("no", [pong(), pong(), pong()]), ("yes", [None, pong(), None])]
    {
        assert_eq!(secured.set(&format!("tls-auth-clients {setting}")), "OK");
        assert_eq!(outcomes(), expected, "{setting}");
    }
    // Without anybody who is trusted nobody can be known.
    assert_eq!(secured.set("tls-auth-clients no"), "OK");
    assert_eq!(secured.set("tls-ca-cert-file "), "OK");
    for (setting, expected) in [("optional", pong()), ("yes", None)] {
        assert_eq!(secured.set(&format!("tls-auth-clients {setting}")), "OK");
        assert_eq!([secured.ping(&configs[0]).ok(), secured.ping(&configs[1]).ok()], [expected.clone(), expected]);
    }
    let failed = "Error accepting a client connection: ";
    secured.until_log(&format!("{failed}peer sent no certificates (addr=127.0.0.1:"));
    secured.until_log(&format!("{failed}invalid peer certificate: UnknownIssuer (addr="));
}

#[test]
fn authorities_may_stand_in_a_folder() {
    let secured = Secured::start(&[]);
    let other = Authority::new("other");
    let authorities = tempfile::tempdir().unwrap();
    std::fs::write(authorities.path().join("one.pem"), secured.authority.pem()).unwrap();
    std::fs::write(authorities.path().join("other.0"), other.pem()).unwrap();
    std::fs::write(authorities.path().join("README"), "not a certificate").unwrap();
    let client = |identity| Arc::new(tls::client(&secured.authority, Some(identity), ALL_VERSIONS));
    let (one, two) = (secured.authority.issue("client"), other.issue("client"));
    assert!(secured.ping(&client(&two)).is_err());
    assert_eq!(secured.set(&format!("tls-ca-cert-file  tls-ca-cert-dir {}", path(authorities.path()))), "OK");
    for identity in [&one, &two] {
        assert_eq!(secured.ping(&client(identity)).unwrap(), "PONG");
    }
}

#[test]
fn versions_and_ciphers_are_those_of_the_configuration() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    let agreed = |version| {
        let mut client = tls::connect(secured.port, &secured.unknown(&[version])).unwrap();
        ask(&mut client, "PING").ok()?;
        client.socket().conn.negotiated_cipher_suite().map(|suite| suite.suite())
    };
    let gcm256 = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    let gcm128 = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let chacha = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    let new256 = CipherSuite::TLS13_AES_256_GCM_SHA384;
    let new_chacha = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    // rustls as a client prefers AES with 256 bits.
    for (directives, old, new) in [
        ("tls-protocols TLSv1.2", Some(gcm256), None),
        ("tls-protocols tlsv1.3", None, Some(new256)),
        ("tls-protocols  tls-ciphers CHACHA20", Some(chacha), Some(new256)),
        ("tls-ciphers DEFAULT:-AES256 tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256", Some(gcm128), Some(new_chacha)),
        ("tls-ciphers CHACHA20:AES", Some(gcm256), Some(new_chacha)),
        ("tls-prefer-server-ciphers yes", Some(chacha), Some(new_chacha)),
        ("tls-ciphersuites  tls-ciphers ", Some(gcm256), Some(new256)),
    ] {
        assert_eq!(secured.set(directives), "OK", "{directives}");
        assert_eq!((agreed(&TLS12), agreed(&TLS13)), (old, new), "{directives}");
    }
    assert_eq!(secured.set("tls-ciphers AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256"), "OK");
    secured.until_log("tls-ciphers: AES128-SHA is not supported");
}

/// The kinds of the first handshake of a client and of the one after it.
fn kinds(secured: &Secured, config: &Arc<ClientConfig>) -> [Option<HandshakeKind>; 2] {
    [(); 2].map(|()| {
        let mut client = tls::connect(secured.port, config).unwrap();
        ask(&mut client, "PING").ok()?;
        client.socket().conn.handshake_kind()
    })
}

#[test]
fn sessions_are_resumed() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    for version in [&TLS12, &TLS13] {
        let anew = [Some(HandshakeKind::Full), Some(HandshakeKind::Full)];
        let resumed = [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)];
        assert_eq!(kinds(&secured, &secured.unknown(&[version])), resumed);
        assert_eq!(secured.set("tls-session-caching no"), "OK");
        assert_eq!(kinds(&secured, &secured.unknown(&[version])), anew);
        assert_eq!(secured.set("tls-session-caching yes tls-session-cache-timeout 0"), "OK");
        assert_eq!(kinds(&secured, &secured.unknown(&[version])), anew);
        assert_eq!(secured.set("tls-session-cache-timeout 300"), "OK");
        // Who was let in without a certificate does not get in by that.
        let config = secured.unknown(&[version]);
        assert_eq!(kinds(&secured, &config), resumed);
        assert_eq!(secured.set("tls-auth-clients yes"), "OK");
        assert_eq!(kinds(&secured, &config), [None, None]);
        assert_eq!(secured.set("tls-auth-clients no"), "OK");
    }
}
