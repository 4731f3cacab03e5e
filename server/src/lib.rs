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
mod hold;
pub mod http;
pub mod info;
mod journal;
pub mod latency;
mod limits;
pub mod listen;
pub mod log;
mod longdouble;
mod mail;
pub mod monitor;
mod notifications;
mod output_limit;
pub mod persistence;
pub mod process;
mod pubsub;
pub mod redact;
pub mod scripts;
pub mod server;
pub mod slowlog;
pub mod stats;
mod stream;
pub mod supervise;
mod title;
pub mod tls;
mod tracking;
pub mod transaction;
pub mod version;
pub mod worker;

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::{JoinError, LocalSet};

use config::{Config, Invocation};
use journal::Journal;
use listen::Kind;
use server::Server;

#[global_allocator]
static ALLOCATOR: storage::memory::CountingAllocator = storage::memory::CountingAllocator;

fn is_command(name: &[u8]) -> bool {
    command::table::CommandTable::declared().get(name).is_some()
}

/// Where a process in the background leaves its number.
const DEFAULT_PIDFILE: &str = "/var/run/redis.pid";

/// The whole program, called by the binary.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    if name.to_string_lossy().contains(persistence::check::NAME) {
        return persistence::check::main(&name, &args.collect::<Vec<_>>());
    }
    if name.to_string_lossy().contains(persistence::aof::check::NAME) {
        return persistence::aof::check::main(&name, &args.collect::<Vec<_>>());
    }
    let config = match config::read_invocation(args, &is_command) {
        Ok(Invocation::Serve(config)) => *config,
        Ok(Invocation::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(Invocation::CheckSnapshot(args)) => return persistence::check::main(&name, &args),
        Ok(Invocation::CheckLog(args)) => return persistence::aof::check::main(&name, &args),
        Err(failure) => {
            eprint!("{failure}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(failure) = acl::check_declarations(&config) {
        eprint!("{failure}");
        return ExitCode::FAILURE;
    }
    log::set_file(&config.logfile());
    log::set_level(config.loglevel() as i64);
    let background = !supervise::begin(config.supervised()) && config.daemonize();
    if background && let Err(error) = process::daemonize() {
        eprintln!("Cannot daemonize: {error}");
        return ExitCode::FAILURE;
    }
    title::prepare();
    process::use_processors(&config.server_cpulist());
    if background && config.pidfile().is_empty() {
        config.correct("pidfile", DEFAULT_PIDFILE);
    }
    if config.syslog_enabled() {
        log::open_syslog(&config.syslog_ident(), config.syslog_facility());
    }
    crash::install();
    process::survive_full_files();
    if config.disable_thp() {
        process::refuse_huge_pages();
    }
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
    if std::env::args_os().len() > 1 {
        log::notice!("Configuration loaded");
    } else {
        log::warning!("Warning: no config file specified, using the default config");
    }
    log::set_serving();
    http::warn_of_equal_tokens(&config);
    if let Some(directive) = unsupported(&config) {
        return Err(format!("{directive} is not supported yet: refusing to start rather than to leave it out"));
    }
    if let Err(too_few) = process::make_room_for_clients(config.maxclients() as u64, config.workers()) {
        if too_few.room() == 0 {
            return Err(too_few.abortion());
        }
        too_few.log();
        config.correct("maxclients", &too_few.room().to_string());
    }
    let server: &'static Server = Box::leak(Box::new(Server::new(config)?));
    server.apply_all()?;
    title::show(&server.config);
    print_banner(server);
    log::notice!("Running mode=standalone, port={}.", server.config.main_port());
    if let Some(module) = server.config.modules.first() {
        log::warning!("Module {module} failed to load: modules are not supported");
        return Err(format!("Can't load module from {module}: server aborting"));
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, run(server))
}

/// A directive without which the data or the access to it would not be what the user asked for.
fn unsupported(config: &Config) -> Option<&'static str> {
    let wanted = [("cluster-enabled", config.cluster_enabled()), ("replicaof", config.replicaof().is_some())];
    wanted.into_iter().find_map(|(name, wanted)| wanted.then_some(name))
}

async fn run(server: &'static Server) -> Result<(), String> {
    if !server.config.listens_anywhere() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    if tls::is_wanted(&server.config) {
        let failed = |_| "Failed to configure TLS. Check logs for more info.";
        server.tls.configure(&server.config).map_err(failed)?;
    }
    let doors = listen::open_doors(server)?;
    let unix = listen::open_unix(server)?;
    let pidfile = server.config.pidfile();
    if !pidfile.is_empty()
        && let Err(error) = process::write_pidfile(&pidfile)
    {
        log::warning!("Failed to write PID file: {}", server::os_error_text(&error));
    }
    server.keyspace.set_observer(Box::new(move |happening| server.observe(happening)));
    server.keyspace.set_journal(Box::new(Journal(server)));
    let mut inboxes = Vec::new();
    for index in 0..server.workers {
        inboxes.push(worker::start(server, index).map_err(|error| format!("Cannot start a worker: {error}"))?);
    }
    let failed = |error: std::io::Error| format!("Cannot handle signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let has = |kind: Kind| (kind.name(), doors.iter().any(|door| door.kind == kind));
    let open = [has(Kind::Tcp), ("unix", unix.is_some()), has(Kind::Tls), has(Kind::Http), has(Kind::Https)];
    let (relisten, requests) = unbounded_channel();
    let _ = server.relisten.set(relisten);
    server.startup_memory.store(storage::memory::used_memory(), Relaxed);
    log::notice!("Server initialized");
    let mut load = tokio::task::spawn_blocking(move || persistence::load_at_start(server));
    // Who comes while there is something to load is told so, and nobody else.
    let loaded = tokio::select! {
        outcome = &mut load => Some(outcome),
        () = server.persistence.loading.begun() => None,
    };
    let mut ready = false;
    let be_ready = |outcome: Result<Result<(), String>, JoinError>| {
        outcome.map_err(|error| format!("Fatal error loading the DB: {error}. Exiting."))??;
        for (name, _) in open.iter().filter(|(_, open)| *open) {
            log::notice!("Ready to accept connections {name}");
        }
        supervise::ready();
        Ok::<_, String>(true)
    };
    tokio::task::spawn_local(listen::accept(server, doors, unix, inboxes, requests));
    if let Some(outcome) = loaded {
        ready = be_ready(outcome)?;
    }
    loop {
        let (signal, flags) = tokio::select! {
            outcome = &mut load, if !ready => {
                ready = be_ready(outcome)?;
                continue;
            }
            _ = terminate.recv() => ("SIGTERM", server.config.shutdown_on_sigterm()),
            _ = interrupt.recv() => ("SIGINT", server.config.shutdown_on_sigint()),
            // A terminal that closes must not end the server.
            _ = hangup.recv() => continue,
            () = server.shutdown.notified() => break,
        };
        if server.persistence.loading.is_on() {
            log::notice!("Received shutdown signal during loading, scheduling shutdown.");
        } else {
            log::notice!("Received {signal} scheduling shutdown...");
        }
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
        server.config.main_port(),
        std::process::id(),
        server.workers
    );
}
