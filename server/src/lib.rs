//! The server: configuration, connections, the command table and the commands.
//!
//! [`main`] is the whole program. Where to look: [`config`] for directives, [`listen`] for sockets, [`worker`] and
//! [`connection`] for what happens to bytes, [`command`] for how a command is declared and dispatched, [`commands`] for
//! the commands themselves.

pub mod acl;
pub mod blocking;
mod client;
mod collation;
pub mod command;
pub mod commands;
pub mod config;
pub mod connection;
pub mod crash;
pub mod eviction;
pub mod glob;
pub mod info;
pub mod latency;
pub mod listen;
pub mod log;
mod longdouble;
mod mail;
pub mod monitor;
mod notifications;
pub mod process;
mod pubsub;
pub mod redact;
pub mod scripts;
pub mod server;
pub mod slowlog;
pub mod stats;
pub mod transaction;
pub mod version;
pub mod worker;

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::LocalSet;

use config::{Config, Invocation};
use server::Server;

#[global_allocator]
static ALLOCATOR: storage::memory::CountingAllocator = storage::memory::CountingAllocator;

fn is_command(name: &str) -> bool {
    command::table::CommandTable::declared().get(name.as_bytes()).is_some()
}

/// The whole program, called by the binary.
pub fn main() -> ExitCode {
    let config = match config::read_invocation(std::env::args_os().skip(1), &is_command) {
        Ok(Invocation::Serve(config)) => *config,
        Ok(Invocation::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(failure) => {
            eprint!("{failure}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(failure) = acl::check_declarations(&config) {
        eprint!("{failure}");
        return ExitCode::FAILURE;
    }
    if config.daemonize()
        && let Err(error) = process::daemonize()
    {
        eprintln!("Cannot daemonize: {error}");
        return ExitCode::FAILURE;
    }
    log::set_file(&config.logfile());
    log::set_level(config.loglevel() as i64);
    if config.syslog_enabled() {
        log::open_syslog(&config.syslog_ident(), config.syslog_facility());
    }
    crash::install();
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            log::warning!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything and waits for the end.
fn serve(config: Config) -> Result<(), String> {
    let pid = std::process::id();
    log::notice!("oO0OoO0OoO0Oo Spinel is starting oO0OoO0OoO0Oo");
    log::notice!(
        "Spinel version={}, redis version={}, bits=64, pid={pid}, just started",
        version::SPINEL,
        version::REDIS
    );
    match &config.file {
        Some(_) => log::notice!("Configuration loaded"),
        None => log::warning!("Warning: no config file specified, using the default config"),
    }
    for notice in &config.notices {
        log::warning!("{notice}");
    }
    if let Some(directive) = unsupported(&config) {
        return Err(format!("{directive} is not supported yet: refusing to start rather than to leave it out"));
    }
    if let Err(reason) = process::make_room_for_clients(config.maxclients() as u64) {
        log::warning!("{reason}");
    }
    let server: &'static Server = Box::leak(Box::new(Server::new(config)?));
    print_banner(server);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, run(server))
}

/// A directive without which the data or the access to it would not be what the user asked for.
fn unsupported(config: &Config) -> Option<&'static str> {
    let wanted = [
        ("appendonly", config.appendonly()),
        ("cluster-enabled", config.cluster_enabled()),
        ("replicaof", config.replicaof().is_some()),
        ("tls-port", config.tls_port() != 0),
    ];
    wanted.into_iter().find_map(|(name, wanted)| wanted.then_some(name))
}

async fn run(server: &'static Server) -> Result<(), String> {
    let port = server.config.port();
    let tcp = listen::open_tcp(server).map_err(|reason| {
        log::warning!("{reason}");
        format!("Failed listening on port {port} (tcp), aborting.")
    })?;
    let unix = listen::open_unix(server)?;
    let pidfile = server.config.pidfile();
    if !pidfile.is_empty()
        && let Err(error) = process::write_pidfile(&pidfile)
    {
        log::warning!("Failed to write PID file: {}", server::os_error_text(&error));
    }
    server.keyspace.set_observer(Box::new(move |db, key, event| notifications::publish(server, db, key, event)));
    let mut inboxes = Vec::new();
    for index in 0..server.workers {
        let (inbox, outbox) = unbounded_channel();
        inboxes.push(inbox);
        let work = move || worker::run(server, index, outbox);
        std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(work)
            .map_err(|error| format!("Cannot start a worker: {error}"))?;
    }
    let failed = |error: std::io::Error| format!("Cannot handle signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let (has_tcp, has_unix) = (!tcp.is_empty(), unix.is_some());
    server.startup_memory.store(storage::memory::used_memory(), Relaxed);
    tokio::task::spawn_local(listen::accept(server, tcp, unix, inboxes));
    log::notice!("Server initialized");
    if has_tcp {
        log::notice!("Ready to accept connections tcp");
    }
    if has_unix {
        log::notice!("Ready to accept connections unix");
    }
    loop {
        let (signal, flags) = tokio::select! {
            _ = terminate.recv() => ("SIGTERM", server.config.shutdown_on_sigterm()),
            _ = interrupt.recv() => ("SIGINT", server.config.shutdown_on_sigint()),
            // A terminal that closes must not end the server.
            _ = hangup.recv() => continue,
            () = server.shutdown.notified() => break,
        };
        log::notice!("Received {signal} scheduling shutdown...");
        if server.prepare_to_leave(flags) {
            break;
        }
        log::warning!("Errors trying to shut down the server. Check the logs for more info.");
    }
    if !pidfile.is_empty() {
        log::notice!("Removing the pid file.");
        let _ = std::fs::remove_file(&*pidfile);
    }
    let socket = server.config.unixsocket();
    if !socket.is_empty() {
        log::notice!("Removing the unix socket file.");
        let _ = std::fs::remove_file(&*socket);
    }
    log::warning!("Spinel is now ready to exit, bye bye...");
    // The workers' threads hold nothing that must be put in order.
    std::process::exit(0)
}

/// What a person at a terminal sees; tools look for the process's number in it.
fn print_banner(server: &Server) {
    let to_terminal = server.config.logfile().is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdout());
    if !to_terminal && !server.config.always_show_logo() {
        return;
    }
    println!(
        "
      /\\
     /  \\      Spinel {} (speaks Redis {})
    /----\\     Port: {}
    \\    /     PID: {}
     \\  /      Workers: {}
      \\/
",
        version::SPINEL,
        version::REDIS,
        server.config.port(),
        std::process::id(),
        server.workers
    );
}
