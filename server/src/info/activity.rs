//! The sections about what has been done: totals, and figures per command and per error.

use std::sync::atomic::Ordering::Relaxed;

use storage::View;

use super::Lines;
use crate::acl::Reason;
use crate::config::Percentiles;
use crate::pubsub::Kind;
use crate::server::Server;
use crate::stats::Counter;

pub(super) fn stats(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let stats = &server.stats;
    let total = |figure: fn(&crate::stats::WorkerStats) -> &Counter| stats.total(figure);
    let now = server.rates.per_second();
    lines.field("total_connections_received", total(|worker| &worker.connections));
    lines.field("total_commands_processed", total(|worker| &worker.commands));
    lines.field("instantaneous_ops_per_sec", now.commands as u64);
    lines.field("total_net_input_bytes", total(|worker| &worker.net_in));
    lines.field("total_net_output_bytes", total(|worker| &worker.net_out));
    lines.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    lines.field("instantaneous_input_kbps", format_args!("{:.2}", now.net_in / 1024.0));
    lines.field("instantaneous_output_kbps", format_args!("{:.2}", now.net_out / 1024.0));
    lines.field("instantaneous_input_repl_kbps", "0.00");
    lines.field("instantaneous_output_repl_kbps", "0.00");
    lines.field("rejected_connections", server.rejected.load(Relaxed));
    lines.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    lines.field("expired_subkeys", total(|worker| &worker.expired_fields));
    lines.field("expired_keys", total(|worker| &worker.expired));
    // Each cycle goes on until nothing is left that has expired.
    lines.field("expired_stale_perc", "0.00");
    lines.field("expired_time_cap_reached_count", 0);
    lines.field("expire_cycle_cpu_milliseconds", total(|worker| &worker.expire_nanos) / 1_000_000);
    lines.field("evicted_keys", total(|worker| &worker.evicted));
    lines.field("evicted_clients", server.client_memory.evicted.load(Relaxed));
    lines.field("evicted_scripts", server.scripts.evicted.load(Relaxed));
    let (exceeded, exceeded_now) = server.pressure.durations(server);
    lines.field("total_eviction_exceeded_time", exceeded.as_millis());
    lines.field("current_eviction_exceeded_time", exceeded_now.as_millis());
    lines.field("keyspace_hits", total(|worker| &worker.hits));
    lines.field("keyspace_misses", total(|worker| &worker.misses));
    lines.field("pubsub_channels", server.pubsub.count(Kind::Channel));
    lines.field("pubsub_patterns", server.pubsub.count(Kind::Pattern));
    lines.field("pubsubshard_channels", server.pubsub.count(Kind::ShardChannel));
    // Nothing forks: the time for which a snapshot's beginning kept everybody from the data.
    lines.field("latest_fork_usec", server.persistence.background.last_instant_us.load(Relaxed));
    lines.zeros(&["total_forks", "migrate_cached_sockets", "slave_expires_tracked_keys"]);
    lines.zeros(&["active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"]);
    lines.zeros(&["total_active_defrag_time", "current_active_defrag_time"]);
    let (keys, items) = server.tracking.totals();
    lines.field("tracking_total_keys", keys);
    lines.field("tracking_total_items", items);
    lines.field("tracking_total_prefixes", server.tracking.prefixes());
    lines.field("unexpected_error_replies", 0);
    lines.field("total_error_replies", stats.error_replies());
    lines.field("dump_payload_sanitizations", 0);
    let (reads, writes) = (total(|worker| &worker.reads), total(|worker| &worker.writes));
    lines.field("total_reads_processed", reads);
    lines.field("total_writes_processed", writes);
    // Every worker does the input and output of its own clients; "threaded" is what the first one did not do.
    let first = stats.worker(0);
    lines.field("io_threaded_reads_processed", reads.saturating_sub(first.reads.get()));
    lines.field("io_threaded_writes_processed", writes.saturating_sub(first.writes.get()));
    lines.field("client_query_buffer_limit_disconnections", total(|worker| &worker.query_limit_disconnections));
    lines.field("client_output_buffer_limit_disconnections", total(|worker| &worker.output_limit_disconnections));
    lines.field("reply_buffer_shrinks", total(|worker| &worker.output_shrunk));
    lines.field("reply_buffer_expands", total(|worker| &worker.output_grown));
    lines.field("eventloop_cycles", total(|worker| &worker.loops));
    lines.field("eventloop_duration_sum", total(|worker| &worker.busy_nanos) / 1000);
    lines.field("eventloop_duration_cmd_sum", stats.command_nanos() / 1000);
    lines.field("instantaneous_eventloop_cycles_per_sec", now.loops as u64);
    let busy_micros = super::ratio(now.busy_nanos / 1000.0, now.loops);
    lines.field("instantaneous_eventloop_duration_usec", busy_micros as u64);
    for (field, reason) in [
        ("acl_access_denied_auth", Reason::Auth),
        ("acl_access_denied_cmd", Reason::Command),
        ("acl_access_denied_key", Reason::Key),
        ("acl_access_denied_channel", Reason::Channel),
    ] {
        lines.field(field, server.acl.denied(reason));
    }
}

pub(super) fn commands(server: &Server, _: &View<'_>, lines: &mut Lines) {
    for command in &server.commands_by_id {
        let figures = server.stats.command(command.id);
        if figures.calls == 0 && figures.rejected == 0 && figures.failed == 0 {
            continue;
        }
        let micros = figures.nanos as f64 / 1000.0;
        let each = super::ratio(micros, figures.calls as f64);
        let values = format!(
            "calls={},usec={},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
            figures.calls, micros as u64, figures.rejected, figures.failed
        );
        lines.field(&format!("cmdstat_{}", command.full_name), values);
    }
}

pub(super) fn errors(server: &Server, _: &View<'_>, lines: &mut Lines) {
    for (code, count) in server.stats.errors() {
        // Codes come from error replies, which scripts make up as they like.
        let code = code.replace([':', '#', '\r', '\n'], "_");
        lines.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencies(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let percents = server.config.percentiles();
    for command in &server.commands_by_id {
        let figures = server.stats.command(command.id);
        if figures.latencies.is_empty() {
            continue;
        }
        let at = |percent: &f64| {
            let micros = figures.percentile(*percent) as f64 / 1000.0;
            format!("p{}={micros:.3}", Percentiles::print(*percent))
        };
        let values: Vec<String> = percents.iter().map(at).collect();
        lines.field(&format!("latency_percentiles_usec_{}", command.full_name), values.join(","));
    }
}
