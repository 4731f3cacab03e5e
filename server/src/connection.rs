//! One connection: reads requests, has them carried out, writes replies. A state machine that is polled by its worker;
//! between two polls it holds no lock and, when idle, almost no memory.

use std::future::Future;
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use protocol::{Limits, Reply, RequestReader, Resp};
use tokio::io::ReadBuf;
use tokio::time::{Sleep, sleep};

use crate::client::{Client, OpenWait, ReplyMode, Unblock, Wait};
use crate::command::dispatch::Executor;
use crate::eviction;
use crate::log;
use crate::server::{Pause, unix_ms};
use crate::stream::Stream;

/// Requests that are parsed ahead of being carried out.
const BATCH: usize = 64;
/// So much output is sent, or found to be too much, before more is made.
const OUTPUT_AT_ONCE: usize = 1 << 20;
/// Pieces of output that go into one system call.
const PIECES: usize = 16;

/// See the module's description.
pub struct Connection {
    stream: Stream,
    client: Client,
    executor: &'static Executor,
    reader: RequestReader,
    reply: Reply,
    /// The next request of the batch to be carried out.
    next: usize,
    /// Runs while the client waits for a time to come.
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the output is above the soft limit.
    soft_limit_since: Option<i64>,
}

/// The connection is over.
struct Closed;

impl Connection {
    pub fn new(stream: Stream, client: Client, executor: &'static Executor) -> Connection {
        Connection {
            stream,
            client,
            executor,
            reader: RequestReader::new(),
            reply: Reply::new(Resp::V2),
            next: 0,
            timer: None,
            soft_limit_since: None,
        }
    }

    /// Serves the client until one of both sides ends it.
    pub async fn serve(mut self) {
        let shared = self.client.shared.clone();
        poll_fn(|cx| {
            shared.set_waker(cx.waker());
            Poll::Ready(())
        })
        .await;
        let server = self.executor.server;
        poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(Err(Closed)) => {
                self.stream.take_leave(cx);
                Poll::Ready(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        })
        .await;
        if self.timer.is_some()
            && let OpenWait::Parked(parked) = self.end_wait().1
        {
            parked.end(server);
        }
        server.pubsub.leave_all(&mut self.client);
        server.tracking.turn_off(&mut self.client);
        self.client.unwatch(&server.keyspace);
        server.clients.remove(&self.client.shared);
        self.executor.clients.borrow_mut().remove(&self.client.shared.id);
        server.client_memory.forget(&self.client.shared);
        server.connected.fetch_sub(1, Relaxed);
    }

    /// Goes on as far as it can without waiting.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.client.shared.is_killed() {
            return Poll::Ready(Err(Closed));
        }
        if self.client.shared.trim.swap(false, Relaxed) {
            self.reader.shrink();
            self.reply.shrink();
            self.client.shared.mailbox.shrink();
        }
        loop {
            self.take_mail();
            self.carry_out();
            let server = self.executor.server;
            server.tracking.broadcast(&server.clients);
            self.take_mail();
            if self.client.closing {
                // Before it can be known from a reply.
                self.client.shared.leaving.store(true, Relaxed);
            }
            if self.client.shared.is_killed() {
                return Poll::Ready(Err(Closed));
            }
            let waiting = self.reply.len();
            if waiting > self.client.shared.output_peak.load(Relaxed) {
                self.client.shared.output_peak.store(waiting, Relaxed);
            }
            // Before anything is written: of what is too much, nothing is sent.
            self.check_output_limits()?;
            self.poll_flush(cx)?;
            if self.reply.is_empty() {
                self.soft_limit_since = None;
            }
            if self.client.closing && self.reply.is_empty() && !self.stream.holds_output() {
                return Poll::Ready(Err(Closed));
            }
            self.weigh()?;
            if self.has_more_to_do() {
                continue;
            }
            // Only a timer that has been polled wakes, which the one just set has not been.
            if self.timer.is_some() && self.poll_wait(cx) {
                continue;
            }
            if self.timer.is_some() || self.client.closing {
                // Nothing more is carried out for now.
                self.publish();
                return self.poll_waiting_peer(cx);
            }
            ready!(self.poll_read(cx))?;
        }
    }

    /// Puts what others have sent behind the replies so far. A client that is about to be closed gets no more, and one
    /// that waits not before the reply that it has been waiting for.
    #[inline]
    fn take_mail(&mut self) {
        if !self.client.shared.mailbox.is_full() || self.client.closing {
            return;
        }
        match self.client.wait.as_ref().and_then(|wait| wait.parked.as_ref()) {
            Some(parked) => parked.take_mail(&mut self.reply),
            None => self.client.shared.mailbox.take(&mut self.reply),
        }
    }

    /// Whether requests that have arrived were left for later because there was so much to send.
    fn has_more_to_do(&self) -> bool {
        self.timer.is_none() && !self.client.closing && self.next < self.reader.len()
    }

    /// While the client waits, its leaving must still be noticed, which takes reading all that it sends ahead. That is
    /// limited as any input is.
    fn poll_waiting_peer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.client.closing {
            return Poll::Pending;
        }
        loop {
            ready!(self.poll_read(cx))?;
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.reader.free() == 0 {
            // Room is made when there is something to read, not before.
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => {
                    self.publish();
                    return Poll::Pending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Closed)),
                Poll::Ready(Ok(())) => {}
            }
        }
        // SAFETY: the memory is only handed to `ReadBuf`, which keeps track of what was written to it.
        let room = unsafe { self.reader.chunk_mut().as_uninit_slice_mut() };
        let mut buffer = ReadBuf::uninit(room);
        let outcome = self.stream.poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        match outcome {
            Poll::Pending => {
                self.publish();
                return Poll::Pending;
            }
            Poll::Ready(Ok(())) if count > 0 => {}
            Poll::Ready(_) => return Poll::Ready(Err(Closed)),
        }
        // SAFETY: `count` bytes of the chunk were filled.
        unsafe { self.reader.advance_mut(count) };
        let stats = self.executor.stats;
        stats.reads.add(1);
        stats.net_in.add(count as u64);
        let shared = &self.client.shared;
        shared.net_in.fetch_add(count as u64, Relaxed);
        shared.query_buffered.store(self.unread(), Relaxed);
        shared.query_free.store(self.reader.free(), Relaxed);
        shared.last_active_ms.store(self.executor.refresh_clock(), Relaxed);
        let limit = self.executor.server.config.query_buffer_limit();
        let held = self.reader.unparsed() + shared.transaction_memory.load(Relaxed);
        if held as i64 > limit {
            log::warning!("Closing client that reached max query buffer length: id={}", shared.id);
            stats.query_limit_disconnections.add(1);
            return Poll::Ready(Err(Closed));
        }
        Poll::Ready(self.weigh())
    }

    /// Counts this connection's memory among all clients', if that is limited. It may be the one that has to go.
    fn weigh(&self) -> Result<(), Closed> {
        let server = self.executor.server;
        if eviction::client_limit(&server.config).is_some() {
            self.publish();
            server.client_memory.note(server, &self.client.shared);
            if self.client.shared.is_killed() {
                return Err(Closed);
            }
        }
        Ok(())
    }

    /// Carries out what has arrived, until it is done or the client has to wait.
    fn carry_out(&mut self) {
        while self.timer.is_none() && !self.client.closing {
            if self.next == self.reader.len() {
                if self.next > 0 {
                    self.reader.finish_batch();
                    self.next = 0;
                }
                let authenticated = !self.client.session.needs_login() || self.executor.is_logged_in(&mut self.client);
                let max_bulk = self.executor.server.config.proto_max_bulk_len() as u64;
                // AUTH changes how the next request is read.
                self.reader.parse(&Limits { max_bulk, authenticated }, if authenticated { BATCH } else { 1 });
                if self.reader.is_empty() {
                    if let Some(error) = self.reader.error() {
                        self.executor.stats.error("ERR");
                        if self.client.reply_mode == ReplyMode::On {
                            self.reply.protocol_error(error);
                        }
                        self.client.closing = true;
                    }
                    return;
                }
                self.executor.prefetch(&self.client, &self.reader);
            }
            self.carry_out_batch();
            if self.has_more_to_do() {
                return;
            }
        }
    }

    fn carry_out_batch(&mut self) {
        let mut clock = self.executor.server.clock.raw();
        let first = self.next;
        while self.next < self.reader.len() {
            let args = self.reader.request(self.next);
            if self.executor.is_paused(&mut self.client, args) {
                let until = self.executor.server.pause_until_ms();
                self.timer = Some(sleep_until(Some(until)));
                self.client.shared.held_back.store(true, Relaxed);
                self.executor.server.blocked.fetch_add(1, Relaxed);
                break;
            }
            clock = self.executor.execute(&mut self.client, args, &mut self.reply, clock);
            self.next += 1;
            // What a command has sent to its own client comes right behind its reply.
            self.take_mail();
            if self.client.closing {
                break;
            }
            if let Some(wait) = &self.client.wait {
                self.timer = Some(sleep_until(wait.next_ms()));
                self.client.shared.wait_is_timed.store(wait.until_ms.is_some(), Relaxed);
                if wait.parked.is_none() {
                    self.client.shared.open_wait(OpenWait::Plain(None));
                }
                self.client.shared.note_blocked();
                self.executor.server.blocked.fetch_add(1, Relaxed);
                break;
            }
            if self.reply.len() >= OUTPUT_AT_ONCE {
                break;
            }
        }
        self.client.shared.commands.fetch_add((self.next - first) as u64, Relaxed);
    }

    /// Ends a wait whose time has come. Tells whether it did.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(timer) = &mut self.timer else { return false };
        let over = timer.as_mut().poll(cx).is_ready();
        if self.client.wait.is_none() {
            // Held back by a pause, which may have been ended early.
            let ended = over || self.executor.server.pause_state() == Pause::None;
            if ended {
                self.timer = None;
                self.client.shared.held_back.store(false, Relaxed);
                self.executor.server.blocked.fetch_sub(1, Relaxed);
            }
            return ended;
        }
        let parked = self.client.wait.as_ref().and_then(|wait| wait.parked.as_ref());
        let ended = parked.map_or_else(|| self.client.shared.is_unblocked(), |parked| parked.is_over());
        if over && !ended && self.try_again() {
            return true;
        }
        if !over && !ended {
            return false;
        }
        self.timer = None;
        let (wait, open_wait) = self.end_wait();
        let outcome = match open_wait {
            OpenWait::Parked(parked) => parked.end(self.executor.server).into_reply(&mut self.reply),
            OpenWait::Plain(Some(Unblock::Error)) => Some(Err(Unblock::ERROR)),
            OpenWait::Plain(_) | OpenWait::None => None,
        };
        let outcome = outcome.unwrap_or(Ok(wait.reply));
        // The request that waited is the last one that was carried out.
        let args = self.reader.request(self.next - 1);
        self.executor.finish(&mut self.client, args, wait.spent_nanos, outcome, &mut self.reply);
        true
    }

    /// Tries the command once more if its time has not come yet. Tells whether that was so.
    fn try_again(&mut self) -> bool {
        let executor = self.executor;
        let Some(wait) = &mut self.client.wait else { return false };
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

    /// The client waits no more.
    fn end_wait(&mut self) -> (Wait, OpenWait) {
        self.executor.server.blocked.fetch_sub(1, Relaxed);
        (self.client.wait.take().unwrap_or_default(), self.client.shared.close_wait())
    }

    /// Writes what waits, as much as the socket takes.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        while !self.reply.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let outcome = match self.reply.fill_io_slices(&mut pieces) {
                1 => self.stream.poll_write(cx, &pieces[0]),
                count => self.stream.poll_write_vectored(cx, &pieces[..count]),
            };
            match outcome {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.reply.consume(count);
                    let stats = self.executor.stats;
                    stats.writes.add(1);
                    stats.net_out.add(count as u64);
                    self.client.shared.net_out.fetch_add(count as u64, Relaxed);
                    self.client.shared.last_active_ms.store(self.executor.now_ms(), Relaxed);
                }
                Poll::Ready(_) => return Err(Closed),
            }
        }
        match self.stream.poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(Closed),
            _ => Ok(()),
        }
    }

    fn check_output_limits(&mut self) -> Result<(), Closed> {
        let waiting = (self.reply.len() + self.client.shared.mailbox.len()) as u64;
        if waiting == 0 {
            self.soft_limit_since = None;
            return Ok(());
        }
        let limit = self.executor.server.output_limit(&self.client.shared);
        let hard = limit.hard > 0 && waiting >= limit.hard;
        let mut soft = false;
        if limit.soft > 0 && waiting >= limit.soft {
            let now = unix_ms() / 1000;
            let since = *self.soft_limit_since.get_or_insert(now);
            soft = now - since > limit.soft_seconds as i64;
        } else {
            self.soft_limit_since = None;
        }
        if !hard && !soft {
            return Ok(());
        }
        self.executor.stats.output_limit_disconnections.add(1);
        log::warning!("Client id={} closed for overcoming of output buffer limits.", self.client.shared.id);
        Err(Closed)
    }

    /// Bytes of requests that are still to be carried out: all of a batch that has begun, but not the arguments that were
    /// collected for a request that is not whole yet.
    fn unread(&self) -> usize {
        if self.reader.is_empty() { self.reader.unparsed() } else { self.reader.buffered() }
    }

    /// Lets others see how much this connection holds.
    fn publish(&self) {
        let shared = &self.client.shared;
        shared.query_buffered.store(self.unread(), Relaxed);
        shared.query_free.store(self.reader.free(), Relaxed);
        shared.unrestricted.store(self.executor.server.acl.is_free(&self.client.session), Relaxed);
        shared.argv_memory.store(self.reader.multibulk_bytes(), Relaxed);
        shared.output_buffered.store(self.reply.len(), Relaxed);
        let (before, memory) = (shared.output_memory.load(Relaxed), self.reply.memory());
        if memory != before {
            let stats = self.executor.stats;
            if memory > before { &stats.output_grown } else { &stats.output_shrunk }.add(1);
            shared.output_memory.store(memory, Relaxed);
        }
        shared.resp.store(if self.reply.resp() == Resp::V3 { 3 } else { 2 }, Relaxed);
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
