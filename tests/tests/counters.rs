//! INCREX, which no server that there is to compare with has.

use harness::{Server, server_under_test};

#[test]
fn counters_keep_within_bounds_and_set_their_expiry() {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let mut connection = server.connect().unwrap();
    let lines = [
        ("INCREX k", r"*2\r\n:1\r\n:1\r\n"),
        ("INCREX k BYINT 10 UBOUND 5", r"*2\r\n:1\r\n:0\r\n"),
        ("INCREX k BYINT 10 UBOUND 5 SATURATE", r"*2\r\n:5\r\n:4\r\n"),
        ("INCREX k LBOUND 7", r"*2\r\n:5\r\n:0\r\n"),
        ("INCREX k BYFLOAT 0.5", r"*2\r\n$3\r\n5.5\r\n$3\r\n0.5\r\n"),
        ("INCREX k", r"-ERR value is not an integer or out of range\r\n"),
        ("INCREX k BYFLOAT -10 LBOUND -1.5 SATURATE", r"*2\r\n$4\r\n-1.5\r\n$2\r\n-7\r\n"),
        ("INCREX none UBOUND 0", r"*2\r\n:0\r\n:0\r\n"),
        ("EXISTS none", r":0\r\n"),
        ("SET n 9223372036854775807", r"+OK\r\n"),
        ("INCREX n", r"*2\r\n:9223372036854775807\r\n:0\r\n"),
        ("INCREX n UBOUND -9223372036854775808 SATURATE", r"-ERR increment or decrement would overflow\r\n"),
        ("INCREX t EX 100 ENX", r"*2\r\n:1\r\n:1\r\n"),
        ("TTL t", r":100\r\n"),
        ("INCREX t EX 500 ENX", r"*2\r\n:2\r\n:1\r\n"),
        ("TTL t", r":100\r\n"),
        ("INCREX t", r"*2\r\n:3\r\n:1\r\n"),
        ("TTL t", r":100\r\n"),
        ("INCREX t PERSIST", r"*2\r\n:4\r\n:1\r\n"),
        ("TTL t", r":-1\r\n"),
        ("INCREX t EXAT 1", r"*2\r\n:5\r\n:1\r\n"),
        ("EXISTS t", r":0\r\n"),
        ("INCREX t BYINT 1 BYFLOAT 1", r"-ERR syntax error\r\n"),
        ("INCREX t PERSIST ENX", r"-ERR syntax error\r\n"),
        ("INCREX t ENX", r"-ERR ENX flag requires an expiration\r\n"),
        ("INCREX t LBOUND 2 UBOUND 1", r"-ERR LBOUND can\'t be greater than UBOUND\r\n"),
        ("INCREX t UBOUND 1.5", r"-ERR UBOUND is not an integer or out of range\r\n"),
        ("INCREX t BYFLOAT 1 LBOUND x", r"-ERR LBOUND is not a valid float\r\n"),
        ("INCREX t EX 0", r"-ERR invalid expire time in \'increx\' command\r\n"),
    ];
    for (command, expected) in lines {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(connection.call(&args).unwrap().0.escape_ascii().to_string(), expected, "{command}");
    }
    connection.call(&["HELLO", "3"]).unwrap();
    let reply = connection.call(&["INCREX", "k", "BYFLOAT", "0.25"]).unwrap();
    assert_eq!(reply.0, b"*2\r\n,-1.25\r\n,0.25\r\n");
}
