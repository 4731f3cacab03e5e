//! What can be wrong with a rule, and how rules come in arguments.

use std::borrow::Cow;

/// Why a rule cannot be applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// No such command, subcommand or category.
    Unknown,
    Syntax,
    /// A key pattern beside all keys.
    AllKeys,
    /// A channel pattern beside all channels.
    AllChannels,
    NoSuchPassword,
    NotAHash,
    /// First arguments cannot be told apart below subcommands.
    FirstArgOfSubcommand,
}

impl RuleError {
    /// Redis's words for it.
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::NotAHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Joins the arguments from one that opens a parenthesis to the one that closes it: the rules of a selector. The error
/// is the place of the parenthesis that stays open.
pub fn join_selectors<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Cow<'a, [u8]>>, usize> {
    let mut rules = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, arg) in args.into_iter().enumerate() {
        // A parenthesis that is opened within another is part of it, and no rule.
        if let Some((from, mut selector)) = open.take() {
            selector.push(b' ');
            selector.extend_from_slice(arg);
            if arg.ends_with(b")") {
                rules.push(Cow::Owned(selector));
            } else {
                open = Some((from, selector));
            }
        } else if arg.starts_with(b"(") && !arg.ends_with(b")") {
            open = Some((index, arg.to_vec()));
        } else {
            rules.push(Cow::Borrowed(arg));
        }
    }
    match open {
        Some((from, _)) => Err(from),
        None => Ok(rules),
    }
}

/// Whether a name or pattern has what would not survive being written to a line: blanks or NUL.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|&byte| byte == 0 || byte == 0x0b || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(args: &[&str]) -> Result<Vec<String>, usize> {
        let rules = join_selectors(args.iter().map(|arg| arg.as_bytes()))?;
        Ok(rules.iter().map(|rule| String::from_utf8_lossy(rule).into_owned()).collect())
    }

    #[test]
    fn selectors_may_span_arguments() {
        assert_eq!(
            joined(&["on", "(+get", "~a", "~b)", "(+set)", "off"]).unwrap(),
            ["on", "(+get ~a ~b)", "(+set)", "off"]
        );
        assert_eq!(joined(&["on", "(+get", "", "~b"]), Err(1));
        assert_eq!(joined(&["(a", "(b", "c)"]).unwrap(), ["(a (b c)"]);
        assert_eq!(joined(&["(a", "(b)", "c)"]).unwrap(), ["(a (b)", "c)"]);
        assert_eq!(joined(&["(", "+get", "(", "~x", ")", ")"]).unwrap(), ["( +get ( ~x )", ")"]);
        assert_eq!(joined(&["on", "(a", "(b"]), Err(1));
        assert_eq!(joined(&["(", ")", ")"]).unwrap(), ["( )", ")"]);
        assert_eq!(joined(&[]).unwrap(), [""; 0]);
    }
}
