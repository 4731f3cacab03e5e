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
mod dashboard;
mod events;
mod framing;
mod handle;
mod json;
mod metrics;
mod request;
mod session;
mod traffic;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use crate::client::Client;
use crate::command::dispatch::Executor;
use crate::log;
use crate::output_limit::OutputWatch;
use crate::persistence::aof::Gate;
pub use answer::refusal;
pub use auth::has_tokens;
use framing::Framing;
use handle::handle;
use session::Session;
use traffic::{Counted, Line};

/// The head of a request, its path and all headers, has to fit into this.
const MAX_HEAD: usize = 128 * 1024;

/// Serves the client until one of both sides ends it.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, client: Client, executor: &'static Executor) {
    let shared = Arc::clone(&client.shared);
    // One request has it at a time, and then the events that come in answer.
    #[expect(clippy::arc_with_non_send_sync, reason = "only of an Arc there are guards that own their part")]
    let session = Arc::new(Mutex::new(Session::new(client, executor)));
    {
        let framing = Rc::new(RefCell::new(Framing::default()));
        let service = service_fn(|request| {
            let objection = framing.borrow_mut().objection();
            let (session, shared) = (Arc::clone(&session), &shared);
            async move {
                let answer = handle(request, objection, executor, session).await;
                let mut gate = Gate::default();
                poll_fn(|cx| gate.poll(cx, executor.server, shared, false)).await;
                answer
            }
        });
        let line = Line::new(stream, Arc::clone(&shared), executor, Rc::clone(&framing));
        let line = Rc::new(RefCell::new(line));
        let stream = TokioIo::new(Counted(Rc::clone(&line)));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(patience(executor))
                .max_buf_size(MAX_HEAD)
                .serve_connection(stream, service)
        );
        poll_fn(|cx| {
            shared.set_waker(cx.waker());
            Poll::Ready(())
        })
        .await;
        let mut output_watch = OutputWatch::default();
        poll_fn(|cx| {
            // What waits for a reader who does not read.
            if shared.is_killed() || output_watch.is_exceeded(executor, &shared, shared.output_buffered.load(Relaxed)) {
                return Poll::Ready(());
            }
            line.borrow_mut().begin();
            match connection.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                Poll::Ready(Err(error)) => {
                    log::verbose!("HTTP connection from {}: {error}", shared.peer.addr);
                    Poll::Ready(())
                }
                Poll::Pending if line.borrow_mut().is_over(cx) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }
    session.lock().await.close();
}

/// How long a part of a request may take to arrive.
fn patience(executor: &Executor) -> Duration {
    Duration::from_secs(executor.server.config.http_timeout().unsigned_abs())
}
