//! Primaries and replicas.

use super::{Directive, INT, LONG, bytes, directives, number, one_of, optional, port, switch};
use crate::config::value::{Number, OneOf, ReplicaOf, Secret, Switch, Text, choices};

choices! {
    /// Whether a replica loads what the primary sends without writing it to a file first.
    DisklessLoad { Disabled = "disabled", OnEmptyDb = "on-empty-db", SwapDb = "swapdb", }

    /// What to do about an error while applying what the primary or the append-only file says.
    PropagationError { Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas", }
}

directives! {
    /// Primaries and replicas.
    Replication in replication {
        /// Host and port of the primary to copy.
        replicaof: ReplicaOf = Directive::new("replicaof", ReplicaOf::none()).alias("slaveof").multiple().at_start();
        /// User at the primary.
        masteruser: Text = optional("masteruser").sensitive();
        /// Password at the primary.
        masterauth: Secret = Directive::new("masterauth", Secret::absent()).sensitive();
        /// Whether a replica serves what it has when the primary is away.
        replica_serve_stale_data: Switch = switch("replica-serve-stale-data", true).alias("slave-serve-stale-data");
        /// Whether a replica refuses writes.
        replica_read_only: Switch = switch("replica-read-only", true).alias("slave-read-only");
        /// Whether a replica leaves eviction to the primary.
        replica_ignore_maxmemory: Switch = switch("replica-ignore-maxmemory", true).alias("slave-ignore-maxmemory");
        /// Whether a replica frees its old data in the background.
        replica_lazy_flush: Switch = switch("replica-lazy-flush", false).alias("slave-lazy-flush");
        /// Rank among replicas when a primary is chosen; 0 is never chosen.
        replica_priority: Number = number("replica-priority", 100, 0, INT).alias("slave-priority");
        /// Address by which a replica is known.
        replica_announce_ip: Text = optional("replica-announce-ip").alias("slave-announce-ip");
        /// Port by which a replica is known.
        replica_announce_port: Number = port("replica-announce-port", 0).alias("slave-announce-port");
        /// Whether sentinels hear of a replica.
        replica_announced: Switch = switch("replica-announced", true);
        /// Whether a replica goes on when it cannot write to its disk.
        replica_ignore_disk_write_errors: Switch = switch("replica-ignore-disk-write-errors", false);
        /// Changes that a replica may keep aside while it loads; 0 is the replica's output limit.
        replica_full_sync_buffer_limit: Number = bytes("replica-full-sync-buffer-limit", 0, 0, LONG);
        /// Whether replicas get snapshots without a file in between.
        repl_diskless_sync: Switch = switch("repl-diskless-sync", true);
        /// Seconds to wait for more replicas before sending a snapshot.
        repl_diskless_sync_delay: Number = number("repl-diskless-sync-delay", 5, 0, INT);
        /// Replicas that end the wait; 0 is no limit.
        repl_diskless_sync_max_replicas: Number = number("repl-diskless-sync-max-replicas", 0, 0, INT);
        /// Whether a replica loads a snapshot without a file in between.
        repl_diskless_load: OneOf<DisklessLoad> = one_of("repl-diskless-load", DisklessLoad::Disabled)
            .not_while_loading();
        /// Whether snapshots take a connection of their own.
        repl_rdb_channel: Switch = switch("repl-rdb-channel", true).hidden();
        /// Seconds between pings to replicas.
        repl_ping_replica_period: Number = number("repl-ping-replica-period", 10, 1, INT)
            .alias("repl-ping-slave-period");
        /// Seconds of silence that end a link.
        repl_timeout: Number = number("repl-timeout", 60, 1, INT);
        /// Whether replicas get fewer and larger packets.
        repl_disable_tcp_nodelay: Switch = switch("repl-disable-tcp-nodelay", false);
        /// Changes that are kept for replicas that come back.
        repl_backlog_size: Number = bytes("repl-backlog-size", 1 << 20, 1, LONG).moved_into(16 << 10, LONG);
        /// Seconds after which they are dropped when no replica is left; 0 never.
        repl_backlog_ttl: Number = number("repl-backlog-ttl", 3600, 0, LONG);
        /// Replicas without which writes are refused.
        min_replicas_to_write: Number = number("min-replicas-to-write", 0, 0, INT).alias("min-slaves-to-write");
        /// Seconds of silence after which a replica does not count.
        min_replicas_max_lag: Number = number("min-replicas-max-lag", 10, 0, INT).alias("min-slaves-max-lag");
        /// What to do about an error while applying what the primary says.
        propagation_error_behavior: OneOf<PropagationError> =
            one_of("propagation-error-behavior", PropagationError::Ignore);
    }
}
