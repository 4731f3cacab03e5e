//! Time of a script with two commands, at a host that answers at once: `cargo run --release -p spinel-scripting --example
//! call_speed`.

use std::time::Instant;

use protocol::{Args, Reply, Resp};
use scripting::{Engine, Flow, Functions, Host, LogLevel, Options, Replication};

struct Instantly;

impl Host for Instantly {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Flow {
        match &args[0] {
            b"get" => reply.bulk(b"value"),
            _ => reply.ok(),
        }
        Flow::Continue
    }

    fn interrupted(&mut self) -> Flow {
        Flow::Continue
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn may_call(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_replication(&mut self, _: Replication) {}

    fn error_replied(&mut self, _: &[u8]) {}
}

/// Nanoseconds per call: the least of several runs, as others use the machine, too.
fn measure(mut call: impl FnMut(&mut Reply)) -> f64 {
    const CALLS: u32 = 100_000;
    let mut reply = Reply::new(Resp::V2);
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let start = Instant::now();
        for _ in 0..CALLS {
            call(&mut reply);
            reply.clear();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

fn main() {
    let options = Options { memory_limit: 1 << 30, redis_version: "8.0.2".to_string() };
    let mut engine = Engine::new(&options);
    let keys = || [&b"key:000000000001"[..]].into_iter();
    let args = || [&b"value"[..]].into_iter();
    for (name, script) in [
        ("nothing", "return 1"),
        ("one call", "return redis.call('get', KEYS[1])"),
        ("two calls", "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])"),
        ("cjson", "return cjson.encode(cjson.decode('{\"a\":[1,2,3],\"b\":\"text\"}'))"),
    ] {
        let Ok(sha) = engine.load(script.as_bytes()) else { continue };
        let time = measure(|reply| {
            engine.run(&sha, keys(), args(), &mut Instantly, reply);
        });
        println!("{name}: {time:.0} ns");
    }

    let mut functions = Functions::new(&options);
    let code = b"#!lua name=lib\nredis.register_function('f', function(keys, args)
        redis.call('set', keys[1], args[1]) return redis.call('get', keys[1]) end)";
    if functions.load(code, false, None, &mut Instantly).is_ok() {
        let time = measure(|reply| {
            functions.call(b"f", keys(), args(), &mut Instantly, reply);
        });
        println!("two calls in a function: {time:.0} ns");
    }
}
