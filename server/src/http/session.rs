//! The client behind a connection of HTTP: carries commands out as a connection of RESP does, but begins anew with each
//! request.

use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use hyper::body::Bytes;
use protocol::{Args, OwnedArgs, Reply, ReplyFrame, Resp};

use super::answer::Failure;
use super::held::Held;
use super::json::Replies;
use crate::acl;
use crate::client::{Client, ReplyMode};
use crate::command::dispatch::{self, Executor};
use crate::command::spec::Flags;
use crate::command::{Command, Error};
use crate::hold::{Hold, Look};
use crate::output_limit::OutputWatch;

/// See the module's description.
pub struct Session {
    pub client: Client,
    pub executor: &'static Executor,
    /// The replies to the request's commands, one for each.
    pub reply: Reply,
    /// Counts these as the client's.
    held: Held,
    hold: Hold,
}

/// The connection is to be closed without a word.
#[derive(Debug)]
pub struct Closed;

/// What is about a connection rather than about data, or makes it hear more or less than one reply for each command.
const OF_CONNECTIONS: [&str; 15] = [
    "auth",
    "client|reply",
    "client|tracking",
    "hello",
    "monitor",
    "psubscribe",
    "psync",
    "punsubscribe",
    "quit",
    "reset",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "unsubscribe",
];

impl Session {
    pub fn new(client: Client, executor: &'static Executor) -> Session {
        // It is nobody to send messages to about other clients' keys.
        client.shared.leaving.store(true, Relaxed);
        let held = Held::output(&client.shared);
        Session { client, executor, reply: Reply::new(Resp::V2), held, hold: Hold::default() }
    }

    /// Forgets all that the request before has set, and acts for somebody else.
    pub fn begin(&mut self, session: acl::Session) {
        self.hold.abandon(self.executor, &mut self.client);
        self.client.start_over(self.executor.server, session);
        self.client.reply_mode = ReplyMode::On;
        self.reply.clear();
        if self.client.shared.mailbox.is_full() {
            // Nobody waits for what came for the request before.
            self.client.shared.mailbox.take(&mut self.reply);
            self.reply.clear();
        }
        self.count_reply();
    }

    /// What the replies take now is what they count for.
    fn count_reply(&mut self) {
        // What stays for the next ones is next to nothing.
        let memory = if self.reply.is_empty() { 0 } else { self.reply.memory() };
        self.held.set(self.reply.len(), memory);
    }

    /// Takes the next part of the replies.
    pub fn next_part(&mut self) -> Option<Bytes> {
        let part = self.reply.take_front();
        self.count_reply();
        part
    }

    /// Takes the replies.
    pub fn replies(&mut self) -> Replies {
        let mut replies = Replies::default();
        while let Some(part) = self.next_part() {
            replies.feed(&part);
        }
        replies
    }

    /// Why a command cannot be carried out over HTTP.
    fn objection(&self, args: Args<'_>) -> Option<Error> {
        let command = self.find(args)?;
        let refused = OF_CONNECTIONS.contains(&command.full_name.as_str());
        refused.then(|| Error::new(format!("ERR Command is not available over HTTP: '{}'", command.full_name)))
    }

    /// Why a command cannot be one of a transaction that is sent as a whole.
    pub fn objection_within_transaction(&self, args: Args<'_>) -> Option<Error> {
        let command = self.find(args)?;
        let refused = command.spec.immediate || command.spec.flags.contains(Flags::NO_MULTI);
        let text = || format!("ERR Command is not available in a transaction: '{}'", command.full_name);
        self.objection(args).or_else(|| refused.then(|| Error::new(text())))
    }

    fn find(&self, args: Args<'_>) -> Option<&'static Command> {
        dispatch::find(&self.executor.server.commands, args).ok()
    }

    /// Carries a command out if it can be one over HTTP.
    pub async fn call_if_allowed(&mut self, args: Args<'_>) -> Result<(), Closed> {
        match self.objection(args) {
            None => self.call(args).await,
            Some(objection) => {
                self.refuse(&objection);
                Ok(())
            }
        }
    }

    /// Replies to what is not carried out.
    pub fn refuse(&mut self, objection: &Error) {
        self.executor.stats.error(objection.code());
        self.reply.error_bytes(objection.text());
    }

    /// Carries a command out, and waits if it does. Its reply stands behind those before.
    pub async fn call(&mut self, args: Args<'_>) -> Result<(), Closed> {
        let executor = self.executor;
        let server = executor.server;
        executor.refresh_clock();
        while self.hold.pause(executor, &mut self.client, args) {
            self.look().await;
        }
        executor.execute(&mut self.client, args, &mut self.reply, server.clock.raw());
        if self.hold.wait(executor, &self.client) {
            while self.hold.is_on() {
                if let Look::Done { spent_nanos, outcome } = self.look().await {
                    executor.finish(&mut self.client, args, spent_nanos, outcome, &mut self.reply);
                }
            }
        }
        server.tracking.broadcast(&server.clients);
        let shared = &self.client.shared;
        shared.commands.fetch_add(1, Relaxed);
        let too_much = OutputWatch::default().is_exceeded(executor, shared, self.reply.len());
        if too_much || shared.is_killed() {
            return Err(Closed);
        }
        self.count_reply();
        Ok(())
    }

    /// Carries a command out and reads its reply, which stands alone.
    pub async fn ask(&mut self, args: &OwnedArgs) -> Result<ReplyFrame, Failure> {
        self.reply.clear();
        self.call(args.as_args()).await?;
        Ok(self.replies().next()?)
    }

    /// The connection is over.
    pub fn close(&mut self) {
        self.hold.abandon(self.executor, &mut self.client);
        self.client.leave(self.executor);
    }

    /// Comes back when something has changed about what holds the client back.
    async fn look(&mut self) -> Look {
        poll_fn(|cx| match self.hold.poll(cx, self.executor, &mut self.client, &mut self.reply) {
            Look::Held => Poll::Pending,
            look => Poll::Ready(look),
        })
        .await
    }
}
