//! How many of the reads of a cache find what they look for, when the memory holds a part of all there is.

use std::io;

use harness::{Connection, ServerBuilder};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{CHUNK, Contender};

pub const NAME: &str = "hit rate";

const POLICIES: [&str; 3] = ["allkeys-lru", "allkeys-lfu", "allkeys-random"];
const MEMORY: &str = "100mb";
const VALUE: usize = 200;
/// How unequally keys are read: the `n`th one `n` to this power times less often than the first.
const SKEW: f64 = 0.9;

/// Reads keys as caches are read, a few of them most of the time, stores what is missing, and prints the part of reads
/// that found something, after as many during which the cache filled.
pub fn rate(contenders: &[Contender], keys: usize, reads: usize) -> io::Result<()> {
    let trace = Trace::new(keys);
    for policy in POLICIES {
        for contender in contenders {
            let memory = ["--maxmemory", MEMORY, "--maxmemory-policy", policy, "--io-threads", "1"];
            let server = ServerBuilder::new(&contender.path).args(memory).start()?;
            let mut connection = server.connect()?;
            let mut random = SmallRng::seed_from_u64(1);
            read(&mut connection, &trace, &mut random, reads)?;
            let hits = read(&mut connection, &trace, &mut random, reads)?;
            println!("| {policy} | {} | {:.2} |", contender.name, hits as f64 * 100.0 / reads as f64);
        }
    }
    Ok(())
}

/// Reads so many keys of the trace. Returns how many were there.
fn read(connection: &mut Connection, trace: &Trace, random: &mut SmallRng, reads: usize) -> io::Result<usize> {
    let (value, mut hits) = ("x".repeat(VALUE), 0);
    for first in (0..reads).step_by(CHUNK) {
        let keys: Vec<String> =
            (first..reads.min(first + CHUNK)).map(|_| format!("key:{:012}", trace.next(random))).collect();
        send(connection, keys.iter().map(|key| vec!["GET", key]))?;
        let mut missing = Vec::new();
        for key in &keys {
            if connection.read()?.0 == b"$-1\r\n" { missing.push(key) } else { hits += 1 }
        }
        send(connection, missing.iter().map(|key| vec!["SET", key, &value]))?;
        for _ in missing {
            connection.read()?;
        }
    }
    Ok(hits)
}

fn send<'a>(connection: &mut Connection, commands: impl Iterator<Item = Vec<&'a str>>) -> io::Result<()> {
    connection.send_bytes(&commands.flat_map(|command| harness::encode(&command)).collect::<Vec<u8>>())
}

/// Numbers of keys by chance, low ones more often.
struct Trace {
    /// The weights of all keys up to each.
    sums: Vec<f64>,
}

impl Trace {
    fn new(keys: usize) -> Trace {
        let weights = (1..=keys).map(|n| (n as f64).powf(-SKEW));
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Trace { sums: sums.collect() }
    }

    fn next(&self, random: &mut SmallRng) -> usize {
        let all = self.sums.last().copied().unwrap_or_default();
        let wanted = random.random::<f64>() * all;
        // Neighbours in the order of weights must not be neighbours in the order of names.
        self.sums.partition_point(|sum| *sum < wanted) * 7919 % self.sums.len()
    }
}
