//! Hashes of data that are the same for the same data, whatever order the keys come in and on whatever server, Redis
//! included: SHA-1 over each part, joined by exclusive or where order must not count.

use protocol::DoubleText;
use sha1::{Digest as _, Sha1};
use storage::{Entry, Value, View};

use crate::command::{CommandResult, Context};

#[derive(Clone, Copy, Default)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds something of which only the presence counts.
    fn add(&mut self, bytes: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(bytes).into();
        self.0.iter_mut().zip(hash).for_each(|(byte, hash)| *byte ^= hash);
    }

    fn add_digest(&mut self, other: Digest) {
        self.add(&other.0);
    }

    /// Adds something that comes behind what was added before.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Adds a value with its type and whether it expires.
    fn value(&mut self, entry: &Entry<'_>) {
        let (kind, digits) = (entry.kind() as u32, &mut itoa::Buffer::new());
        self.mix(&kind.to_be_bytes());
        match entry.value() {
            Value::Str(string) => self.mix(string.bytes(digits)),
            Value::List(list) => list.iter().for_each(|element| self.mix(element.bytes(digits))),
            Value::Set(set) => set.iter().for_each(|member| self.add(member.bytes(digits))),
            Value::Zset(zset) => {
                for (member, score) in zset.iter() {
                    let mut element = Digest::default();
                    element.mix(member.bytes(digits));
                    element.mix(DoubleText::shortest(score).as_bytes());
                    self.add_digest(element);
                }
            }
            Value::Hash(hash) => {
                for (field, value, _) in hash.iter() {
                    let mut element = Digest::default();
                    element.mix(field.bytes(digits));
                    element.mix(value.bytes(digits));
                    self.add_digest(element);
                }
            }
            Value::Stream(stream) => {
                for entry in stream.entries().iter() {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    for (name, value) in entry.fields() {
                        self.mix(name.bytes(digits));
                        self.mix(value.bytes(digits));
                    }
                }
            }
        }
        if entry.expiry().is_some() {
            self.add(b"!!expire!!");
        }
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// DEBUG DIGEST.
pub(super) fn dataset(cx: &mut Context<'_>) -> CommandResult {
    cx.lock_all()?;
    let mut total = Digest::default();
    for db in 0..cx.server.keyspace.databases() {
        cx.db.select(db);
        add_database(&mut total, cx.db);
    }
    cx.reply.simple(&total.hex());
    Ok(())
}

fn add_database(total: &mut Digest, view: &mut View<'_>) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    view.for_each_key(|name| names.push(name.to_vec()));
    if names.is_empty() {
        return;
    }
    total.mix(&(view.db() as u32).to_be_bytes());
    for name in names {
        let key = view.keyspace().key(&name);
        if let Some(entry) = view.peek(&key) {
            let mut digest = Digest::default();
            digest.mix(&name);
            digest.value(&entry);
            total.add(&digest.0);
        }
    }
}

/// DEBUG DIGEST-VALUE.
pub(super) fn values(cx: &mut Context<'_>) -> CommandResult {
    let keyspace = &cx.server.keyspace;
    let names = cx.args.tail(2);
    let keys: Vec<_> = names.iter().map(|name| keyspace.key(name)).collect();
    cx.lock(&keys)?;
    cx.reply.array(keys.len());
    for key in &keys {
        let mut digest = Digest::default();
        if let Some(entry) = cx.db.peek(key) {
            digest.value(&entry);
        }
        cx.reply.simple(&digest.hex());
    }
    Ok(())
}
