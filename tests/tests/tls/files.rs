//! Certificates and keys: what is read, and what is said about those that are wrong.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;

use harness::tls::{self, Authority};
use harness::{ServerBuilder, free_port};
use rcgen::KeyPair;
use rustls::ALL_VERSIONS;

use super::{Secured, ask, binary, path};

/// A key in three ways: as it is, encrypted as OpenSSL does it today, as it did it once in PKCS#8, and before that. The
/// password is 1234.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMQmXJVaivN0Cqugo
TbitxHBzbXmZPhXZoILt4//jjjGhRANCAAQ36Khvv+vd1v7/tphS4CpL7kF5PptH
x+OuThITvv/KfdSCEAkuuX5cUAj2rBGa96CrN11OHO+2Lhq6gDBAi8vU
-----END PRIVATE KEY-----
";
const ENCRYPTED: [&str; 2] = [
    "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgGIotwTn6h1QICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOpzPE7B2r8xHTyyWZkob8gEgZAX
HUbLfD9z9MJ3D7qG0pZ2Pt0l2MzZf3I0iDN86NWlIZe1C++Xq27fSyXvQv7JUSMB
4tK19kyKg//q7WRI3hBSDaaZqJliswmWqrItDmwOD9EiBu85ycYgfGlnduXoIaVK
KVshHOvR1nyh+FFFuWYJNsV9SPxt55bUpeTI7yH8McaUzMu6GGbYGQqc9zwPp0o=
-----END ENCRYPTED PRIVATE KEY-----
",
    "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHVMEAGCSqGSIb3DQEFDTAzMBsGCSqGSIb3DQEFDDAOBAgJJnR5Ycd0RQICCAAw
FAYIKoZIhvcNAwcECBEViu/9QMjMBIGQ6f/q5fzZAslGixBelxwRYoPdAW0Wpe/u
/K4x71iCly6ExDcYEb47GUahEZa/wRdWOgp+7CsUrCECWHi93Wfhm3BNB3HL+7Ug
SUvEXSrBHJOwQllNNVN54J1bRf8Hz4QMQdc/lRC2U4JeSO/ylQGpfQ09iu+INpXR
Mr1MM4YMQrddPl4w8rzdYYPbsdbiCagI
-----END ENCRYPTED PRIVATE KEY-----
",
];
const ENCRYPTED_TRADITIONALLY: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,C6DC7519BD43DE2AC7FC1E6BFE896529

CovGDRfN5YaN9BjwDqoMOYzUrM0dOaejB/z2slgOtCgZfait67s7h2T2WQ3c67o4
7MroaafALdcvspYfcIQPdgSU10RdAVf74Q0zBNtPrujChrenAQmNa6Z04IDXGpv9
-----END EC PRIVATE KEY-----
";

#[test]
fn the_start_fails_over_wrong_files() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let file = |name: &str| path(&folder.path().join(name));
    authority.issue("server").write(folder.path(), "server").unwrap();
    authority.issue("other").write(folder.path(), "other").unwrap();
    let (certificate, key) = (format!("--tls-cert-file {}", file("server.crt")), file("server.key"));
    let pair = format!("{certificate} --tls-key-file {key}");
    fs::write(file("text"), "no certificate\n").unwrap();
    fs::write(file("half"), &authority.pem()[..200]).unwrap();
    fs::write(file("encrypted"), ENCRYPTED[0]).unwrap();
    fs::write(file("traditional"), ENCRYPTED_TRADITIONALLY).unwrap();
    let no = "--tls-auth-clients no";
    for (args, reason) in [
        ("", "No tls-cert-file configured!".to_string()),
        (&certificate, "No tls-key-file configured!".into()),
        (
            &pair,
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or \
                 tls-auth-clients are enabled!"
                .into(),
        ),
        (&format!("{pair} {no} --tls-cluster yes"), "Either tls-ca-cert-file or tls-ca-cert-dir must be".into()),
        (
            &format!("--tls-cert-file {} --tls-key-file {key} {no}", file("none")),
            format!("Failed to load certificate: {}: No such file or directory", file("none")),
        ),
        (
            &format!("--tls-cert-file {} --tls-key-file {key} {no}", file("text")),
            format!("Failed to load certificate: {}: there is no certificate in it", file("text")),
        ),
        (
            &format!("--tls-cert-file {} --tls-key-file {key} {no}", file("half")),
            format!("Failed to load certificate: {}: missing section end marker", file("half")),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no}", file("none")),
            format!("Failed to load private key: {}: No such file or directory", file("none")),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no}", file("text")),
            format!("Failed to load private key: {}: there is no private key in it", file("text")),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no}", file("other.key")),
            format!("Failed to load private key: {}: it is not the key of the certificate", file("other.key")),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no}", file("encrypted")),
            format!(
                "Failed to load private key: {}: it is encrypted, and there is no tls-key-file-pass",
                file("encrypted")
            ),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no} --tls-key-file-pass 123", file("encrypted")),
            format!("Failed to load private key: {}: it cannot be decrypted with tls-key-file-pass", file("encrypted")),
        ),
        (
            &format!("{certificate} --tls-key-file {} {no} --tls-key-file-pass 1234", file("traditional")),
            format!(
                "Failed to load private key: {}: it is encrypted in a way that is not supported",
                file("traditional")
            ),
        ),
        (
            &format!("{pair} --tls-ca-cert-file {}", file("none")),
            format!(
                "Failed to configure CA certificate(s) file/directory: {}: No such file or directory",
                file("none")
            ),
        ),
        (
            &format!("{pair} --tls-ca-cert-file {}", file("text")),
            format!("Failed to configure CA certificate(s) file/directory: {}: there is no certificate", file("text")),
        ),
        (
            &format!("{pair} {no} --tls-protocols foo"),
            "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.".into(),
        ),
        (&format!("{pair} {no} --tls-protocols TLSv1.1"), "tls-protocols leaves no version that is supported".into()),
        (&format!("{pair} {no} --tls-ciphers foo"), "Failed to configure ciphers: foo".into()),
        (&format!("{pair} {no} --tls-ciphersuites foo"), "Failed to configure ciphersuites: foo".into()),
        (
            &format!("{pair} {no} --tls-dh-params-file {}", file("none")),
            format!("Failed to load {}: No such file or directory", file("none")),
        ),
        (
            &format!("{pair} {no} --tls-client-cert-file {} --tls-client-key-file {key}", file("other.crt")),
            format!("Failed to load private key: {key}: it is not the key of the certificate"),
        ),
    ] {
        let mut command = Command::new(binary());
        command.args(["--port", "0", "--tls-port", &free_port().unwrap().to_string()]);
        let Output { status, stdout, .. } = command.args(args.split_ascii_whitespace()).output().unwrap();
        let log = String::from_utf8_lossy(&stdout).into_owned();
        assert_eq!(status.code(), Some(1), "{args}: {log}");
        assert!(log.contains(&reason) && log.contains("Failed to configure TLS. Check logs for more info."), "{log}");
    }
}

#[test]
fn config_set_refuses_wrong_files_and_keeps_the_old_ones() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    secured.authority.issue("other").write(secured.folder.path(), "other").unwrap();
    let before = (secured.get("tls-cert-file"), secured.get("tls-key-file"));
    let failed = "Unable to update TLS configuration. Check server logs.";
    for (directives, blamed) in [
        ("tls-cert-file /none", "tls-cert-file"),
        (&format!("tls-cert-file {}", secured.file("other.crt")), "tls-cert-file"),
        (&format!("hz 20 tls-key-file {}", secured.file("other.key")), "tls-key-file"),
        ("tls-key-file  tls-cert-file ", "tls-key-file"),
        ("tls-protocols foo", "tls-protocols"),
        ("tls-ciphers foo", "tls-ciphers"),
        ("tls-ca-cert-file /none", "tls-ca-cert-file"),
    ] {
        let expected = format!("ERR CONFIG SET failed (possibly related to argument '{blamed}') - {failed}");
        assert_eq!(secured.set(directives), expected, "{directives}");
        assert_eq!((secured.get("tls-cert-file"), secured.get("tls-key-file")), before);
        assert_eq!(secured.ping(&secured.unknown(ALL_VERSIONS)).unwrap(), "PONG", "{directives}");
    }
    assert_eq!(secured.get("hz"), "10");
}

#[test]
fn keys_may_be_encrypted() {
    let secured = Secured::start(&["--tls-auth-clients", "no", "--slowlog-log-slower-than", "0"]);
    let identity = secured.authority.certify("encrypted", KeyPair::from_pem(KEY).unwrap());
    let (certificate, _) = identity.write(secured.folder.path(), "encrypted").unwrap();
    for (index, key) in ENCRYPTED.iter().enumerate() {
        let file = secured.file(&format!("encrypted-{index}.key"));
        fs::write(&file, format!("something before\n{key}something behind\n")).unwrap();
        let files = format!("tls-cert-file {} tls-key-file {file}", path(&certificate));
        assert!(secured.set(&files).contains("Unable to update TLS"), "without a password");
        assert!(secured.set(&format!("{files} tls-key-file-pass 123")).contains("Unable to update TLS"));
        assert_eq!(secured.set(&format!("{files} tls-key-file-pass 1234")), "OK");
        let mut client = tls::connect(secured.port, &secured.unknown(ALL_VERSIONS)).unwrap();
        assert_eq!(ask(&mut client, "PING").unwrap(), "PONG");
        assert_eq!(client.socket().conn.peer_certificates(), Some(&[identity.certificate.clone()][..]));
        assert_eq!(secured.set("tls-key-file-pass 1234"), "OK");
        let (certificate, key) = (secured.file("server.crt"), secured.file("server.key"));
        assert_eq!(secured.set(&format!("tls-cert-file {certificate} tls-key-file {key} tls-key-file-pass ")), "OK");
    }
    let mut client = secured.server.connect().unwrap();
    let slow_log = String::from_utf8_lossy(&client.call(&["SLOWLOG", "GET", "100"]).unwrap().0).into_owned();
    assert!(slow_log.contains("tls-key-file-pass") && !slow_log.contains("1234"), "{slow_log}");
}

#[test]
fn a_configuration_file_does_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    authority.issue("server").write(folder.path(), "server").unwrap();
    let (port, file) = (free_port().unwrap(), folder.path().join("redis.conf"));
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let lines = [
        format!("tls-port {port}\ntls-cert-file {}\ntls-key-file {}", path(&certificate), path(&key)),
        "tls-auth-clients no\ntls-protocols \"TLSv1.2 TLSv1.3\"\ntls-session-cache-size 100".into(),
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    // No port but the one for TLS.
    let server = ServerBuilder::new(binary()).config(&file).args(["--port", "0"]).start().unwrap();
    assert!(
        server.log().contains("Ready to accept connections tls") && server.log().contains(&format!("port={port}."))
    );
    let config = Arc::new(tls::client(&authority, None, ALL_VERSIONS));
    let mut client = tls::connect(port, &config).unwrap();
    let info = ask(&mut client, "INFO server").unwrap();
    assert!(info.contains(&format!("tcp_port:{port}\r\n")), "{info}");
    assert!(info.contains(&format!("listener2:name=tls,bind=127.0.0.1,port={port}\r\n")), "{info}");
    assert!(!info.contains("listener0"), "{info}");
    assert!(server.connect().is_err(), "nobody listens for others");
    assert_eq!(ask(&mut client, "CONFIG REWRITE").unwrap(), "OK");
    assert!(fs::read_to_string(&file).unwrap().contains("tls-protocols \"TLSv1.2 TLSv1.3\""));
}
