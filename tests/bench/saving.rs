//! What a snapshot costs those who work meanwhile, and how much memory it takes.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Connection, Server, ServerBuilder, proc};
use rand::RngExt;

use super::{CLIENTS, Contender, fill};

pub const NAME: &str = "BGSAVE";

/// How long requests are measured before.
const SPAN: Duration = Duration::from_secs(5);
const VALUE: usize = 64;
/// One request in so many is a SET, the others are GETs.
const READS_PER_WRITE: usize = 4;

/// What requests took during some time.
struct Span {
    p99_ms: f64,
    slowest_ms: f64,
    requests_per_second: f64,
    /// The most resident memory.
    resident: u64,
}

/// Saves so many keys while clients read and change them, and prints how much slower these are than before, and how much
/// memory is needed beside that of the data. The servers may use all cores, which the load uses as well.
pub fn save(contenders: &[Contender], keys: usize) -> io::Result<()> {
    for contender in contenders {
        let server = ServerBuilder::new(&contender.path).args(["--io-threads", "1"]).start()?;
        let value = "x".repeat(VALUE);
        fill(&server, keys, |n| vec!["SET".into(), format!("key:{n:012}"), format!("{n:08}{value}")])?;
        let before = span(&server, keys, &|_| Ok(false))?;
        let started = Instant::now();
        server.connect()?.call(&["BGSAVE"])?;
        let during = span(&server, keys, &|client| Ok(figure(client, "persistence", "rdb_bgsave_in_progress")? == 0))?;
        let seconds = started.elapsed().as_secs_f64();
        let mut client = server.connect()?;
        // What a child has copied is not resident in the server itself.
        let copied = if figure(&mut client, "stats", "total_forks")? > 0 {
            figure(&mut client, "persistence", "rdb_last_cow_size")?
        } else {
            0
        };
        let over = (during.resident + copied) as f64 / before.resident as f64 - 1.0;
        println!(
            "| {NAME} of {keys} | {} | {seconds:.1} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} | {:.1} |",
            contender.name,
            during.p99_ms,
            before.p99_ms,
            during.slowest_ms,
            before.slowest_ms,
            during.requests_per_second,
            before.requests_per_second,
            over * 100.0
        );
    }
    Ok(())
}

/// Has clients send requests, one at a time each, until `is_over`, or for some seconds at least.
fn span(server: &Server, keys: usize, is_over: &dyn Fn(&mut Connection) -> io::Result<bool>) -> io::Result<Span> {
    let (stop, resident) = (AtomicBool::new(false), AtomicU64::new(0));
    let started = Instant::now();
    let latencies = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| work(server, keys, &stop))).collect();
        let watched = watch(server, &resident, started, is_over);
        stop.store(true, Relaxed);
        let latencies: io::Result<Vec<Vec<u32>>> = clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err(io::Error::other("panicked"))))
            .collect();
        watched.and(latencies)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let mut micros = latencies.concat();
    micros.sort_unstable();
    let at =
        |share: f64| micros.get((micros.len() as f64 * share) as usize).or(micros.last()).copied().unwrap_or_default();
    Ok(Span {
        p99_ms: f64::from(at(0.99)) / 1000.0,
        slowest_ms: f64::from(at(1.0)) / 1000.0,
        requests_per_second: micros.len() as f64 / seconds,
        resident: resident.into_inner(),
    })
}

/// Sends requests about random keys. Returns how many microseconds each took.
fn work(server: &Server, keys: usize, stop: &AtomicBool) -> io::Result<Vec<u32>> {
    let (mut client, mut random, mut micros) = (server.connect()?, rand::rng(), Vec::new());
    while !stop.load(Relaxed) {
        let key = format!("key:{:012}", random.random_range(0..keys));
        let begun = Instant::now();
        match random.random_range(0..=READS_PER_WRITE) {
            0 => client.call(&["SET", &key, &"y".repeat(VALUE + 8)])?,
            _ => client.call(&["GET", &key])?,
        };
        micros.push(begun.elapsed().as_micros() as u32);
    }
    Ok(micros)
}

/// Looks at the server's memory until the time has come.
fn watch(
    server: &Server,
    resident: &AtomicU64,
    started: Instant,
    is_over: &dyn Fn(&mut Connection) -> io::Result<bool>,
) -> io::Result<()> {
    let mut client = server.connect()?;
    loop {
        resident.fetch_max(proc::resident_bytes(server.pid())?, Relaxed);
        if is_over(&mut client)? {
            return Ok(());
        }
        // Those who never say so want a span of some length.
        if started.elapsed() > SPAN && figure(&mut client, "persistence", "rdb_bgsave_in_progress")? == 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A number that a section of INFO tells; whole reports would be a load of their own.
fn figure(client: &mut Connection, section: &str, name: &str) -> io::Result<u64> {
    let reply = client.call(&["INFO", section])?;
    let text = String::from_utf8_lossy(reply.payload()).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.parse().ok()).ok_or_else(|| io::Error::other(format!("INFO does not tell {name}")))
}
