//! Commands of the log that are handed over together, and how they are shared out.
//!
//! What is about one key keeps its order, and a command or a transaction with several keys ties their orders together.
//! Keys that are tied together are a group, whose units are in one share, in the order of the log. Units of different
//! groups have no key in common, so nobody can tell which came first.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use protocol::{Args, OwnedArgs};
use storage::Keyspace;

use super::groups::Groups;
use crate::command::keys;
use crate::command::table::Command;
use crate::transaction::Queued;

/// So many units are worth sharing out: fewer between two that may touch any key are carried out in order with these.
const WORTH_SHARING: usize = 256;

struct Request {
    args: Range<usize>,
    command: &'static Command,
}

/// What happens at one instant: a request, or those from MULTI to EXEC.
pub struct Unit {
    requests: Range<usize>,
    /// The database that it begins in.
    pub db: usize,
    /// The hash of one of its keys.
    hash: u64,
}

/// See the module's description.
pub struct Batch {
    /// The name of the file that it comes from.
    pub file: Arc<str>,
    args: OwnedArgs,
    /// Those of all units, and then those of the unit that is not complete yet.
    requests: Vec<Request>,
    units: Vec<Unit>,
    groups: Groups,
    /// There is a unit that may touch any key: how many have come since the last such.
    in_order_since: Option<usize>,
    /// The units of each share, the largest share first, and how many shares were taken.
    shares: Vec<Vec<usize>>,
    taken: AtomicUsize,
}

impl Batch {
    pub fn new(file: Arc<str>) -> Batch {
        Batch {
            file,
            args: OwnedArgs::new(),
            requests: Vec::new(),
            units: Vec::new(),
            groups: Groups::default(),
            in_order_since: None,
            shares: Vec::new(),
            taken: AtomicUsize::new(0),
        }
    }

    /// Is empty again, and keeps the memory.
    pub fn clear(&mut self) {
        self.args.clear();
        self.requests.clear();
        self.units.clear();
        self.groups.clear();
        self.in_order_since = None;
    }

    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Where the arguments of the next request are to be added.
    pub fn args_mut(&mut self) -> &mut OwnedArgs {
        &mut self.args
    }

    /// The arguments that were added since the last request.
    pub fn added(&self) -> Args<'_> {
        self.args.as_args().tail(self.requests_end())
    }

    fn requests_end(&self) -> usize {
        self.requests.last().map_or(0, |last| last.args.end)
    }

    /// What was added is a request of the unit that is not complete yet.
    pub fn add(&mut self, command: &'static Command) {
        let args = self.requests_end()..self.args.as_args().len();
        self.requests.push(Request { args, command });
    }

    fn open(&self) -> Range<usize> {
        self.units.last().map_or(0, |last| last.requests.end)..self.requests.len()
    }

    /// Whether what there is should be carried out before the unit that is not complete yet: that may touch any key,
    /// and would keep others from being shared out.
    pub fn should_go_first(&self) -> bool {
        let worth = self.in_order_since.is_none() && self.units.len() >= WORTH_SHARING;
        worth && self.requests_of(self.open()).any(|(command, args)| may_touch_any_key(command, args))
    }

    /// Whether so much has come since a unit that may touch any key that it is worth sharing out.
    pub fn should_be_shared_again(&self) -> bool {
        self.in_order_since.is_some_and(|since| since >= WORTH_SHARING)
    }

    /// Takes out the unit that is not complete yet.
    pub fn take_open(&mut self) -> Vec<Queued> {
        let open = self.open();
        let taken =
            self.requests_of(open.clone()).map(|(command, args)| Queued { command, args: args.into() }).collect();
        self.requests.truncate(open.start);
        taken
    }

    /// Puts such a unit in.
    pub fn put_open(&mut self, taken: Vec<Queued>) {
        for Queued { command, args } in taken {
            self.args.extend(args.as_args());
            self.add(command);
        }
    }

    /// What was added is a unit, which begins in a database.
    pub fn complete(&mut self, keyspace: &Keyspace, db: usize) {
        let requests = self.open();
        let mut first = None;
        for request in self.requests.get(requests.clone()).unwrap_or_default() {
            let (command, args) = (request.command, self.args.as_args().slice(request.args.clone()));
            let mut tie = |index: usize| {
                let hash = keyspace.hash(args.get(index).unwrap_or_default());
                self.groups.tie(*first.get_or_insert(hash), hash);
            };
            if may_touch_any_key(command, args) {
                self.in_order_since = Some(0);
            } else if let Some(index) = keys::only_place(&command.spec) {
                tie(index);
            } else {
                keys::find(&command.spec, args).unwrap_or_default().iter().for_each(|key| tie(key.index));
            }
        }
        self.in_order_since = self.in_order_since.map(|since| since + 1);
        self.units.push(Unit { requests, db, hash: first.unwrap_or(0) });
    }

    /// Shares the units out in at most so many parts. Answers how many there are.
    pub fn share_out(&mut self, parts: usize) -> usize {
        self.shares.iter_mut().for_each(Vec::clear);
        self.shares.resize_with(parts.max(1), Vec::new);
        for (index, unit) in self.units.iter().enumerate() {
            let part = match self.in_order_since {
                Some(_) => 0,
                None if self.groups.is_empty() => unit.hash as usize % parts,
                None => self.groups.of(unit.hash) as usize % parts,
            };
            self.shares[part].push(index);
        }
        self.shares.sort_by_key(|share| std::cmp::Reverse(share.len()));
        self.taken.store(0, Relaxed);
        self.shares.iter().take_while(|share| !share.is_empty()).count()
    }

    /// The units of the next share that nobody has taken yet, in the order of the log.
    pub fn take_share(&self) -> Option<impl Iterator<Item = &Unit>> {
        let share = self.shares.get(self.taken.fetch_add(1, Relaxed))?;
        Some(share.iter().filter_map(|index| self.units.get(*index)))
    }

    /// The requests of a unit.
    pub fn requests(&self, unit: &Unit) -> impl Iterator<Item = (&'static Command, Args<'_>)> {
        self.requests_of(unit.requests.clone())
    }

    fn requests_of(&self, range: Range<usize>) -> impl Iterator<Item = (&'static Command, Args<'_>)> {
        let requests = self.requests.get(range).unwrap_or_default().iter();
        requests.map(|request| (request.command, self.args.as_args().slice(request.args.clone())))
    }
}

/// Whether a request may touch other keys than those that its arguments name, or none.
fn may_touch_any_key(command: &Command, args: Args<'_>) -> bool {
    let spec = &command.spec;
    let only_steers = spec.immediate || spec.is("select");
    !only_steers && (spec.keys.is_empty() || command.needs_everything(args))
}
