//! Compares servers under `redis-benchmark`, on one core each, in interleaved rounds.
//!
//! Quote the ratios: on a shared machine the absolute figures move. CPU time per request is the steadiest of them.

mod clients;
mod documents;
mod hits;
mod pauses;
mod saving;
mod starts;
mod subscribers;
mod workloads;

use std::io;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, ValueEnum};
use harness::{Reply, Server, ServerBuilder, proc};

use subscribers::Subscribers;
use workloads::{DATASETS, Dataset, Requests, Setup, WORKLOADS, Workload};

/// Keys that random requests are spread over.
const KEYS: usize = 1_000_000;
const CLIENTS: usize = 50;
const SERVER_CPU: usize = 0;
const LOAD_CPU: usize = 1;
/// Requests that are sent before their replies are read.
const CHUNK: usize = 1000;

#[derive(Parser)]
#[command(about = "Compares servers: requests per second, CPU per request, latency, bytes per entry")]
struct Options {
    /// A server to measure, as name=path; the last one is what the others are compared with
    #[arg(long = "server", value_name = "NAME=PATH")]
    servers: Vec<String>,
    /// Rounds per workload, of which the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A tenth of the requests and keys, one round
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Instead of single commands, what applications do; takes 8 GB of memory
    #[arg(long)]
    scenario: Option<Scenario>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scenario {
    /// Rankings, sessions, limiters, warming and HTTP as articles about caching have them
    Documents,
}

struct Contender {
    name: String,
    path: PathBuf,
}

/// A server to measure, and whose it is.
struct Running<'a> {
    contender: &'a Contender,
    server: Server,
}

/// What one round showed.
#[derive(Clone, Copy)]
struct Figures {
    requests_per_second: f64,
    cpu_micros: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn main() -> Result<(), String> {
    let mut options = Options::parse();
    if options.quick {
        options.rounds = 1;
    }
    let contenders = contenders(&options.servers)?;
    let scale = if options.quick { 10 } else { 1 };
    if let Some(Scenario::Documents) = options.scenario {
        let rounds = options.rounds;
        return documents::run(&contenders, rounds, scale, &options.only).map_err(|error| error.to_string());
    }
    print_head();
    for workload in WORKLOADS.iter().filter(|workload| workload.name.contains(&options.only)) {
        measure(workload, &contenders, options.rounds, scale).map_err(|error| format!("{}: {error}", workload.name))?;
    }
    println!("\n| data | server | resident bytes per entry | ratio |\n| --- | --- | --- | --- |");
    for dataset in DATASETS.iter().filter(|dataset| dataset.name.contains(&options.only)) {
        weigh(dataset, &contenders, KEYS / scale).map_err(|error| format!("{}: {error}", dataset.name))?;
    }
    if pauses::NAME.contains(&options.only) {
        println!("\n| while | server | slowest PING ms | before ms |\n| --- | --- | --- | --- |");
        pauses::unlink(&contenders, 10 * KEYS / scale).map_err(|error| format!("{}: {error}", pauses::NAME))?;
    }
    if saving::NAME.contains(&options.only) {
        println!(
            "\n| while | server | seconds | p99 ms | before | slowest ms | before | requests/s | before | memory over % |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        saving::save(&contenders, 5 * KEYS / scale).map_err(|error| format!("{}: {error}", saving::NAME))?;
    }
    if hits::NAME.contains(&options.only) {
        println!("\n| policy | server | hit rate % |\n| --- | --- | --- |");
        hits::rate(&contenders, KEYS / scale, 3 * KEYS / scale).map_err(|error| format!("{}: {error}", hits::NAME))?;
    }
    if starts::NAME.contains(&options.only) {
        println!("\n| start with | server | seconds | CPU seconds |\n| --- | --- | --- | --- |");
        starts::load(&contenders, 5 * KEYS / scale).map_err(|error| format!("{}: {error}", starts::NAME))?;
    }
    println!("\n| workers | load | requests/s | CPU us/request | CPU ratio |\n| --- | --- | --- | --- | --- |");
    for workload in WORKLOADS.iter().filter(|load| load.pipeline == 16 && load.name.contains(&options.only)) {
        scale_up(workload, &contenders[0], options.rounds, scale)
            .map_err(|error| format!("workers, {}: {error}", workload.name))?;
    }
    Ok(())
}

fn contenders(given: &[String]) -> Result<Vec<Contender>, String> {
    if given.is_empty() {
        let own = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("spinel-server");
        let reference = Contender { name: "redis".into(), path: "redis-server".into() };
        return Ok(vec![Contender { name: "spinel".into(), path: own }, reference]);
    }
    let parse = |text: &String| {
        let (name, path) = text.split_once('=').ok_or(format!("--server {text}: expected NAME=PATH"))?;
        Ok(Contender { name: name.into(), path: path.into() })
    };
    given.iter().map(parse).collect()
}

/// A contender with one worker, on a core of its own.
fn prepared(contender: &Contender) -> ServerBuilder {
    ServerBuilder::new(&contender.path).args(["--io-threads", "1"]).pin_to(SERVER_CPU)
}

fn start(contender: &Contender) -> io::Result<Server> {
    prepared(contender).start()
}

fn start_all(contenders: &[Contender]) -> io::Result<Vec<Running<'_>>> {
    contenders.iter().map(|contender| Ok(Running { contender, server: start(contender)? })).collect()
}

/// Measures the first contender with one worker and with two, which share all cores with the load: whether workers are
/// in each other's way shows in the CPU time of a request, which should not grow.
fn scale_up(workload: &Workload, contender: &Contender, rounds: usize, scale: usize) -> io::Result<()> {
    let start = |workers| ServerBuilder::new(&contender.path).args(["--io-threads", workers]).start();
    let servers = [start("1")?, start("2")?];
    let keys = KEYS / scale;
    let mut figures = [Vec::new(), Vec::new()];
    let _subscribers = set_up_all(&servers, workload, keys)?;
    for _ in 0..rounds {
        for (server, figures) in servers.iter().zip(&mut figures) {
            figures.push(round(server, workload, workload.count / scale, keys, Load::TwoThreads)?);
        }
    }
    let [one, two] = figures.map(|rounds| median(&rounds));
    for (workers, figures) in [(1, one), (2, two)] {
        println!(
            "| {workers} | {} | {:.0} | {:.2} | {:.2} |",
            workload.name,
            figures.requests_per_second,
            figures.cpu_micros,
            one.cpu_micros / figures.cpu_micros
        );
    }
    Ok(())
}

/// How `redis-benchmark` runs.
#[derive(Clone, Copy)]
enum Load {
    /// On a core of its own.
    Pinned,
    /// Wherever there is room.
    TwoThreads,
}

impl Load {
    fn command(self) -> Command {
        match self {
            Load::Pinned => {
                let mut command = Command::new("taskset");
                command.args(["-c", &LOAD_CPU.to_string(), "redis-benchmark"]);
                command
            }
            Load::TwoThreads => {
                let mut command = Command::new("redis-benchmark");
                command.args(["--threads", "2"]);
                command
            }
        }
    }
}

/// Measures a workload on every contender.
fn measure(workload: &Workload, contenders: &[Contender], rounds: usize, scale: usize) -> io::Result<()> {
    let all = start_all(contenders)?;
    let keys = if workload.size > 1024 { KEYS / 100 } else { KEYS / scale };
    let servers = all.iter().map(|running| &running.server);
    let _subscribers = set_up_all(servers, workload, keys)?;
    compare(workload.name, &all, rounds, |server| round(server, workload, workload.count / scale, keys, Load::Pinned))
}

/// Measures the servers in turn, round by round, and prints a row for each.
fn compare(
    name: &str,
    all: &[Running<'_>],
    rounds: usize,
    round: impl Fn(&Server) -> io::Result<Figures>,
) -> io::Result<()> {
    let mut figures = vec![Vec::new(); all.len()];
    for _ in 0..rounds {
        for (running, figures) in all.iter().zip(&mut figures) {
            figures.push(round(&running.server)?);
        }
    }
    let rows = all.iter().zip(&figures).map(|(running, rounds)| (running.contender, median(rounds)));
    print_rows(name, &rows.collect::<Vec<_>>());
    Ok(())
}

fn print_head() {
    println!("| load | server | requests/s | CPU us/request | p50 ms | p99 ms | CPU ratio | requests ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
}

/// Prints a row for each contender, beside the last of them.
fn print_rows(name: &str, rows: &[(&Contender, Figures)]) {
    let Some((_, reference)) = rows.last() else { return };
    for (contender, figures) in rows {
        println!(
            "| {name} | {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            contender.name,
            figures.requests_per_second,
            figures.cpu_micros,
            figures.p50_ms,
            figures.p99_ms,
            reference.cpu_micros / figures.cpu_micros,
            figures.requests_per_second / reference.requests_per_second,
        );
    }
}

fn set_up_all<'a>(
    servers: impl IntoIterator<Item = &'a Server>,
    workload: &Workload,
    keys: usize,
) -> io::Result<Vec<Option<Subscribers>>> {
    servers.into_iter().map(|server| set_up(server, workload, keys)).collect()
}

/// Gives a server what the workload wants it to have; answers who must stay connected.
fn set_up(server: &Server, workload: &Workload, keys: usize) -> io::Result<Option<Subscribers>> {
    match workload.setup {
        Setup::Nothing => Ok(()),
        Setup::Subscribers(count) => return Subscribers::connect(server, count).map(Some),
        Setup::Strings => fill(server, keys, |n| vec!["SET".into(), format!("key:{n:012}"), "x".repeat(workload.size)]),
        Setup::Commands(count, command) => fill(server, count, command),
        Setup::ManyCommands(millions, command) => fill(server, keys * millions, command),
    }
    .map(|()| None)
}

fn round(server: &Server, workload: &Workload, requests: usize, keys: usize, load: Load) -> io::Result<Figures> {
    // Random numbers go as far as what is there.
    let range = if let Setup::ManyCommands(millions, _) = workload.setup { keys * millions } else { keys };
    let before = proc::cpu_nanos(server.pid())?;
    let output = load
        .command()
        .args(["--csv", "-p", &server.port().to_string()])
        .args(["-n", &requests.to_string(), "-c", &CLIENTS.to_string()])
        .args(["-P", &workload.pipeline.to_string(), "-d", &workload.size.to_string(), "-r", &range.to_string()])
        .args(match workload.requests {
            Requests::Test(test) => vec!["-t", test],
            Requests::Command(command) => command.split(' ').collect(),
        })
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("redis-benchmark and taskset are needed: {error}")))?;
    let cpu = proc::cpu_nanos(server.pid())? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    // The last line: name, requests per second, and average, minimal, p50, p95, p99 and maximal latency.
    let fields: Vec<f64> = text
        .lines()
        .last()
        .unwrap_or_default()
        .rsplit(',')
        .take(7)
        .filter_map(|field| field.trim_matches('"').parse().ok())
        .collect();
    match fields[..] {
        [_, p99_ms, _, p50_ms, _, _, requests_per_second] => {
            Ok(Figures { requests_per_second, cpu_micros: cpu as f64 / 1000.0 / requests as f64, p50_ms, p99_ms })
        }
        _ => Err(io::Error::other(format!("redis-benchmark said: {text}{}", String::from_utf8_lossy(&output.stderr)))),
    }
}

fn median(rounds: &[Figures]) -> Figures {
    let by = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        requests_per_second: by(|figures| figures.requests_per_second),
        cpu_micros: by(|figures| figures.cpu_micros),
        p50_ms: by(|figures| figures.p50_ms),
        p99_ms: by(|figures| figures.p99_ms),
    }
}

/// Loads a dataset into every contender and prints what an entry takes.
fn weigh(dataset: &Dataset, contenders: &[Contender], keys: usize) -> io::Result<()> {
    let mut sizes = Vec::new();
    for contender in contenders {
        let server = start(contender)?;
        // What a server takes for its first requests belongs to none of the keys.
        fill(&server, CHUNK, |n| vec!["SET".into(), format!("warm{n}"), "x".into()])?;
        let before = proc::resident_bytes(server.pid())?;
        fill(&server, keys * dataset.commands, dataset.command)?;
        sizes.push((proc::resident_bytes(server.pid())? - before) as f64 / keys as f64);
    }
    let reference = sizes[sizes.len() - 1];
    for (contender, size) in contenders.iter().zip(&sizes) {
        println!("| {} | {} | {size:.1} | {:.2} |", dataset.name, contender.name, reference / size);
    }
    Ok(())
}

fn fill(server: &Server, keys: usize, command: impl Fn(usize) -> Vec<String>) -> io::Result<()> {
    let mut connection = server.connect()?;
    for first in (0..keys).step_by(CHUNK) {
        let requests: Vec<u8> = (first..(first + CHUNK).min(keys)).flat_map(|n| harness::encode(&command(n))).collect();
        connection.send_bytes(&requests)?;
        for _ in first..(first + CHUNK).min(keys) {
            connection.read().and_then(done)?;
        }
    }
    Ok(())
}

/// An error reply is one here, too.
fn done(reply: Reply) -> io::Result<()> {
    if reply.is_error() { Err(io::Error::other(String::from_utf8_lossy(reply.payload()).into_owned())) } else { Ok(()) }
}
