//! Scripts whose replies were recorded from Redis 8.0.
//!
//! `snippets/*.txt` holds scripts, each followed by its reply in RESP2 and RESP3. With `REDIS_SERVER` set to a
//! redis-server of that version the replies are compared with what it says, and recorded with `RECORD` set, too.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use protocol::Resp;
use scripting::Engine;
use support::{Mock, eval_on, options};

/// A script and what Redis replies to it.
struct Snippet {
    script: String,
    resp2: String,
    resp3: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snippets");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// Paragraphs: the lines of a script, then `2> reply` and `3> reply`, escaped.
fn read(path: &Path) -> Vec<Snippet> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut snippets = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let reply =
            |prefix: &str| paragraph.lines().find_map(|line| line.strip_prefix(prefix)).unwrap_or_default().to_string();
        let script: Vec<_> =
            paragraph.lines().filter(|line| !line.starts_with("2> ") && !line.starts_with("3> ")).collect();
        snippets.push(Snippet { script: script.join("\n"), resp2: reply("2> "), resp3: reply("3> ") });
    }
    snippets
}

fn ours(script: &str, resp: Resp) -> String {
    // Each script has an engine of its own, since settings and random numbers stay from one to the next.
    let (_, reply) = eval_on(&mut Engine::new(&options()), &mut Mock::default(), resp, script.as_bytes());
    reply.escape_ascii().to_string()
}

#[test]
fn replies_are_those_of_redis() {
    let mut differences = Vec::new();
    let mut count = 0;
    for path in files() {
        for snippet in read(&path) {
            for (resp, expected) in [(Resp::V2, &snippet.resp2), (Resp::V3, &snippet.resp3)] {
                count += 1;
                let found = ours(&snippet.script, resp);
                if found != *expected {
                    differences
                        .push(format!("{}\n  {resp:?} redis {expected}\n  {resp:?} ours  {found}\n", snippet.script));
                }
            }
        }
    }
    assert!(count > 100, "only {count} replies were compared");
    assert!(differences.is_empty(), "{} of {count} differ:\n{}", differences.len(), differences.join("\n"));
}

/// A server that ends with the test.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server(child, port);
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{program} does not start");
}

/// Reads one reply, byte for byte.
fn read_reply(stream: &mut impl BufRead, into: &mut Vec<u8>) {
    let start = into.len();
    stream.read_until(b'\n', into).unwrap();
    let line = String::from_utf8_lossy(&into[start..]).trim_end().to_string();
    let (kind, rest) = line.split_at(1);
    let count = rest.parse::<i64>().unwrap_or(0);
    match kind {
        "$" | "=" if count >= 0 => {
            let mut bytes = vec![0; count as usize + 2];
            stream.read_exact(&mut bytes).unwrap();
            into.extend(bytes);
        }
        "*" | "~" | ">" => (0..count).for_each(|_| read_reply(stream, into)),
        "%" => (0..2 * count).for_each(|_| read_reply(stream, into)),
        _ => {}
    }
}

fn request(stream: &mut TcpStream, args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend_from_slice(arg);
        bytes.extend(b"\r\n");
    }
    stream.write_all(&bytes).unwrap();
    let mut reply = Vec::new();
    read_reply(&mut BufReader::new(stream), &mut reply);
    reply
}

#[test]
fn recorded_replies_are_still_those_of_the_server() {
    let Ok(program) = std::env::var("REDIS_SERVER") else { return };
    let server = start(&program);
    let mut differences = Vec::new();
    for path in files() {
        let mut snippets = read(&path);
        for snippet in &mut snippets {
            let theirs = |version: &[u8]| {
                let mut stream = TcpStream::connect(("127.0.0.1", server.1)).unwrap();
                request(&mut stream, &[b"HELLO", version]);
                request(&mut stream, &[b"FLUSHALL"]);
                request(&mut stream, &[b"SCRIPT", b"FLUSH", b"SYNC"]);
                request(&mut stream, &[b"EVAL", snippet.script.as_bytes(), b"1", b"key", b"a", b"b"])
                    .escape_ascii()
                    .to_string()
            };
            let (resp2, resp3) = (theirs(b"2"), theirs(b"3"));
            if (&resp2, &resp3) != (&snippet.resp2, &snippet.resp3) {
                differences.push(format!("{}\n  recorded {}\n  redis    {resp2}\n", snippet.script, snippet.resp2));
            }
            (snippet.resp2, snippet.resp3) = (resp2, resp3);
        }
        if std::env::var_os("RECORD").is_some() {
            let text: Vec<_> = snippets
                .iter()
                .map(|snippet| format!("{}\n2> {}\n3> {}\n", snippet.script, snippet.resp2, snippet.resp3))
                .collect();
            std::fs::write(&path, text.join("\n")).unwrap();
            differences.clear();
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
