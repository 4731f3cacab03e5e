//! HTTP: the second front door to the same rooms.
//!
//! A connection ([`serve`]) belongs to one worker, as one of RESP does, and has a client of its own, which is on the list
//! of clients. Each request of it is looked at in this order: its form ([`framing`], [`handle`]), who sends it ([`auth`]),
//! its body ([`request`]). What it asks for is then carried out by the same dispatch as commands of RESP ([`session`]), and what
//! they reply is turned into JSON ([`json`], [`answer`], for many commands piece by piece: [`batch`]) or into a stream of events ([`events`]). Nothing of a request
//! that is wrong anywhere is carried out.

mod answer;
mod auth;
mod batch;
mod commands;
mod dashboard;
mod events;
mod framing;
mod handle;
mod held;
mod json;
mod metrics;
mod outgoing;
mod request;
mod session;
mod tokens;
mod traffic;
mod upload;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::task::unconstrained;

use crate::client::{Client, Shared};
use crate::command::dispatch::Executor;
use crate::eviction;
use crate::log;
use crate::output_limit::OutputWatch;
use crate::persistence::aof::Gate;
use crate::scripts::attend::{Attend, waker};
use crate::stream::Stream;
use answer::HungUp;
pub use answer::refusal;
pub use auth::has_tokens;
use framing::Framing;
use handle::handle;
use outgoing::Outgoing;
use session::Session;
pub use tokens::{TokenStreams, warn_of_equal_tokens};
use traffic::{Counted, Line};
use upload::discard_body;

/// The head of a request, its path and all headers, has to fit into this.
const MAX_HEAD: usize = 128 * 1024;

/// What is left of the body of a request that has been answered already.
type Discarding = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

/// A connection, which its task serves and, while a script keeps the worker from its tasks, that script.
struct Connection {
    /// What hyper makes of the line's other end.
    served: Pin<Box<dyn Future<Output = hyper::Result<()>>>>,
    line: Rc<RefCell<Line>>,
    discarding: Discarding,
    client: Arc<Shared>,
    executor: &'static Executor,
    output_watch: OutputWatch,
    over: bool,
}

/// Serves the client until one of both sides ends it. From the first moment on, slow scripts can attend to it.
pub async fn serve(stream: Stream, client: Client, executor: &'static Executor) {
    let shared = Arc::clone(&client.shared);
    // One request has it at a time, and then the events that come in answer.
    #[expect(clippy::arc_with_non_send_sync, reason = "only of an Arc there are guards that own their part")]
    let session = Arc::new(Mutex::new(Session::new(client, executor)));
    {
        let connection = Connection::new(stream, Arc::clone(&session), Arc::clone(&shared), executor);
        let connection = Rc::new(RefCell::new(connection));
        executor.connections.borrow_mut().insert(shared.id, connection.clone());
        poll_fn(|cx| {
            shared.set_waker(cx.waker());
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| connection.borrow_mut().poll(cx)).await;
        executor.connections.borrow_mut().remove(&shared.id);
    }
    session.lock().await.close();
}

impl Connection {
    fn new(
        stream: Stream,
        session: Arc<Mutex<Session>>,
        client: Arc<Shared>,
        executor: &'static Executor,
    ) -> Connection {
        let framing = Rc::new(RefCell::new(Framing::default()));
        let line = Line::new(stream, Arc::clone(&client), executor, Rc::clone(&framing));
        let line = Rc::new(RefCell::new(line));
        let shared = Arc::clone(&client);
        let discarding = Discarding::default();
        let rest = Rc::clone(&discarding);
        let service = service_fn(move |request| {
            let objection = framing.borrow_mut().objection();
            let (session, shared, rest) = (Arc::clone(&session), Arc::clone(&shared), Rc::clone(&rest));
            async move {
                let (answer, unread) = handle(request, objection, executor, session).await?;
                if let Some(body) = unread {
                    *rest.borrow_mut() = Some(Box::pin(discard_body(body, patience(executor))));
                }
                let answer = answer.map(|content| Outgoing::new(content, &shared));
                let waiting = shared.output_buffered.load(Relaxed);
                if OutputWatch::default().is_exceeded(executor, &shared, waiting) {
                    // Of what is too much, nothing is sent.
                    return Err(HungUp);
                }
                let mut gate = Gate::default();
                poll_fn(|cx| gate.poll(cx, executor.server, &shared, false)).await;
                Ok(answer)
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience(executor))
            .max_buf_size(MAX_HEAD)
            // Who says that he sends no more may still wait for answers.
            .half_close(true)
            .serve_connection(TokioIo::new(Counted(Rc::clone(&line))), service);
        let output_watch = OutputWatch::default();
        Connection { served: Box::pin(served), line, discarding, client, executor, output_watch, over: false }
    }

    /// Goes on as far as it can without waiting; ready when it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.over |= self.client.is_killed() || self.output_is_too_much();
        if self.over {
            return Poll::Ready(());
        }
        self.over = loop {
            match self.served.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => break true,
                Poll::Ready(Err(error)) => {
                    log::verbose!("HTTP connection from {}: {error}", self.client.peer.addr);
                    break true;
                }
                // hyper hears only when it is polled that nobody reads a body any more.
                Poll::Pending if self.ends_discarding(cx) => {}
                Poll::Pending => break self.line.borrow_mut().is_over(cx) || self.holds_too_much(),
            }
        };
        if self.over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Goes on with the body of a request that was refused. Tells whether it was read, as far as it is, just now.
    fn ends_discarding(&mut self, cx: &mut Context<'_>) -> bool {
        let mut discarding = self.discarding.borrow_mut();
        let over = discarding.as_mut().is_some_and(|rest| rest.as_mut().poll(cx).is_ready());
        if over {
            *discarding = None;
        }
        over
    }

    /// Looks at what waits for a reader who does not read.
    fn output_is_too_much(&mut self) -> bool {
        let waiting = self.client.output_buffered.load(Relaxed);
        self.output_watch.is_exceeded(self.executor, &self.client, waiting)
    }

    /// Counts what is held for the client, which may have to go for it, among all clients' memory, if that is limited.
    fn holds_too_much(&mut self) -> bool {
        let server = self.executor.server;
        if eviction::client_limit(&server.config).is_some() {
            server.client_memory.note(server, &self.client);
        }
        self.client.is_killed() || self.output_is_too_much()
    }
}

impl Attend for Connection {
    fn attend(&mut self) {
        let waker = waker(&self.client);
        self.line.borrow_mut().attended = true;
        // The task that runs the script has used up what it may do in one turn.
        let mut attended = unconstrained(poll_fn(|cx| self.poll(cx)));
        let outcome = Pin::new(&mut attended).poll(&mut Context::from_waker(&waker));
        self.line.borrow_mut().attended = false;
        if outcome.is_ready() {
            // Its task has to find out.
            waker.wake();
        }
    }
}

/// How long a part of a request may take to arrive.
fn patience(executor: &Executor) -> Duration {
    Duration::from_secs(executor.server.config.http_timeout().unsigned_abs())
}
