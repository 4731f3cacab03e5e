//! What applications do with a cache, as articles about caching measure it: a ranking of ten million players, large
//! sessions, a limiter, a cache that is warmed, and the same server over HTTP.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use harness::http::{Answer, HttpConnection};
use harness::{Connection, Server, encode, proc};
use rand::RngExt;
use rand::rngs::SmallRng;

use super::clients::drive;
use super::{
    CHUNK, CLIENTS, Contender, Figures, Running, compare, done, fill, median, prepared, print_head, print_rows, start,
    start_all,
};

const PLAYERS: usize = 10_000_000;
const RANKING: &str = "leaderboard:global";

const SESSIONS: usize = 50_000;
/// Sessions are as large as one of these or in between, in bytes.
const SESSION_SIZES: (usize, usize) = (50 << 10, 200 << 10);
/// Instances of the application, each of which serves one request after another.
const PODS: usize = 8;
const DAY: &str = "86400";

const LIMITED_USERS: usize = 10_000;
/// So many calls of a user are let through within so many milliseconds.
const LIMIT: &str = "100";
const WINDOW_MS: &str = "60000";
/// The times of a user's calls are members of a sorted set; those that have left the window are removed.
const LIMITER: &str = "\
local now, window = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - window)
local calls = redis.call('ZCARD', KEYS[1])
if calls >= tonumber(ARGV[1]) then return {0, 0} end
redis.call('ZADD', KEYS[1], now, now)
redis.call('EXPIRE', KEYS[1], math.ceil(window / 1000))
return {1, ARGV[1] - calls - 1}";

const WARMED: usize = 500_000;
const WARMED_SIZE: usize = 300;

const TOKEN: &str = "secret";

/// Prints the rows whose names contain `only`.
pub fn run(contenders: &[Contender], rounds: usize, scale: usize, only: &str) -> io::Result<()> {
    let wanted = |name: &str| name.contains(only);
    let mut memory = Vec::new();
    print_head();
    if wanted("ranking") {
        ranking(contenders, rounds, scale, &mut memory)?;
    }
    if wanted("sessions") {
        sessions(contenders, rounds, scale, &mut memory)?;
    }
    if wanted("limiter") {
        limiter(contenders, rounds, scale)?;
    }
    if wanted("warming") {
        warming(contenders, rounds, scale)?;
    }
    println!("\n| data | server | resident MB | ratio |\n| --- | --- | --- | --- |");
    memory.iter().for_each(Memory::print);
    if wanted("HTTP") {
        println!("\n| over HTTP | requests/s | CPU us/request | requests per second of CPU | p50 ms | p99 ms |");
        println!("| --- | --- | --- | --- | --- | --- |");
        http(&contenders[0], rounds, scale)?;
    }
    Ok(())
}

/// What the same data takes of each contender.
struct Memory {
    name: String,
    rows: Vec<(String, u64)>,
}

impl Memory {
    fn print(&self) {
        let reference = self.rows.last().map_or(0, |(_, bytes)| *bytes);
        for (server, bytes) in &self.rows {
            println!(
                "| {} | {server} | {:.0} | {:.2} |",
                self.name,
                *bytes as f64 / 1e6,
                reference as f64 / *bytes as f64
            );
        }
    }
}

/// The rank of a player with the score, as a profile shows them, and the first hundred.
fn ranking(contenders: &[Contender], rounds: usize, scale: usize, memory: &mut Vec<Memory>) -> io::Result<()> {
    let players = PLAYERS / scale;
    let all = start_all(contenders)?;
    let mut rows = Vec::new();
    for Running { contender, server } in &all {
        let before = proc::resident_bytes(server.pid())?;
        fill(server, players, |n| {
            vec!["ZADD".into(), RANKING.into(), (n * 7919 % 10_000_019).to_string(), format!("player:{n}")]
        })?;
        rows.push((contender.name.clone(), proc::resident_bytes(server.pid())? - before));
    }
    memory.push(Memory { name: format!("a ranking of {players} players"), rows });
    let requests = 200_000 / scale;
    compare(&format!("rank and score of one of {players} players"), &all, rounds, |server| {
        drive(server, &mut connections(server, CLIENTS)?, requests, |client, random| {
            let player = format!("player:{}", random.random_range(0..players));
            let both = [encode(&["ZREVRANK", RANKING, &player]), encode(&["ZSCORE", RANKING, &player])].concat();
            client.send_bytes(&both)?;
            client.read()?;
            client.read()?;
            Ok(())
        })
    })?;
    compare(&format!("top 100 of {players} players"), &all, rounds, |server| {
        drive(server, &mut connections(server, CLIENTS)?, requests, |client, _| {
            client.call(&["ZREVRANGE", RANKING, "0", "99", "WITHSCORES"])?;
            Ok(())
        })
    })
}

/// What a session store adds to a request of a web application: the session is read before it and written back behind
/// it. One server at a time holds all the sessions.
fn sessions(contenders: &[Contender], rounds: usize, scale: usize, memory: &mut Vec<Memory>) -> io::Result<()> {
    let sessions = SESSIONS / scale;
    let text = "x".repeat(SESSION_SIZES.1);
    let size = |n: usize| SESSION_SIZES.0 + n * 7919 % (SESSION_SIZES.1 - SESSION_SIZES.0 + 1);
    let store = |client: &mut Connection, n: usize| {
        client.call(&["SET", &format!("sess:{n}"), &text[..size(n)], "EX", DAY]).and_then(done)
    };
    let (mut figures, mut rows) = (Vec::new(), Vec::new());
    for contender in contenders {
        let server = start(contender)?;
        let before = proc::resident_bytes(server.pid())?;
        let mut client = server.connect()?;
        for n in 0..sessions {
            store(&mut client, n)?;
        }
        rows.push((contender.name.clone(), proc::resident_bytes(server.pid())? - before));
        let round = |_| {
            drive(&server, &mut connections(&server, PODS)?, 40_000 / scale, |client, random| {
                let n = random.random_range(0..sessions);
                client.call(&["GET", &format!("sess:{n}")])?;
                store(client, n)
            })
        };
        let rounds = (0..rounds).map(round).collect::<io::Result<Vec<_>>>()?;
        figures.push((contender, median(&rounds)));
    }
    let name = format!("one of {sessions} sessions of 50 to 200 KB, read and written");
    print_rows(&name, &figures);
    let data: usize = (0..sessions).map(size).sum();
    memory.push(Memory { name: format!("{sessions} sessions, {:.0} MB of text", data as f64 / 1e6), rows });
    Ok(())
}

/// A window that slides over the times of the last calls, in a script.
fn limiter(contenders: &[Contender], rounds: usize, scale: usize) -> io::Result<()> {
    let all = start_all(contenders)?;
    compare("sliding-window limiter (EVAL)", &all, rounds, |server| {
        drive(server, &mut connections(server, CLIENTS)?, 200_000 / scale, |client, random| {
            let user = format!("ratelimit:{}", random.random_range(0..LIMITED_USERS));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_millis().to_string();
            client.call(&["EVAL", LIMITER, "1", &user, LIMIT, &now, WINDOW_MS]).and_then(done)
        })
    })
}

/// An empty cache that an application fills before it serves anybody, in pipelines.
fn warming(contenders: &[Contender], rounds: usize, scale: usize) -> io::Result<()> {
    let keys = WARMED / scale;
    let value = "x".repeat(WARMED_SIZE);
    let set = |n: usize| encode(&["SET", &format!("tenant:{n}:stats:7d"), &value, "EX", "3600"]);
    let pipelines: Vec<Vec<u8>> =
        (0..keys).step_by(CHUNK).map(|first| (first..first + CHUNK).flat_map(set).collect()).collect();
    let all = start_all(contenders)?;
    compare(&format!("warming {keys} keys, per key (latency of {CHUNK})"), &all, rounds, |server| {
        let mut client = server.connect()?;
        client.call(&["FLUSHALL", "SYNC"]).and_then(done)?;
        let mut left = pipelines.iter();
        let figures = drive(server, &mut [(client, &mut left)], pipelines.len(), |(client, left), _| {
            client.send_bytes(left.next().ok_or(io::ErrorKind::UnexpectedEof)?)?;
            (0..CHUNK).try_for_each(|_| client.read().and_then(done))
        })?;
        let (requests_per_second, cpu_micros) =
            (figures.requests_per_second * CHUNK as f64, figures.cpu_micros / CHUNK as f64);
        Ok(Figures { requests_per_second, cpu_micros, ..figures })
    })
}

/// GETs over connections that stay, as a path and as `@upstash/redis` sends them.
fn http(contender: &Contender, rounds: usize, scale: usize) -> io::Result<()> {
    let server = prepared(contender).free_port("http-port").args(["--http-token", TOKEN]).start()?;
    server.connect()?.call(&["SET", "key", &"x".repeat(64)]).and_then(done)?;
    let token = format!("Authorization: Bearer {TOKEN}");
    let encoding = ["Content-Type: application/json", "Upstash-Encoding: base64", &token];
    let ask = |client: &mut HttpConnection| client.call("GET", "/get/key", &[&token], b"");
    let post = |client: &mut HttpConnection| client.call("POST", "/", &encoding, br#"["get","key"]"#);
    type Request<'a> = &'a (dyn Fn(&mut HttpConnection) -> io::Result<Answer> + Sync);
    let requests: [(&str, Request<'_>); 2] = [("GET /get/key", &ask), ("GET as @upstash/redis sends it", &post)];
    for (name, request) in requests {
        let round = |_| {
            let mut clients = (0..CLIENTS)
                .map(|_| HttpConnection::open(server.port_of("http-port")))
                .collect::<io::Result<Vec<_>>>()?;
            drive(&server, &mut clients, 200_000 / scale, |client, _: &mut SmallRng| {
                let answer = request(client)?;
                if answer.status == 200 { Ok(()) } else { Err(io::Error::other(answer.text())) }
            })
        };
        let figures = median(&(0..rounds).map(round).collect::<io::Result<Vec<_>>>()?);
        println!(
            "| {name} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} |",
            figures.requests_per_second,
            figures.cpu_micros,
            1e6 / figures.cpu_micros,
            figures.p50_ms,
            figures.p99_ms
        );
    }
    Ok(())
}

fn connections(server: &Server, count: usize) -> io::Result<Vec<Connection>> {
    (0..count).map(|_| server.connect()).collect()
}
