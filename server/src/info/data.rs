//! The sections about the data, its safety and its copies.

use std::sync::atomic::Ordering::Relaxed;

use storage::snapshot::Snapshot;
use storage::{SizeCounts, View};

use super::Lines;
use crate::persistence::unsaved_changes;
use crate::server::{Server, unix_ms};

/// What has not happened counts nothing and took no time.
pub(super) fn persistence(server: &Server, _: &View<'_>, lines: &mut Lines) {
    let (persistence, background) = (&server.persistence, &server.persistence.background);
    let (log, rewrites) = (server.aof.figures(), server.aof.rewrites.figures());
    let (saved, saving_s) = background.current().unzip();
    let last = background.last();
    // For a file of its own or as the base of the log.
    let snapshot = saved.or_else(|| server.aof.rewrites.snapshot());
    let of_snapshot = |figure: fn(&Snapshot) -> u64| snapshot.as_ref().map_or(0, |snapshot| figure(snapshot));
    let loading = &persistence.loading;
    let is_loading = loading.is_on();
    lines.field("loading", u8::from(is_loading));
    lines.zeros(&["async_loading"]);
    // Memory for what was handed over and is not written yet: the counterpart of pages that are copied after a fork.
    lines.field("current_cow_peak", of_snapshot(|snapshot| snapshot.peak_memory() as u64));
    lines.field("current_cow_size", of_snapshot(|snapshot| snapshot.memory() as u64));
    lines.zeros(&["current_cow_size_age"]);
    let (keys, done) = (of_snapshot(Snapshot::keys), of_snapshot(Snapshot::keys_done));
    lines.field("current_fork_perc", format_args!("{:.2}", (done * 10_000 / keys.max(1)) as f64 / 100.0));
    lines.field("current_save_keys_processed", done);
    lines.field("current_save_keys_total", keys);
    lines.field("rdb_changes_since_last_save", unsaved_changes(server));
    lines.field("rdb_bgsave_in_progress", u8::from(saving_s.is_some()));
    lines.field("rdb_last_save_time", persistence.last_save_s.load(Relaxed));
    lines.field("rdb_last_bgsave_status", if persistence.failed.load(Relaxed) { "err" } else { "ok" });
    lines.field("rdb_last_bgsave_time_sec", last.seconds);
    lines.field("rdb_current_bgsave_time_sec", saving_s.unwrap_or(-1));
    lines.field("rdb_saves", persistence.saves.load(Relaxed));
    lines.field("rdb_last_cow_size", last.memory);
    lines.field("rdb_last_load_keys_expired", persistence.expired_keys.load(Relaxed));
    lines.field("rdb_last_load_keys_loaded", persistence.loaded_keys.load(Relaxed));
    let status = |failed: bool| if failed { "err" } else { "ok" };
    let is_on = server.config.appendonly();
    lines.field("aof_enabled", u8::from(is_on));
    lines.field("aof_rewrite_in_progress", u8::from(rewrites.running));
    lines.field("aof_rewrite_scheduled", u8::from(rewrites.scheduled));
    lines.field("aof_last_rewrite_time_sec", rewrites.last_s);
    lines.field("aof_current_rewrite_time_sec", rewrites.current_s);
    lines.field("aof_last_bgrewrite_status", status(rewrites.last_failed));
    lines.field("aof_rewrites", rewrites.begun);
    lines.field("aof_rewrites_consecutive_failures", rewrites.failures);
    lines.field("aof_last_write_status", status(log.failed));
    lines.field("aof_last_cow_size", rewrites.last_memory);
    lines.zeros(&["module_fork_in_progress", "module_fork_last_cow_size"]);
    if is_on {
        lines.field("aof_current_size", log.size);
        lines.field("aof_base_size", log.base_size);
        lines.field("aof_pending_rewrite", u8::from(rewrites.scheduled));
        lines.field("aof_buffer_length", log.unwritten);
        lines.field("aof_pending_bio_fsync", u8::from(log.syncing));
        lines.field("aof_delayed_fsync", log.delayed);
    }
    if is_loading {
        let progress = loading.progress(unix_ms() / 1000);
        lines.field("loading_start_time", progress.started_s);
        lines.field("loading_total_bytes", progress.total);
        lines.field("loading_rdb_used_mem", loading.former_memory.load(Relaxed));
        lines.field("loading_loaded_bytes", progress.loaded);
        lines.field("loading_loaded_perc", format_args!("{:.2}", progress.percent));
        lines.field("loading_eta_seconds", progress.seconds_left);
    }
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

/// How many values there are by their lengths.
pub(super) fn key_sizes(server: &Server, view: &View<'_>, lines: &mut Lines) {
    for db in 0..server.keyspace.databases() {
        if view.counts(db).keys == 0 {
            continue;
        }
        let SizeCounts { strings, lists, sets, zsets, hashes } = view.sizes(db);
        let types = [
            ("strings_sizes", strings),
            ("lists_items", lists),
            ("sets_items", sets),
            ("zsets_items", zsets),
            ("hashes_items", hashes),
        ];
        for (name, counts) in types {
            let steps = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let steps: Vec<String> = steps.map(|(step, count)| format!("{}={count}", step_name(step))).collect();
            if !steps.is_empty() {
                lines.field(&format!("db{db}_distrib_{name}"), steps.join(","));
            }
        }
    }
}

/// The least length of a step, in short: 0, 1, 2, 4 and so on, `1K` for 1024.
fn step_name(step: usize) -> String {
    let Some(power) = step.checked_sub(1) else { return "0".into() };
    let unit = ["", "K", "M", "G", "T", "P", "E"].get(power / 10).copied().unwrap_or_default();
    format!("{}{unit}", 1u32 << (power % 10))
}

#[cfg(test)]
mod tests {
    use super::step_name;

    #[test]
    fn steps_are_named_by_where_they_begin() {
        let names: Vec<String> = [0, 1, 2, 10, 11, 12, 21, 31, 64].into_iter().map(step_name).collect();
        assert_eq!(names, ["0", "1", "2", "512", "1K", "2K", "1M", "1G", "8E"]);
    }
}
