//! The server as a process: how it starts, listens, appears to others and ends.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use harness::{Connection, Server, ServerBuilder, free_port, server_under_test};

fn binary() -> PathBuf {
    server_under_test(env!("CARGO_BIN_EXE_server-under-test"))
}

fn start(args: &[&str]) -> Server {
    Server::start(binary(), args).unwrap()
}

fn text(connection: &mut Connection, words: &[&str]) -> String {
    String::from_utf8_lossy(connection.call(words).unwrap().payload()).into_owned()
}

/// Runs a server that does not start, and returns what it says.
fn refused(args: &[&str]) -> String {
    let Output { status, stdout, .. } = Command::new(binary()).args(args).output().unwrap();
    let log = String::from_utf8_lossy(&stdout).into_owned();
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

/// A port that is taken as long as the listener lives.
fn taken_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn listeners_change_or_stay() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    let (_taken, port) = taken_port();
    let refused = |client: &mut Connection, directive: &str, value: &str| {
        let reply = text(client, &["CONFIG", "SET", directive, value]);
        let reason = if directive == "port" {
            "Unable to listen on this port. Check server logs."
        } else {
            "Failed to bind to specified addresses."
        };
        let expected = format!("ERR CONFIG SET failed (possibly related to argument '{directive}') - {reason}");
        assert_eq!(reply, expected, "{directive} {value}");
        assert_eq!(text(&mut server.connect().unwrap(), &["PING"]), "PONG", "{directive} {value}");
    };
    refused(&mut client, "port", &port.to_string());
    for bind in ["1.2.3.4", "nosuchhost.invalid", "127.0.0.1 1.2.3.4", "127.0.0.1 127.0.0.1", "* 1.2.3.4"] {
        refused(&mut client, "bind", bind);
    }
    assert_eq!(client.call(&["CONFIG", "GET", "bind", "port"]).unwrap().elements()[1].payload(), b"127.0.0.1");
    assert!(
        server.log().contains(&format!("# Warning: Could not create server TCP listening socket 127.0.0.1:{port}: "))
    );

    // To all addresses and back, by way of one that stands in the way of the other.
    for bind in ["*", "127.0.0.1 -1.2.3.4", "127.0.0.2 127.0.0.1"] {
        assert_eq!(text(&mut client, &["CONFIG", "SET", "bind", bind]), "OK");
        assert_eq!(text(&mut server.connect().unwrap(), &["PING"]), "PONG", "{bind}");
    }
    assert!(TcpStream::connect(("127.0.0.2", server.port())).is_ok());
    for _ in 0..20 {
        let port = free_port().unwrap();
        assert_eq!(text(&mut client, &["CONFIG", "SET", "port", &port.to_string()]), "OK");
        assert_eq!(text(&mut Connection::open((Ipv4Addr::LOCALHOST, port)).unwrap(), &["PING"]), "PONG");
        assert!(server.connect().is_err(), "the old port is closed when the change is confirmed");
    }
    assert_eq!(text(&mut client, &["CONFIG", "SET", "port", "0"]), "OK");
    assert!(text(&mut client, &["CONFIG", "SET", "tls-port", "7777"]).starts_with("ERR CONFIG SET failed"));
}

#[test]
fn systemd_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let abstract_name = format!("spinel-test-{}", std::process::id());
    let file = UnixDatagram::bind(&path).unwrap();
    let abstract_socket =
        UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(abstract_name.as_bytes()).unwrap()).unwrap();
    let cases = [(file, path.display().to_string(), "systemd"), (abstract_socket, format!("@{abstract_name}"), "auto")];
    for (socket, name, mode) in cases {
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let builder = ServerBuilder::new(binary()).env("NOTIFY_SOCKET", name);
        // What is supervised does not go to the background, whatever is said about that.
        let server = builder.args(["--supervised", mode, "--daemonize", "yes"]).start().unwrap();
        let next = || {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(next(), "STATUS=Redis is loading...\n");
        assert_eq!(next(), "STATUS=Ready to accept connections\n");
        assert_eq!(next(), "READY=1\n");
        let mut client = server.connect().unwrap();
        assert!(text(&mut client, &["INFO", "server"]).contains("process_supervised:systemd\r\n"));
        server.stop().unwrap();
        assert_eq!(next(), "STOPPING=1\n");
    }
}

#[test]
fn few_files_mean_few_clients() {
    let server = ServerBuilder::new(binary()).max_files(100).args(["--io-threads", "2"]).start().unwrap();
    let log = server.log();
    assert!(log.contains("You requested maxclients of 10000 requiring at least 10032 max file descriptors."), "{log}");
    assert!(log.contains("maxclients has been reduced to 68 to compensate for low ulimit."), "{log}");
    let mut clients = Vec::new();
    for _ in 0..68 {
        let mut client = server.connect().unwrap();
        assert_eq!(text(&mut client, &["PING"]), "PONG");
        clients.push(client);
    }
    for _ in 0..10 {
        let reply = server.connect().unwrap().read_to_close().unwrap();
        assert_eq!(reply, b"-ERR max number of clients reached\r\n");
    }
    assert_eq!(clients[0].call(&["CONFIG", "GET", "maxclients"]).unwrap().elements()[1].payload(), b"68");
    let reply = text(&mut clients[0], &["CONFIG", "SET", "maxclients", "200"]);
    assert!(
        reply.ends_with("- The operating system is not able to handle the specified number of clients, try with 68")
    );
}

#[test]
fn what_cannot_be_served_does_not_start() {
    let (_taken, port) = taken_port();
    let port = port.to_string();
    let cases: [(&[&str], &str); 5] = [
        (&["--port", "0"], " # Configured to not listen anywhere, exiting.\n"),
        (&["--port", "0", "--loadmodule", "/x.so", "a"], " # Can't load module from /x.so: server aborting\n"),
        (
            &["--port", "0", "--unixsocket", &format!("/tmp/{}", "x".repeat(130))],
            " # Failed opening Unix socket: unix socket path too long (135), must be under 108\n",
        ),
        (&["--port", &port, "--bind", "127.0.0.1"], " (tcp), aborting.\n"),
        (
            &["--port", &port, "--bind", "127.0.0.1"],
            " # Warning: Could not create server TCP listening socket 127.0.0.1:",
        ),
    ];
    for (args, expected) in cases {
        let log = refused(args);
        assert!(log.contains(expected), "{args:?}: {log}");
        let lines: Vec<&str> = log.lines().collect();
        let role = |line: &str| line.split(' ').next().map(|id| id.ends_with(":C"));
        assert!(role(lines[0]) == Some(true) && role(lines[lines.len() - 1]) == Some(false), "{log}");
    }
}

#[test]
fn the_log_says_what_runs_where() {
    let server = start(&[]);
    assert!(server.log().contains("Running mode=standalone, port="));
}

#[test]
fn the_title_names_the_address() {
    let server = start(&["--proc-title-template", "{title} is at {listen-addr} {server-mode}"]);
    let title = || {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_string()
    };
    let port = server.port();
    assert_eq!(title(), format!("{} is at 127.0.0.1:{port}", binary().display()));
    let mut client = server.connect().unwrap();
    let long = "x".repeat(300);
    text(&mut client, &["CONFIG", "SET", "proc-title-template", &format!("{long} {{port}}")]);
    assert_eq!(title(), format!("{long} {port}"));
    text(&mut client, &["CONFIG", "SET", "proc-title-template", "short"]);
    assert_eq!(title(), "short");
    // The environment, which a title may be written over, is not lost.
    assert_eq!(text(&mut client, &["PING"]), "PONG");
    let untouched = start(&["--set-proc-title", "no"]);
    let bytes = std::fs::read(format!("/proc/{}/cmdline", untouched.pid())).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("--set-proc-title\0no\0"));
}

#[test]
fn threads_stay_on_the_processors_of_the_list() {
    let server = start(&["--server-cpulist", "0", "--io-threads", "2"]);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    for task in tasks {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
    }
}

#[test]
fn a_process_in_the_background_leaves_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let default = PathBuf::from("/var/run/redis.pid");
    let before = std::fs::read(&default).ok();
    let mut command = Command::new(binary());
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "yes", "--save", "", "--dir"]);
    command.arg(folder.path()).arg("--logfile").arg(folder.path().join("log"));
    assert!(command.status().unwrap().success());
    let limit = Instant::now() + Duration::from_secs(30);
    let mut client = loop {
        match Connection::open((Ipv4Addr::LOCALHOST, port)) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
    };
    assert_eq!(client.call(&["CONFIG", "GET", "pidfile"]).unwrap().elements()[1].payload(), b"/var/run/redis.pid");
    let info = text(&mut client, &["INFO", "server"]);
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().to_string();
    // Where nobody may write there, the server runs without.
    if let Ok(content) = std::fs::read_to_string(&default) {
        assert!(content.trim() == pid || before.is_some_and(|before| before == content.as_bytes()), "{content}");
    }
    let _ = client.send(&["SHUTDOWN", "NOSAVE"]);
    let _ = client.read_to_close();
}

#[test]
fn the_periodic_work_follows_hz() {
    let server = start(&["--io-threads", "1"]);
    let mut client = server.connect().unwrap();
    text(&mut client, &["CONFIG", "SET", "hz", "500"]);
    let cycles = |client: &mut Connection| -> u64 {
        let info = text(client, &["INFO", "stats"]);
        info.lines().find_map(|line| line.strip_prefix("eventloop_cycles:")?.parse().ok()).unwrap()
    };
    let (begin, before) = (Instant::now(), cycles(&mut client));
    std::thread::sleep(Duration::from_secs(1));
    let ticks = cycles(&mut client) - before;
    // Ten a second without the change. A busy machine may keep the server from all 500.
    assert!(ticks as f64 > 50.0 * begin.elapsed().as_secs_f64(), "{ticks}");
    assert!(text(&mut client, &["INFO", "server"]).contains("\r\nhz:500\r\nconfigured_hz:500\r\n"));
}

#[test]
fn many_clients_make_the_periodic_work_more_frequent() {
    let server = start(&["--hz", "1"]);
    let mut clients: Vec<Connection> = (0..250).map(|_| server.connect().unwrap()).collect();
    clients.iter_mut().for_each(|client| drop(text(client, &["PING"])));
    let client = &mut clients[0];
    assert!(text(client, &["INFO", "server"]).contains("\r\nhz:2\r\nconfigured_hz:1\r\n"));
    text(client, &["CONFIG", "SET", "dynamic-hz", "no"]);
    assert!(text(client, &["INFO", "server"]).contains("\r\nhz:1\r\nconfigured_hz:1\r\n"));
}

/// `SO_MARK` of the sockets that a process has open, for whoever may look.
fn socket_marks(pid: u32) -> Vec<u32> {
    let mut marks = Vec::new();
    // SAFETY: plain system calls; what they open is closed, and the option is written to a local number.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        for number in 0..64 {
            let socket = libc::syscall(libc::SYS_pidfd_getfd, process, number, 0) as i32;
            let (mut mark, mut length) = (0u32, size_of::<u32>() as libc::socklen_t);
            let place = (&raw mut mark).cast();
            if libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_MARK, place, &mut length) == 0 {
                marks.push(mark);
            }
            libc::close(socket);
        }
        libc::close(process);
    }
    marks
}

#[test]
fn listening_sockets_are_marked_for_the_firewall() {
    let server = start(&["--socket-mark-id", "77"]);
    let marks = socket_marks(server.pid());
    // Only the privileged may mark sockets, and only some may look at another process's.
    let forbidden = server.log().contains("setsockopt SO_MARK: Operation not permitted");
    assert!(marks.contains(&77) || forbidden || marks.is_empty(), "{marks:?}");
}
