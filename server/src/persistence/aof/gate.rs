//! What keeps replies back until the changes that they tell of, or that they have seen, are where `appendfsync` promises.
//!
//! All that a connection sends passes its gate, whoever has made the changes: nobody sees what could be lost more easily
//! than was promised. With `everysec` and `no` a connection that finds something to be written lets the others of its
//! worker have their turn first; the first one that comes back writes for all. With `always` connections wait for the
//! thread that forces entries to the disk, which serves all who wait at once, while the workers go on.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::task::{Context, Poll};

use super::{Aof, Hurry};
use crate::client::Shared;
use crate::config::FsyncPolicy;
use crate::server::Server;

/// A connection's gate. Open unless something is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Gate {
    #[default]
    Open,
    /// Others have their turn before everything up to a position is written.
    Writing(u64),
    /// The client is woken when everything up to a position is on the disk.
    Syncing(u64),
}

impl Gate {
    /// Whether something is waited for.
    #[inline]
    pub fn is_closed(self) -> bool {
        self != Gate::Open
    }

    /// Ready when what was done so far may be told.
    #[inline]
    pub fn poll(&mut self, cx: &mut Context<'_>, server: &Server, client: &Arc<Shared>) -> Poll<()> {
        if !server.aof.is_on() {
            *self = Gate::Open;
            return Poll::Ready(());
        }
        self.poll_on(cx, server, client)
    }

    fn poll_on(&mut self, cx: &mut Context<'_>, server: &Server, client: &Arc<Shared>) -> Poll<()> {
        let aof = &server.aof;
        let always = server.config.appendfsync() == FsyncPolicy::Always;
        *self = match *self {
            Gate::Open | Gate::Writing(_) if always => {
                let position = aof.appended.load(Relaxed);
                if aof.wait(position, client) { Gate::Open } else { Gate::Syncing(position) }
            }
            Gate::Open => {
                // Whoever sees a change has got the lock of its shard behind the one who appended it.
                let position = aof.appended.load(Relaxed);
                if aof.written.load(Acquire) >= position {
                    Gate::Open
                } else {
                    cx.waker().wake_by_ref();
                    Gate::Writing(position)
                }
            }
            Gate::Writing(position) => {
                if aof.written.load(Acquire) < position {
                    aof.flush(server, Hurry::CanWait);
                }
                // What could not be written is tried again, and writes are refused meanwhile.
                Gate::Open
            }
            Gate::Syncing(position) if aof.released.load(Acquire) >= position => Gate::Open,
            Gate::Syncing(position) => Gate::Syncing(position),
        };
        if self.is_closed() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Aof {
    /// Has a client woken when everything up to a position is on the disk. Tells whether it already is.
    fn wait(&self, position: u64, client: &Arc<Shared>) -> bool {
        self.released.load(Acquire) >= position || self.sync.enlist(position, client, &self.released)
    }
}
