//! The tools that come with Redis: redis-cli in each of its modes, and redis-benchmark.
//!
//! They are taken from beside the reference server that `tests/reference/get` fetches, else from PATH. Where there are
//! none the tests are reported as ignored. Debian's configuration is tried where it is installed and its port is free.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use harness::Server;
use libtest_mimic::{Arguments, Failed, Trial};

type Outcome = Result<(), Failed>;

fn start() -> Result<Server, Failed> {
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    Ok(Server::start(binary, &["--maxmemory-policy", "allkeys-lfu"])?)
}

/// Where the tools are: a path that ends before their names.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/get");
        let output = Command::new(script).arg("--offline").output().ok().filter(|output| output.status.success());
        let server = output.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        let beside = server.and_then(|server| server.parent().map(Path::to_path_buf));
        beside.filter(|dir| dir.join("redis-cli").exists()).unwrap_or_default()
    })
}

/// A tool, told where the server is.
fn tool(name: &str, server: &Server, args: &[&str]) -> Command {
    let mut command = Command::new(tools().join(name));
    command.args(["-h", "127.0.0.1", "-p", &server.port().to_string()]).args(args);
    command
}

/// What a tool prints, given this on its standard input.
fn run(mut command: Command, input: &[u8]) -> Result<String, Failed> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn cli(server: &Server, args: &[&str], input: &[u8]) -> Result<String, Failed> {
    run(tool("redis-cli", server, args), input)
}

fn expect(text: &str, part: &str) -> Outcome {
    if text.contains(part) { Ok(()) } else { Err(format!("expected {part:?} in:\n{text}").into()) }
}

fn equal(text: &str, expected: &str) -> Outcome {
    if text == expected { Ok(()) } else { Err(format!("expected {expected:?}, got {text:?}").into()) }
}

fn lines_of_commands() -> Outcome {
    let server = start()?;
    let text = cli(&server, &[], b"set k 41\nincr k\nget nothing\nset \"a b\" \"x\\ny\"\nkeys a*\nnonsense\n")?;
    equal(&text, "OK\n42\n\nOK\na b\nERR unknown command 'nonsense', with args beginning with: \n\n")
}

fn reply_formats() -> Outcome {
    let server = start()?;
    equal(&cli(&server, &["set", "k", "7"], b"")?, "OK\n")?;
    equal(&cli(&server, &["--no-raw", "get", "k"], b"")?, "\"7\"\n")?;
    equal(&cli(&server, &["--csv", "mget", "k", "none"], b"")?, "\"7\",NULL\n")?;
    equal(&cli(&server, &["-3", "--json", "config", "get", "databases"], b"")?, "{\"databases\":\"16\"}\n")?;
    expect(&cli(&server, &["-3", "--no-raw", "config", "get", "databases"], b"")?, "1# \"databases\" => \"16\"")?;
    equal(&cli(&server, &["-x", "set", "file"], b"from stdin")?, "OK\n")?;
    equal(&cli(&server, &["-n", "3", "-r", "3", "incr", "c"], b"")?, "1\n2\n3\n")
}

fn mass_insertion() -> Outcome {
    let server = start()?;
    let requests: Vec<u8> = (0..20_000)
        .flat_map(|n| harness::encode(&["SET".to_string(), format!("key:{n}"), format!("value {n}")]))
        .collect();
    expect(&cli(&server, &["--pipe"], &requests)?, "errors: 0, replies: 20000")?;
    equal(&cli(&server, &["dbsize"], b"")?, "20000\n")?;
    let mut found: Vec<String> =
        cli(&server, &["--scan", "--pattern", "key:1999?"], b"")?.lines().map(String::from).collect();
    found.sort();
    let expected: Vec<String> = (19_990..20_000).map(|n| format!("key:{n}")).collect();
    if found == expected { Ok(()) } else { Err(format!("found {found:?}").into()) }
}

fn looking_for_large_and_busy_keys() -> Outcome {
    let server = start()?;
    let mut connection = server.connect()?;
    for n in 0..500 {
        connection.call(&["SET".to_string(), format!("key:{n}"), "x".repeat(n)])?;
    }
    for _ in 0..500 {
        connection.call(&["GET", "key:7"])?;
    }
    // Older versions put a second pair of quotes around names.
    let found = |mode| cli(&server, &[mode], b"").map(|text| text.replace('\'', ""));
    let text = found("--bigkeys")?;
    expect(&text, "Sampled 500 keys in the keyspace!")?;
    expect(&text, "\"key:499\" has 499 bytes")?;
    expect(&text, "500 strings with 124750 bytes")?;
    // Sizes in memory come in steps, so that several keys are the biggest.
    expect(&found("--memkeys")?, "Biggest string found \"key:4")?;
    expect(&cli(&server, &["--hotkeys"], b"")?, "keyname: \"key:7\"")
}

fn latency() -> Outcome {
    let server = start()?;
    // Without a terminal it measures for a second and prints the minimum, maximum, mean and count.
    let text = cli(&server, &["--latency"], b"")?;
    let fields = text.split_whitespace().filter(|field| field.parse::<f64>().is_ok()).count();
    if fields == 4 { Ok(()) } else { Err(format!("printed {text:?}").into()) }
}

/// `--stat` prints a line of figures each second for ever: two lines are enough.
fn statistics() -> Outcome {
    let server = start()?;
    server.connect()?.call(&["SET", "k", "v"])?;
    let mut child = tool("redis-cli", &server, &["--stat", "-i", "0.1"]).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    let is_figures = |line: &String| line.starts_with(|first: char| first.is_ascii_digit());
    let figures: Vec<String> = lines.map_while(Result::ok).filter(is_figures).take(2).collect();
    child.kill()?;
    child.wait()?;
    let one_key = |line: &String| line.split_whitespace().next() == Some("1");
    if figures.len() == 2 && figures.iter().all(one_key) { Ok(()) } else { Err(format!("printed {figures:?}").into()) }
}

/// What a person sees who types at the prompt: `script` gives the tool a terminal of its own.
fn at_a_terminal() -> Outcome {
    let server = start()?;
    let cli = tools().join("redis-cli");
    let line = format!("{} -h 127.0.0.1 -p {}", cli.display(), server.port());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "dumb").env("HOME", server.dir());
    let text = run(command, b"select 1\nlpush l a b\nlrange l 0 -1\nhello 3\nconfig get port\nquit\n")?;
    expect(&text, "127.0.0.1")?;
    expect(&text, "[1]> ")?;
    expect(&text, "(integer) 2")?;
    expect(&text, "2) \"a\"")?;
    expect(&text, &format!("1# \"port\" => \"{}\"", server.port()))
}

/// Debian's own configuration, as it is.
const DEBIAN_CONFIG: &str = "/etc/redis/redis.conf";

fn debian_config_fits() -> bool {
    let port_is_free = || std::net::TcpListener::bind("127.0.0.1:6379").is_ok();
    let writable = |dir: &str| {
        let probe = Path::new(dir).join(format!(".spinel-test-{}", std::process::id()));
        std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(&probe)).is_ok()
    };
    let text = std::fs::read_to_string(DEBIAN_CONFIG).unwrap_or_default();
    let directives = ["port 6379", "daemonize yes", "dir /var/lib/redis"];
    directives.iter().all(|directive| text.lines().any(|line| line == *directive))
        && ["/run/redis", "/var/log/redis", "/var/lib/redis"].into_iter().all(writable)
        && port_is_free()
}

fn debian_config() -> Outcome {
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let started = Command::new(binary).arg(DEBIAN_CONFIG).stdin(Stdio::null()).output()?;
    if !started.status.success() {
        return Err(format!("it did not start: {}", String::from_utf8_lossy(&started.stderr)).into());
    }
    // The daemon may not have opened its port yet when its parent leaves.
    let mut attempts = 0;
    let mut connection = loop {
        attempts += 1;
        match harness::Connection::open("127.0.0.1:6379") {
            Ok(connection) => break connection,
            Err(error) if attempts == 200 => return Err(error.into()),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    };
    let info = connection.call(&["INFO", "server"])?;
    connection.send(&["SHUTDOWN", "NOSAVE"])?;
    connection.read_to_close()?;
    expect(&String::from_utf8_lossy(info.payload()), &format!("config_file:{DEBIAN_CONFIG}\r\n"))
}

fn monitor() -> Outcome {
    let server = start()?;
    let mut watching = tool("redis-cli", &server, &["monitor"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(watching.stdout.take().ok_or("no standard output")?).lines();
    let mut next = || lines.next().unwrap_or_else(|| Ok(String::new()));
    equal(&next()?, "OK")?;
    cli(&server, &["-n", "2", "set", "seen", "a\"b"], b"")?;
    // The tool itself asks for databases and documentation before.
    let line = loop {
        let line = next()?;
        if line.is_empty() || line.contains("\"set\"") {
            break line;
        }
    };
    watching.kill()?;
    watching.wait()?;
    expect(&line, "[2 127.0.0.1:")?;
    expect(&line, "\"set\" \"seen\" \"a\\\"b\"")
}

fn benchmark(args: &'static [&'static str], rows: usize) -> impl FnOnce() -> Outcome {
    move || {
        let server = start()?;
        let text = run(tool("redis-benchmark", &server, args), b"")?;
        // Either of CSV, or of -q, which overwrites its lines.
        let csv = |line: &&str| line.starts_with('"') && !line.starts_with("\"test\"");
        let measured = text.lines().filter(|line| csv(line) || line.contains("requests per second")).count();
        if measured == rows { Ok(()) } else { Err(format!("{measured} rows, expected {rows}:\n{text}").into()) }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let installed = |name| {
        Command::new(tools().join(name))
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let missing = !installed("redis-cli") || !installed("redis-benchmark");
    if missing {
        eprintln!("tools: redis-cli and redis-benchmark are not installed; Debian has them in redis-tools");
    }
    // util-linux, which has `script`, is on every Debian; others may have another program of that name.
    let version = Command::new("script").arg("--version").output();
    let no_terminal = !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"));
    let strings = &["--csv", "-t", "ping_inline,ping_mbulk,set,get,incr,mset", "-n", "5000"];
    let quiet = &["-q", "-t", "set,get,incr,mset", "-n", "20000"];
    let piped = &["--csv", "-t", "set,get", "-n", "50000", "-P", "16", "-r", "1000"];
    let threads = &["--csv", "-t", "set,get", "-n", "20000", "--threads", "2"];
    let trials = vec![
        Trial::test("lines_of_commands", lines_of_commands),
        Trial::test("reply_formats", reply_formats),
        Trial::test("mass_insertion", mass_insertion),
        Trial::test("looking_for_large_and_busy_keys", looking_for_large_and_busy_keys),
        Trial::test("latency", latency),
        Trial::test("monitor", monitor),
        Trial::test("statistics", statistics),
        Trial::test("at_a_terminal", at_a_terminal).with_ignored_flag(no_terminal),
        Trial::test("benchmark_of_strings", benchmark(strings, 6)),
        Trial::test("benchmark_without_details", benchmark(quiet, 4)),
        Trial::test("benchmark_with_a_pipeline", benchmark(piped, 2)),
        Trial::test("benchmark_with_threads", benchmark(threads, 2)),
    ];
    let ignored = |trial: Trial| {
        let is_ignored = missing || trial.has_ignored_flag();
        trial.with_ignored_flag(is_ignored)
    };
    let mut trials: Vec<Trial> = trials.into_iter().map(ignored).collect();
    // It takes a package, rights and a port that few machines have to give; the other tests do without.
    if debian_config_fits() {
        trials.push(Trial::test("debian_config", debian_config));
    } else {
        eprintln!("tools: {DEBIAN_CONFIG} is not tried: not installed, not ours to use, or its port is in use");
    }
    libtest_mimic::run(&arguments, trials).exit();
}
