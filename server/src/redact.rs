//! Arguments that must not be seen by others: passwords, above all. Each command's declaration tells its own; MONITOR,
//! the slow log and the server's own log show requests without them.

use protocol::Args;

use crate::command::Command;

/// Stands in place of a secret.
const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a request, with a mark in place of each secret.
pub fn without_secrets<'a>(command: &Command, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    let is_secret = command.spec.is_secret.unwrap_or(|_, _| false);
    args.iter().enumerate().map(move |(index, arg)| if is_secret(args, index) { REDACTED } else { arg })
}

/// Whether the argument so many places before an index is this word, in any case. For declarations.
pub fn follows(args: Args<'_>, index: usize, places: usize, word: &str) -> bool {
    let before = index.checked_sub(places).filter(|before| *before > 0);
    before.and_then(|before| args.get(before)).is_some_and(|before| before.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use protocol::OwnedArgs;

    use super::*;
    use crate::command::{CommandTable, dispatch};

    #[test]
    fn secrets_are_left_out() {
        let cases = [
            ("AUTH u p", "AUTH (redacted) (redacted)"),
            ("HELLO 3 AUTH u p SETNAME x", "HELLO 3 AUTH (redacted) (redacted) SETNAME x"),
            (
                "config set masterauth a port 1 RequirePass b",
                "config set masterauth (redacted) port 1 RequirePass (redacted)",
            ),
            ("acl setuser u +get", "acl setuser (redacted) (redacted)"),
            ("set auth auth", "set auth auth"),
        ];
        let commands = CommandTable::declared();
        for (request, shown) in cases {
            let args: OwnedArgs = request.split(' ').collect();
            let command = dispatch::find(commands, args.as_args()).expect("a command");
            let words: Vec<_> =
                without_secrets(command, args.as_args()).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
            assert_eq!(words.join(" "), shown);
        }
    }
}
