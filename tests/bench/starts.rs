//! How quickly a server starts with data: from a snapshot that the last contender has written.

use std::fs;
use std::io;
use std::time::Instant;

use harness::{ServerBuilder, encode, proc};

use super::{CHUNK, Contender};

pub const NAME: &str = "start";

const ROUNDS: usize = 3;
const VALUE: &str = "0123456789012345678901234567890123456789012345678901234567890123";

/// Has the last contender save keys of all types, starts each with that file on all cores, and prints the best of some
/// starts: on a shared machine the others tell of the neighbours.
pub fn load(contenders: &[Contender], keys: usize) -> io::Result<()> {
    let Some(reference) = contenders.last() else { return Ok(()) };
    let writer = ServerBuilder::new(&reference.path).start()?;
    let mut connection = writer.connect()?;
    for first in (0..keys).step_by(CHUNK) {
        let chunk: Vec<u8> = (first..keys.min(first + CHUNK)).flat_map(|n| encode(&command(n))).collect();
        connection.send_bytes(&chunk)?;
        for _ in first..keys.min(first + CHUNK) {
            connection.read()?;
        }
    }
    connection.call(&["SAVE"])?;
    let file = writer.dir().join("dump.rdb");
    let dir = tempfile::tempdir()?;
    fs::copy(file, dir.path().join("dump.rdb"))?;
    drop(writer);
    for contender in contenders {
        let builder = ServerBuilder::new(&contender.path).arg("--dir").arg(dir.path());
        let (mut seconds, mut cpu_seconds) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let server = builder.start()?;
            seconds = seconds.min(begun.elapsed().as_secs_f64());
            cpu_seconds = cpu_seconds.min(proc::cpu_nanos(server.pid())? as f64 / 1e9);
        }
        println!("| {keys} keys | {} | {seconds:.2} | {cpu_seconds:.2} |", contender.name);
    }
    Ok(())
}

/// What makes a key: half of them strings, the others small collections.
fn command(number: usize) -> Vec<String> {
    let key = format!("key:{number:012}");
    let words = |name: &str, rest: &[String]| [&[name.to_owned(), key.clone()], rest].concat();
    let (n, m) = (number.to_string(), format!("member{number}"));
    match number % 10 {
        0..5 => words("SET", &[VALUE.to_owned()]),
        5 => words("SET", &[n, "EX".into(), "1000000".into()]),
        6 => words("HSET", &["name".into(), m, "age".into(), n]),
        7 => words("RPUSH", &[m, n]),
        8 => words("ZADD", &[n, m]),
        _ => words("SADD", &[n, (number + 1).to_string()]),
    }
}
