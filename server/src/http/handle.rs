//! One request: whether it is in order, what it does, and what comes back.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use protocol::OwnedArgs;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::yield_now;

use super::answer::{Answer, Failure, HungUp, answer, bad, closing, json, refused, stream};
use super::events::Events;
use super::json::{Encoding, Replies, Unreadable, error_text, write_outcome};
use super::request::{self, Format, Route, Target};
use super::session::{Closed, Session};
use super::{auth, dashboard, metrics, patience};
use crate::command::dispatch::Executor;

const PLAIN: &str = "text/plain; charset=utf-8";
/// So many commands of a pipeline are carried out before others have their turn.
const COMMANDS_AT_ONCE: usize = 64;

/// Answers a request, to which there may be an objection. What it fails with closes the connection.
pub async fn handle(
    request: Request<Incoming>,
    objection: Option<&'static str>,
    executor: &'static Executor,
    session: Arc<Mutex<Session>>,
) -> Result<Answer, HungUp> {
    let (head, mut body) = request.into_parts();
    let outcome = match objection {
        Some(text) => Err(Failure::Broken(StatusCode::BAD_REQUEST, text.to_owned())),
        None => respond(&head, &mut body, executor, session).await,
    };
    let failure = match outcome {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    if matches!(failure, Failure::Refused(..)) {
        request::discard_body(&head, &mut body, patience(executor)).await;
    }
    failure.into_answer().ok_or(HungUp)
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
    let Some(user) = auth::session(server, &session.client.shared, &head.headers, target.token.as_deref()) else {
        return refused(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    };
    let format = request::format(&head.headers, target.route)?;
    let limit = usize::try_from(server.config.http_max_body_size()).unwrap_or(usize::MAX);
    let body = request::read_body(head, body, limit, patience(executor)).await?;
    session.begin(user);
    if let Some(database) = request::database(&head.headers) {
        let reply = session.ask(&OwnedArgs::from_iter([&b"SELECT"[..], database])).await?;
        if let Some(error) = error_text(&reply) {
            return bad(error);
        }
        session.reply.clear();
    }
    let answer = match target.route {
        Route::Pipeline => pipeline(&mut session, &request::commands(&body)?, format).await?,
        Route::Transaction => transaction(&mut session, &request::commands(&body)?, format).await?,
        Route::Metrics => metrics::scrape(&mut session).await?,
        Route::Keys => dashboard::keys(&mut session, &request::command(&body)?, format).await?,
        Route::Events => return events(session, &target.command(&body)?).await,
        Route::Command | Route::Health | Route::Dashboard => {
            command(&mut session, &target.command(&body)?, format).await?
        }
    };
    Ok(if session.client.closing { closing(answer) } else { answer })
}

/// One command.
async fn command(session: &mut Session, args: &OwnedArgs, format: Format) -> Result<Answer, Failure> {
    check_lengths(session, std::slice::from_ref(args))?;
    session.call_if_allowed(args.as_args()).await?;
    let bytes = session.reply.to_vec();
    let encoding = match format {
        Format::Json(encoding) => encoding,
        Format::Resp2 => {
            return Ok(resp(status(&bytes), bytes));
        }
    };
    let mut out = Vec::with_capacity(bytes.len() + 16);
    write_outcome(&Replies::new(&bytes).next()?, encoding, &mut out)?;
    Ok(json(status(&bytes), out))
}

/// What stands above the reply to a command.
fn status(reply: &[u8]) -> StatusCode {
    match reply.strip_prefix(b"-") {
        None => StatusCode::OK,
        // It will be another one when the data is there.
        Some(error) if error.starts_with(b"LOADING ") => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

/// Several commands, one after another. Each has an outcome of its own.
async fn pipeline(session: &mut Session, commands: &[OwnedArgs], format: Format) -> Result<Answer, Failure> {
    check_lengths(session, commands)?;
    for (index, args) in commands.iter().enumerate() {
        session.call_if_allowed(args.as_args()).await?;
        if (index + 1) % COMMANDS_AT_ONCE == 0 {
            yield_now().await;
        }
    }
    let bytes = session.reply.to_vec();
    let encoding = match format {
        Format::Json(encoding) => encoding,
        Format::Resp2 => return Ok(resp(StatusCode::OK, bytes)),
    };
    let mut replies = Replies::new(&bytes);
    let outcomes: Result<Vec<_>, _> = commands.iter().map(|_| replies.next()).collect();
    Ok(json(StatusCode::OK, outcomes_as_json(&outcomes?, encoding)?))
}

/// Several commands that happen at one instant, or not at all.
async fn transaction(session: &mut Session, commands: &[OwnedArgs], format: Format) -> Result<Answer, Failure> {
    check_lengths(session, commands)?;
    if let Some(objection) = commands.iter().find_map(|args| session.objection_within_transaction(args.as_args())) {
        return discarded(&String::from_utf8_lossy(objection.text()));
    }
    let begin = OwnedArgs::from_iter(["MULTI"]);
    for args in std::iter::once(&begin).chain(commands) {
        let reply = session.ask(args).await?;
        if let Some(error) = error_text(&reply) {
            return discarded(error);
        }
    }
    let reply = session.ask(&OwnedArgs::from_iter(["EXEC"])).await?;
    if let Some(error) = error_text(&reply) {
        return bad(error);
    }
    let (protocol::ReplyFrame::Array { data: outcomes, .. }, Format::Json(encoding)) = (reply, format) else {
        return Err(Unreadable.into());
    };
    Ok(json(StatusCode::OK, outcomes_as_json(&outcomes, encoding)?))
}

/// A transaction of which nothing was carried out.
fn discarded(reason: &str) -> Result<Answer, Failure> {
    let text = format!("EXECABORT Transaction discarded because of: {}", reason.strip_prefix("ERR ").unwrap_or(reason));
    refused(status(format!("-{reason}").as_bytes()), text)
}

/// An answer without an end.
async fn events(mut session: OwnedMutexGuard<Session>, args: &OwnedArgs) -> Result<Answer, Failure> {
    check_lengths(&session, std::slice::from_ref(args))?;
    session.call(args.as_args()).await?;
    let begun = session.reply.to_vec();
    if begun.starts_with(b"-") {
        return bad(error_text(&Replies::new(&begun).next()?).unwrap_or_default());
    }
    Ok(stream(Events::new(session)))
}

fn outcomes_as_json(outcomes: &[protocol::ReplyFrame], encoding: Encoding) -> Result<Vec<u8>, Unreadable> {
    let mut out = vec![b'['];
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_outcome(outcome, encoding, &mut out)?;
    }
    out.push(b']');
    Ok(out)
}

fn resp(status: StatusCode, bytes: Vec<u8>) -> Answer {
    answer(status, "application/octet-stream", bytes)
}

/// Arguments over HTTP may be no longer than those over RESP.
fn check_lengths(session: &Session, commands: &[OwnedArgs]) -> Result<(), Failure> {
    let most = usize::try_from(session.executor.server.config.proto_max_bulk_len()).unwrap_or(usize::MAX);
    let too_long = commands.iter().flat_map(|args| args.as_args()).any(|arg| arg.len() > most);
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
