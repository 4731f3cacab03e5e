//! Memory: its limit, eviction, expiry, freeing, and the thresholds of compact encodings.

use storage::Measure;

use super::{Apply, Directive, INT, LONG, bytes, directives, number, one_of, switch};
use crate::config::value::{Number, OneOf, OomScores, Switch, Unit, choices};

choices! {
    /// What goes when memory is full.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLrm = "volatile-lrm",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLrm = "allkeys-lrm",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        NoEviction = "noeviction",
    }

    /// Whether the kernel is told which process to kill first, and how the scores are meant.
    OomAdjust { No = "no", Relative = "yes" | "relative", Absolute = "absolute", }
}

impl MaxmemoryPolicy {
    /// Whether it goes by when or how often keys are used.
    pub fn is_by_access(self) -> bool {
        use MaxmemoryPolicy::*;
        matches!(self, VolatileLru | AllkeysLru | VolatileLrm | AllkeysLrm | VolatileLfu | AllkeysLfu)
    }

    /// What is to be noted of each key for it.
    pub fn measure(self) -> Measure {
        use MaxmemoryPolicy::*;
        match self {
            VolatileLfu | AllkeysLfu => Measure::Frequency,
            VolatileLrm | AllkeysLrm => Measure::LastChange,
            _ => Measure::LastAccess,
        }
    }

    /// Whether any key is as good as any other.
    pub fn is_random(self) -> bool {
        matches!(self, MaxmemoryPolicy::VolatileRandom | MaxmemoryPolicy::AllkeysRandom)
    }
}

const NO_DEFRAG: &str = "Active defragmentation cannot be enabled: it requires a Redis server compiled with a \
                         modified Jemalloc like the one shipped by default with the Redis source distribution";

directives! {
    /// Memory: its limit, eviction, expiry, freeing, and the thresholds of compact encodings.
    Memory in memory {
        /// Bytes of data; 0 is no limit.
        maxmemory: Number = Directive::new("maxmemory", Number::unsigned(0, Unit::Memory)).apply(Apply::Memory);
        /// What goes when memory is full.
        maxmemory_policy: OneOf<MaxmemoryPolicy> =
            one_of("maxmemory-policy", MaxmemoryPolicy::NoEviction).apply(Apply::AccessPolicy);
        /// Keys that are compared to find one to evict.
        maxmemory_samples: Number = number("maxmemory-samples", 5, 1, 64);
        /// How much time eviction may take, from 0 to 100.
        maxmemory_eviction_tenacity: Number = number("maxmemory-eviction-tenacity", 10, 0, 100);
        /// How hard it is for a counter of uses to grow.
        lfu_log_factor: Number = number("lfu-log-factor", 10, 0, INT).apply(Apply::AccessPolicy);
        /// Minutes after which a counter of uses shrinks.
        lfu_decay_time: Number = number("lfu-decay-time", 1, 0, INT).apply(Apply::AccessPolicy);
        /// How eagerly expired keys are looked for, from 1 to 10.
        active_expire_effort: Number = number("active-expire-effort", 1, 1, 10);
        /// Whether evicted values are freed in the background.
        lazy_eviction: Switch = switch("lazyfree-lazy-eviction", false);
        /// Whether expired values are freed in the background.
        lazy_expire: Switch = switch("lazyfree-lazy-expire", false);
        /// Whether values that commands replace are freed in the background.
        lazy_server_del: Switch = switch("lazyfree-lazy-server-del", false);
        /// Whether DEL frees in the background, as UNLINK does.
        lazy_del: Switch = switch("lazyfree-lazy-user-del", false);
        /// Whether FLUSHALL and FLUSHDB free in the background.
        lazy_flush: Switch = switch("lazyfree-lazy-user-flush", false);
        /// Whether tables are resized while the server is idle.
        activerehashing: Switch = switch("activerehashing", true);
        /// Whether the allocator cleans up in the background.
        jemalloc_bg_thread: Switch = switch("jemalloc-bg-thread", true);
        /// Whether huge pages are turned off.
        disable_thp: Switch = switch("disable-thp", true).at_start();
        /// Whether the kernel is told which process to kill first.
        oom_score_adj: OneOf<OomAdjust> = one_of("oom-score-adj", OomAdjust::No).apply(Apply::OomScore);
        /// Scores as a primary, as a replica, and while saving.
        oom_score_adj_values: OomScores = Directive::new("oom-score-adj-values", OomScores::standard())
            .multiple()
            .apply(Apply::OomScore);
        /// Whether memory is defragmented.
        activedefrag: Switch = Directive::new("activedefrag", Switch::off(NO_DEFRAG));
        /// Wasted bytes from which memory is defragmented.
        active_defrag_ignore_bytes: Number = bytes("active-defrag-ignore-bytes", 100 << 20, 1, LONG);
        /// Percentage of waste from which memory is defragmented.
        active_defrag_threshold_lower: Number = number("active-defrag-threshold-lower", 10, 0, 1000);
        /// Percentage of waste from which no effort is spared.
        active_defrag_threshold_upper: Number = number("active-defrag-threshold-upper", 100, 0, 1000);
        /// Least percentage of time for defragmentation.
        active_defrag_cycle_min: Number = number("active-defrag-cycle-min", 1, 1, 99);
        /// Largest percentage of time for defragmentation.
        active_defrag_cycle_max: Number = number("active-defrag-cycle-max", 25, 1, 99);
        /// Elements from which a value is defragmented piecemeal.
        active_defrag_max_scan_fields: Number = number("active-defrag-max-scan-fields", 1000, 1, LONG);
        /// Fields of a compact hash.
        hash_max_listpack_entries: Number = number("hash-max-listpack-entries", 512, 0, LONG)
            .alias("hash-max-ziplist-entries");
        /// Longest field or value of a compact hash.
        hash_max_listpack_value: Number = bytes("hash-max-listpack-value", 64, 0, LONG).alias("hash-max-ziplist-value");
        /// Entries of a list's node, or below zero its size class.
        list_max_listpack_size: Number = number("list-max-listpack-size", -2, i32::MIN.into(), INT)
            .alias("list-max-ziplist-size");
        /// Nodes at both ends of a list that are not compressed; 0 compresses none.
        list_compress_depth: Number = number("list-compress-depth", 0, 0, INT);
        /// Elements of a set of integers.
        set_max_intset_entries: Number = number("set-max-intset-entries", 512, 0, LONG);
        /// Elements of a compact set.
        set_max_listpack_entries: Number = number("set-max-listpack-entries", 128, 0, LONG);
        /// Longest element of a compact set.
        set_max_listpack_value: Number = number("set-max-listpack-value", 64, 0, LONG);
        /// Elements of a compact sorted set.
        zset_max_listpack_entries: Number = number("zset-max-listpack-entries", 128, 0, LONG)
            .alias("zset-max-ziplist-entries");
        /// Longest element of a compact sorted set.
        zset_max_listpack_value: Number = bytes("zset-max-listpack-value", 64, 0, LONG).alias("zset-max-ziplist-value");
        /// Bytes of a sparse HyperLogLog.
        hll_sparse_max_bytes: Number = bytes("hll-sparse-max-bytes", 3000, 0, LONG);
        /// Bytes of a stream's node; 0 is no limit.
        stream_node_max_bytes: Number = bytes("stream-node-max-bytes", 4096, 0, LONG);
        /// Entries of a stream's node; 0 is no limit.
        stream_node_max_entries: Number = number("stream-node-max-entries", 100, 0, LONG);
    }
}
