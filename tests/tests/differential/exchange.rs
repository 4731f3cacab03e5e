//! Hands values to and fro between Spinel and a real server, by DUMP and RESTORE and in files.
//!
//! Spinel is given random data of all types. What it dumps is restored in both servers, and what the other one dumps of
//! that, too; whatever they are asked of the two keys, they must answer the same. So must they about all keys when the one
//! has loaded the file that the other one has saved.

use std::io;
use std::path::{Path, PathBuf};

use harness::{Connection, Reply, Server, escape};
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::generate::{FAMILIES, KEYS, Request};
use crate::run::normalised;

const ROUNDS: usize = 60;
/// Commands of a round.
const ROUND: usize = 100;

/// The families that make values.
const MAKERS: &[&str] = &["strings", "bitmaps", "hashes", "sets", "lists", "hyperloglog", "zsets", "geo", "streams"];

/// What is asked of a key in both servers.
const QUESTIONS: &[&str] = &[
    "TYPE KEY",
    "GET KEY",
    "HGETALL KEY",
    "LRANGE KEY 0 -1",
    "ZRANGE KEY 0 -1 WITHSCORES",
    "SMEMBERS KEY",
    "XRANGE KEY - +",
    "XINFO STREAM KEY",
    "XPENDING KEY g1 - + 100",
    "XPENDING KEY g2 - + 100",
    "XPENDING KEY g3 - + 100",
];

/// The state of groups, of which 7.0 has another idea.
const GROUPS: &str = "XINFO GROUPS KEY";

/// What a server before 7.4 does not know, or tells in other words.
const LATER_QUESTIONS: &[&str] = &[GROUPS, "OBJECT ENCODING KEY", "XINFO STREAM KEY FULL COUNT 0"];

/// The key under which payloads are restored.
const COPY: &[u8] = b"a copy";

/// A server of another kind.
pub struct Other<'a> {
    pub binary: &'a Path,
    /// Whether its hashes have fields that expire.
    pub expires_fields: bool,
}

pub fn exchange(other: &Other<'_>) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let args = ["--enable-debug-command", "yes"];
    let ours = Server::start(binary, &args).map_err(failed)?;
    let theirs = Server::start(other.binary, &args).map_err(failed)?;
    let seed = harness::seed("exchange");
    let mut pair = Pair {
        ours: ours.connect().map_err(failed)?,
        theirs: theirs.connect().map_err(failed)?,
        our_file: ours.dir().join("dump.rdb"),
        their_file: theirs.dir().join("dump.rdb"),
        expires_fields: other.expires_fields,
    };
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..harness::env_number("SPINEL_EXCHANGE_ROUNDS", ROUNDS) {
        let told = |problem: String| format!("round {round} (SPINEL_TEST_SEED={seed}): {problem}");
        pair.round(&mut random).map_err(|error| told(error.to_string()))?.map_err(told)?;
    }
    Ok(())
}

struct Pair {
    ours: Connection,
    theirs: Connection,
    our_file: PathBuf,
    their_file: PathBuf,
    expires_fields: bool,
}

type Outcome = io::Result<Result<(), String>>;

/// The words of a line.
pub fn words(line: &str) -> Request {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A question about a key.
pub fn about(question: &str, key: &[u8]) -> Request {
    let fill = |word: Vec<u8>| if word == b"KEY" { key.to_vec() } else { word };
    words(question).into_iter().map(fill).collect()
}

impl Pair {
    fn round(&mut self, random: &mut StdRng) -> Outcome {
        for connection in [&mut self.ours, &mut self.theirs] {
            connection.call(&["FLUSHALL"])?;
        }
        let compress = if random.random() { "yes" } else { "no" };
        self.ours.call(&["CONFIG", "SET", "rdbcompression", compress])?;
        let makers: Vec<_> = FAMILIES.iter().filter(|family| MAKERS.contains(&family.name)).collect();
        for _ in 0..ROUND {
            let requests = match makers.choose(random) {
                Some(family) if random.random_ratio(9, 10) => vec![(family.generate)(random)],
                _ => many(random),
            };
            for request in requests {
                self.ours.call(&request)?;
            }
        }
        self.ours.call(&["SELECT", "0"])?;
        for key in KEYS {
            let payload = self.ours.call(&[&b"DUMP"[..], key])?;
            if payload.0 == b"$-1\r\n" {
                continue;
            }
            if let Err(problem) = self.hand_over(key, payload.payload())? {
                return Ok(Err(problem));
            }
        }
        self.ours.call(&[&b"DEL"[..], COPY])?;
        self.exchange_files()
    }

    /// Has the other server load what we save, and us what it saves.
    fn exchange_files(&mut self) -> Outcome {
        let done = |connection: &mut Connection, command: &str| -> Outcome {
            let reply = connection.call(&words(command))?;
            Ok(if reply.0 == b"+OK\r\n" { Ok(()) } else { Err(format!("{command}: {reply:?}")) })
        };
        if let Err(problem) = done(&mut self.ours, "SAVE")? {
            return Ok(Err(problem));
        }
        let knows_it = self.expires_fields || std::fs::read(&self.our_file)?.starts_with(b"REDIS0010");
        if !knows_it {
            return Ok(Ok(()));
        }
        std::fs::copy(&self.our_file, &self.their_file)?;
        let outcome = done(&mut self.theirs, "DEBUG RELOAD NOSAVE")?.and(self.compare_all()?);
        if outcome.is_err() {
            return Ok(outcome);
        }
        if let Err(problem) = done(&mut self.theirs, "SAVE")? {
            return Ok(Err(problem));
        }
        std::fs::copy(&self.their_file, &self.our_file)?;
        Ok(done(&mut self.ours, "DEBUG RELOAD NOSAVE")?.and(self.compare_all()?))
    }

    /// Asks both servers about all keys of all databases.
    fn compare_all(&mut self) -> Outcome {
        for db in ["0", "1"] {
            let mut questions = vec![words("DBSIZE")];
            if self.expires_fields {
                questions.push(words("DEBUG DIGEST"));
            }
            for question in QUESTIONS.iter().chain(&["PEXPIRETIME KEY"]) {
                questions.extend(KEYS.iter().map(|key| about(question, key)));
            }
            for connection in [&mut self.ours, &mut self.theirs] {
                connection.call(&["SELECT", db])?;
            }
            for question in &questions {
                let (ours, theirs) = (self.ours.call(question)?, self.theirs.call(question)?);
                if meaning(question, &ours) != meaning(question, &theirs) {
                    return Ok(Err(report(question, b"", &theirs, &ours)));
                }
            }
        }
        for connection in [&mut self.ours, &mut self.theirs] {
            connection.call(&["SELECT", "0"])?;
        }
        Ok(Ok(()))
    }

    /// Hands the payload of one of our keys over to the other server, and back.
    fn hand_over(&mut self, key: &[u8], payload: &[u8]) -> Outcome {
        let may_differ = !self.expires_fields && payload[payload.len() - 10..].starts_with(&[12, 0]);
        let restored = restore(&mut self.theirs, payload)?;
        if may_differ && restored.is_error() {
            // Nor would it know the file.
            self.ours.call(&[&b"DEL"[..], key])?;
            return Ok(Ok(()));
        }
        if let Err(problem) = self.compare_copies(payload, &restored)? {
            return Ok(Err(problem));
        }
        for question in QUESTIONS.iter().chain(&[GROUPS]) {
            let (original, copy) = (about(question, key), about(question, COPY));
            let (before, after) = (self.ours.call(&original)?, self.ours.call(&copy)?);
            // Errors name the key.
            let are_errors = before.is_error() && after.is_error();
            if !are_errors && meaning(&original, &before) != meaning(&copy, &after) {
                return Ok(Err(report(&original, payload, &before, &after)));
            }
        }
        let back = self.theirs.call(&[&b"DUMP"[..], COPY])?;
        let restored = restore(&mut self.theirs, back.payload())?;
        self.compare_copies(back.payload(), &restored)
    }

    /// Restores a payload here, too, and compares what both have now.
    fn compare_copies(&mut self, payload: &[u8], theirs: &Reply) -> Outcome {
        let ours = restore(&mut self.ours, payload)?;
        let is_ok = ours.0 == b"+OK\r\n" && ours == *theirs;
        if !is_ok {
            return Ok(Err(report(&words("RESTORE"), payload, theirs, &ours)));
        }
        let later = if self.expires_fields { LATER_QUESTIONS } else { &[] };
        let mut questions: Vec<Request> = QUESTIONS.iter().chain(later).map(|text| about(text, COPY)).collect();
        if self.expires_fields {
            let fields = self.ours.call(&about("HKEYS KEY", COPY))?.elements();
            let mut request = about(&format!("HPEXPIRETIME KEY FIELDS {}", fields.len()), COPY);
            request.extend(fields.iter().map(|field| field.payload().to_vec()));
            questions.push(request);
        }
        for question in questions {
            let (ours, theirs) = (self.ours.call(&question)?, self.theirs.call(&question)?);
            if meaning(&question, &ours) != meaning(&question, &theirs) {
                return Ok(Err(report(&question, payload, &theirs, &ours)));
            }
        }
        Ok(Ok(()))
    }
}

fn restore(connection: &mut Connection, payload: &[u8]) -> io::Result<Reply> {
    connection.call(&[b"RESTORE", COPY, b"0", payload, b"REPLACE"])
}

/// What must be equal.
fn meaning(question: &Request, reply: &Reply) -> Vec<Vec<u8>> {
    let mut parts = normalised(question, reply);
    if question[0] == b"ZRANGE" {
        parts = reply.elements().iter().map(|element| element.payload().to_vec()).collect();
        // Redis 7.0 writes more digits than are needed.
        for score in parts.iter_mut().skip(1).step_by(2) {
            let number = std::str::from_utf8(score).ok().and_then(|text| text.parse::<f64>().ok());
            *score = format!("{number:?}").into_bytes();
        }
    }
    parts
}

/// Bytes of a payload that a report shows.
const SHOWN: usize = 600;

fn report(question: &Request, payload: &[u8], expected: &Reply, found: &Reply) -> String {
    let question: Vec<String> = question.iter().map(|word| escape(word)).collect();
    let (question, payload) = (question.join(" "), escape(&payload[..payload.len().min(SHOWN)]));
    format!("{question}\n  of {payload}\n  expected: {expected:?}\n  found:    {found:?}")
}

/// Elements of all kinds, many at once: for collections that have outgrown their small forms.
fn many(random: &mut StdRng) -> Vec<Request> {
    let key = KEYS.choose(random).map(|key| key.to_vec()).unwrap_or_default();
    let count = *[1, 10, 130, 600].choose(random).unwrap_or(&1);
    let style = random.random_range(0..5);
    let mut texts = |count: usize| -> Vec<Vec<u8>> { (0..count).map(|_| text(random, style)).collect() };
    let command = |name: &str, rest: Vec<Vec<u8>>| [vec![name.as_bytes().to_vec(), key.clone()], rest].concat();
    let paired = |first: Vec<Vec<u8>>, second: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        first.into_iter().zip(second).flat_map(|(first, second)| [first, second]).collect()
    };
    let (elements, others) = (texts(count), texts(count));
    let numbers = || -> Vec<Vec<u8>> { (0..count).map(|at| format!("{}", at % 77).into_bytes()).collect() };
    let build = match random.random_range(0..8) {
        0 => vec![command("SET", vec![elements.concat()])],
        1 => vec![command("RPUSH", elements)],
        2 => vec![command("SADD", elements)],
        3 => vec![command("ZADD", paired(numbers(), elements))],
        4 => vec![command("HSET", paired(elements, others))],
        5 => {
            let ttl =
                ["33177117420000", "33177117420777", "33177117000000"].choose(random).copied().unwrap_or_default();
            let some: Vec<Vec<u8>> = elements.iter().take(1 + count / 2).cloned().collect();
            let fields = format!("{ttl} FIELDS {}", some.len());
            vec![command("HSET", paired(elements, others)), command("HPEXPIREAT", [words(&fields), some].concat())]
        }
        6 => vec![command("PFADD", elements)],
        _ => {
            let mut requests = vec![command("XGROUP", Vec::new())];
            requests[0] = [words("XGROUP CREATE"), vec![key.clone()], words("g1 0 MKSTREAM")].concat();
            for (element, other) in elements.into_iter().zip(others) {
                requests.push(command("XADD", vec![b"*".to_vec(), element, other]));
            }
            let read = format!("XREADGROUP GROUP g1 c1 COUNT {} STREAMS", count / 2 + 1);
            requests.push([words(&read), vec![key.clone(), b">".to_vec()]].concat());
            requests.push(command("XTRIM", words("MAXLEN ~ 200")));
            requests
        }
    };
    [vec![command("DEL", Vec::new())], build].concat()
}

/// A text of a style, or now and then of another one.
pub fn text(random: &mut StdRng, style: u32) -> Vec<u8> {
    match style {
        0 => random.random_range(-100_000..100_000i64).to_string().into_bytes(),
        1 => random.random_range(i64::MIN..=i64::MAX).to_string().into_bytes(),
        2 => (0..random.random_range(0..40)).map(|_| random.random()).collect(),
        3 if random.random_ratio(1, 20) => b"a long text ".repeat(random.random_range(1..2000)),
        3 => b"ab".repeat(random.random_range(0..40)),
        _ => {
            let style = random.random_range(0..4);
            text(random, style)
        }
    }
}
