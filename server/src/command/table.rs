//! The command table: every declaration by name, made once at the start.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use protocol::Args;

use crate::command::names::Names;
use crate::command::spec::{Flags, Group, Spec};
use crate::commands;

/// A declared command in the table.
#[derive(Debug)]
pub struct Command {
    pub spec: Spec,
    /// The command's place in per-command statistics.
    pub id: usize,
    /// The name with its parent's, as in `client|kill`.
    pub full_name: String,
    pub subcommands: Names,
}

/// All commands by name.
#[derive(Clone)]
pub struct CommandTable {
    by_name: Names,
}

impl CommandTable {
    /// The table of all families under their declared names, which lives as long as the process.
    pub fn declared() -> &'static CommandTable {
        static DECLARED: LazyLock<CommandTable> = LazyLock::new(CommandTable::make);
        &DECLARED
    }

    /// A table of all families, whose names may then be changed.
    pub fn new() -> CommandTable {
        CommandTable::declared().clone()
    }

    fn make() -> CommandTable {
        let ids = AtomicUsize::new(0);
        let families = commands::FAMILIES.iter().copied().flatten();
        let by_name = families.map(|spec| (spec.name.as_bytes(), command(spec, None, &ids))).collect();
        CommandTable { by_name }
    }

    /// Gives a command another name, or takes it away when the name is empty.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        let command = self.by_name.remove(from).ok_or("No such command in rename-command")?;
        if to.is_empty() {
            return Ok(());
        }
        if self.by_name.get(to).is_some() {
            return Err("Target command name already exists".into());
        }
        self.by_name.insert(to, command);
        Ok(())
    }

    /// Finds a command by its name in any case.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&'static Command> {
        self.by_name.get(name)
    }

    /// All commands, in no particular order, without subcommands.
    pub fn iter(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.by_name.commands()
    }

    /// All commands and subcommands, in no particular order.
    pub fn iter_all(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands.commands()))
    }

    /// Finds a command or, behind a `|`, a subcommand by its full name in any case.
    pub fn get_full(&self, name: &[u8]) -> Option<&'static Command> {
        match name.iter().position(|&byte| byte == b'|') {
            None => self.get(name),
            Some(bar) => self.get(&name[..bar])?.subcommand(&name[bar + 1..]),
        }
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl Default for CommandTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Command {
    /// Whether a call may touch more than the keys that it names.
    pub fn needs_everything(&self, args: Args<'_>) -> bool {
        let spec = &self.spec;
        match spec.all_shards {
            Some(wanted) => wanted(args),
            None if spec.locks_itself => true,
            None => {
                let elsewhere = matches!(spec.group, Group::Connection | Group::Pubsub | Group::Transactions);
                spec.keys.is_empty() && !elsewhere
            }
        }
    }

    /// Whether the log may have it: not what is about the server or a client's connection, which would do harm there.
    pub fn belongs_in_log(&self) -> bool {
        let spec = &self.spec;
        match spec.group {
            Group::Connection | Group::Pubsub => !spec.flags.contains(Flags::NOSCRIPT),
            Group::Transactions => !spec.is("watch"),
            _ => spec.flags.contains(Flags::WRITE) || !spec.flags.contains(Flags::ADMIN),
        }
    }

    /// Whether a call is carried out while a script takes too long: what may end that, or has nothing to do with data.
    pub fn may_run_beside_a_slow_script(&self, args: Args<'_>) -> bool {
        if self.spec.is("shutdown") {
            return args.iter().any(|arg| arg.eq_ignore_ascii_case(b"nosave") || arg.eq_ignore_ascii_case(b"abort"));
        }
        self.spec.flags.contains(Flags::ALLOW_BUSY)
    }

    /// Finds a subcommand by its name in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands.get(name)
    }
}

/// How many commands and subcommands are declared: the size of per-command statistics.
pub fn declared() -> usize {
    commands::FAMILIES.iter().copied().flatten().map(|spec| 1 + spec.subcommands.len()).sum()
}

fn command(spec: &Spec, parent: Option<&str>, ids: &AtomicUsize) -> &'static Command {
    let full_name = parent.map_or_else(|| spec.name.to_string(), |parent| format!("{parent}|{}", spec.name));
    let id = ids.fetch_add(1, Relaxed);
    let subcommands =
        spec.subcommands.iter().map(|sub| (sub.name.as_bytes(), command(sub, Some(&full_name), ids))).collect();
    Box::leak(Box::new(Command { spec: *spec, id, full_name, subcommands }))
}
