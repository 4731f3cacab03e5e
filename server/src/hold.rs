//! What keeps a client from its next request: a command that waits, or CLIENT PAUSE. The same for every transport.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::time::Duration;

use protocol::{Args, Reply};
use tokio::time::{Sleep, sleep};

use crate::client::{Client, OpenWait, Unblock};
use crate::command::Error;
use crate::command::dispatch::Executor;
use crate::server::{Pause, unix_ms};

/// See the module's description.
#[derive(Default)]
pub struct Hold {
    /// Runs while the client waits for a time to come.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a look at a client that is held back has found.
pub enum Look {
    /// It still is.
    Held,
    /// Something has changed: it may be over, or be waited for differently.
    Changed,
    /// The command that waited has an outcome, to be passed to [`Executor::finish`].
    Done { spent_nanos: u64, outcome: Result<Vec<u8>, Error> },
}

impl Hold {
    /// Whether the client is held back.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.timer.is_some()
    }

    /// Holds a request back if CLIENT PAUSE says so.
    #[inline]
    pub fn pause(&mut self, executor: &Executor, client: &mut Client, args: Args<'_>) -> bool {
        if !executor.is_paused(client, args) {
            return false;
        }
        self.timer = Some(sleep_until(Some(executor.server.pause_until_ms())));
        client.shared.held_back.store(true, Relaxed);
        executor.server.blocked.fetch_add(1, Relaxed);
        true
    }

    /// Waits if the request that was just carried out has to.
    #[inline]
    pub fn wait(&mut self, executor: &Executor, client: &Client) -> bool {
        let Some(wait) = &client.wait else { return false };
        self.timer = Some(sleep_until(wait.next_ms()));
        client.shared.wait_is_timed.store(wait.until_ms.is_some(), Relaxed);
        if wait.parked.is_none() {
            client.shared.open_wait(OpenWait::Plain(None));
        }
        client.shared.note_blocked();
        executor.server.blocked.fetch_add(1, Relaxed);
        true
    }

    /// Looks whether the client may go on. What has to stand in front of the outcome is written to `reply`.
    pub fn poll(&mut self, cx: &mut Context<'_>, executor: &Executor, client: &mut Client, reply: &mut Reply) -> Look {
        let Some(timer) = &mut self.timer else { return Look::Changed };
        let over = timer.as_mut().poll(cx).is_ready();
        if client.wait.is_none() {
            // Held back by a pause, which may have been ended early.
            if !over && executor.server.pause_state() != Pause::None {
                return Look::Held;
            }
            self.timer = None;
            client.shared.held_back.store(false, Relaxed);
            executor.server.blocked.fetch_sub(1, Relaxed);
            return Look::Changed;
        }
        let parked = client.wait.as_ref().and_then(|wait| wait.parked.as_ref());
        let logged = client.wait.as_ref().and_then(|wait| wait.logged);
        let ended = parked.map_or_else(|| client.shared.is_unblocked(), |parked| parked.is_over())
            || logged.is_some_and(|logged| logged.is_over(executor.server));
        if over && !ended && self.try_again(executor, client) {
            return Look::Changed;
        }
        if !over && !ended {
            return Look::Held;
        }
        self.timer = None;
        executor.server.blocked.fetch_sub(1, Relaxed);
        let wait = client.wait.take().unwrap_or_default();
        let outcome = match client.shared.close_wait() {
            OpenWait::Parked(parked) => parked.end(executor.server).into_reply(reply),
            OpenWait::Plain(Some(Unblock::Error)) => Some(Err(Unblock::ERROR)),
            OpenWait::Plain(_) | OpenWait::None => None,
        };
        let reply = logged.map_or(Ok(wait.reply), |logged| logged.outcome(executor.server));
        Look::Done { spent_nanos: wait.spent_nanos, outcome: outcome.unwrap_or(reply) }
    }

    /// Tries the command once more if its time has not come yet. Tells whether that was so.
    fn try_again(&mut self, executor: &Executor, client: &mut Client) -> bool {
        let Some(wait) = &mut client.wait else { return false };
        let (now_ms, Some(parked)) = (executor.refresh_clock(), &wait.parked) else { return false };
        if wait.retry_ms.is_none() || wait.until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            return false;
        }
        let keyspace = &executor.server.keyspace;
        wait.retry_ms = parked.try_again(keyspace, now_ms, |effects| executor.stats.took_effect(effects));
        // Where it was served, the next look at it finds out.
        self.timer = Some(sleep_until(wait.next_ms()));
        true
    }

    /// The client has gone: nothing is waited for any more.
    pub fn abandon(&mut self, executor: &Executor, client: &mut Client) {
        if self.timer.take().is_some() {
            executor.server.blocked.fetch_sub(1, Relaxed);
            client.wait = None;
            if let OpenWait::Parked(parked) = client.shared.close_wait() {
                parked.end(executor.server);
            }
        }
    }
}

fn sleep_until(until_ms: Option<i64>) -> Pin<Box<Sleep>> {
    const AGES: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    let duration = match until_ms {
        Some(until) => Duration::from_millis((until - unix_ms()).max(0) as u64).min(AGES),
        None => AGES,
    };
    Box::pin(sleep(duration))
}
