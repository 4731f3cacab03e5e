//! A selector: commands, keys and channels that belong together. A user has a root selector and may have more; what
//! one of them allows, the user may do.

use std::collections::BTreeMap;

use protocol::Args;

use super::channels::{self, ChannelUse};
use super::check::{Denial, Reason};
use super::rules::{RuleError, has_blanks};
use crate::command::keys::KeysAt;
use crate::command::spec::{CATEGORY_NAMES, Categories, Flags};
use crate::command::table::{Command, CommandTable, declared};
use crate::command::{KeyFlags, keys};
use crate::{glob, log};

bitflags::bitflags! {
    /// What may be done with keys.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Access: u8 {
        const READ = 1 << 0;
        const WRITE = 1 << 1;
    }
}

impl From<KeyFlags> for Access {
    fn from(flags: KeyFlags) -> Access {
        let mut access = Access::empty();
        access.set(Access::READ, flags.contains(KeyFlags::ACCESS));
        access.set(Access::WRITE, flags.intersects(KeyFlags::INSERT | KeyFlags::DELETE | KeyFlags::UPDATE));
        access
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct KeyPattern {
    pattern: Vec<u8>,
    access: Access,
}

/// See the module's description.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Vec<u8>>,
    /// Every command there is or will be, with nothing taken away since.
    all_commands: bool,
    /// Whether rules about commands begin with all of them. Only for showing them.
    from_all: bool,
    /// A bit for each command, by its id.
    commands: Vec<u64>,
    /// First arguments with which commands may be called that may not be otherwise, by the command's id.
    first_args: BTreeMap<usize, Vec<Vec<u8>>>,
    /// The rules about commands behind `+@all` or `-@all`, without those that later ones made void.
    rules: Vec<Vec<u8>>,
}

impl Selector {
    /// A selector that allows nothing, except for all channels where `acl-pubsub-default` says so.
    pub fn new(all_channels: bool) -> Selector {
        Selector {
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
            all_commands: false,
            from_all: false,
            commands: vec![0; declared().div_ceil(64)],
            first_args: BTreeMap::new(),
            rules: Vec::new(),
        }
    }

    /// Whether there is nothing that it does not allow.
    pub fn is_unrestricted(&self) -> bool {
        self.all_keys && self.all_channels && self.all_commands
    }

    pub fn has_all_channels(&self) -> bool {
        self.all_channels
    }

    pub fn channels(&self) -> &[Vec<u8>] {
        &self.channels
    }

    /// Applies a rule, unless it is wrong.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.set_all_keys(true),
            b"resetkeys" => self.set_all_keys(false),
            b"allchannels" | b"&*" => self.set_all_channels(true),
            b"resetchannels" => self.set_all_channels(false),
            b"allcommands" | b"+@all" => self.set_all_commands(true),
            b"nocommands" | b"-@all" => self.set_all_commands(false),
            lower => {
                return match (rule, lower) {
                    ([b'~' | b'%', ..], _) => self.add_keys(rule),
                    ([b'&', pattern @ ..], _) => self.add_channels(pattern),
                    (_, [b'+', b'@', category @ ..]) => self.set_category(category, true),
                    (_, [b'-', b'@', category @ ..]) => self.set_category(category, false),
                    ([b'+', _given @ ..], [_, name @ ..]) => self.allow(name),
                    ([b'-', _given @ ..], [_, name @ ..]) => self.forbid(name),
                    _ => Err(RuleError::Syntax),
                };
            }
        }
        Ok(())
    }

    fn set_all_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn set_all_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn set_all_commands(&mut self, all: bool) {
        (self.all_commands, self.from_all) = (all, all);
        self.commands.fill(if all { u64::MAX } else { 0 });
        self.first_args.clear();
        self.rules.clear();
    }

    /// `~pattern`, or `%R~pattern` with what may be done in front.
    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (access, pattern) = match rule {
            [b'~', pattern @ ..] => (Access::all(), pattern),
            rule => access_and_pattern(rule.get(1..).unwrap_or_default())?,
        };
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => known.access |= access,
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), access }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
        Ok(())
    }

    fn set_category(&mut self, name: &[u8], allow: bool) -> Result<(), RuleError> {
        let category = category_named(name).ok_or(RuleError::Unknown)?;
        for command in CommandTable::declared().iter_all() {
            if command.spec.all_categories().contains(category) {
                self.set_command(command, allow);
            }
        }
        self.note_rule(&[b"@", name].concat(), allow);
        Ok(())
    }

    fn allow(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let commands = CommandTable::declared();
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            let command = commands.get(name).ok_or(RuleError::Unknown)?;
            self.set_command(command, true);
            self.note_rule(name, true);
            return Ok(());
        };
        let (container, below) = (&name[..bar], &name[bar + 1..]);
        let command = commands.get_full(container).ok_or(RuleError::Unknown)?;
        if command.full_name.contains('|') {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if below.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !command.subcommands.is_empty() {
            let subcommand = command.subcommand(below).ok_or(RuleError::Unknown)?;
            self.set_command(subcommand, true);
        } else if has_blanks(below) {
            // Such a rule could not be written down and read again.
            return Err(RuleError::Syntax);
        } else {
            log::warning!(
                "Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse of ACL and may \
                 get disabled in the future (offender: +{})",
                String::from_utf8_lossy(name)
            );
            let first_args = self.first_args.entry(command.id).or_default();
            if !first_args.iter().any(|known| known == below) {
                first_args.push(below.to_vec());
            }
        }
        self.note_rule(name, true);
        Ok(())
    }

    fn forbid(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let command = CommandTable::declared().get_full(name).ok_or(RuleError::Unknown)?;
        self.set_command(command, false);
        self.note_rule(name, false);
        Ok(())
    }

    /// Allows or forbids a command with all of its subcommands.
    fn set_command(&mut self, command: &Command, allow: bool) {
        self.first_args.remove(&command.id);
        let ids = std::iter::once(command.id).chain(command.subcommands.commands().map(|sub| sub.id));
        for id in ids {
            if let Some(word) = self.commands.get_mut(id / 64) {
                let bit = 1 << (id % 64);
                if allow { *word |= bit } else { *word &= !bit }
            }
        }
        self.all_commands &= allow;
    }

    /// Writes a rule (in lower case) down. Earlier ones about the same, or about parts of it, are void.
    fn note_rule(&mut self, rule: &[u8], allow: bool) {
        self.rules.retain(|known| match known.get(1..).and_then(|known| known.strip_prefix(rule)) {
            Some(rest) => !rest.is_empty() && !rest.starts_with(b"|"),
            None => true,
        });
        self.rules.push([if allow { b"+" } else { b"-" }, rule].concat());
    }

    fn allows_command(&self, id: usize) -> bool {
        self.commands.get(id / 64).is_some_and(|word| word & 1 << (id % 64) != 0)
    }

    /// Whether a call is allowed. `found` keeps the places of keys from one selector to the next.
    pub fn check(&self, command: &Command, args: Args<'_>, found: &mut Option<KeysAt>) -> Result<(), Denial> {
        let spec = &command.spec;
        let may_call = self.all_commands
            || spec.flags.contains(Flags::NO_AUTH)
            || self.allows_command(command.id)
            || self.allows_first_arg(command, args);
        if !may_call {
            return Err(Denial { reason: Reason::Command, index: 0 });
        }
        if !self.all_keys && (!spec.keys.is_empty() || spec.find_keys.is_some()) {
            let found = found.get_or_insert_with(|| keys::find(spec, args).unwrap_or_default());
            for key in found.iter().filter(|key| !key.flags.contains(KeyFlags::NOT_KEY)) {
                if !self.allows_key(args.get(key.index).unwrap_or_default(), key.flags.into()) {
                    return Err(Denial { reason: Reason::Key, index: key.index });
                }
            }
        }
        if !self.all_channels
            && spec.flags.contains(Flags::PUBSUB)
            && let Some((places, how)) = channels::of_command(command, args.len())
        {
            for index in places {
                if !self.allows_channel(args.get(index).unwrap_or_default(), how) {
                    return Err(Denial { reason: Reason::Channel, index });
                }
            }
        }
        Ok(())
    }

    fn allows_first_arg(&self, command: &Command, args: Args<'_>) -> bool {
        let allowed = self.first_args.get(&command.id);
        allowed
            .zip(args.get(1))
            .is_some_and(|(allowed, given)| allowed.iter().any(|arg| arg.eq_ignore_ascii_case(given)))
    }

    /// Whether all this may be done with a key.
    pub fn allows_key(&self, key: &[u8], access: Access) -> bool {
        let fits = |known: &KeyPattern| known.access.contains(access) && matches(&known.pattern, key);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether all this may be done with every key.
    pub fn allows_any_key(&self, access: Access) -> bool {
        self.all_keys || self.keys.iter().any(|known| known.access.contains(access) && known.pattern == b"*")
    }

    /// Whether a channel may be used. A pattern may be subscribed to where just this pattern is allowed.
    pub fn allows_channel(&self, channel: &[u8], how: ChannelUse) -> bool {
        let fits = |known: &Vec<u8>| match how {
            ChannelUse::Literal => matches(known, channel),
            ChannelUse::Pattern => known == channel,
        };
        self.all_channels || self.channels.iter().any(fits)
    }

    /// The rules about keys, with a space between them.
    pub fn key_rules(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter().map(|known| {
            let prefix: &[u8] = match (known.access.contains(Access::READ), known.access.contains(Access::WRITE)) {
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                // `~*` will be read as `allkeys`, which is as good, but allows no patterns beside it.
                _ if known.pattern == b"*" && self.keys.len() > 1 => b"%RW~",
                _ => b"~",
            };
            [prefix, &known.pattern].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about channels.
    pub fn channel_rules(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|known| [b"&", known.as_slice()].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about commands.
    pub fn command_rules(&self) -> Vec<u8> {
        let start: &[u8] = if self.from_all { b"+@all" } else { b"-@all" };
        std::iter::once(start).chain(self.rules.iter().map(Vec::as_slice)).collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, which make the same selector of a new one.
    pub fn describe(&self) -> Vec<u8> {
        let channels: &[u8] = if self.all_channels { b"" } else { b"resetchannels" };
        let parts = [&self.key_rules(), channels, &self.channel_rules(), &self.command_rules()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b' ')
    }
}

/// `R`, `W` or both, and the pattern behind the tilde.
fn access_and_pattern(rule: &[u8]) -> Result<(Access, &[u8]), RuleError> {
    let mut access = Access::empty();
    for (index, letter) in rule.iter().enumerate() {
        let more = match letter.to_ascii_uppercase() {
            b'R' => Access::READ,
            b'W' => Access::WRITE,
            b'~' if !access.is_empty() => return Ok((access, &rule[index + 1..])),
            _ => return Err(RuleError::Syntax),
        };
        if access.contains(more) {
            return Err(RuleError::Syntax);
        }
        access |= more;
    }
    // Redis takes the end of the rule for that of an empty pattern.
    if access.is_empty() { Err(RuleError::Syntax) } else { Ok((access, b"")) }
}

/// Redis's matching, in which an empty text has nothing for a star to begin with: only `allkeys` allows an empty key.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() { pattern.is_empty() } else { glob::matches(pattern, text, false) }
}

/// The category with this name, in any case.
pub fn category_named(name: &[u8]) -> Option<Categories> {
    let found = CATEGORY_NAMES.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(category, _)| *category)
}
