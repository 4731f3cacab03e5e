//! Listening: opens the sockets, refuses whom it must, and hands the others to the workers in turn.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, spawn_local};

use crate::client::Peer;
use crate::log;
use crate::server::{Server, os_error_text};
use crate::worker::Incoming;

/// What clients speak at a TCP port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The protocol as it is.
    Tcp,
    /// The protocol inside of TLS.
    Tls,
}

impl Kind {
    /// As the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tcp => "tcp",
            Kind::Tls => "tls",
        }
    }

    fn port(self, server: &Server) -> u16 {
        let port = match self {
            Kind::Tcp => server.config.port(),
            Kind::Tls => server.config.tls_port(),
        };
        port as u16
    }
}

/// A socket that clients come to.
pub struct Door {
    pub kind: Kind,
    listener: TcpListener,
}

/// An address to listen on.
struct Wanted {
    kind: Kind,
    /// As the configuration has it, for the log.
    name: String,
    addr: SocketAddr,
    /// May be one that this machine does not have.
    optional: bool,
}

impl Wanted {
    fn failure(&self, reason: &str) -> String {
        format!("Warning: Could not create server TCP listening socket {}:{}: {reason}", self.name, self.addr.port())
    }

    /// The socket, `None` where the address may be missing and is.
    fn open(&self, server: &Server) -> io::Result<Option<Door>> {
        match bind(self.addr, server) {
            Ok(listener) => Ok(Some(Door { kind: self.kind, listener })),
            Err(error) if self.optional && is_unavailable(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The addresses of `bind` and the port of a kind.
fn wanted(server: &Server, kind: Kind) -> Result<Vec<Wanted>, String> {
    let port = kind.port(server);
    let mut found = Vec::new();
    if port == 0 {
        return Ok(found);
    }
    for word in server.config.bind().split_ascii_whitespace() {
        let (optional, name) = match word.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, word),
        };
        let ip = match name {
            "*" => Some(IpAddr::from([0, 0, 0, 0])),
            "::*" => Some(IpAddr::from([0u16; 8])),
            name => resolve(name),
        };
        let address = |ip| Wanted { kind, name: name.to_string(), addr: SocketAddr::new(ip, port), optional };
        match ip {
            Some(ip) => found.push(address(ip)),
            None if optional => {}
            None => return Err(address(IpAddr::from([0, 0, 0, 0])).failure("Name or service not known")),
        }
    }
    Ok(found)
}

/// Opens the sockets of `bind`, `port` and `tls-port`.
pub fn open_doors(server: &Server) -> Result<Vec<Door>, String> {
    let mut doors = Vec::new();
    for kind in [Kind::Tcp, Kind::Tls] {
        let opened = open_kind(server, kind).map_err(|reason| {
            log::warning!("{reason}");
            format!("Failed listening on port {} ({}), aborting.", kind.port(server), kind.name())
        })?;
        doors.extend(opened);
    }
    Ok(doors)
}

fn open_kind(server: &Server, kind: Kind) -> Result<Vec<Door>, String> {
    let mut doors = Vec::new();
    for wanted in wanted(server, kind)? {
        doors.extend(wanted.open(server).map_err(|error| wanted.failure(&bind_failure(&error)))?);
    }
    Ok(doors)
}

fn bind_failure(error: &io::Error) -> String {
    format!("bind: {}", os_error_text(error))
}

fn resolve(name: &str) -> Option<IpAddr> {
    use std::net::ToSocketAddrs;
    name.parse().ok().or_else(|| Some((name, 0).to_socket_addrs().ok()?.next()?.ip()))
}

/// Errors that mean that this machine has no such address.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ENOPROTOOPT)
    )
}

fn bind(addr: SocketAddr, server: &Server) -> io::Result<TcpListener> {
    let config = &server.config;
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    let mark = config.socket_mark_id() as u32;
    if mark != 0
        && let Err(error) = socket.set_mark(mark)
    {
        // Of use to a firewall only: clients are served all the same.
        log::warning!("setsockopt SO_MARK: {}", os_error_text(&error));
    }
    socket.bind(&addr.into())?;
    socket.listen(config.tcp_backlog() as i32)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// The socket of `unixsocket`, if there is one.
pub fn open_unix(server: &Server) -> Result<Option<UnixListener>, String> {
    let path = server.config.unixsocket();
    if path.is_empty() {
        return Ok(None);
    }
    const MOST: usize = 108;
    if path.len() >= MOST {
        let length = path.len();
        return Err(format!("Failed opening Unix socket: unix socket path too long ({length}), must be under {MOST}"));
    }
    let failed = |error: io::Error| format!("Failed opening Unix socket: bind: {}", os_error_text(&error));
    // A socket that a former process left behind.
    let _ = std::fs::remove_file(&*path);
    let listener = UnixListener::bind(&*path).map_err(failed)?;
    let mode = server.config.unixsocketperm() as u32;
    if mode != 0 {
        std::fs::set_permissions(&*path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(Some(listener))
}

/// Asks for the sockets to be those of the configuration of now, and hears what became of it.
pub type Relisten = std::sync::mpsc::Sender<Result<(), String>>;

/// Has the thread that accepts go over to the `bind`, `port` and `tls-port` of now, and waits until it has.
pub fn relisten(server: &Server) -> Result<(), String> {
    let (answer, outcome) = std::sync::mpsc::channel();
    let gone = || "nobody accepts connections".to_string();
    server.relisten.get().ok_or_else(gone)?.send(answer).map_err(|_| gone())?;
    outcome.recv().map_err(|_| gone())?
}

/// An address that is listened on.
struct Listening {
    kind: Kind,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Listening {
    /// Closes the socket.
    async fn close(self) {
        self.task.abort();
        // The task and the socket with it are gone when this comes back.
        let _ = self.task.await;
    }
}

/// Accepts for ever. The TCP sockets change as `requests` ask.
pub async fn accept(
    server: &'static Server,
    doors: Vec<Door>,
    unix: Option<UnixListener>,
    workers: Vec<UnboundedSender<Incoming>>,
    mut requests: UnboundedReceiver<Relisten>,
) {
    let workers: &'static [UnboundedSender<Incoming>] = Vec::leak(workers);
    if let Some(listener) = unix {
        spawn_local(accept_unix(server, listener, workers));
    }
    let begin = |door: Door| {
        let (kind, addr) = (door.kind, door.listener.local_addr().ok()?);
        Some(Listening { kind, addr, task: spawn_local(accept_tcp(server, door, workers)) })
    };
    let mut open: Vec<Listening> = doors.into_iter().filter_map(begin).collect();
    while let Some(answer) = requests.recv().await {
        let outcome = change_sockets(server, &mut open).await;
        let outcome = outcome.map(|opened| open.extend(opened.into_iter().filter_map(begin)));
        // Who asked waits for it.
        let _ = answer.send(outcome);
    }
}

/// Opens what the configuration wants and is not open, then closes what it does not want any more. Where something
/// cannot be opened, what is open stays open, but for sockets that had to make room for an attempt.
async fn change_sockets(server: &Server, open: &mut Vec<Listening>) -> Result<Vec<Door>, String> {
    let mut wanted_now = wanted(server, Kind::Tcp)?;
    wanted_now.extend(wanted(server, Kind::Tls)?);
    let mut superfluous = std::mem::take(open);
    let mut missing = Vec::new();
    for wanted in wanted_now {
        let is_it = |open: &Listening| (open.kind, open.addr) == (wanted.kind, wanted.addr);
        match superfluous.iter().position(is_it) {
            Some(index) => open.push(superfluous.swap_remove(index)),
            None => missing.push(wanted),
        }
    }
    let outcome = open_missing(server, &missing, &mut superfluous).await;
    if outcome.is_err() {
        open.append(&mut superfluous);
        return outcome;
    }
    for old in superfluous {
        old.close().await;
    }
    server.tcp_port.store(server.config.main_port() as usize, Relaxed);
    outcome
}

async fn open_missing(
    server: &Server,
    missing: &[Wanted],
    superfluous: &mut Vec<Listening>,
) -> Result<Vec<Door>, String> {
    let mut opened = Vec::new();
    for wanted in missing {
        let mut outcome = wanted.open(server);
        if matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            // A socket for all addresses stands in the way of one for a single address, and the other way round.
            while let Some(index) = superfluous.iter().position(|old| old.addr.port() == wanted.addr.port()) {
                superfluous.swap_remove(index).close().await;
            }
            outcome = wanted.open(server);
        }
        opened.extend(outcome.map_err(|error| wanted.failure(&bind_failure(&error)))?);
    }
    Ok(opened)
}

async fn accept_tcp(server: &'static Server, door: Door, workers: &'static [UnboundedSender<Incoming>]) {
    loop {
        let (stream, addr) = match door.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept_failed(&error).await;
                continue;
            }
        };
        let Ok(stream) = stream.into_std() else { continue };
        let Ok(laddr) = stream.local_addr() else { continue };
        // Best effort: a connection without these options works as well.
        let _ = stream.set_nodelay(true);
        let seconds = server.config.tcp_keepalive() as u64;
        if seconds > 0 {
            let every = Duration::from_secs((seconds / 3).max(1));
            let keepalive =
                TcpKeepalive::new().with_time(Duration::from_secs(seconds)).with_interval(every).with_retries(3);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        }
        let local = match addr.ip().to_canonical() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        let tls = door.kind == Kind::Tls;
        let (addr, laddr, fd) = (addr_text(addr), addr_text(laddr), stream.as_raw_fd());
        let peer = Peer { addr, laddr, fd, unix: false, tls, local };
        match admit(server, &peer) {
            Ok(()) if tls => hand_over(server, workers, Incoming::Tls(stream, peer)),
            Ok(()) => hand_over(server, workers, Incoming::Tcp(stream, peer)),
            // There is no way to tell it what it would understand.
            Err(_) if tls => count_refusal(server),
            Err(text) => refuse(server, stream, text),
        }
    }
}

async fn accept_unix(server: &'static Server, listener: UnixListener, workers: &'static [UnboundedSender<Incoming>]) {
    let path = server.config.unixsocket();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                accept_failed(&error).await;
                continue;
            }
        };
        let Ok(stream) = stream.into_std() else { continue };
        let name = format!("{path}:0");
        let peer =
            Peer { addr: name.clone(), laddr: name, fd: stream.as_raw_fd(), unix: true, tls: false, local: true };
        match admit(server, &peer) {
            Ok(()) => hand_over(server, workers, Incoming::Unix(stream, peer)),
            Err(text) => refuse(server, stream, text),
        }
    }
}

/// Out of descriptors, most likely: trying again at once would only burn the processor.
async fn accept_failed(error: &io::Error) {
    log::warning!("Accepting client connection: {}", os_error_text(error));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn addr_text(addr: SocketAddr) -> String {
    // Redis prints IPv6 addresses without brackets only in the host part.
    format!("{}:{}", bracketed(addr.ip().to_canonical()), addr.port())
}

fn bracketed(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is \
set for the default user. In this mode connections are only accepted from the loopback interface. To connect from other \
machines, do one of these: 1) from the machine that the server runs on, send CONFIG SET protected-mode no; make sure that \
the server cannot be reached from the internet if you do, and use CONFIG REWRITE to make it permanent. 2) Turn protected \
mode off in the configuration file with 'protected-mode no' and restart. 3) Start the server with '--protected-mode no', \
for a test. 4) Set a password for the default user. Only one of these is needed.\r\n";

/// Whether a client may come in. Of one that speaks TLS more is asked once it can be told ([`crate::tls::greet`]).
fn admit(server: &Server, peer: &Peer) -> Result<(), &'static str> {
    if server.connected.load(Relaxed) as i64 >= server.config.maxclients() {
        return Err("-ERR max number of clients reached\r\n");
    }
    if peer.tls { Ok(()) } else { check_origin(server, peer) }
}

/// Whether clients may come from where this one does; what it is told if not.
pub(crate) fn check_origin(server: &Server, peer: &Peer) -> Result<(), &'static str> {
    if !peer.local && server.config.protected_mode() && server.acl.takes_any_password() {
        return Err(PROTECTED);
    }
    Ok(())
}

fn refuse(server: &Server, mut stream: impl Write, text: &'static str) {
    count_refusal(server);
    // The client may be gone already.
    let _ = stream.write(text.as_bytes());
}

/// Counts a client that was not let in.
pub(crate) fn count_refusal(server: &Server) {
    server.rejected.fetch_add(1, Relaxed);
}

fn hand_over(server: &Server, workers: &[UnboundedSender<Incoming>], incoming: Incoming) {
    server.connected.fetch_add(1, Relaxed);
    let next = || server.accepted.fetch_add(1, Relaxed) % workers.len();
    let mut worker = next();
    // A worker that is kept from its clients by a script gets no more of them.
    for _ in 1..workers.len() {
        if !server.scripts.keeps_busy(worker) {
            break;
        }
        worker = next();
    }

    if workers[worker].send(incoming).is_err() {
        server.connected.fetch_sub(1, Relaxed);
    }
}
