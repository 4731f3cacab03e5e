//! `client-output-buffer-limit`: what may wait to be sent to a client before it is disconnected.

use crate::client::Shared;
use crate::command::dispatch::Executor;
use crate::log;
use crate::server::unix_ms;

/// Watches over the output of one client.
#[derive(Default)]
pub struct OutputWatch {
    /// Since when the output is above the soft limit.
    soft_limit_since: Option<i64>,
}

impl OutputWatch {
    /// All was sent.
    #[inline]
    pub fn note_sent(&mut self) {
        self.soft_limit_since = None;
    }

    /// Whether the client has to go because `waiting` bytes, and what is in its mailbox, are too much.
    // Asked once per round of every connection.
    #[inline(always)]
    pub fn is_exceeded(&mut self, executor: &Executor, client: &Shared, waiting: usize) -> bool {
        let waiting = (waiting + client.mailbox.look()) as u64;
        if waiting == 0 {
            self.soft_limit_since = None;
            return false;
        }
        let limit = executor.server.output_limit(client);
        let hard = limit.hard > 0 && waiting >= limit.hard;
        let mut soft = false;
        if limit.soft > 0 && waiting >= limit.soft {
            let now = unix_ms() / 1000;
            let since = *self.soft_limit_since.get_or_insert(now);
            soft = now - since > limit.soft_seconds as i64;
        } else {
            self.soft_limit_since = None;
        }
        if hard || soft {
            note_exceeded(executor, client);
        }
        hard || soft
    }
}

#[cold]
fn note_exceeded(executor: &Executor, client: &Shared) {
    executor.stats.output_limit_disconnections.add(1);
    log::warning!("Client id={} closed for overcoming of output buffer limits.", client.id);
}
