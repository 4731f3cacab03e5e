//! COMMAND DOCS: what commands do.

use protocol::Reply;

use super::info::{by_full_name, write_names};
use super::{NAMES, subcommand};
use crate::command::{Arg, ArgKind, Command, CommandResult, Context, Group, Spec};

pub(super) const DOCS: Spec = subcommand(Spec::new("docs", -2, docs))
    .doc(Group::Server, "7.0.0", "O(N) where N is the number of commands asked for.", "Tells what commands do.")
    .tips(&["nondeterministic_output_order"])
    .args(NAMES);

fn docs(cx: &mut Context<'_>) -> CommandResult {
    let commands: Vec<&'static Command> = if cx.args.len() == 2 {
        cx.server.commands.iter().collect()
    } else {
        cx.args.tail(2).iter().filter_map(|name| by_full_name(&cx.server.commands, name)).collect()
    };
    cx.reply.map(commands.len());
    for command in commands {
        write_docs(cx.reply, command);
    }
    Ok(())
}

/// A map that grows field by field.
struct Fields {
    header: protocol::reply::Deferred,
    count: usize,
}

impl Fields {
    fn begin(reply: &mut Reply) -> Fields {
        Fields { header: reply.defer(), count: 0 }
    }

    /// Writes a field's name; its value must follow.
    fn name(&mut self, reply: &mut Reply, name: &str) {
        self.count += 1;
        reply.bulk(name.as_bytes());
    }

    fn text(&mut self, reply: &mut Reply, name: &str, value: &str) {
        self.name(reply, name);
        reply.bulk(value.as_bytes());
    }

    fn end(self, reply: &mut Reply) {
        reply.end_map(self.header, self.count);
    }
}

/// A command's name and the map about it.
fn write_docs(reply: &mut Reply, command: &Command) {
    let spec = &command.spec;
    reply.bulk(command.full_name.as_bytes());
    let mut fields = Fields::begin(reply);
    fields.text(reply, "summary", spec.summary);
    fields.text(reply, "since", spec.since);
    fields.text(reply, "group", spec.group.name());
    fields.text(reply, "complexity", spec.complexity);
    if spec.deprecated.is_some() || spec.internal {
        fields.name(reply, "doc_flags");
        let flags = [(spec.deprecated.is_some(), "deprecated"), (spec.internal, "syscmd")];
        write_names(reply, "", flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name));
    }
    if let Some((since, replaced_by)) = spec.deprecated {
        fields.text(reply, "deprecated_since", since);
        fields.text(reply, "replaced_by", replaced_by);
    }
    if !spec.history.is_empty() {
        fields.name(reply, "history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !spec.args.is_empty() {
        fields.name(reply, "arguments");
        write_args(reply, spec.args);
    }
    if !command.subcommands.is_empty() {
        fields.name(reply, "subcommands");
        reply.map(command.subcommands.len());
        for subcommand in command.subcommands.commands() {
            write_docs(reply, subcommand);
        }
    }
    fields.end(reply);
}

fn write_args(reply: &mut Reply, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        let group = matches!(arg.kind, ArgKind::OneOf | ArgKind::Block);
        let mut fields = Fields::begin(reply);
        fields.text(reply, "name", arg.name);
        fields.text(reply, "type", arg.kind.name());
        if !group {
            fields.text(reply, "display_text", arg.display.unwrap_or(arg.name));
        }
        if let Some(key_spec) = arg.key_spec {
            fields.name(reply, "key_spec_index");
            reply.integer(i64::from(key_spec));
        }
        if let Some(token) = arg.token {
            fields.text(reply, "token", token);
        }
        if let Some(since) = arg.since {
            fields.text(reply, "since", since);
        }
        if let Some(version) = arg.deprecated_since {
            fields.text(reply, "deprecated_since", version);
        }
        if arg.optional || arg.multiple || arg.multiple_token {
            fields.name(reply, "flags");
            let flags =
                [(arg.optional, "optional"), (arg.multiple, "multiple"), (arg.multiple_token, "multiple_token")];
            write_names(reply, "", flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name));
        }
        if group {
            fields.name(reply, "arguments");
            write_args(reply, arg.args);
        }
        fields.end(reply);
    }
}
