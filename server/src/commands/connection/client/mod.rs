//! CLIENT: what clients there are, and what they want of their connections.

mod kill;
mod line;
mod list;
mod pause;
mod settings;
mod tracking;

use std::sync::atomic::Ordering::Relaxed;

use crate::client::Shared;
use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::set;

pub(crate) use line::write_line;
pub(super) use settings::check_name;

pub(super) const CLIENT: Spec = Spec::container(
    "client",
    &[
        tracking::CACHING,
        settings::GETNAME,
        tracking::GETREDIR,
        HELP,
        list::ID,
        list::INFO,
        kill::KILL,
        list::LIST,
        settings::NO_EVICT,
        settings::NO_TOUCH,
        pause::PAUSE,
        settings::REPLY,
        settings::SETINFO,
        settings::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        pause::UNBLOCK,
        pause::UNPAUSE,
    ],
)
.doc(Group::Connection, "2.4.0", "Depends on subcommand.", "Manages client connections.");

/// A subcommand up to its documentation.
const fn subcommand(spec: Spec) -> Spec {
    spec.flags(set!(Flags: NOSCRIPT | LOADING | STALE)).acl(Categories::CONNECTION)
}

/// A subcommand that reaches other clients, up to its documentation.
const fn admin(spec: Spec) -> Spec {
    spec.flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE)).acl(Categories::CONNECTION)
}

/// The kinds of clients that TYPE filters by. There are no replicas yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Replica,
    PubSub,
    Master,
}

impl Kind {
    fn of(client: &Shared) -> Kind {
        if client.is_subscriber() { Kind::PubSub } else { Kind::Normal }
    }

    fn parse(name: &[u8]) -> Result<Kind, Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Kind::Normal),
            b"slave" | b"replica" => Ok(Kind::Replica),
            b"pubsub" => Ok(Kind::PubSub),
            b"master" => Ok(Kind::Master),
            _ => Err(Error::quoting("ERR Unknown client type '", name, "'")),
        }
    }
}

/// The argument at `index` as a switch.
fn on_or_off(cx: &Context<'_>, index: usize) -> Result<bool, Error> {
    if cx.arg_is(index, "on") {
        Ok(true)
    } else if cx.arg_is(index, "off") {
        Ok(false)
    } else {
        Err(Error::SYNTAX)
    }
}

const HELP: Spec = Spec::new("help", 2, help)
    .doc(Group::Connection, "5.0.0", "O(1)", "Lists the subcommands.")
    .flags(set!(Flags: LOADING | STALE))
    .acl(Categories::CONNECTION);

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "CACHING (YES|NO)",
        "    Whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT.",
        "GETNAME",
        "    The name of this connection.",
        "GETREDIR",
        "    The id of the client that gets the invalidations meant for this one.",
        "ID",
        "    The id of this connection.",
        "INFO",
        "    All about this connection.",
        "KILL <ip:port>",
        "    Close the connection from this address.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close the connections that fit all options:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      From this address.",
        "    * ID <client-id>",
        "      With this id.",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      To this address of the server.",
        "    * MAXAGE <seconds>",
        "      At least this old.",
        "    * SKIPME (YES|NO)",
        "      Whether to spare this connection (default: yes).",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Of this type.",
        "    * USER <username>",
        "      Of this user.",
        "LIST [options ...]",
        "    All about the connections, one to a line. Options:",
        "    * ID <client-id> [<client-id> ...]",
        "      Only those with these ids.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Only those of this type.",
        "NO-EVICT (ON|OFF)",
        "    Whether this connection is spared when clients use too much memory.",
        "NO-TOUCH (ON|OFF)",
        "    Whether this connection's commands leave no trace in when and how often keys were used.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Hold back all commands, or those that write, for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Whether commands are replied to; SKIP leaves out one reply.",
        "SETINFO <option> <value>",
        "    Tell about the client. Options:",
        "    * LIB-NAME: its library.",
        "    * LIB-VER: the library's version.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Invalidations of what the client caches.",
        "TRACKINGINFO",
        "    How this connection tracks keys.",
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    End another client's wait.",
        "UNPAUSE",
        "    Let commands go on after PAUSE.",
    ])
}
