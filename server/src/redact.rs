//! Arguments that must not be seen by others: passwords, above all. MONITOR, the slow log and the server's own log show
//! requests without them.

use protocol::Args;

use crate::command::Command;
use crate::config;

/// Stands in place of a secret.
const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a request, with a mark in place of each secret.
pub fn without_secrets<'a>(command: &Command, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    let is_secret = rule(&command.full_name);
    args.iter().enumerate().map(move |(index, arg)| if is_secret(args, index) { REDACTED } else { arg })
}

/// Tells whether the argument at an index is a secret.
type Rule = fn(Args<'_>, usize) -> bool;

fn rule(command: &str) -> Rule {
    match command {
        "auth" => |_, index| index > 0,
        "acl|setuser" => |_, index| index > 1,
        "hello" => |args, index| follows(args, index, 1, "auth") || follows(args, index, 2, "auth"),
        "migrate" => |args, index| {
            follows(args, index, 1, "auth") || follows(args, index, 1, "auth2") || follows(args, index, 2, "auth2")
        },
        "config|set" => {
            |args, index| index > 2 && index % 2 == 1 && args.get(index - 1).is_some_and(config::is_sensitive)
        }
        _ => |_, _| false,
    }
}

/// Whether the argument so many places before an index is this word, in any case.
fn follows(args: Args<'_>, index: usize, places: usize, word: &str) -> bool {
    let before = index.checked_sub(places).filter(|before| *before > 0);
    before.and_then(|before| args.get(before)).is_some_and(|before| before.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use protocol::OwnedArgs;

    use super::*;

    #[test]
    fn secrets_are_left_out() {
        let cases = [
            ("auth", "AUTH u p", "AUTH * *"),
            ("hello", "HELLO 3 AUTH u p SETNAME x", "HELLO 3 AUTH * * SETNAME x"),
            ("acl|setuser", "acl setuser u +get", "acl setuser * *"),
            (
                "config|set",
                "config set masterauth a port 1 RequirePass b",
                "config set masterauth * port 1 RequirePass *",
            ),
            ("migrate", "migrate h 1 k 9 5 AUTH p", "migrate h 1 k 9 5 AUTH *"),
            ("migrate", "migrate h 1 k 9 5 AUTH2 u p", "migrate h 1 k 9 5 AUTH2 * *"),
            ("set", "set auth auth", "set auth auth"),
        ];
        for (command, request, shown) in cases {
            let args: OwnedArgs = request.split(' ').collect();
            let is_secret = rule(command);
            let words = args.as_args().iter().enumerate().map(|(index, arg)| {
                if is_secret(args.as_args(), index) { "*".into() } else { String::from_utf8_lossy(arg).into_owned() }
            });
            assert_eq!(words.collect::<Vec<_>>().join(" "), shown);
        }
    }
}
