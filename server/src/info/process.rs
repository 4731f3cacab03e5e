//! The sections about the process, its threads and its clients.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use storage::View;

use super::Lines;
use crate::client::Shared;
use crate::server::{Server, unix_ms};
use crate::{process, supervise, version};

pub(super) fn server(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let config = &server.config;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uptime = (unix_ms() - server.started_ms).max(0) / 1000;
    lines.field("redis_version", version::REDIS);
    lines.field("spinel_version", version::SPINEL);
    lines.field("redis_git_sha1", "00000000");
    lines.field("redis_git_dirty", 0);
    lines.field("redis_mode", "standalone");
    lines.field("os", process::system_name());
    lines.field("arch_bits", usize::BITS);
    lines.field("monotonic_clock", "quanta");
    lines.field("multiplexing_api", "epoll");
    lines.field("atomicvar_api", "rust-atomics");
    // No `gcc_version`, for there is none, and no `redis_build_id`: what is known of a build is its version.
    lines.field("process_id", std::process::id());
    lines.field("process_supervised", supervise::supervisor(config.supervised()));
    lines.field("run_id", &server.run_id);
    lines.field("tcp_port", server.tcp_port.load(Relaxed));
    lines.field("server_time_usec", now.as_micros());
    lines.field("uptime_in_seconds", uptime);
    lines.field("uptime_in_days", uptime / (24 * 60 * 60));
    lines.field("hz", server.hz());
    lines.field("configured_hz", config.hz());
    lines.field("lru_clock", now.as_secs() & 0xff_ffff);
    lines.field("executable", &server.executable);
    lines.field("config_file", config.file.as_deref().unwrap_or("".as_ref()).display());
    lines.field("io_threads_active", u8::from(server.workers > 1));
    listeners(server, lines);
}

fn listeners(server: &Server, lines: &mut Lines) {
    let config = &server.config;
    let addresses: String = config.bind().split_ascii_whitespace().map(|word| format!(",bind={word}")).collect();
    if config.port() != 0 {
        lines.field("listener0", format_args!("name=tcp{addresses},port={}", config.port()));
    }
    let socket = config.unixsocket();
    if !socket.is_empty() {
        lines.field("listener1", format_args!("name=unix,bind={socket}"));
    }
    if config.tls_port() != 0 {
        lines.field("listener2", format_args!("name=tls{addresses},port={}", config.tls_port()));
    }
}

pub(super) fn clients(server: &Server, view: &View<'_>, lines: &mut Lines) {
    let clients = server.clients.all();
    let largest = |size: fn(&Shared) -> usize| clients.iter().map(|client| size(client)).max().unwrap_or(0);
    lines.field("connected_clients", clients.len());
    lines.field("cluster_connections", 0);
    lines.field("maxclients", server.config.maxclients());
    let input = largest(|client| client.query_buffered.load(Relaxed) + client.query_free.load(Relaxed));
    lines.field("client_recent_max_input_buffer", input);
    lines.field("client_recent_max_output_buffer", largest(|client| client.output_memory.load(Relaxed)));
    lines.field("blocked_clients", server.blocked.load(Relaxed));
    lines.field("tracking_clients", server.tracking.clients());
    lines.field("pubsub_clients", clients.iter().filter(|client| client.is_subscriber()).count());
    lines.field("watching_clients", clients.iter().filter(|client| client.watched.load(Relaxed) > 0).count());
    let timed = |client: &Shared| client.blocked.load(Relaxed) && client.wait_is_timed.load(Relaxed);
    lines.field("clients_in_timeout_table", clients.iter().filter(|client| timed(client)).count());
    lines.field("total_watched_keys", view.watched_keys());
    let (awaited, of_removal) = view.awaited_keys();
    lines.field("total_blocking_keys", awaited);
    lines.field("total_blocking_keys_on_nokey", of_removal);
}

pub(super) fn threads(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let mut clients = vec![0usize; server.workers + usize::from(server.spare_worker.get().is_some())];
    for client in server.clients.all() {
        if let Some(count) = clients.get_mut(client.worker.load(Relaxed) as usize) {
            *count += 1;
        }
    }
    for (index, clients) in clients.into_iter().enumerate() {
        let stats = server.stats.worker(index);
        let (reads, writes) = (stats.reads.get(), stats.writes.get());
        lines.field(&format!("io_thread_{index}"), format_args!("clients={clients},reads={reads},writes={writes}"));
    }
}

pub(super) fn cpu(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let (system, user) = process::cpu_times();
    lines.field("used_cpu_sys", format_args!("{system:.6}"));
    lines.field("used_cpu_user", format_args!("{user:.6}"));
    // There are no child processes.
    lines.field("used_cpu_sys_children", format_args!("{:.6}", 0.0));
    lines.field("used_cpu_user_children", format_args!("{:.6}", 0.0));
    // What Redis's main thread does, each worker does.
    let (system, user) = *server.first_worker_cpu.lock();
    lines.field("used_cpu_sys_main_thread", format_args!("{system:.6}"));
    lines.field("used_cpu_user_main_thread", format_args!("{user:.6}"));
}
