//! What clients get while a script keeps their worker from them: the answer that the server is busy, and what may end
//! the script.
//!
//! The worker's event loop stands still meanwhile, and its connections with it. So this looks into the sockets of those
//! connections that are at rest, and takes out no more than it answers. All else stays there for later. What comes over
//! TLS or HTTP cannot be read that way, and waits.

use std::sync::atomic::Ordering::Relaxed;

use bytes::BufMut;
use protocol::{Args, Limits, Reply, RequestReader, Resp};

use crate::client::{Client, Shared};
use crate::command::dispatch::{self, Executor};
use crate::config::ShutdownFlags;
use crate::worker::give_to_spare;

/// How much of what a client has sent is looked at.
const LOOK: usize = 4096;

/// Attends to the clients of this worker other than `running`, and has those that have just come served elsewhere.
#[cold]
pub fn attend(executor: &Executor, running: &Client) {
    while let Ok(incoming) = executor.inbox.borrow_mut().try_recv() {
        give_to_spare(executor.server, incoming);
    }
    for client in executor.clients.borrow().values() {
        if client.id != running.shared.id && is_at_rest(client) {
            answer(executor, client);
        }
    }
}

/// Whether nothing is under way between the client and its connection, and the client may do what it likes.
fn is_at_rest(client: &Shared) -> bool {
    let busy = [&client.query_buffered, &client.output_buffered, &client.queued];
    !client.peer.tls
        && !client.peer.http
        && client.unrestricted.load(Relaxed)
        && !client.is_killed()
        && !client.blocked.load(Relaxed)
        && !client.held_back.load(Relaxed)
        && busy.iter().all(|figure| figure.load(Relaxed) == 0)
        && client.subscriptions.iter().all(|figure| figure.load(Relaxed) == 0)
}

fn answer(executor: &Executor, client: &Shared) {
    let mut seen = [0; LOOK];
    let Some(count) = receive(client.peer.fd, &mut seen, libc::MSG_PEEK) else { return };
    let mut reader = RequestReader::new();
    reader.put_slice(&seen[..count]);
    let limits = Limits { max_bulk: LOOK as u64, authenticated: true };
    let (mut done, mut reply) = (0, Reply::new(if client.resp.load(Relaxed) == 3 { Resp::V3 } else { Resp::V2 }));
    loop {
        reader.parse(&limits, 1);
        if reader.is_empty() || !answer_one(executor, reader.request(0), &mut reply) {
            break;
        }
        reader.finish_batch();
        done = count - reader.buffered();
    }
    if done > 0 && receive(client.peer.fd, &mut seen[..done], 0) == Some(done) {
        send(client.peer.fd, &reply.to_vec());
    }
}

/// Answers a request if that can be done here.
fn answer_one(executor: &Executor, args: Args<'_>, reply: &mut Reply) -> bool {
    let server = executor.server;
    let Ok(command) = dispatch::find(&server.commands, args) else { return false };
    if !command.spec.accepts(args.len()) {
        return false;
    }
    let outcome = if command.may_run_beside_a_slow_script(args) {
        match command.full_name.as_str() {
            "script|kill" => server.scripts.kill(false),
            "function|kill" => server.scripts.kill(true),
            "function|stats" => {
                server.scripts.write_stats(reply);
                return true;
            }
            "shutdown" => {
                if server.prepare_to_leave(ShutdownFlags::NOSAVE) {
                    server.shutdown.notify_one();
                }
                Ok(())
            }
            _ => return false,
        }
    } else {
        Err(server.scripts.busy_error())
    };
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => {
            executor.stats.error(error.code());
            reply.error_bytes(error.text());
        }
    }
    true
}

/// Receives what is there, without waiting.
fn receive(fd: i32, into: &mut [u8], flags: i32) -> Option<usize> {
    // SAFETY: `into` is writable for its length. The descriptor belongs to a connection of this thread, which is at rest.
    let count = unsafe { libc::recv(fd, into.as_mut_ptr().cast(), into.len(), flags | libc::MSG_DONTWAIT) };
    usize::try_from(count).ok().filter(|count| *count > 0)
}

/// Sends a short answer. A client that has no room for it does not read, and would not miss it.
fn send(fd: i32, bytes: &[u8]) {
    // SAFETY: `bytes` is readable for its length.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
}
