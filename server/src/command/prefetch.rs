//! Having the processor fetch what requests that arrived together will look at, while none of it is waited for.

use protocol::{Args, RequestReader};
use smallvec::SmallVec;
use storage::{Key, Type};

use crate::client::Client;
use crate::command::dispatch::Executor;

/// Databases with fewer keys are in the processor's cache anyway.
const PREFETCH_FROM: usize = 100_000;
/// So many requests about one collection are worth a look at how big it is.
const PREFETCH_MEMBERS: usize = 4;

impl Executor {
    /// Called now and then: whether the keyspace has outgrown the cache.
    pub fn note_size(&self) {
        if let Some(keys) = self.server.keyspace.about_keys() {
            self.large.set(keys >= PREFETCH_FROM);
        }
    }

    /// Has the processor fetch what a batch of requests will look at, while none of it is waited for.
    pub fn prefetch(&self, client: &Client, batch: &RequestReader) {
        if batch.len() < 2 {
            return;
        }
        let db = client.db();
        self.prefetch_keys((0..batch.len()).map(|index| (db, batch.request(index))));
        self.prefetch_members(client, batch);
    }

    /// Has the processor fetch the entries of the keys that requests are about, each in a database, if there are many.
    pub fn prefetch_keys<'a>(&self, requests: impl Iterator<Item = (usize, Args<'a>)>) {
        if !self.large.get() {
            return;
        }
        // The second argument is the key of nearly every command; for the others a wasted hint is all.
        let keyspace = &self.server.keyspace;
        let keys: SmallVec<[(usize, Key<'_>); 64]> =
            requests.filter_map(|(db, args)| Some((db, keyspace.key(args.get(1)?)))).collect();
        keys.iter().for_each(|(db, key)| keyspace.prefetch_page(*db, key));
        keys.iter().for_each(|(db, key)| keyspace.prefetch_entry(*db, key));
    }

    /// Several requests in a row about the same key are about members of a collection, which may be a big one.
    fn prefetch_members(&self, client: &Client, batch: &RequestReader) {
        const STEP: usize = PREFETCH_MEMBERS - 1;
        let keyspace = &self.server.keyspace;
        let key = |index: usize| if index < batch.len() { batch.request(index).get(1) } else { None };
        let mut first = 0;
        while first + STEP < batch.len() {
            // What is only now and then about the same key is not worth more than this.
            let Some(name) = key(first).filter(|_| key(first) == key(first + STEP)) else {
                first += STEP;
                continue;
            };
            let last = (first..batch.len()).take_while(|index| key(*index) == Some(name)).last().unwrap_or(first);
            keyspace.prefetch_members(client.db(), &keyspace.key(name), |kind| {
                (first..=last).filter_map(|index| member(batch.request(index), kind)).collect()
            });
            first = last + 1;
        }
    }
}

/// Where most commands that are about one member have it: behind the key, or, in a sorted set, behind the score.
fn member<'a>(request: Args<'a>, kind: Type) -> Option<&'a [u8]> {
    let behind_score = if kind == Type::Zset { request.get(3) } else { None };
    behind_score.or_else(|| request.get(2))
}
