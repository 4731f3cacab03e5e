//! The sections about the data, its safety and its copies.

use std::sync::atomic::Ordering::Relaxed;

use storage::View;

use super::Lines;
use crate::server::Server;

/// What persistence reports while there is nothing that saves: what has not happened counts nothing and takes no time.
pub(super) fn persistence(server: &Server, _: &View<'_>, lines: &mut Lines) {
    lines.zeros(&["loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    lines.field("current_fork_perc", "0.00");
    lines.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    lines.field("rdb_changes_since_last_save", server.stats.total(|worker| &worker.dirty));
    lines.field("rdb_bgsave_in_progress", 0);
    lines.field("rdb_last_save_time", server.last_save_s.load(Relaxed));
    lines.field("rdb_last_bgsave_status", "ok");
    lines.field("rdb_last_bgsave_time_sec", -1);
    lines.field("rdb_current_bgsave_time_sec", -1);
    lines.zeros(&["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    lines.zeros(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    lines.field("aof_last_rewrite_time_sec", -1);
    lines.field("aof_current_rewrite_time_sec", -1);
    lines.field("aof_last_bgrewrite_status", "ok");
    lines.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    lines.field("aof_last_write_status", "ok");
    lines.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
}

pub(super) fn replication(server: &Server, _: &View<'_>, lines: &mut Lines) {
    lines.field("role", "master");
    lines.field("connected_slaves", 0);
    lines.field("master_failover_state", "no-failover");
    lines.field("master_replid", server.replication_id.lock());
    lines.field("master_replid2", format_args!("{:040}", 0));
    lines.field("master_repl_offset", 0);
    lines.field("second_repl_offset", -1);
    lines.field("repl_backlog_active", 0);
    lines.field("repl_backlog_size", server.config.repl_backlog_size());
    lines.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

pub(super) fn cluster(_: &Server, _: &View<'_>, lines: &mut Lines) {
    lines.field("cluster_enabled", 0);
}

/// Keys with an expiry that the mean time to live is taken from.
const TTL_SAMPLES: usize = 256;

pub(super) fn keyspace(server: &Server, view: &View<'_>, lines: &mut Lines) {
    for db in 0..server.keyspace.databases() {
        let counts = view.counts(db);
        if counts.keys == 0 {
            continue;
        }
        let ttl = if counts.expiring > 0 { view.mean_ttl(db, TTL_SAMPLES) } else { 0 };
        let values =
            format!("keys={},expires={},avg_ttl={ttl},subexpiry={}", counts.keys, counts.expiring, counts.timed);
        lines.field(&format!("db{db}"), values);
    }
}
