//! A client as one line of text.

use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

use crate::client::Shared;
use crate::pubsub::Kind;
use crate::server::Server;
use crate::tracking::Options;

/// The size of a block of output in Redis.
const OUTPUT_BLOCK: usize = 16 * 1024;

/// Appends everything known about a client, the fields in the order of Redis.
pub(crate) fn write_line(out: &mut Vec<u8>, client: &Shared, server: &Server, now_ms: i64) {
    let seconds_since = |then_ms: i64| (now_ms / 1000 - then_ms / 1000).max(0);
    let pending = client.output_buffered.load(Relaxed) + client.mailbox.len();
    // Redis counts what a fixed buffer holds and what lies in a list of blocks behind it.
    let buffered = pending.min(OUTPUT_BLOCK);
    let listed = pending - buffered;
    let subscriptions = |kind: Kind| client.subscriptions[kind as usize].load(Relaxed);
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "id={} addr={} laddr={} fd={} name=",
        client.id, client.peer.addr, client.peer.laddr, client.peer.fd
    );
    out.extend_from_slice(&client.name.lock());
    let _ = write!(
        out,
        " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} qbuf={} qbuf-free={} argv-mem={} \
         multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user=",
        seconds_since(client.created_ms),
        seconds_since(client.last_active_ms.load(Relaxed)),
        flags(client),
        client.db.load(Relaxed),
        subscriptions(Kind::Channel),
        subscriptions(Kind::Pattern),
        subscriptions(Kind::ShardChannel),
        client.queued.load(Relaxed) as i64 - 1,
        client.watched.load(Relaxed),
        client.query_buffered.load(Relaxed),
        client.query_free.load(Relaxed),
        client.argv_memory.load(Relaxed),
        client.transaction_memory.load(Relaxed),
        client.output_memory.load(Relaxed),
        client.output_peak.load(Relaxed),
        buffered,
        listed.div_ceil(OUTPUT_BLOCK),
        listed,
        client.memory(),
        if pending > 0 { "rw" } else { "r" },
        client.last_command_name(&server.commands_by_id),
    );
    out.extend_from_slice(&client.user.lock());
    let redirect = client.tracking.lock().map_or(-1, |mode| mode.redirect as i64);
    let _ = write!(out, " redir={redirect} resp={} lib-name=", client.resp.load(Relaxed));
    out.extend_from_slice(&client.lib_name.lock());
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&client.lib_ver.lock());
    let _ = writeln!(out, " io-thread={}", client.worker.load(Relaxed));
}

/// A letter for each state that a client is in, or `N` for none.
fn flags(client: &Shared) -> String {
    let tracking = *client.tracking.lock();
    let states = [
        ('O', client.monitor.load(Relaxed)),
        ('P', client.is_subscriber()),
        ('x', client.queued.load(Relaxed) > 0),
        ('b', client.blocked.load(Relaxed) || client.held_back.load(Relaxed)),
        ('t', tracking.is_some()),
        ('R', tracking.is_some_and(|mode| mode.broken)),
        ('B', tracking.is_some_and(|mode| mode.options.contains(Options::BCAST))),
        ('U', client.peer.unix),
        ('e', client.no_evict.load(Relaxed)),
        ('T', client.no_touch.load(Relaxed)),
    ];
    let letters: String = states.iter().filter(|(_, on)| *on).map(|(letter, _)| *letter).collect();
    if letters.is_empty() { "N".into() } else { letters }
}
