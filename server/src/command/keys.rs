//! Which arguments of a request are keys, by the command's key specifications.

use protocol::Args;
use smallvec::SmallVec;

use crate::command::spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, Spec};

/// A key's place among the arguments, and what the command does with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyAt {
    pub index: usize,
    pub flags: KeyFlags,
}

pub type KeysAt = SmallVec<[KeyAt; 8]>;

/// The places of the keys; `None` where the arguments do not fit the specification (a count that is no number or too
/// large), which the command itself answers with the fitting error.
pub fn find(spec: &Spec, args: Args<'_>) -> Option<KeysAt> {
    match spec.find_keys {
        Some(find) => Some(find(args)),
        None => find_if(spec, args, |_| true),
    }
}

/// The place of a command's only key, where that is always the same: the usual case.
#[inline]
pub fn only_place(spec: &Spec) -> Option<usize> {
    match spec.keys {
        [one] => match (one.begin, one.find) {
            (BeginSearch::Index(at), FindKeys::Range { last: 0, .. }) => Some(at as usize),
            _ => None,
        },
        _ => None,
    }
}

/// The places of the keys as the specification alone tells them, where every part of it has to find a key. A part that
/// looks for a keyword which is not there does not count; one that finds nothing at all leaves it to the command.
pub fn find_of_each(spec: &Spec, args: Args<'_>) -> Option<KeysAt> {
    match spec.find_keys {
        Some(find) if spec.keys.iter().any(|key| matches!(key.find, FindKeys::Unknown)) => Some(find(args)),
        _ => find_if(spec, args, |found| found != Some(0)),
    }
}

/// `accept` is asked about how many keys each part of the specification finds, where there is something to look for.
fn find_if(spec: &Spec, args: Args<'_>, accept: impl Fn(Option<usize>) -> bool) -> Option<KeysAt> {
    let mut keys = KeysAt::new();
    for key_spec in spec.keys.iter().filter(|key| !key.flags.contains(KeyFlags::NOT_KEY)) {
        if !accept(find_one(key_spec, args, &mut keys)?) {
            return None;
        }
    }
    if let Some(flags) = spec.key_flags {
        let flags = flags(args);
        keys.iter_mut().for_each(|key| key.flags = flags);
    }
    Some(keys)
}

/// Adds the keys of one part of the specification, and tells how many there are unless its keyword is missing.
fn find_one(spec: &KeySpec, args: Args<'_>, keys: &mut KeysAt) -> Option<Option<usize>> {
    let before = keys.len();
    let argc = args.len() as i64;
    let begin = match spec.begin {
        BeginSearch::Index(index) => i64::from(index),
        BeginSearch::Keyword(word, from) => match keyword(word, i64::from(from), args) {
            Some(index) => index + 1,
            None => return Some(None),
        },
        BeginSearch::Unknown => return Some(None),
    };
    let (first, last, step) = match spec.find {
        FindKeys::Range { last, step, limit } => {
            let last = if last >= 0 {
                begin + i64::from(last)
            } else if limit <= 1 {
                argc + i64::from(last)
            } else {
                begin + (argc - begin) / i64::from(limit) + i64::from(last)
            };
            (begin, last, step)
        }
        FindKeys::KeyNum { count, first, step } => {
            let count = protocol::parse_i64(args.get(usize::try_from(begin + i64::from(count)).ok()?)?)?;
            if count < 0 || count > argc {
                return None;
            }
            let first = begin + i64::from(first);
            (first, first + (count - 1) * i64::from(step), step)
        }
        FindKeys::Unknown => return Some(None),
    };
    if first <= last && (last >= argc || first < 1) {
        return None;
    }
    let mut index = first;
    while index <= last {
        keys.push(KeyAt { index: index as usize, flags: spec.flags });
        index += i64::from(step.max(1));
    }
    Some(Some(keys.len() - before))
}

/// The place of a keyword, looked for from an argument on, backwards from the end when that is negative.
fn keyword(word: &str, from: i64, args: Args<'_>) -> Option<i64> {
    let is_word = |index: &i64| args[*index as usize].eq_ignore_ascii_case(word.as_bytes());
    let argc = args.len() as i64;
    if from >= 0 { (from..argc - 1).find(is_word) } else { (1..=argc + from).rev().find(is_word) }
}
