//! An engine, and a host that stops scripts after a while.

use std::cell::RefCell;

use protocol::{Args, Reply, Resp};
use scripting::{Engine, Flow, Host, LogLevel, Options, Replication};

#[derive(Default)]
pub struct Fuzzed {
    asked: usize,
}

impl Host for Fuzzed {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Flow {
        // Whatever the script says is the reply.
        match args.get(1) {
            Some(bytes) => reply.raw(bytes),
            None => reply.null(),
        }
        Flow::Continue
    }

    fn interrupted(&mut self) -> Flow {
        self.asked += 1;
        if self.asked < 5 { Flow::Continue } else { Flow::Kill }
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn may_call(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_replication(&mut self, _: Replication) {}

    fn error_replied(&mut self, _: &[u8]) {}
}

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine::new(&Options {
        memory_limit: 32 << 20,
        redis_version: "8.0.2".to_string(),
    }));
}

/// Runs a script with arguments, and answers its reply.
pub fn eval(script: &[u8], args: &[&[u8]]) -> Vec<u8> {
    ENGINE.with_borrow_mut(|engine| {
        let mut reply = Reply::new(Resp::V3);
        if let Ok(sha) = engine.load(script) {
            engine.run(&sha, [].into_iter(), args.iter().copied(), &mut Fuzzed::default(), &mut reply);
            if engine.len() > 1000 {
                *engine = Engine::new(&Options { memory_limit: 32 << 20, redis_version: "8.0.2".to_string() });
            }
        }
        reply.to_vec()
    })
}
