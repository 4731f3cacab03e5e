//! One connection: reads requests, has them carried out, writes replies. A state machine that is polled by its worker;
//! between two polls it holds no lock and, when idle, almost no memory.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use protocol::{Limits, Reply, RequestReader, Resp};
use tokio::io::ReadBuf;
use tokio::task::unconstrained;

use crate::client::Client;
use crate::command::dispatch::Executor;
use crate::eviction;
use crate::hold::{Hold, Look};
use crate::log;
use crate::output_limit::OutputWatch;
use crate::persistence::aof::Gate;
use crate::scripts::attend::{Attend, waker};
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
    hold: Hold,
    /// Closed while the changes that the output tells of are not as safe as they are to be, and while others have their
    /// turn before it is sent.
    gate: Gate,
    output_watch: OutputWatch,
    /// Whether the output's memory is to be given back once it has been sent ([`crate::mail::memory_of_news`]).
    returns_memory: bool,
    /// Whether requests were answered for which nothing has gone out yet.
    answered: bool,
    /// Whether its event loop stands still, so that it is read past it.
    attended: bool,
}

/// The connection is over.
struct Closed;

impl Connection {
    fn new(stream: Stream, client: Client, executor: &'static Executor) -> Connection {
        Connection {
            stream,
            client,
            executor,
            reader: RequestReader::new(),
            reply: Reply::new(Resp::V2),
            next: 0,
            hold: Hold::default(),
            gate: Gate::default(),
            output_watch: OutputWatch::default(),
            returns_memory: false,
            answered: false,
            attended: false,
        }
    }

    /// Serves a client until one of both sides ends it. From the call on, slow scripts can attend to it.
    pub fn serve(stream: Stream, client: Client, executor: &'static Executor) -> impl Future<Output = ()> {
        let shared = client.shared.clone();
        let this = Rc::new(RefCell::new(Connection::new(stream, client, executor)));
        executor.connections.borrow_mut().insert(shared.id, this.clone());
        async move {
            poll_fn(|cx| {
                shared.set_waker(cx.waker());
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| {
                let mut this = this.borrow_mut();
                match this.poll(cx) {
                    Poll::Ready(Err(Closed)) => {
                        // Nobody waits for a peer that does not read, or is gone.
                        let _ = this.stream.poll_take_leave(cx);
                        Poll::Ready(())
                    }
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                }
            })
            .await;
            executor.connections.borrow_mut().remove(&shared.id);
            let Connection { hold, client, .. } = &mut *this.borrow_mut();
            hold.abandon(executor, client);
            client.leave(executor);
        }
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
            // What waits at the gate goes out before anything comes behind it.
            let has_waited = self.gate.is_closed();
            if !has_waited {
                self.make_output()?;
            }
            // Messages to many are sent as they come: a second look at each of them would cost more than it saves. And
            // nobody else gets a turn while the event loop stands still.
            let after_others = std::mem::take(&mut self.answered) && !self.attended;
            ready!(self.gate.poll(cx, self.executor.server, &self.client.shared, after_others));
            self.poll_flush(cx)?;
            if self.reply.is_empty() {
                self.output_watch.note_sent();
                if std::mem::take(&mut self.returns_memory) {
                    self.reply.shrink();
                    self.client.shared.mailbox.shrink();
                }
            }
            if self.client.closing && self.reply.is_empty() && self.stream.poll_take_leave(cx).is_ready() {
                return Poll::Ready(Err(Closed));
            }
            self.weigh()?;
            // Of mail that came meanwhile nobody tells again.
            let has_mail = has_waited && self.reply.is_empty() && self.client.shared.mailbox.is_full();
            if has_mail || self.has_more_to_do() {
                continue;
            }
            // Only a timer that has been polled wakes, which the one just set has not been.
            if self.hold.is_on() && self.poll_wait(cx) {
                continue;
            }
            if self.hold.is_on() || self.client.closing {
                // Nothing more is carried out for now.
                self.publish();
                return self.poll_waiting_peer(cx);
            }
            ready!(self.poll_read(cx))?;
        }
    }

    /// Carries requests out, and looks what has come of it.
    fn make_output(&mut self) -> Result<(), Closed> {
        self.take_mail();
        let before = self.reply.len();
        self.carry_out();
        self.answered = self.reply.len() > before;
        let server = self.executor.server;
        server.tracking.broadcast(&server.clients);
        self.take_mail();
        if self.client.closing {
            // Before it can be known from a reply.
            self.client.shared.leaving.store(true, Relaxed);
        }
        if self.client.shared.is_killed() {
            return Err(Closed);
        }
        let waiting = self.reply.len();
        if waiting > self.client.shared.output_peak.load(Relaxed) {
            self.client.shared.output_peak.store(waiting, Relaxed);
        }
        // Before anything is written: of what is too much, nothing is sent.
        if self.output_watch.is_exceeded(self.executor, &self.client.shared, self.reply.len()) {
            return Err(Closed);
        }
        Ok(())
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
            None => self.returns_memory |= self.client.shared.mailbox.take(&mut self.reply),
        }
    }

    /// Whether requests that have arrived were left for later because there was so much to send.
    fn has_more_to_do(&self) -> bool {
        !self.hold.is_on() && !self.client.closing && self.next < self.reader.len()
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
        if self.reader.free() == 0 && !self.attended {
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
        let outcome = match self.attended {
            false => self.stream.poll_read(cx, &mut buffer),
            true => self.stream.poll_read_past_loop(cx, &mut buffer),
        };
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
        let unread = self.unread();
        shared.query_buffered.store(unread, Relaxed);
        if unread > shared.query_peak.load(Relaxed) {
            shared.query_peak.store(unread, Relaxed);
        }
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
        while !self.hold.is_on() && !self.client.closing {
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
                        if !self.client.reply_mode.leaves_out() {
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
            if self.hold.pause(self.executor, &mut self.client, args) {
                break;
            }
            clock = self.executor.execute(&mut self.client, args, &mut self.reply, clock);
            self.next += 1;
            // What a command has sent to its own client comes right behind its reply.
            self.take_mail();
            if self.client.closing {
                break;
            }
            if self.hold.wait(self.executor, &self.client) {
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
        match self.hold.poll(cx, self.executor, &mut self.client, &mut self.reply) {
            Look::Held => false,
            Look::Changed => true,
            Look::Done { spent_nanos, outcome } => {
                // The request that waited is the last one that was carried out.
                let args = self.reader.request(self.next - 1);
                self.executor.finish(&mut self.client, args, spent_nanos, outcome, &mut self.reply);
                true
            }
        }
    }

    /// Writes what waits, as much as the socket takes.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        while !self.reply.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let outcome = match self.reply.fill_io_slices(&mut pieces) {
                count if self.attended => self.stream.poll_write_past_loop(cx, &pieces[..count]),
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

impl Attend for Connection {
    /// Whoever has left is noticed later.
    fn attend(&mut self) {
        if self.hold.is_on() || self.client.closing || self.client.shared.is_killed() {
            return;
        }
        if !self.gate.is_closed() && !self.stream.has_input() {
            return;
        }
        let waker = waker(&self.client.shared);
        self.attended = true;
        // The task that runs the script has used up what it may do in one turn.
        let mut attended = unconstrained(poll_fn(|cx| Poll::Ready(self.poll(cx))));
        let _ = Pin::new(&mut attended).poll(&mut Context::from_waker(&waker));
        self.attended = false;
    }
}
