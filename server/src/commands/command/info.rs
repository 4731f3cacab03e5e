//! COMMAND INFO: how commands may be called.

use protocol::Reply;

use super::{NAMES, subcommand};
use crate::command::spec::{BeginSearch, FindKeys};
use crate::command::{Command, CommandResult, CommandTable, Context, Group, KeySpec, Spec};

pub(super) const INFO: Spec = subcommand(Spec::new("info", -2, info))
    .doc(
        Group::Server,
        "2.8.13",
        "O(N) where N is the number of commands asked for.",
        "Tells how commands may be called.",
    )
    .tips(&["nondeterministic_output_order"])
    .history(&[("7.0.0", "Without names, it describes all commands.")])
    .args(NAMES);

fn info(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() == 2 {
        return all(cx);
    }
    let names = cx.args.tail(2);
    cx.reply.array(names.len());
    for name in names {
        match by_full_name(&cx.server.commands, name) {
            Some(command) => write_info(cx.reply, command),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

/// COMMAND without a subcommand.
pub(super) fn all(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(cx.server.commands.len());
    for command in cx.server.commands.iter() {
        write_info(cx.reply, command);
    }
    Ok(())
}

/// Finds a command by its name or, with a bar between them, a subcommand by both of its names.
pub(super) fn by_full_name(commands: &CommandTable, name: &[u8]) -> Option<&'static Command> {
    let mut parts = name.split(|byte| *byte == b'|');
    let command = commands.get(parts.next()?)?;
    match (parts.next(), parts.next()) {
        (None, _) => Some(command),
        (Some(subcommand), None) => command.subcommand(subcommand),
        _ => None,
    }
}

fn write_info(reply: &mut Reply, command: &Command) {
    let spec = &command.spec;
    let range = LegacyRange::of(spec.keys);
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.integer(i64::from(spec.arity));
    write_names(reply, "", spec.flags.names());
    for place in [range.first, range.last, range.step] {
        reply.integer(i64::from(place));
    }
    write_names(reply, "@", spec.all_categories().names());
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(spec.keys.len());
    for key_spec in spec.keys {
        write_key_spec(reply, key_spec);
    }
    // RESP3's kind of aggregate really depends on whether there are any.
    match command.subcommands.len() {
        0 => reply.set(0),
        count => reply.array(count),
    }
    for subcommand in command.subcommands.commands() {
        write_info(reply, subcommand);
    }
}

/// Writes a set of names, each a status.
pub(super) fn write_names(reply: &mut Reply, prefix: &str, names: impl Iterator<Item = &'static str>) {
    let header = reply.defer();
    let mut count = 0;
    for name in names {
        reply.simple(&format!("{prefix}{name}"));
        count += 1;
    }
    reply.end_set(header, count);
}

fn write_key_spec(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_names(reply, "", spec.flags.names());
    reply.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Index(index) => {
            write_method(reply, "index", 1);
            write_number(reply, "index", index);
        }
        BeginSearch::Keyword(word, from) => {
            write_method(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            write_number(reply, "startfrom", from);
        }
        BeginSearch::Unknown => write_method(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            write_method(reply, "range", 3);
            write_number(reply, "lastkey", last);
            write_number(reply, "keystep", step);
            write_number(reply, "limit", limit);
        }
        FindKeys::KeyNum { count, first, step } => {
            write_method(reply, "keynum", 3);
            write_number(reply, "keynumidx", count);
            write_number(reply, "firstkey", first);
            write_number(reply, "keystep", step);
        }
        FindKeys::Unknown => write_method(reply, "unknown", 0),
    }
}

/// Opens the description of one half of a key specification, which goes on with `fields` fields.
fn write_method(reply: &mut Reply, name: &str, fields: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(name.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

fn write_number(reply: &mut Reply, name: &str, number: i32) {
    reply.bulk(name.as_bytes());
    reply.integer(i64::from(number));
}

/// First key, last key and step: what clients knew about keys before there were key specifications. The last one counts
/// from the end where it is negative.
#[derive(Default)]
struct LegacyRange {
    first: i32,
    last: i32,
    step: i32,
}

impl LegacyRange {
    /// A single specification says all three. Of several, those that stand side by side make up one range.
    fn of(specs: &[KeySpec]) -> LegacyRange {
        let ranges = || specs.iter().filter_map(absolute_range);
        if let [_] = specs {
            return ranges().next().unwrap_or_default();
        }
        let mut whole: Option<LegacyRange> = None;
        for range in ranges().filter(|range| range.step == 1) {
            whole = match whole {
                None => Some(range),
                Some(before) if before.last == range.first - 1 => {
                    // Counted from the end is farther than any place counted from the beginning.
                    let last = if range.last < 0 { range.last } else { before.last.max(range.last) };
                    Some(LegacyRange { last, ..before })
                }
                Some(before) => Some(before),
            };
        }
        whole.unwrap_or_default()
    }
}

fn absolute_range(spec: &KeySpec) -> Option<LegacyRange> {
    match (spec.begin, spec.find) {
        (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) => {
            Some(LegacyRange { first, last: if last >= 0 { first + last } else { last }, step })
        }
        _ => None,
    }
}
