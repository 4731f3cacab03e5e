//! Whether a user may do something, and the words for why not.

use protocol::Args;

use super::channels::ChannelUse;
use super::selector::{Access, Selector};
use super::user::User;
use crate::command::error::{Error, shown};
use crate::command::table::Command;

/// What about a request a user may not do. Later ones say more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    Command,
    Key,
    /// Not about a request: a wrong password.
    Auth,
    Channel,
}

impl Reason {
    /// What ACL LOG calls it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Auth => "auth",
            Reason::Channel => "channel",
        }
    }
}

/// Something that a user may not do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Denial {
    pub reason: Reason,
    /// The key or channel among the arguments; 0 where it is not about one.
    pub index: usize,
}

/// Whether a user may make a call.
pub fn check(user: &User, command: &Command, args: Args<'_>) -> Result<(), Denial> {
    if user.is_unrestricted() {
        return Ok(());
    }
    let mut found = None;
    let mut worst = Denial { reason: Reason::Command, index: 0 };
    for selector in user.selectors() {
        match selector.check(command, args, &mut found) {
            Ok(()) => return Ok(()),
            Err(denial) => worst = worst.max(denial),
        }
    }
    Err(worst)
}

/// Whether a user may make a call that does all this with keys which are not among its arguments.
pub fn may_use_any_key(user: &User, command: &Command, args: Args<'_>, access: Access) -> bool {
    let allows = |selector: &Selector| selector.check(command, args, &mut None).is_ok();
    user.is_unrestricted() || user.selectors().any(|selector| selector.allows_any_key(access) && allows(selector))
}

/// Whether a user may use a channel.
pub fn may_use_channel(user: &User, channel: &[u8], how: ChannelUse) -> bool {
    user.selectors().any(|selector| selector.allows_channel(channel, how))
}

/// Whether a user may use all channels that it might before a change: all patterns are still there.
pub fn keeps_channels(before: &User, now: &User) -> bool {
    if now.selectors().any(Selector::has_all_channels) {
        return true;
    }
    before.selectors().all(|old| {
        let kept = |pattern: &Vec<u8>| now.selectors().any(|selector| selector.channels().contains(pattern));
        !old.has_all_channels() && old.channels().iter().all(kept)
    })
}

impl Denial {
    /// What was denied, as ACL LOG shows it.
    pub fn object<'a>(&self, command: &'a Command, args: Args<'a>) -> &'a [u8] {
        match self.reason {
            Reason::Command => command.full_name.as_bytes(),
            Reason::Auth => args.get(0).unwrap_or_default(),
            Reason::Key | Reason::Channel => args.get(self.index).unwrap_or_default(),
        }
    }

    /// What the client is told. Names of keys and channels are kept from it.
    pub fn message(&self, user: &User, command: &Command) -> Vec<u8> {
        match self.reason {
            Reason::Key => b"No permissions to access a key".to_vec(),
            Reason::Channel => b"No permissions to access a channel".to_vec(),
            Reason::Command | Reason::Auth => no_command(user, command),
        }
    }

    /// What ACL DRYRUN says, which names everything.
    pub fn full_message(&self, user: &User, command: &Command, args: Args<'_>) -> Vec<u8> {
        let kind = match self.reason {
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Command | Reason::Auth => return no_command(user, command),
        };
        let object = shown(self.object(command, args), usize::MAX);
        [b"User ", user.name(), b" has no permissions to access the '", object, b"' ", kind.as_bytes()].concat()
    }

    /// The error reply to a call.
    pub fn error(&self, user: &User, command: &Command) -> Error {
        Error::new([b"NOPERM ", self.message(user, command).as_slice()].concat())
    }

    /// The error reply to EXEC, whose commands were allowed when they were queued.
    pub fn exec_error(&self) -> Error {
        let reason = match self.reason {
            Reason::Command => "no permission to execute the command or subcommand",
            Reason::Key => "no permission to touch the specified keys",
            Reason::Channel => "no permission to access one of the channels used as argument to the command",
            Reason::Auth => "no permission",
        };
        Error::new(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {reason}"
        ))
    }

    /// The error that a script's call gets.
    pub fn script_error(&self, user: &User, command: &Command) -> Error {
        Error::new([b"ERR ACL failure in script: ", self.message(user, command).as_slice()].concat())
    }
}

fn no_command(user: &User, command: &Command) -> Vec<u8> {
    [b"User ", user.name(), b" has no permissions to run the '", command.full_name.as_bytes(), b"' command"].concat()
}
