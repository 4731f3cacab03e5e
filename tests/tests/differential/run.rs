//! Runs commands on both servers, compares, and finds the fewest that still differ.

use std::io;
use std::path::Path;

use harness::{Connection, Reply, Server, escape};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::generate::{Family, KEYS, Request};

const COMMANDS: usize = 6_000;
/// Commands between two looks at the whole state, after which both start empty again.
const ROUND: usize = 150;

/// What is asked of every key to see whether the servers hold the same.
const QUESTIONS: &[&[&str]] = &[
    &["TYPE", "KEY"],
    &["GET", "KEY"],
    &["EXPIRETIME", "KEY"],
    &["OBJECT", "ENCODING", "KEY"],
    &["STRLEN", "KEY"],
    &["HGETALL", "KEY"],
    &["HLEN", "KEY"],
    &["LRANGE", "KEY", "0", "-1"],
    &["LLEN", "KEY"],
    &["ZRANGE", "KEY", "0", "-1", "WITHSCORES"],
    &["ZCARD", "KEY"],
    &["SMEMBERS", "KEY"],
    &["SCARD", "KEY"],
    &["XINFO", "STREAM", "KEY", "FULL", "COUNT", "0"],
    &["XINFO", "GROUPS", "KEY"],
];

struct Pair {
    ours: Connection,
    theirs: Connection,
}

/// A command to which the servers gave different answers.
struct Difference {
    request: Request,
    ours: Reply,
    theirs: Reply,
}

impl Pair {
    fn call(&mut self, request: &Request) -> io::Result<Option<Difference>> {
        let (ours, theirs) = (self.ours.call(request)?, self.theirs.call(request)?);
        let same = normalised(request, &ours) == normalised(request, &theirs);
        Ok((!same).then(|| Difference { request: request.clone(), ours, theirs }))
    }

    /// As `call`, but order counts too.
    fn call_exactly(&mut self, request: Request) -> io::Result<Option<Difference>> {
        let (ours, theirs) = (self.ours.call(&request)?, self.theirs.call(&request)?);
        Ok((ours.0 != theirs.0).then_some(Difference { request, ours, theirs }))
    }

    /// How many changes each server counts.
    fn changes(&mut self) -> io::Result<[i64; 2]> {
        let mut changes = [0; 2];
        for (connection, changes) in [&mut self.ours, &mut self.theirs].into_iter().zip(&mut changes) {
            let info = connection.call(&["INFO", "persistence"])?;
            let info = String::from_utf8_lossy(info.payload()).into_owned();
            let counted = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
            *changes = counted.and_then(|number| number.trim().parse().ok()).unwrap_or(-1);
        }
        Ok(changes)
    }

    fn reset(&mut self, resp: u8) -> io::Result<()> {
        for connection in [&mut self.ours, &mut self.theirs] {
            for command in [&["HELLO", if resp == 3 { "3" } else { "2" }][..], &["FLUSHALL"], &["SELECT", "0"]] {
                connection.call(command)?;
            }
        }
        Ok(())
    }

    /// Runs commands on empty servers and then reads all state back. Stops at the first difference.
    fn run(&mut self, requests: &[Request], resp: u8) -> io::Result<Option<Difference>> {
        self.reset(resp)?;
        let [ours_before, theirs_before] = self.changes()?;
        for request in requests {
            if let Some(difference) = self.call(request)? {
                return Ok(Some(difference));
            }
        }
        let [ours, theirs] = self.changes()?;
        let word = |word: &str| word.as_bytes().to_vec();
        if ours - ours_before != theirs - theirs_before {
            let told = |changes: i64| Reply(format!("{changes} changes").into_bytes());
            let (ours, theirs) = (told(ours - ours_before), told(theirs - theirs_before));
            return Ok(Some(Difference { request: vec![word("INFO"), word("persistence")], ours, theirs }));
        }
        for key in KEYS {
            for question in QUESTIONS {
                let mut request: Request = question.iter().map(|text| word(text)).collect();
                if let Some(place) = request.iter_mut().find(|part| *part == b"KEY") {
                    *place = key.to_vec();
                }
                if let Some(difference) = self.call(&request)? {
                    return Ok(Some(difference));
                }
            }
            let encoding = self.ours.call(&[&b"OBJECT"[..], b"ENCODING", key])?;
            if encoding.payload().starts_with(b"listpack")
                && let Some(difference) = self.call_exactly(vec![word("HGETALL"), key.to_vec()])?
            {
                return Ok(Some(difference));
            }
        }
        self.call(&vec![word("DBSIZE")])
    }
}

/// What must be equal: where order or the clock make a difference, less than all.
pub fn normalised(request: &Request, reply: &Reply) -> Vec<Vec<u8>> {
    let name = request[0].to_ascii_uppercase();
    // The words of a help text are the server's own.
    if request.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"help")) && !reply.is_error() {
        return Vec::new();
    }
    // Which modules there are, and the version, differ; so does the number of commands.
    if !reply.is_error() && (name == b"HELLO" || name == b"COMMAND" && request.len() <= 2) {
        return Vec::new();
    }
    // Redis shares small integers that were set, but not those that were copied. Here none is shared, and to remember
    // how each came to be would take a bit in every entry for a number that tells users nothing.
    let is_refcount = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"refcount");
    if name == b"OBJECT" && request.get(1).is_some_and(is_refcount) && reply.integer().is_some() {
        return Vec::new();
    }
    let is_id = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"id");
    if name == b"CLIENT" && request.get(1).is_some_and(is_id) && reply.integer().is_some() {
        return Vec::new();
    }
    let sorted = |reply: &Reply| {
        let mut keys: Vec<Vec<u8>> = reply.elements().into_iter().map(|key| key.0).collect();
        keys.sort();
        keys
    };
    // Fields with their values.
    let sorted_pairs = |reply: &Reply| {
        let elements: Vec<Vec<u8>> = reply.elements().into_iter().map(|element| element.0).collect();
        let mut pairs: Vec<Vec<u8>> = elements.chunks(2).map(|pair| pair.concat()).collect();
        pairs.sort();
        pairs
    };
    let has = |word: &[u8]| request.iter().any(|part| part.eq_ignore_ascii_case(word));
    match name.as_slice() {
        b"HGETALL" if !reply.is_error() => sorted_pairs(reply),
        b"HKEYS" | b"HVALS" | b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF" | b"SPOP" if !reply.is_error() => {
            sorted(reply)
        }
        b"ZSCAN" if !reply.is_error() => reply.elements().last().map(sorted_pairs).unwrap_or_default(),
        b"HSCAN" if !reply.is_error() => match reply.elements().last() {
            Some(page) if has(b"novalues") => sorted(page),
            page => page.map(sorted_pairs).unwrap_or_default(),
        },
        // How many, but not which.
        b"HRANDFIELD" | b"SRANDMEMBER" | b"ZRANDMEMBER" if !reply.is_error() => {
            vec![reply.elements().len().to_string().into_bytes()]
        }
        b"HTTL" | b"HPTTL" | b"HEXPIRETIME" | b"HPEXPIRETIME" if !reply.is_error() => {
            // Unix times that were set as such come back as they were.
            let unix_times = if name == b"HEXPIRETIME" { 33_000_000_000.. } else { 33_000_000_000_000.. };
            let told = |reply: &Reply| match reply.integer() {
                Some(number) if number < 0 || unix_times.contains(&number) => number.to_string().into_bytes(),
                _ => b"some time".to_vec(),
            };
            reply.elements().iter().map(told).collect()
        }
        // Of versions of its own, and compressed otherwise.
        b"DUMP" if reply.kind() == b'$' => vec![(reply.0 == b"$-1\r\n").to_string().into_bytes()],
        b"XPENDING" | b"XINFO" if !reply.is_error() => timeless(reply),
        b"KEYS" => sorted(reply),
        b"SSCAN" if !reply.is_error() => reply.elements().last().map(sorted).unwrap_or_default(),
        b"SCAN" if !reply.is_error() => reply.elements().last().map(sorted).unwrap_or_default(),
        b"RANDOMKEY" | b"TIME" | b"LASTSAVE" if !reply.is_error() => Vec::new(),
        // The servers are asked one after the other, so only the kind of answer counts.
        b"TTL" | b"PTTL" | b"EXPIRETIME" | b"PEXPIRETIME" => vec![match reply.integer() {
            Some(number @ ..0) => number.to_string().into_bytes(),
            Some(_) => b"some time".to_vec(),
            None => reply.0.clone(),
        }],
        _ => vec![reply.0.clone()],
    }
}

/// A reply about streams, where nothing but the sign is left of what may be a time.
fn timeless(reply: &Reply) -> Vec<Vec<u8>> {
    let elements = reply.elements();
    if elements.is_empty() {
        return vec![match reply.integer() {
            Some(unix_ms) if unix_ms > 1_000_000_000_000 => b"a time".to_vec(),
            _ => reply.0.clone(),
        }];
    }
    let mut parts = vec![vec![reply.0[0]], elements.len().to_string().into_bytes()];
    let mut is_idle = false;
    for (index, element) in elements.iter().enumerate() {
        // The third of four in XPENDING's list; by name in XINFO CONSUMERS.
        let third = elements.len() == 4 && index == 2 && elements[3].integer().is_some();
        match element.integer() {
            Some(idle) if idle >= 0 && (is_idle || third) => parts.push(b"some time".to_vec()),
            _ => parts.extend(timeless(element)),
        }
        is_idle = matches!(element.payload(), b"idle" | b"inactive");
    }
    parts
}

/// Compares on as many random commands as asked for.
pub fn compare(reference: &Path, family: &Family, resp: u8) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    // What is slow depends on the machine.
    let args = ["--enable-debug-command", "yes", "--slowlog-log-slower-than", "-1", "--sanitize-dump-payload", "yes"];
    let ours = Server::start(binary, &args).map_err(failed)?;
    let theirs = Server::start(reference, &args).map_err(failed)?;
    let mut pair = Pair { ours: ours.connect().map_err(failed)?, theirs: theirs.connect().map_err(failed)? };
    let seed = harness::seed(family.name);
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = harness::env_number("SPINEL_DIFFERENTIAL_COMMANDS", COMMANDS).div_ceil(ROUND);
    for _ in 0..rounds {
        let requests: Vec<Request> = (0..ROUND).map(|_| (family.generate)(&mut random)).collect();
        if let Some(difference) = pair.run(&requests, resp).map_err(failed)? {
            // The servers are asked one after the other: what a millisecond between them has changed is told, but it is
            // no failure unless the same commands differ again.
            let again = (0..3).map(|_| pair.run(&requests, resp)).collect::<io::Result<Vec<_>>>().map_err(failed)?;
            if again.iter().all(Option::is_none) {
                eprintln!("{}: differed once in four runs, {}", family.name, report(&requests, &difference, seed));
                continue;
            }
            let (fewest, difference) = shrink(&mut pair, requests, difference, resp).map_err(failed)?;
            return Err(report(&fewest, &difference, seed));
        }
    }
    Ok(())
}

/// Leaves out whatever is not needed for a difference, in ever smaller pieces. What remains, and how it differed.
fn shrink(
    pair: &mut Pair,
    mut requests: Vec<Request>,
    mut difference: Difference,
    resp: u8,
) -> io::Result<(Vec<Request>, Difference)> {
    let mut piece = requests.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < requests.len() {
            let mut fewer = requests.clone();
            fewer.drain(at..(at + piece).min(requests.len()));
            match pair.run(&fewer, resp)? {
                Some(found) => (requests, difference) = (fewer, found),
                None => at += piece,
            }
        }
        piece /= 2;
    }
    Ok((requests, difference))
}

fn report(requests: &[Request], difference: &Difference, seed: u64) -> String {
    let show =
        |request: &Request| request.iter().map(|arg| format!("\"{}\"", escape(arg))).collect::<Vec<_>>().join(" ");
    let requests: String = requests.iter().map(|request| format!("  {}\n", show(request))).collect();
    let Difference { request, ours, theirs } = difference;
    let (at, ours, theirs) = (show(request), escape(&ours.0), escape(&theirs.0));
    format!("the replies differ (SPINEL_TEST_SEED={seed}):\n{requests}at {at}\n  redis:  {theirs}\n  spinel: {ours}\n")
}
