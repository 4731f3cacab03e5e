//! One request: whether it is in order, what it does, and what comes back.

use std::iter;
use std::sync::Arc;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use protocol::OwnedArgs;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::answer::{Answer, Failure, HungUp, answer, bad, closing, outcomes, refused, stream};
use super::commands::Commands;
use super::events::Events;
use super::json::{Unreadable, error_text, outcome};
use super::outgoing::Content;
use super::request::{self, Format, Route, Target};
use super::session::{Closed, Session};
use super::tokens::Token;
use super::{auth, batch, dashboard, metrics, patience, upload};
use crate::command::dispatch::Executor;

const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers a request, to which there may be an objection. What it fails with closes the connection. Of one that is refused
/// the body comes back, if there is more of it: what is known is not told later because somebody sends slowly.
pub async fn handle(
    request: Request<Incoming>,
    objection: Option<&'static str>,
    executor: &'static Executor,
    session: Arc<Mutex<Session>>,
) -> Result<(Answer, Option<Incoming>), HungUp> {
    let (head, mut body) = request.into_parts();
    let outcome = match objection {
        Some(text) => Err(Failure::Broken(StatusCode::BAD_REQUEST, text.to_owned())),
        None => respond(&head, &mut body, executor, session).await,
    };
    let failure = match outcome {
        Ok(answer) => return Ok((answer, None)),
        Err(failure) => failure,
    };
    // A sender that asks first does not send a body that was refused.
    let goes_on = matches!(failure, Failure::Refused(..)) && !head.headers.contains_key(EXPECT);
    let answer = failure.into_answer().ok_or(HungUp)?;
    Ok((answer, (goes_on && !body.is_end_stream()).then_some(body)))
}

async fn respond(
    head: &Parts,
    body: &mut Incoming,
    executor: &'static Executor,
    session: Arc<Mutex<Session>>,
) -> Result<Answer, Failure> {
    let server = executor.server;
    request::check_head(head)?;
    let target = Target::parse(&head.method, &head.uri)?;
    match target.route {
        Route::Health if server.persistence.loading.is_on() => {
            return Ok(answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "loading\n"));
        }
        Route::Health => return Ok(answer(StatusCode::OK, PLAIN, "ok\n")),
        Route::Dashboard => return Ok(dashboard::page()),
        _ => {}
    }
    if auth::is_foreign(&head.headers) {
        return refused(StatusCode::FORBIDDEN, "ERR requests from pages of other sites are not answered");
    }
    if let Some(reason) = auth::may_be_tricked(server, &head.headers) {
        return refused(StatusCode::FORBIDDEN, reason);
    }
    let Ok(mut session) = session.try_lock_owned() else {
        // One request at a time is read from a connection.
        return Err(Failure::Closed);
    };
    let Some(sender) = auth::sender(server, &session.client.shared, &head.headers, target.token.as_deref()) else {
        return refused(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    };
    let format = request::format(&head.headers, target.route)?;
    let limit = usize::try_from(server.config.http_max_body_size()).unwrap_or(usize::MAX);
    let client = Arc::clone(&session.client.shared);
    let body = upload::read_body(head, body, limit, patience(executor), &client).await?;
    session.begin(sender.session);
    if let Some(database) = request::database(&head.headers) {
        let reply = session.ask(&OwnedArgs::from_iter([&b"SELECT"[..], database])).await?;
        if let Some(error) = error_text(&reply) {
            return bad(error);
        }
        session.reply.clear();
    }
    let mut read = Commands::single(&body.bytes, &client);
    let answer = match target.route {
        Route::Pipeline | Route::Transaction => return batch::respond(session, target.route, body, format).await,
        Route::Metrics => metrics::scrape(&mut session).await?,
        Route::Keys => dashboard::keys(&mut session, &request::command(&mut read).await?, format).await?,
        Route::Value => dashboard::value(&mut session, &body.bytes, format).await?,
        Route::Events => return events(session, sender.token, &target.command(&body.bytes, &mut read).await?).await,
        Route::Command | Route::Health | Route::Dashboard => {
            command(&mut session, &target.command(&body.bytes, &mut read).await?, format).await?
        }
    };
    Ok(if session.client.closing { closing(answer) } else { answer })
}

/// One command.
async fn command(session: &mut Session, args: &OwnedArgs, format: Format) -> Result<Answer, Failure> {
    check_lengths(session, args)?;
    session.call_if_allowed(args.as_args()).await?;
    let parts: Vec<Bytes> = iter::from_fn(|| session.next_part()).collect();
    let status = status(parts.first().map_or(&[], |part| part));
    let parts = match format {
        Format::Json(encoding) => outcome(parts, encoding)?,
        Format::Resp2 => parts,
    };
    Ok(outcomes(status, format, Content::Whole(parts)))
}

/// What stands above the reply to a command.
pub fn status(reply: &[u8]) -> StatusCode {
    match reply.strip_prefix(b"-") {
        None => StatusCode::OK,
        // It will be another one when the data is there.
        Some(error) if error.starts_with(b"LOADING ") => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

/// An answer without an end.
async fn events(
    mut session: OwnedMutexGuard<Session>,
    token: Option<Token>,
    args: &OwnedArgs,
) -> Result<Answer, Failure> {
    check_lengths(&session, args)?;
    session.call(args.as_args()).await?;
    if session.reply.whole().is_some_and(|begun| begun.starts_with(b"-")) {
        return bad(error_text(&session.replies().next()?).unwrap_or_default());
    }
    Ok(stream(Events::new(session, token)))
}

/// Arguments over HTTP may be no longer than those over RESP.
pub fn check_lengths(session: &Session, args: &OwnedArgs) -> Result<(), Failure> {
    let most = usize::try_from(session.executor.server.config.proto_max_bulk_len()).unwrap_or(usize::MAX);
    // There may be millions of them.
    let too_long = args.memory() > most && args.as_args().iter().any(|arg| arg.len() > most);
    if too_long {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, format!("ERR an argument is longer than {most} bytes"));
    }
    Ok(())
}

impl From<Closed> for Failure {
    fn from(_: Closed) -> Failure {
        Failure::Closed
    }
}

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Failure {
        Failure::Refused(StatusCode::INTERNAL_SERVER_ERROR, "ERR the reply cannot be written as JSON".to_owned())
    }
}
