//! Snapshots and the append-only file.

use super::{Apply, Directive, INT, LONG, bytes, directives, number, one_of, switch, text};
use crate::config::value::{Number, OneOf, SavePoints, Switch, Text, WorkingDirectory, choices};

choices! {
    /// When the append-only file is forced to the disk.
    FsyncPolicy { EverySecond = "everysec", Always = "always", No = "no", }

    /// Whose payloads are checked deeply before they are loaded.
    SanitizePayload { No = "no", Yes = "yes", Clients = "clients", }
}

directives! {
    /// Snapshots and the append-only file.
    Persistence in persistence {
        /// Directory to work in.
        dir: WorkingDirectory = Directive::new("dir", WorkingDirectory).protected().not_while_loading();
        /// Seconds and changes after which a snapshot is saved.
        save: SavePoints = Directive::new("save", SavePoints::standard()).multiple();
        /// Name of the snapshot.
        dbfilename: Text = text("dbfilename", "dump.rdb").checked(|name| base_name("dbfilename", "filename", name))
            .protected();
        /// Whether snapshots are compressed.
        rdbcompression: Switch = switch("rdbcompression", true);
        /// Whether snapshots end with a checksum, and the one that is loaded has to have the right one.
        rdbchecksum: Switch = switch("rdbchecksum", true).at_start();
        /// Whether snapshots are forced to the disk bit by bit.
        rdb_save_incremental_fsync: Switch = switch("rdb-save-incremental-fsync", true);
        /// Whether snapshots that only replicas need are deleted.
        rdb_del_sync_files: Switch = switch("rdb-del-sync-files", false);
        /// Microseconds to wait at each key while saving.
        rdb_key_save_delay: Number = number("rdb-key-save-delay", 0, i32::MIN.into(), INT).hidden();
        /// Microseconds to wait at each key while loading.
        key_load_delay: Number = number("key-load-delay", 0, i32::MIN.into(), INT).hidden();
        /// Bytes to load between two looks at the clients.
        loading_interval_bytes: Number =
            number("loading-process-events-interval-bytes", 512 << 10, 1024, INT).hidden();
        /// Whether writes are refused after a failed save.
        stop_writes_on_bgsave_error: Switch = switch("stop-writes-on-bgsave-error", true);
        /// Whose payloads are checked deeply before they are loaded.
        sanitize_dump_payload: OneOf<SanitizePayload> = one_of("sanitize-dump-payload", SanitizePayload::No);
        /// Whether changes are written to the append-only file.
        appendonly: Switch = switch("appendonly", false).apply(Apply::AppendOnly);
        /// Name of the append-only file.
        appendfilename: Text = text("appendfilename", "appendonly.aof")
            .checked(|name| non_empty_base_name("appendfilename", "filename", name))
            .at_start();
        /// Directory of the append-only file.
        appenddirname: Text = text("appenddirname", "appendonlydir")
            .checked(|name| non_empty_base_name("appenddirname", "dirname", name))
            .at_start();
        /// When the append-only file is forced to the disk.
        appendfsync: OneOf<FsyncPolicy> = one_of("appendfsync", FsyncPolicy::EverySecond);
        /// Whether a rewrite keeps the append-only file from being forced to the disk.
        no_appendfsync_on_rewrite: Switch = switch("no-appendfsync-on-rewrite", false);
        /// Growth in percent after which the append-only file is rewritten; 0 never is.
        auto_aof_rewrite_percentage: Number = number("auto-aof-rewrite-percentage", 100, 0, INT);
        /// Size from which the append-only file is rewritten.
        auto_aof_rewrite_min_size: Number = bytes("auto-aof-rewrite-min-size", 64 << 20, 0, LONG);
        /// Whether a rewritten file is forced to the disk bit by bit.
        aof_rewrite_incremental_fsync: Switch = switch("aof-rewrite-incremental-fsync", true);
        /// Whether a file whose end is missing is loaded as far as it goes.
        aof_load_truncated: Switch = switch("aof-load-truncated", true);
        /// Corrupted bytes at the end of the append-only file that are cut off when it is loaded; 0 for none.
        aof_load_corrupt_tail_max_size: Number = bytes("aof-load-corrupt-tail-max-size", 0, 0, LONG);
        /// Whether a rewritten file begins with a snapshot.
        aof_use_rdb_preamble: Switch = switch("aof-use-rdb-preamble", true);
        /// Whether the append-only file tells the time.
        aof_timestamp_enabled: Switch = switch("aof-timestamp-enabled", false).apply(Apply::AppendTime);
        /// Whether files that a rewrite replaced are kept.
        aof_disable_auto_gc: Switch = switch("aof-disable-auto-gc", false).hidden().apply(Apply::AppendHistory);
    }
}

/// A name without a path in front of it.
fn base_name(directive: &str, what: &str, name: &[u8]) -> Result<(), String> {
    if name.iter().any(|byte| b"/\\".contains(byte)) {
        return Err(format!("{directive} can't be a path, just a {what}"));
    }
    Ok(())
}

fn non_empty_base_name(directive: &str, what: &str, name: &[u8]) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{directive} can't be empty"));
    }
    base_name(directive, what, name)
}
