//! The slow log: the last commands that took longer than a threshold.

use std::collections::VecDeque;

use protocol::Args;

use crate::client::Client;
use crate::command::Command;
use crate::redact;
use crate::server::unix_ms;

/// Arguments and bytes per argument that an entry keeps.
const MAX_ARGS: usize = 32;
const MAX_BYTES: usize = 128;

/// One slow command.
pub struct Entry {
    pub id: u64,
    /// Unix seconds.
    pub time: i64,
    pub micros: i64,
    pub args: Vec<Vec<u8>>,
    pub addr: String,
    pub name: Vec<u8>,
}

/// Entries, newest first.
#[derive(Default)]
pub struct SlowLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl SlowLog {
    pub fn add(&mut self, command: &Command, args: Args<'_>, micros: i64, client: &Client, max_len: usize) {
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(Entry {
            id,
            time: unix_ms() / 1000,
            micros,
            args: trimmed(args.len(), redact::without_secrets(command, args)),
            addr: client.shared.peer.addr.clone(),
            name: client.shared.name.lock().clone(),
        });
        self.set_max_len(max_len);
    }

    pub fn set_max_len(&mut self, max_len: usize) {
        self.entries.truncate(max_len);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }
}

/// The arguments as an entry keeps them, with a note in place of what is left out.
fn trimmed<'a>(count: usize, args: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let shown = if count > MAX_ARGS { MAX_ARGS - 1 } else { count };
    let mut kept: Vec<Vec<u8>> = args.take(shown).map(trimmed_argument).collect();
    if shown < count {
        kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
    }
    kept
}

fn trimmed_argument(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= MAX_BYTES {
        return arg.to_vec();
    }
    let mut kept = arg[..MAX_BYTES].to_vec();
    kept.extend_from_slice(format!("... ({} more bytes)", arg.len() - MAX_BYTES).as_bytes());
    kept
}

#[cfg(test)]
mod tests {
    use protocol::OwnedArgs;

    use super::*;

    #[test]
    fn long_commands_are_cut() {
        let many: OwnedArgs = (0..40).map(|i| i.to_string()).collect();
        let kept = trimmed(40, many.as_args().iter());
        assert_eq!(kept.len(), 32);
        assert_eq!(kept[31], b"... (9 more arguments)");
        let long: OwnedArgs = ["x".repeat(200)].into_iter().collect();
        assert!(trimmed(1, long.as_args().iter())[0].ends_with(b"x... (72 more bytes)"));
    }
}
