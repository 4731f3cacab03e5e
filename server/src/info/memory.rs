//! The section about memory, and the figures behind it, which MEMORY reports as well.

use std::sync::atomic::Ordering::Relaxed;

use storage::View;

use super::{Lines, ratio};
use crate::config::Choice;
use crate::eviction;
use crate::server::Server;

/// One database's part.
pub struct DbFigures {
    pub db: usize,
    pub keys: usize,
    /// Bytes of its tables, without the entries.
    pub table: u64,
}

/// Where the memory is.
pub struct Figures {
    pub used: u64,
    pub peak: u64,
    /// When the peak was, in Unix seconds.
    pub peak_at: u64,
    /// In use before there was anything to serve.
    pub startup: u64,
    /// In physical memory, as the system counts.
    pub resident: u64,
    /// The allocator's part of that. What it has asked the system for says little: it asks for large pieces at once, of
    /// which most are never touched.
    pub heap: u64,
    /// Buffers and state of all clients.
    pub clients: u64,
    /// Databases that hold keys.
    pub dbs: Vec<DbFigures>,
    pub keys: u64,
}

impl Figures {
    /// `report` is what the answer takes in which they will stand: it goes with the answer, so who compares what is in
    /// use with a limit is not to find it there.
    pub fn collect(server: &Server, view: &View<'_>, report: usize) -> Figures {
        let used = storage::memory::used_memory().saturating_sub(report) as u64;
        // A peak that was shown stays one, even if memory is less again when it is looked at next.
        server.stats.note_memory(used, view.now_ms());
        let dbs: Vec<DbFigures> = (0..server.keyspace.databases())
            .filter_map(|db| {
                let keys = view.counts(db).keys;
                (keys > 0).then(|| DbFigures { db, keys, table: view.table_memory(db) as u64 })
            })
            .collect();
        Figures {
            used,
            peak: server.stats.peak_memory.load(Relaxed).max(used),
            peak_at: server.stats.peak_at.load(Relaxed),
            startup: server.startup_memory.load(Relaxed) as u64,
            resident: storage::memory::rss() as u64,
            heap: storage::memory::anonymous_rss() as u64,
            clients: server.clients.all().iter().map(|client| client.memory() as u64).sum(),
            keys: dbs.iter().map(|db| db.keys as u64).sum(),
            dbs,
        }
    }

    /// Bytes of everything but keys and values.
    pub fn overhead(&self) -> u64 {
        self.startup + self.clients + self.tables()
    }

    pub fn tables(&self) -> u64 {
        self.dbs.iter().map(|db| db.table).sum()
    }

    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The share of the data in what was added since the start.
    pub fn dataset_percent(&self) -> f64 {
        100.0 * ratio(self.dataset() as f64, self.used.saturating_sub(self.startup) as f64)
    }

    pub fn peak_percent(&self) -> f64 {
        100.0 * ratio(self.used as f64, self.peak as f64)
    }

    pub fn bytes_per_key(&self) -> u64 {
        self.used.saturating_sub(self.startup).checked_div(self.keys).unwrap_or(0)
    }
}

/// How much more `outer` is than `inner`: as a ratio and in bytes.
pub fn excess(outer: u64, inner: u64) -> (f64, i64) {
    (ratio(outer as f64, inner as f64), outer as i64 - inner as i64)
}

pub(super) fn fill(server: &Server, view: &View<'_>, lines: &mut Lines) {
    let figures = Figures::collect(server, view, lines.0.capacity());
    lines.bytes("used_memory", figures.used);
    lines.bytes("used_memory_rss", figures.resident);
    lines.bytes("used_memory_peak", figures.peak);
    lines.field("used_memory_peak_time", figures.peak_at);
    lines.field("used_memory_peak_perc", format_args!("{:.2}%", figures.peak_percent()));
    lines.field("used_memory_overhead", figures.overhead());
    lines.field("used_memory_startup", figures.startup);
    lines.field("used_memory_dataset", figures.dataset());
    lines.field("used_memory_dataset_perc", format_args!("{:.2}%", figures.dataset_percent()));
    lines.field("allocator_allocated", figures.used);
    lines.field("allocator_active", figures.heap);
    lines.field("allocator_resident", figures.heap);
    lines.field("allocator_muzzy", 0);
    lines.bytes("total_system_memory", crate::process::system_memory());
    scripts(server, lines);
    lines.bytes("maxmemory", server.config.maxmemory() as u64);
    lines.field("maxmemory_policy", server.config.maxmemory_policy().name());
    let pairs = [
        ("allocator_frag", figures.heap, figures.used),
        ("allocator_rss", figures.heap, figures.heap),
        ("rss_overhead", figures.resident, figures.heap),
        ("mem_fragmentation", figures.resident, figures.used),
    ];
    for (name, outer, inner) in pairs {
        let (ratio, bytes) = excess(outer, inner);
        lines.field(&format!("{name}_ratio"), format_args!("{ratio:.2}"));
        lines.field(&format!("{name}_bytes"), bytes);
    }
    lines.field("mem_not_counted_for_evict", eviction::not_counted(server));
    lines.zeros(&[
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_replica_full_sync_buffer",
        "mem_clients_slaves",
    ]);
    lines.field("mem_clients_normal", figures.clients);
    lines.zeros(&["mem_cluster_links"]);
    lines.field("mem_aof_buffer", server.aof.memory());
    lines.field("mem_allocator", storage::memory::allocator_name());
    lines.zeros(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
    lines.field("lazyfree_pending_objects", server.keyspace.reclaimer.pending());
    lines.field("lazyfreed_objects", server.keyspace.reclaimer.freed());
}

fn scripts(server: &Server, lines: &mut Lines) {
    let scripts = &server.scripts;
    let (cached, text) = scripts.figures();
    let (eval, functions) = (scripts.eval_memory.load(Relaxed) as u64, scripts.function_memory.load(Relaxed) as u64);
    let libraries = scripts.libraries.lock();
    let code: usize = libraries.values().map(|library| library.code.len()).sum();
    lines.field("used_memory_lua", eval);
    lines.field("used_memory_vm_eval", eval);
    lines.field("used_memory_lua_human", super::Human(eval));
    lines.field("used_memory_scripts_eval", text);
    lines.field("number_of_cached_scripts", cached);
    lines.field("number_of_functions", libraries.values().map(|library| library.functions.len()).sum::<usize>());
    lines.field("number_of_libraries", libraries.len());
    lines.field("used_memory_vm_functions", functions);
    lines.bytes("used_memory_vm_total", eval + functions);
    lines.field("used_memory_functions", code);
    lines.bytes("used_memory_scripts", (text + code) as u64);
}
