//! What both servers write into their append-only logs for the same commands.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::aof::{Command, Tail};
use harness::{Connection, Server, escape};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::generate::{Family, Request};

const COMMANDS: usize = 2_000;
/// Commands after which both servers start empty again.
const ROUND: usize = 50;

/// No upkeep takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is started, and what is read of it.
struct Side {
    server: Server,
    connection: Connection,
    log: Tail,
    /// Clients that wait.
    waiting: Vec<Connection>,
    queues: bool,
}

impl Side {
    fn start(binary: &Path) -> io::Result<Side> {
        let args = ["--enable-debug-command", "yes", "--appendonly", "yes", "--sanitize-dump-payload", "yes"];
        // Otherwise Redis may put off writing.
        let args = [&args[..], &["--appendfsync", "no"]].concat();
        let server = Server::start(binary, &args)?;
        let (connection, log) = (server.connect()?, Tail::of(server.dir())?);
        Ok(Side { server, connection, log, waiting: Vec::new(), queues: false })
    }

    /// Carries a command out and tells what is written down for it.
    fn call(&mut self, request: &Request) -> io::Result<Vec<Command>> {
        let reply = self.connection.call(request)?;
        self.queues = reply.payload() == b"QUEUED" || request[0].eq_ignore_ascii_case(b"multi");
        self.log.read()
    }

    /// Has another client send a command, and goes on when it waits.
    fn wait(&mut self, request: &Request) -> io::Result<()> {
        let mut client = self.server.connect()?;
        client.send(request)?;
        self.waiting.push(client);
        let expected = format!("blocked_clients:{}\r\n", self.waiting.len());
        let end = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(&self.connection.call(&["INFO", "clients"])?.0).contains(&expected) {
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Reads the replies of those who waited, unless it takes the end of a transaction to serve them.
    fn end_waits(&mut self) -> io::Result<()> {
        if self.queues {
            return Ok(());
        }
        self.waiting.drain(..).try_for_each(|mut client| client.read().map(drop))
    }
}

struct Pair {
    ours: Side,
    theirs: Side,
}

impl Pair {
    fn start(reference: &Path) -> io::Result<Pair> {
        let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
        Ok(Pair { ours: Side::start(&binary)?, theirs: Side::start(reference)? })
    }

    /// Both write the same down, but for what is said to differ.
    fn call(&mut self, request: &Request) -> io::Result<Result<(), String>> {
        let (ours, theirs) = (self.ours.call(request)?, self.theirs.call(request)?);
        self.ours.end_waits()?;
        self.theirs.end_waits()?;
        // Those who waited were served behind the reply.
        let ours = [ours, self.ours.log.read()?].concat();
        let theirs = [theirs, self.theirs.log.read()?].concat();
        Ok(compared(request, &ours, &theirs))
    }

    /// Waits until both have written something down of their own accord, which is the same.
    fn wait_for_upkeep(&mut self) -> io::Result<Result<(), String>> {
        let end = Instant::now() + PATIENCE;
        let next = |side: &mut Side| loop {
            let commands = side.log.read()?;
            if !commands.is_empty() {
                break Ok::<_, io::Error>(commands);
            }
            if Instant::now() > end {
                break Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::yield_now();
        };
        let (ours, theirs) = (next(&mut self.ours)?, next(&mut self.theirs)?);
        Ok(compared(&vec![b"upkeep".to_vec()], &ours, &theirs))
    }
}

fn compared(request: &Request, ours: &[Command], theirs: &[Command]) -> Result<(), String> {
    let same = alike(&normalised(ours), &normalised(theirs));
    let show = |command: &Command| escape(&command.join(&b' '));
    let list = |commands: &[Command]| commands.iter().map(show).collect::<Vec<_>>().join("\n  ");
    if same {
        Ok(())
    } else {
        Err(format!("{}\nwritten down here:\n  {}\nthere:\n  {}", show(request), list(ours), list(theirs)))
    }
}

/// What must be equal.
fn normalised(commands: &[Command]) -> Vec<Command> {
    let mut kept: Vec<Command> = commands.iter().map(normalised_command).collect();
    kept.retain(|command| {
        // Where it stands is told differently; what the database is, shows in what was read back.
        let selects = command[0] == b"SELECT";
        // Redis forgets consumers that it has made for nothing.
        let adds_consumer = command[0] == b"XGROUP" && command.get(1).is_some_and(|word| word == b"CREATECONSUMER");
        !selects && !adds_consumer
    });
    // Fields that go together, go one by one in Redis.
    kept.dedup_by(|command, before| {
        let joined = command[0] == b"HDEL" && before[0] == b"HDEL" && command[1] == before[1];
        if joined {
            before.extend(command.drain(2..));
            before[2..].sort();
        }
        joined
    });
    // What is left of a transaction may need none any more.
    if let [multi, one, exec] = kept.as_slice()
        && multi[0] == b"MULTI"
        && exec[0] == b"EXEC"
    {
        kept = vec![one.clone()];
    }
    if kept == [vec![b"MULTI".to_vec()], vec![b"EXEC".to_vec()]] {
        kept.clear();
    }
    kept
}

fn normalised_command(command: &Command) -> Command {
    let mut command: Command = command.iter().map(|argument| argument.to_ascii_uppercase()).collect();
    if command[0] == b"SREM" || command[0] == b"HDEL" {
        command[2..].sort();
    }
    if command[0] == b"XADD" || command[0] == b"XTRIM" {
        // The limit is of no use where everything is said.
        while let Some(at) = command.iter().position(|word| word == b"LIMIT") {
            command.drain(at..(at + 2).min(command.len()));
        }
        // Where nothing is left, there is no first entry.
        let nothing = b"18446744073709551615-18446744073709551615";
        if let Some(at) = command.iter().position(|word| word == nothing).filter(|at| *at >= 2) {
            (command[at - 2], command[at]) = (b"MAXLEN".to_vec(), b"0".to_vec());
        }
        // Redis names the first one that is gone, if its place is still there.
        if let Some(at) = command.iter().position(|word| word == b"=").filter(|at| command[at - 1] == b"MINID") {
            command[at + 1] = b"the first".to_vec();
        }
    }
    command
}

/// Whether commands are the same but for the moment at which the servers were asked.
fn alike(ours: &[Command], theirs: &[Command]) -> bool {
    let same = |(ours, theirs): (&Command, &Command)| {
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(ours, theirs)| ours == theirs || at_once(ours, theirs))
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

/// Whether two arguments are times, or IDs that begin with them, that lie together.
fn at_once(ours: &[u8], theirs: &[u8]) -> bool {
    const APART_MS: u64 = 20_000;
    let parts = |argument: &[u8]| {
        let text = std::str::from_utf8(argument).ok()?;
        let (time, behind) = text.split_once('-').unwrap_or((text, ""));
        let time = time.parse::<u64>().ok().filter(|time| *time > 1_000_000_000_000)?;
        Some((time, behind.to_owned()))
    };
    match (parts(ours), parts(theirs)) {
        (Some((ours, our_rest)), Some((theirs, their_rest))) => {
            ours.abs_diff(theirs) < APART_MS && our_rest.is_empty() == their_rest.is_empty()
        }
        _ => false,
    }
}

/// Compares on random commands.
pub fn compare(reference: &Path, family: &Family) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut pair = Pair::start(reference).map_err(failed)?;
    let seed = harness::seed(family.name);
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = harness::env_number("SPINEL_DIFFERENTIAL_COMMANDS", COMMANDS).div_ceil(ROUND);
    let words = |line: &str| -> Request { line.split(' ').map(|word| word.as_bytes().to_vec()).collect() };
    for _ in 0..rounds {
        for line in ["SELECT 0", "FLUSHALL"] {
            pair.call(&words(line)).map_err(failed)??;
        }
        let mut before = String::new();
        for _ in 0..ROUND {
            let request = (family.generate)(&mut random);
            if is_left_to_chance(&request) {
                continue;
            }
            before.push_str(&format!("{}\n", escape(&request.join(&b' '))));
            let same = pair.call(&request).map_err(failed)?;
            same.map_err(|difference| format!("SPINEL_TEST_SEED={seed}\n{before}{difference}"))?;
        }
    }
    Ok(())
}

/// After that the servers do not hold the same any more; and what Redis says of fields that are not there, is of no use.
fn is_left_to_chance(request: &Request) -> bool {
    let is = |name: &str| request[0].eq_ignore_ascii_case(name.as_bytes());
    is("spop") || is("hgetex")
}

/// Compares on the commands of a table.
pub fn compare_table(reference: &Path) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut pair = Pair::start(reference).map_err(failed)?;
    for line in include_str!("entries.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let failed = |error: io::Error| format!("{line}: {error}");
        if let Some(line) = line.strip_prefix("waits: ") {
            for side in [&mut pair.ours, &mut pair.theirs] {
                side.wait(&words(line)).map_err(failed)?;
            }
            continue;
        }
        if line == "upkeep" {
            pair.wait_for_upkeep().map_err(failed)??;
            continue;
        }
        pair.call(&words(line)).map_err(failed)??;
    }
    Ok(())
}

/// The words of a line; one in double quotes may have blanks in it.
fn words(line: &str) -> Request {
    let mut words = Request::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.as_bytes().to_vec());
        } else {
            words.extend(part.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()));
        }
    }
    words
}
