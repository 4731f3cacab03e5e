//! Keeping the memory of all clients together below `maxmemory-clients`: the largest are disconnected.

use std::cmp::Reverse;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::client::Shared;
use crate::config::Config;
use crate::log;
use crate::server::{Server, unix_ms};

/// Clients of about the same size are the same to eviction: their sizes agree in the highest bit. All below the first of
/// these bits are small, all above the last are large.
const BITS: std::ops::RangeInclusive<u32> = 15..=33;
/// A lower limit would keep everybody out.
const LEAST_LIMIT: usize = 128 * 1024;
/// Where nobody is left to be disconnected, it is tried again after so long.
const RETRY_MS: i64 = 100;

/// What the clients take, counted only while it is limited.
#[derive(Default)]
pub struct ClientMemory {
    total: AtomicUsize,
    /// What those take who were disconnected for it, until their connections find out.
    leaving: AtomicUsize,
    /// Clients that were disconnected for it.
    pub evicted: AtomicU64,
    one_at_a_time: Mutex<()>,
    retry_ms: AtomicI64,
}

impl ClientMemory {
    /// Notes what a client takes now, and disconnects the largest clients if that is too much for all.
    pub fn note(&self, server: &Server, client: &Shared) {
        let Some(limit) = limit(&server.config) else { return };
        if client.is_killed() {
            return;
        }
        self.count(client, client.memory());
        if self.total.load(Relaxed) > limit {
            self.evict(server, limit);
        }
    }

    /// Memory of clients that were disconnected, which is about to be given back.
    pub fn leaving(&self) -> usize {
        self.leaving.load(Relaxed)
    }

    /// Counts a client no more, whose connection is over.
    pub fn forget(&self, client: &Shared) {
        self.count(client, 0);
        match client.evicted_memory.swap(usize::MAX, Relaxed) {
            usize::MAX => {}
            evicted => drop(self.leaving.fetch_sub(evicted, Relaxed)),
        }
    }

    /// Counts a client as one that is leaving.
    fn dismiss(&self, client: &Shared) {
        let memory = client.counted_memory.load(Relaxed);
        self.count(client, 0);
        self.leaving.fetch_add(memory, Relaxed);
        if client.evicted_memory.compare_exchange(0, memory, Relaxed, Relaxed).is_err() {
            // It is over already.
            self.leaving.fetch_sub(memory, Relaxed);
        }
    }

    /// The limit, or who is exempt from it, has changed.
    pub fn limit_changed(&self, server: &Server) {
        self.retry_ms.store(0, Relaxed);
        let Some(limit) = limit(&server.config) else { return };
        server.clients.all().iter().for_each(|client| self.count(client, client.memory()));
        if self.total.load(Relaxed) > limit {
            self.evict(server, limit);
        }
    }

    fn count(&self, client: &Shared, bytes: usize) {
        let before = client.counted_memory.swap(bytes, Relaxed);
        if bytes != before {
            // Wraps below zero and back, as the parts of the sum come in any order.
            self.total.fetch_add(bytes.wrapping_sub(before), Relaxed);
        }
    }

    #[cold]
    fn evict(&self, server: &Server, limit: usize) {
        let Some(_alone) = self.one_at_a_time.try_lock() else { return };
        if unix_ms() < self.retry_ms.load(Relaxed) {
            return;
        }
        let mut clients = server.clients.all();
        clients.retain(|client| is_evictable(client));
        clients.sort_by_key(|client| Reverse(size_class(client)));
        for client in clients {
            if self.total.load(Relaxed) <= limit {
                return;
            }
            let name = String::from_utf8_lossy(&client.name.lock()).into_owned();
            let (id, addr, memory) = (client.id, &client.peer.addr, client.counted_memory.load(Relaxed));
            log::notice!("Evicting client: id={id} addr={addr} name={name} tot-mem={memory}");
            client.kill();
            server.clients.remove(&client);
            self.dismiss(&client);
            self.evicted.fetch_add(1, Relaxed);
        }
        if self.total.load(Relaxed) > limit {
            log::warning!("Clients take more than maxmemory-clients, but none of them may be evicted");
            self.retry_ms.store(unix_ms() + RETRY_MS, Relaxed);
        }
    }

    /// How many clients of each size there are, for people to read; `None` while nothing is limited.
    pub fn report(&self, server: &Server) -> Option<String> {
        limit(&server.config)?;
        let clients = server.clients.all();
        let mut text = String::new();
        for bit in BITS {
            let sizes = clients.iter().filter(|client| is_evictable(client) && size_class(client) == bit);
            let sizes: Vec<usize> = sizes.map(|client| client.counted_memory.load(Relaxed)).collect();
            let (from, to) = (if bit == *BITS.start() { 0 } else { 1u64 << (bit - 1) }, (1u64 << bit) - 1);
            let range =
                if bit == *BITS.end() { format!("{from:10}+            ") } else { format!("{from:10} - {to:10}") };
            let sum: usize = sizes.iter().sum();
            // Writing to memory cannot fail.
            let _ = writeln!(text, "bucket {range}: tot-mem: {sum:10}, clients: {}", sizes.len());
        }
        Some(text)
    }
}

/// How many bytes the clients may take together, if that is limited.
pub fn limit(config: &Config) -> Option<usize> {
    let limit = match config.maxmemory_clients() {
        0 => return None,
        percent @ ..0 => match config.maxmemory() {
            0 => return None,
            maxmemory => (maxmemory as f64 * -percent as f64 / 100.0) as usize,
        },
        bytes => bytes as usize,
    };
    Some(limit.max(LEAST_LIMIT))
}

fn is_evictable(client: &Shared) -> bool {
    !client.no_evict.load(Relaxed) && !client.is_killed()
}

/// The number of bits of a client's size.
fn size_class(client: &Shared) -> u32 {
    let size = client.counted_memory.load(Relaxed);
    (usize::BITS - size.leading_zeros()).clamp(*BITS.start(), *BITS.end())
}
