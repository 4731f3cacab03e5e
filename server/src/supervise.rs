//! Telling what started the process how it is: systemd by datagrams, upstart by stopping once.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::config::Supervised;
use crate::log;
use crate::server::os_error_text;

const SOCKET: &str = "NOTIFY_SOCKET";
const JOB: &str = "UPSTART_JOB";

static BY_SYSTEMD: AtomicBool = AtomicBool::new(false);

/// Announces the start to whoever supervises, if anybody does. Tells whether somebody does. To be called while there
/// is only one thread.
pub fn begin(mode: Supervised) -> bool {
    match mode {
        Supervised::Upstart => stop_for_upstart(),
        Supervised::Systemd => begin_with_systemd(),
        Supervised::Auto if std::env::var_os(JOB).is_some() => stop_for_upstart(),
        Supervised::Auto if std::env::var_os(SOCKET).is_some() => begin_with_systemd(),
        Supervised::Auto | Supervised::No => false,
    }
}

/// What supervises, as INFO names it.
pub fn supervisor(mode: Supervised) -> &'static str {
    match mode {
        Supervised::No => "no",
        _ if BY_SYSTEMD.load(Relaxed) => "systemd",
        Supervised::Upstart => "upstart",
        _ => "unknown",
    }
}

fn stop_for_upstart() -> bool {
    if std::env::var_os(JOB).is_none() {
        log::warning!("upstart supervision requested, but {JOB} not found!");
        return false;
    }
    log::notice!("Supervised by upstart, will stop to signal readiness.");
    // SAFETY: a signal to the process itself, which upstart lets go on; no other thread reads the environment.
    unsafe {
        libc::raise(libc::SIGSTOP);
        std::env::remove_var(JOB);
    }
    true
}

fn begin_with_systemd() -> bool {
    BY_SYSTEMD.store(true, Relaxed);
    let heard = tell_systemd("STATUS=Redis is loading...\n");
    if heard {
        log::notice!(
            "Supervised by systemd. TimeoutStartSec and TimeoutStopSec of the service must leave time enough."
        );
    }
    heard
}

/// Everything is there: clients may come.
pub fn ready() {
    tell_systemd("STATUS=Ready to accept connections\n");
    tell_systemd("READY=1\n");
}

/// The process is about to end.
pub fn stopping() {
    tell_systemd("STOPPING=1\n");
}

/// What the process is doing, for people.
pub fn status(text: &str) {
    tell_systemd(&format!("STATUS={text}\n"));
}

/// Sends assignments to systemd where it supervises. Tells whether they got there.
fn tell_systemd(message: &str) -> bool {
    if !BY_SYSTEMD.load(Relaxed) {
        return false;
    }
    let Some(path) = std::env::var_os(SOCKET) else {
        log::warning!("systemd supervision error: {SOCKET} not found!");
        return false;
    };
    let sent = send(&path, message.as_bytes());
    if let Err(error) = &sent {
        log::warning!("systemd supervision error: {}", os_error_text(error));
    }
    sent.is_ok()
}

/// Sends a datagram to a socket that is a file or, where its name begins with `@`, none.
fn send(path: &OsStr, message: &[u8]) -> io::Result<()> {
    let addr = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &addr).map(drop)
}
