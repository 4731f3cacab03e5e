//! Requests for several commands: `/pipeline` and `/multi-exec`.
//!
//! A body of some megabytes can hold a million commands. So neither they nor their outcomes are all there at once: the
//! body is gone through once to see that it is in order, and once more to carry out one command after another, and what
//! they answer is sent in pieces. Others have their turn between them. A short answer is one piece, and says how long it is.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::StatusCode;
use protocol::OwnedArgs;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio::task::yield_now;

use super::answer::{Answer, Failure, HungUp, bad, closing, outcomes, refused};
use super::commands::{Command, Commands, NULL_ARGUMENT};
use super::handle::{check_lengths, status};
use super::held::Piece;
use super::json::{Replies, Unreadable, error_text, write_outcome};
use super::outgoing::Content;
use super::request::{Format, Route, malformed};
use super::session::Session;
use super::upload::Upload;
use crate::command::Error;
use crate::persistence::aof::Gate;

/// So many commands are carried out before others have their turn.
const COMMANDS_AT_ONCE: usize = 64;
/// What is sent at once, but for a longer outcome.
const PIECE: usize = 64 * 1024;

/// Tells in the end whether the connection is to be closed.
type Work = Pin<Box<dyn Future<Output = Result<bool, Failure>>>>;

/// Carries out what a body holds and answers.
pub async fn respond(
    session: OwnedMutexGuard<Session>,
    route: Route,
    body: Upload,
    format: Format,
) -> Result<Answer, Failure> {
    let is_transaction = route == Route::Transaction;
    let mut commands = Commands::array(&body.bytes, &session.client.shared);
    check(&session, &mut commands, is_transaction).await?;
    // One piece waits to be sent while the next one is made.
    let (sender, mut receiver) = mpsc::channel(1);
    let mut work: Work = Box::pin(async move {
        let (mut session, mut commands) = (session, commands);
        // Counts as long as the commands are read from it.
        let _body = body;
        let mut made = Outcomes { format, any: false, text: Vec::new(), replies: Replies::default(), sender };
        if is_transaction {
            transaction(&mut session, &mut commands, &mut made).await?;
        } else {
            pipeline(&mut session, &mut commands, &mut made).await?;
        }
        made.end(&session).await?;
        Ok(session.client.closing)
    });
    let whole = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Pending if receiver.is_empty() => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
        Poll::Ready(closes) => Poll::Ready(Some(closes)),
    });
    let Some(closes) = whole.await else {
        return Ok(outcomes(StatusCode::OK, format, Content::Pieces(Pieces { work: Some(work), receiver })));
    };
    let closes = closes?;
    let whole = receiver.try_recv().map(Piece::into_bytes).unwrap_or_default();
    let answer = outcomes(StatusCode::OK, format, Content::Whole(vec![whole]));
    Ok(if closes { closing(answer) } else { answer })
}

/// Looks whether all commands are in order before anything of them is carried out.
async fn check(session: &Session, commands: &mut Commands, is_transaction: bool) -> Result<(), Failure> {
    let mut last = None;
    while let Some(command) = commands.next().await.or_else(|error| malformed(&error))? {
        match &command {
            Command::Whole(args) => {
                check_lengths(session, args)?;
                if is_transaction && let Some(objection) = session.objection_within_transaction(args.as_args()) {
                    return discarded(&String::from_utf8_lossy(objection.text()));
                }
            }
            Command::WithNull if is_transaction => return discarded(NULL_ARGUMENT),
            Command::WithNull => {}
        }
        last = Some(command);
    }
    commands.rewind(last);
    Ok(())
}

/// Several commands, one after another. Each has an outcome of its own.
async fn pipeline(session: &mut Session, commands: &mut Commands, outcomes: &mut Outcomes) -> Result<(), Failure> {
    let mut count = 0;
    while let Some(command) = commands.next().await.or_else(|error| malformed(&error))? {
        session.reply.clear();
        match command {
            Command::Whole(args) => session.call_if_allowed(args.as_args()).await?,
            Command::WithNull => session.refuse(&Error::fixed(NULL_ARGUMENT)),
        }
        outcomes.take(session).await?;
        count += 1;
        if count % COMMANDS_AT_ONCE == 0 {
            yield_now().await;
        }
    }
    Ok(())
}

/// Several commands that happen at one instant, or not at all.
async fn transaction(session: &mut Session, commands: &mut Commands, outcomes: &mut Outcomes) -> Result<(), Failure> {
    if let Some(error) = error_text(&session.ask(&OwnedArgs::from_iter(["MULTI"])).await?) {
        return discarded(error);
    }
    let mut count = 0;
    while let Some(command) = commands.next().await.or_else(|error| malformed(&error))? {
        let Command::Whole(args) = command else { return discarded(NULL_ARGUMENT) };
        if let Some(error) = error_text(&session.ask(&args).await?) {
            return discarded(error);
        }
        count += 1;
        if count % COMMANDS_AT_ONCE == 0 {
            yield_now().await;
        }
    }
    session.reply.clear();
    session.call(OwnedArgs::from_iter(["EXEC"]).as_args()).await?;
    if Replies::enter_array(&mut session.reply) {
        return outcomes.take(session).await;
    }
    match error_text(&session.replies().next()?) {
        Some(error) => bad(error),
        None => Err(Unreadable.into()),
    }
}

/// A transaction of which nothing was carried out.
fn discarded<T>(reason: &str) -> Result<T, Failure> {
    let text = format!("EXECABORT Transaction discarded because of: {}", reason.strip_prefix("ERR ").unwrap_or(reason));
    refused(status(format!("-{reason}").as_bytes()), text)
}

/// What becomes of the commands, as it will be sent.
struct Outcomes {
    format: Format,
    any: bool,
    text: Vec<u8>,
    replies: Replies,
    sender: mpsc::Sender<Piece>,
}

impl Outcomes {
    /// Takes what commands have replied.
    async fn take(&mut self, session: &mut Session) -> Result<(), Failure> {
        let Format::Json(encoding) = self.format else {
            while let Some(part) = session.next_part() {
                self.text.extend_from_slice(&part);
                if self.text.len() >= PIECE {
                    self.send(session).await?;
                }
            }
            return Ok(());
        };
        while let Some(part) = session.next_part() {
            self.replies.feed(&part);
            drop(part);
            while let Some(reply) = self.replies.arrived()? {
                self.text.push(if self.any { b',' } else { b'[' });
                self.any = true;
                write_outcome(&reply, encoding, &mut self.text)?;
                if self.text.len() >= PIECE {
                    self.send(session).await?;
                    yield_now().await;
                }
            }
        }
        Ok(())
    }

    /// All commands have been carried out.
    async fn end(mut self, session: &Session) -> Result<(), Failure> {
        if let Format::Json(_) = self.format {
            self.text.extend_from_slice(if self.any { b"]" } else { b"[]" });
        }
        self.send(session).await
    }

    /// Sends what there is, once what was done so far may be told.
    async fn send(&mut self, session: &Session) -> Result<(), Failure> {
        let piece = Piece::new(std::mem::take(&mut self.text), &session.client.shared);
        let mut gate = Gate::default();
        poll_fn(|cx| gate.poll(cx, session.executor.server, &session.client.shared, false)).await;
        self.sender.send(piece).await.map_err(|_| Failure::Closed)
    }
}

/// An answer that is sent while it is made.
pub struct Pieces {
    work: Option<Work>,
    receiver: mpsc::Receiver<Piece>,
}

impl Pieces {
    /// The next one, made as far as it takes.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, HungUp>>> {
        if let Some(work) = &mut self.work
            && let Poll::Ready(outcome) = work.as_mut().poll(cx)
        {
            self.work = None;
            if outcome.is_err() {
                // Too late to say why: the answer ends before its end.
                return Poll::Ready(Some(Err(HungUp)));
            }
        }
        self.receiver.poll_recv(cx).map(|piece| piece.map(Ok))
    }
}
