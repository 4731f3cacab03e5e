//! A client as one line of text.

use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

use crate::client::Shared;
use crate::server::Server;

/// Appends everything known about a client, the fields in the order of Redis. What has no counterpart here yet
/// (subscriptions, tracking) stands as it does for a client that uses none of it.
pub(super) fn write_line(out: &mut Vec<u8>, client: &Shared, server: &Server, now_ms: i64) {
    let seconds_since = |then_ms: i64| (now_ms / 1000 - then_ms / 1000).max(0);
    let pending = client.output_buffered.load(Relaxed);
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "id={} addr={} laddr={} fd={} name=",
        client.id, client.peer.addr, client.peer.laddr, client.peer.fd
    );
    out.extend_from_slice(&client.name.lock());
    let _ = write!(
        out,
        " age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 multi={} watch={} qbuf={} qbuf-free={} argv-mem={} \
         multi-mem={} rbs={} rbp={} obl={} oll=0 omem=0 tot-mem={} events={} cmd={} user=",
        seconds_since(client.created_ms),
        seconds_since(client.last_active_ms.load(Relaxed)),
        flags(client),
        client.db.load(Relaxed),
        client.queued.load(Relaxed) as i64 - 1,
        client.watched.load(Relaxed),
        client.query_buffered.load(Relaxed),
        client.query_free.load(Relaxed),
        client.argv_memory.load(Relaxed),
        client.transaction_memory.load(Relaxed),
        client.output_memory.load(Relaxed),
        client.output_peak.load(Relaxed),
        pending,
        client.memory(),
        if pending > 0 { "rw" } else { "r" },
        client.last_command_name(&server.commands_by_id),
    );
    out.extend_from_slice(&client.user.lock());
    let _ = write!(out, " redir=-1 resp={} lib-name=", client.resp.load(Relaxed));
    out.extend_from_slice(&client.lib_name.lock());
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&client.lib_ver.lock());
    let _ = writeln!(out, " io-thread={}", client.worker.load(Relaxed));
}

/// A letter for each state that a client is in, or `N` for none.
fn flags(client: &Shared) -> String {
    let states = [
        ('O', client.monitor.load(Relaxed)),
        ('x', client.queued.load(Relaxed) > 0),
        ('b', client.blocked.load(Relaxed) || client.held_back.load(Relaxed)),
        ('A', client.is_killed()),
        ('U', client.peer.unix),
        ('e', client.no_evict.load(Relaxed)),
        ('T', client.no_touch.load(Relaxed)),
    ];
    let letters: String = states.iter().filter(|(_, on)| *on).map(|(letter, _)| *letter).collect();
    if letters.is_empty() { "N".into() } else { letters }
}
