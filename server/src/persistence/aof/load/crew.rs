//! Who carries the commands of the log out: a hand on each core, or one that holds all shards already.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::Scope;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use protocol::{Args, Reply, ReplyDecoder, ReplyFrame, Resp};
use smallvec::SmallVec;
use storage::View;

use super::batch::{Batch, Unit};
use crate::client::{Client, Peer, Shared};
use crate::command::dispatch::Executor;
use crate::command::table::Command;
use crate::log;
use crate::mail::Bell;
use crate::server::{Server, os_error_text};
use crate::stats::Stats;

/// Shares of a batch for each hand: who is done with one, or has a core for himself, takes another.
const SHARES: usize = 4;

/// So many units ahead the processor fetches what they are about.
const AHEAD: usize = 64;

/// See the module's description.
pub enum Crew<'v> {
    Threads(Threads),
    Here(Box<Hand>, &'v mut View<'static>),
}

/// A batch is carried out while the next one is put together, and no longer.
pub struct Threads {
    hands: Vec<Sender<Arc<Batch>>>,
    /// Whether a hand that is done has got to the end.
    done: Receiver<bool>,
    current: Option<Arc<Batch>>,
    at_work: usize,
}

impl<'v> Crew<'v> {
    /// A thread for each of the server's workers, which ends when nobody can hand it anything any more.
    pub fn start<'s>(server: &'static Server, scope: &'s Scope<'s, '_>) -> Result<Crew<'v>, String> {
        let (told, done) = unbounded();
        let mut hands = Vec::new();
        for number in 0..server.workers {
            let (sender, batches) = bounded::<Arc<Batch>>(1);
            let told = told.clone();
            let work = move || {
                let mut hand = Hand::new(server, number);
                for batch in batches {
                    let outcome = catch_unwind(AssertUnwindSafe(|| hand.carry_out(&batch, None)));
                    // Before it is told: the batch is used again.
                    drop(batch);
                    if told.send(outcome.is_ok()).is_err() {
                        break;
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("replay-{number}")).spawn_scoped(scope, work);
            thread.map_err(|error| format!("Fatal error: can't start a thread: {}", os_error_text(&error)))?;
            hands.push(sender);
        }
        Ok(Crew::Threads(Threads { hands, done, current: None, at_work: 0 }))
    }

    /// Somebody who uses a view that has everything.
    pub fn here(server: &'static Server, view: &'v mut View<'static>) -> Crew<'v> {
        Crew::Here(Box::new(Hand::new(server, 0)), view)
    }

    /// Has a batch carried out, behind all that was handed over before, and leaves an empty one in its place.
    pub fn carry_out(&mut self, batch: &mut Batch) -> Result<(), String> {
        match self {
            Crew::Threads(threads) => threads.carry_out(batch),
            Crew::Here(hand, view) => {
                batch.share_out(1);
                hand.carry_out(batch, Some(view));
                batch.clear();
                Ok(())
            }
        }
    }

    /// Everything, if that is locked.
    pub fn locked(&mut self) -> Option<&mut View<'static>> {
        match self {
            Crew::Threads(_) => None,
            Crew::Here(_, view) => Some(view),
        }
    }

    /// Comes back when all is done.
    pub fn finish(&mut self) -> Result<(), String> {
        match self {
            Crew::Threads(threads) => threads.wait(),
            Crew::Here(..) => Ok(()),
        }
    }
}

impl Threads {
    fn carry_out(&mut self, batch: &mut Batch) -> Result<(), String> {
        let shares = batch.share_out(self.hands.len() * SHARES);
        self.wait()?;
        let mut spare = self.current.take().and_then(Arc::into_inner);
        if let Some(spare) = &mut spare {
            spare.clear();
            spare.file = Arc::clone(&batch.file);
        }
        let spare = spare.unwrap_or_else(|| Batch::new(Arc::clone(&batch.file)));
        let batch = Arc::new(std::mem::replace(batch, spare));
        for hand in self.hands.iter().take(shares) {
            hand.send(Arc::clone(&batch)).map_err(|_| failure())?;
            self.at_work += 1;
        }
        self.current = Some(batch);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), String> {
        while self.at_work > 0 {
            let is_whole = self.done.recv().unwrap_or(false);
            self.at_work -= 1;
            if !is_whole {
                return Err(failure());
            }
        }
        Ok(())
    }
}

fn failure() -> String {
    "Fatal error: carrying out the commands of the append only file failed".into()
}

/// Carries commands out for a client that hears nothing of it.
pub struct Hand {
    server: &'static Server,
    executor: Executor,
    client: Client,
    reply: Reply,
}

impl Hand {
    fn new(server: &'static Server, number: usize) -> Hand {
        let stats = server.aof.replayed.get_or_init(|| Stats::new(server.workers)).worker(number);
        let (_, inbox) = tokio::sync::mpsc::unbounded_channel();
        let shared = Shared::new(u64::MAX, Peer::default(), 0, Bell::default().into());
        Hand {
            server,
            executor: Executor::new(server, stats, inbox),
            client: Client::new(shared.into(), server.acl.server_itself()),
            reply: Reply::new(Resp::V2),
        }
    }

    /// Carries out shares of a batch until there are none left: with all shards, if they are `locked`, or else each unit
    /// with those that it needs.
    fn carry_out(&mut self, batch: &Batch, mut locked: Option<&mut View<'static>>) {
        self.executor.sync_clock();
        self.executor.note_size();
        while let Some(mut units) = batch.take_share() {
            loop {
                let next: SmallVec<[&Unit; AHEAD]> = units.by_ref().take(AHEAD).collect();
                if next.is_empty() {
                    break;
                }
                if locked.is_none() {
                    let requests = next.iter().flat_map(|unit| batch.requests(unit).map(|(_, args)| (unit.db, args)));
                    self.executor.prefetch_keys(requests);
                }
                for unit in next {
                    self.client.select(unit.db);
                    for (command, args) in batch.requests(unit) {
                        self.call(batch, command, args, locked.as_deref_mut());
                    }
                }
            }
        }
        self.server.tracking.broadcast(&self.server.clients);
    }

    fn call(&mut self, batch: &Batch, command: &'static Command, args: Args<'_>, locked: Option<&mut View<'static>>) {
        let errors = self.executor.stats.error_replies.get();
        let failed = self.executor.replay(&mut self.client, locked, command, args, &mut self.reply);
        if failed || self.executor.stats.error_replies.get() != errors {
            self.tell_errors(&batch.file, command, failed);
        }
        self.reply.clear();
    }

    /// A command that fails although it once did not is told of, and the next one carried out. One within a transaction
    /// shows in what that answers.
    #[cold]
    fn tell_errors(&self, file: &str, command: &Command, failed: bool) {
        let reply = self.reply.to_vec();
        let tell = |text: &[u8]| {
            log::warning!(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '{}' after processing the \
                 command '{}' of {file}",
                text.trim_ascii().escape_ascii(),
                command.full_name
            );
        };
        if failed {
            return tell(&reply);
        }
        let mut decoder = ReplyDecoder::default();
        decoder.feed(&reply);
        if let Ok(Some(ReplyFrame::Array { data, .. })) = decoder.next_reply()
            && command.spec.is("exec")
        {
            for reply in data {
                if let ReplyFrame::SimpleError { data, .. } = reply {
                    tell(&[b"-", data.as_bytes()].concat());
                }
            }
        }
    }
}
