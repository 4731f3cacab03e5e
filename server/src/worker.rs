//! A worker: one thread with its own event loop, its connections, and its part of the upkeep.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use storage::{SHARDS, SweepAt};
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Peer, Shared};
use crate::command::dispatch::Executor;
use crate::connection::Connection;
use crate::http;
use crate::log;
use crate::mail::Bell;
use crate::persistence;
use crate::process;
use crate::server::{Pause, Server};
use crate::stream::Stream;
use crate::tls;

/// A connection that the acceptor hands over. Not yet part of any event loop.
pub enum Incoming {
    Tcp(std::net::TcpStream, Peer),
    Unix(std::os::unix::net::UnixStream, Peer),
    /// A socket of TCP; the handshake is still to come.
    Tls(std::net::TcpStream, Peer),
}

/// Starts a worker, and answers where it takes its connections from.
pub fn start(server: &'static Server, index: usize) -> io::Result<UnboundedSender<Incoming>> {
    let (sender, inbox) = unbounded_channel();
    thread::Builder::new().name(format!("worker-{index}")).spawn(move || run(server, index, inbox))?;
    Ok(sender)
}

/// Gives a connection to the spare worker, which is there from the first one on: for clients that come while scripts
/// keep all workers from theirs. It stays with them, and has no part of the keyspace to look after.
pub fn give_to_spare(server: &'static Server, incoming: Incoming) {
    let spare = server.spare_worker.get_or_init(|| match start(server, server.workers) {
        Ok(spare) => Some(spare),
        Err(error) => {
            log::warning!("Cannot start another worker: {error}");
            None
        }
    });
    if spare.as_ref().is_none_or(|spare| spare.send(incoming).is_err()) {
        server.connected.fetch_sub(1, Relaxed);
    }
}

/// Runs a worker until the process ends.
fn run(server: &'static Server, index: usize, inbox: UnboundedReceiver<Incoming>) {
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            log::warning!("Worker {index} cannot start its event loop: {error}");
            std::process::exit(1);
        }
    };
    // Lives as long as the process, like the thread.
    let executor: &'static Executor = Box::leak(Box::new(Executor::new(server, server.stats.worker(index), inbox)));
    runtime.block_on(async move {
        let bell = Arc::new(Bell::default());
        spawn_local(Arc::clone(&bell).answer());
        spawn_local(upkeep(server, executor, index));
        if index == 0 {
            spawn_local(executor.evict_in_background());
        }
        while let Some(incoming) = poll_fn(|cx| executor.inbox.borrow_mut().poll_recv(cx)).await {
            if let Err(error) = adopt(incoming, executor, index, &bell) {
                log::verbose!("Error registering a client: {error}");
                server.connected.fetch_sub(1, Relaxed);
            }
        }
    });
}

/// Takes a client in and serves it from now on, or from the end of its handshake.
fn adopt(incoming: Incoming, executor: &'static Executor, worker: usize, bell: &Arc<Bell>) -> std::io::Result<()> {
    let server = executor.server;
    match incoming {
        Incoming::Tcp(stream, peer) => {
            serve(Stream::Tcp(tokio::net::TcpStream::from_std(stream)?), peer, executor, worker, bell);
        }
        Incoming::Unix(stream, peer) => {
            serve(Stream::Unix(tokio::net::UnixStream::from_std(stream)?), peer, executor, worker, bell);
        }
        Incoming::Tls(stream, peer) => {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let bell = Arc::clone(bell);
            spawn_local(async move {
                match tls::greet(server, stream, &peer).await {
                    Some(stream) => serve(Stream::Tls(Box::new(stream)), peer, executor, worker, &bell),
                    None => drop(server.connected.fetch_sub(1, Relaxed)),
                }
            });
        }
    }
    Ok(())
}

/// Serves a client in the protocol that it has come for.
fn serve(stream: Stream, peer: Peer, executor: &'static Executor, worker: usize, bell: &Arc<Bell>) {
    let http = peer.http;
    let client = client(peer, executor, worker, bell);
    if http {
        spawn_local(http::serve(stream, client, executor));
    } else {
        spawn_local(Connection::serve(stream, client, executor));
    }
}

fn client(peer: Peer, executor: &Executor, worker: usize, bell: &Arc<Bell>) -> Client {
    let server = executor.server;
    executor.stats.connections.add(1);
    Client::new(register(executor, peer, worker, bell), server.acl.newcomer())
}

fn register(executor: &Executor, peer: Peer, worker: usize, bell: &Arc<Bell>) -> Arc<Shared> {
    let clients = &executor.server.clients;
    let shared = Arc::new(Shared::new(clients.next_id(), peer, worker, Arc::clone(bell)));
    clients.add(Arc::clone(&shared));
    executor.clients.borrow_mut().insert(shared.id, Arc::clone(&shared));
    shared
}

/// What is done less often than every tick, in milliseconds; a little less than what is meant, so that ticks which come
/// a little early are not lost.
const SAMPLE_MS: i64 = 95;
const LOOK_AFTER_MS: i64 = 950;

/// What happens `hz` times a second: expired keys go, idle clients are closed.
async fn upkeep(server: &'static Server, executor: &'static Executor, index: usize) {
    let mut next_tick = Instant::now();
    let event_loop = Handle::current().metrics();
    let (mut loops, mut busy_nanos) = (0, 0);
    let (mut sampled_ms, mut looked_after_ms) = (0, 0);
    loop {
        sleep_until(next_tick).await;
        // After a tick that took too long the ones that were missed are left out.
        next_tick = (next_tick + Duration::from_secs(1) / server.hz()).max(Instant::now());
        let totals = (event_loop.worker_park_count(0), event_loop.worker_total_busy_duration(0).as_nanos() as u64);
        executor.stats.loops.add(totals.0.saturating_sub(loops));
        executor.stats.busy_nanos.add(totals.1.saturating_sub(busy_nanos));
        (loops, busy_nanos) = totals;
        let now = executor.sync_clock();
        if server.cron_paused.load(Relaxed) {
            continue;
        }
        if (now - sampled_ms).abs() >= SAMPLE_MS {
            sampled_ms = now;
            executor.note_size();
            executor.tidy_scripts();
            if index == 0 {
                server.rates.sample(&server.stats);
                *server.first_worker_cpu.lock() = process::thread_cpu_times();
            }
        }
        let expires = server.active_expire.load(Relaxed) && !server.persistence.loading.is_on();
        if expires && index < server.workers && server.pause_state() == Pause::None {
            expire(server, executor, index, now).await;
        }
        if (now - looked_after_ms).abs() >= LOOK_AFTER_MS {
            looked_after_ms = now;
            look_after_clients(executor, now);
        }
        if index == 0 {
            server.tracking.tidy(server, now);
            server.aof.tick(server);
            persistence::begin_if_due(server);
            server.keyspace.take_late_ones_off();
        }
        server.stats.note_memory(storage::memory::used_memory() as u64, now);
    }
}

/// Entries that are looked at before others get a turn: more with a higher `active-expire-effort`.
fn expire_budget(effort: i64) -> usize {
    const LEAST: usize = 400;
    LEAST + LEAST / 4 * usize::try_from(effort - 1).unwrap_or_default()
}

/// Goes once over this worker's shards. Between two steps the event loop serves its clients.
async fn expire(server: &Server, executor: &Executor, index: usize, now: i64) {
    let budget = expire_budget(server.config.active_expire_effort());
    for shard in (index..SHARDS).step_by(server.workers) {
        let mut at = Some(SweepAt::default());
        while let Some(from) = at {
            let started = server.clock.raw();
            // A shard that a long command holds must not hold up this worker's clients; its turn comes with the next tick.
            let Some(sweep) = server.keyspace.expire_shard(shard, from, now, budget) else { break };
            let nanos = server.clock.delta_as_nanos(started, server.clock.raw());
            executor.stats.expire_nanos.add(nanos);
            server.observe_latency("expire-cycle", nanos);
            executor.stats.took_effect(&sweep.effects);
            server.tracking.broadcast(&server.clients);
            at = sweep.next;
            if at.is_some() || sweep.effects.expired | sweep.effects.expired_fields > 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Buffers of more bytes are given back by clients who have no use for most of them, even if they are not idle.
const LARGE_BUFFER: usize = 32 * 1024;
/// Clients that are idle for so long give their buffers back.
const TRIM_AFTER_MS: i64 = 2000;

/// Once a second: clients that have nothing to say are closed, if `timeout` says so, or at least made small.
fn look_after_clients(executor: &Executor, now: i64) {
    let server = executor.server;
    let timeout_ms = server.config.timeout() * 1000;
    let peak_ms = server.output_upkeep.peak_ms.load(Relaxed);
    let shrinks = server.output_upkeep.shrinks.load(Relaxed);
    for client in executor.clients.borrow().values().filter(|client| !client.is_killed()) {
        if peak_ms >= 0 && now - client.output_peak_since_ms.load(Relaxed) >= peak_ms {
            client.output_peak_since_ms.store(now, Relaxed);
            client.output_peak.store(client.output_buffered.load(Relaxed), Relaxed);
        }
        // A client that neither reads nor writes does not find out itself that its time is over.
        let soft_limit = server.output_limit(client).soft;
        let waiting = client.output_buffered.load(Relaxed) + client.mailbox.len();
        if soft_limit > 0 && waiting as u64 >= soft_limit {
            client.wake();
        }
        let idle_ms = now - client.last_active_ms.load(Relaxed);
        let exempt = [&client.monitor, &client.blocked, &client.held_back].iter().any(|state| state.load(Relaxed))
            || client.is_subscriber();
        let output = client.output_memory.load(Relaxed) > 0;
        // Of a large buffer half must have been of use since the last look.
        let (unread, free) = (client.query_buffered.load(Relaxed), client.query_free.load(Relaxed));
        let peak = client.query_peak.swap(unread, Relaxed);
        let vast = unread + free > LARGE_BUFFER && peak < (unread + free) / 2;
        if timeout_ms > 0 && idle_ms > timeout_ms && !exempt {
            log::verbose!("Closing idle client");
            client.kill();
        } else if shrinks && (vast || idle_ms > TRIM_AFTER_MS && (free > 0 || output)) {
            client.trim.store(true, Relaxed);
            client.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expire_budget;

    #[test]
    fn more_effort_looks_at_more_at_once() {
        assert_eq!([1, 2, 10].map(expire_budget), [400, 500, 1300]);
    }
}
