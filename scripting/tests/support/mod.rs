//! A host with a handful of commands, and a way to run scripts against it.

use std::collections::HashMap;

use protocol::{Args, Reply, Resp};
use scripting::{End, Engine, Flow, Host, LogLevel, Options, Replication};

/// A server in miniature: strings in a map, and a record of what it was told.
#[derive(Default)]
pub struct Mock {
    pub strings: HashMap<Vec<u8>, Vec<u8>>,
    pub calls: Vec<Vec<Vec<u8>>>,
    pub log: Vec<(Option<LogLevel>, Vec<u8>)>,
    pub errors: Vec<Vec<u8>>,
    pub replication: Option<Replication>,
    /// What `interrupted` answers, and how often it was asked.
    pub interrupt: Option<Flow>,
    pub asked: usize,
    /// What the command `stop` answers.
    pub stop: Option<Flow>,
}

impl Host for Mock {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Flow {
        self.calls.push(args.iter().map(<[u8]>::to_vec).collect());
        match (args[0].to_ascii_lowercase().as_slice(), args.len()) {
            (b"echo", 2) => reply.bulk(&args[1]),
            (b"ping", 1) => reply.simple("PONG"),
            (b"set", 3) => {
                self.strings.insert(args[1].to_vec(), args[2].to_vec());
                reply.ok();
            }
            (b"get", 2) => match self.strings.get(&args[1]) {
                Some(value) => reply.bulk(value),
                None => reply.null(),
            },
            (b"raw", 2) => reply.raw(&args[1]),
            (b"panic", 1) => panic!("the command panics"),
            (b"stop", 1) => return self.stop.unwrap_or(Flow::Continue),
            (b"echo" | b"get", _) => reply.error("ERR Wrong number of args calling Redis command from script"),
            _ => reply.error("ERR Unknown Redis command called from script"),
        }
        Flow::Continue
    }

    fn interrupted(&mut self) -> Flow {
        self.asked += 1;
        self.interrupt.unwrap_or(Flow::Continue)
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.log.push((Some(level), line.to_vec()));
    }

    fn may_call(&mut self, args: Args<'_>) -> Option<bool> {
        match &args[0] {
            b"get" => Some(true),
            b"set" => Some(false),
            _ => None,
        }
    }

    fn set_replication(&mut self, replication: Replication) {
        self.replication = Some(replication);
    }

    fn error_replied(&mut self, error: &[u8]) {
        self.errors.push(error.to_vec());
    }
}

pub fn options() -> Options {
    Options { memory_limit: 64 << 20, redis_version: "8.0.2".to_string() }
}

/// Runs a script as EVAL does.
pub fn eval_on(engine: &mut Engine, host: &mut Mock, resp: Resp, script: &[u8]) -> (Option<End>, Vec<u8>) {
    let mut reply = Reply::new(resp);
    let end = match engine.load(script) {
        Ok(sha) => engine.run(&sha, [&b"key"[..]].into_iter(), [&b"a"[..], b"b"].into_iter(), host, &mut reply),
        Err(message) => {
            reply.error_bytes(&[b"ERR ", &message[..]].concat());
            Some(End::Replied)
        }
    };
    (end, reply.to_vec())
}
