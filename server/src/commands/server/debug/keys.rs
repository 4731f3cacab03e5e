//! Looks at single keys, and makes many.

use std::io::Write;

use storage::{Entry, Event, NewValue, SHARDS, StrRef, Ttl};

use crate::command::{CommandResult, Context, Error};

/// DEBUG OBJECT.
pub(super) fn object(cx: &mut Context<'_>) -> CommandResult {
    let (key, keyspace, now_ms) = (cx.key(2), &cx.server.keyspace, cx.now_ms());
    cx.lock(&[key])?;
    let Some(entry) = cx.db.peek(&key) else { return Err(Error::NO_SUCH_KEY) };
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.address(),
        entry.encoding(),
        serialized_length(entry),
        entry.access(),
        keyspace.access.idle_seconds(entry.access(), now_ms),
    );
    cx.reply.simple(&line);
    Ok(())
}

/// Bytes of a string in a snapshot, without compression: a header of its length and itself, or a small integer. Of a
/// collection the bytes that it takes in memory.
fn serialized_length(entry: Entry<'_>) -> usize {
    let Ok(value) = entry.string() else { return entry.memory() };
    match value {
        StrRef::Int(number) if i8::try_from(number).is_ok() => 2,
        StrRef::Int(number) if i16::try_from(number).is_ok() => 3,
        StrRef::Int(number) if i32::try_from(number).is_ok() => 5,
        value => {
            let length = value.len();
            length
                + match length {
                    0..64 => 1,
                    64..16_384 => 2,
                    16_384..0x1_0000_0000 => 5,
                    _ => 9,
                }
        }
    }
}

/// DEBUG SDSLEN. A key and a short string share one allocation, which is counted for the string; nothing is allocated
/// ahead.
pub(super) fn string_lengths(cx: &mut Context<'_>) -> CommandResult {
    let (key, name) = (cx.key(2), cx.arg(2));
    cx.lock(&[key])?;
    let Some(entry) = cx.db.peek(&key) else { return Err(Error::NO_SUCH_KEY) };
    let Some(value) = entry.string().ok().filter(|value| !matches!(value, StrRef::Int(_))) else {
        return Err(Error::fixed("ERR Not an sds encoded string."));
    };
    cx.reply.simple(&format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: 0, val_sds_len:{}, val_sds_avail:0, val_zmalloc: {}",
        name.len(),
        value.len(),
        entry.memory(),
    ));
    Ok(())
}

/// DEBUG HTSTATS. The tables of all shards count as one.
pub(super) fn table_figures(cx: &mut Context<'_>) -> CommandResult {
    let number = cx.integer(2)?;
    let keyspace = &cx.server.keyspace;
    let db = usize::try_from(number).ok().filter(|db| *db < keyspace.databases());
    let db = db.ok_or(Error::fixed("ERR Out of range database"))?;
    let counts = cx.db.counts(db);
    let mut text = String::from("[Dictionary HT]\n");
    if counts.keys > 0 {
        let (keys, expiring, bytes) = (counts.keys, counts.expiring, cx.db.table_memory(db));
        text.push_str(&format!(
            "Hash table 0 stats (main hash table):\n number of elements: {keys}\n elements that expire: {expiring}\n \
             shards: {SHARDS}\n bytes: {bytes}\n",
        ));
    }
    // Expiries stand with their keys: there is no second table.
    text.push_str("[Expires HT]\n");
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// A subcommand about keys of certain encodings: what they take goes to standard output, or into the reply where
/// `printed` has no words about that. `refusal` is for keys of other encodings.
pub(super) fn describe(
    cx: &mut Context<'_>,
    encodings: &[&str],
    printed: Option<&'static str>,
    refusal: &'static str,
) -> CommandResult {
    let key = cx.key(2);
    cx.lock(&[key])?;
    let Some(entry) = cx.db.peek(&key) else { return Err(Error::NO_SUCH_KEY) };
    if !encodings.contains(&entry.encoding()) {
        return Err(Error::fixed(refusal));
    }
    let figures = format!("{} at {:p}\n bytes: {}\n", entry.encoding(), entry.address(), entry.memory());
    match printed {
        Some(text) => {
            // Where nobody reads, nothing is lost.
            let _ = std::io::stdout().write_all(figures.as_bytes());
            cx.reply.simple(text);
        }
        None => cx.reply.verbatim("txt", figures.as_bytes()),
    }
    Ok(())
}

/// DEBUG POPULATE.
pub(super) fn populate(cx: &mut Context<'_>) -> CommandResult {
    let count = natural(cx, 2)?;
    let size = if cx.args.len() > 4 { natural(cx, 4)? as usize } else { 0 };
    if size as i64 > cx.server.config.proto_max_bulk_len() {
        return Err(Error::STRING_TOO_LONG);
    }
    let prefix = cx.args.get(3).unwrap_or(b"key");
    let keyspace = &cx.server.keyspace;
    cx.lock_all()?;
    let dirty = cx.db.effects.dirty;
    for number in 0..count {
        let name = [prefix, format!(":{number}").as_bytes()].concat();
        let key = keyspace.key(&name);
        if cx.db.exists(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        cx.db.set(&key, NewValue::Str(&value), Ttl::Clear, Event::SET);
    }
    // As in Redis, these keys are for trying things out: no save point counts them, and they are in no log.
    cx.db.effects.dirty = dirty;
    cx.reply.ok();
    Ok(())
}

fn natural(cx: &Context<'_>, index: usize) -> Result<i64, Error> {
    let number = protocol::parse_i64(cx.arg(index)).filter(|number| *number >= 0);
    number.ok_or(Error::fixed("ERR value is out of range, must be positive"))
}
