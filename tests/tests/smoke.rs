//! The shortest life of a server: start, answer, leave.

use harness::{Server, server_under_test};

#[test]
fn starts_answers_and_leaves() {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let mut connection = server.connect().unwrap();
    assert_eq!(connection.call(&["PING"]).unwrap().payload(), b"PONG");
    assert_eq!(connection.call(&["SET", "key", "value"]).unwrap().payload(), b"OK");
    assert_eq!(connection.call(&["GET", "key"]).unwrap().payload(), b"value");
    let (status, log) = server.stop().unwrap();
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("bye bye"), "{log}");
}

#[test]
fn a_server_that_exits_is_reported_with_its_log() {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let error = Server::start(binary, &["--no-such-directive", "1"]).unwrap_err().to_string();
    assert!(error.contains("no-such-directive"), "{error}");
}
