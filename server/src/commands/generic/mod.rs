//! Commands about keys of any type.

mod dump;
mod expire;
mod keys;
mod object;
pub(crate) mod scan;
mod sort;
mod wait;

pub(crate) use wait::Logged;

use crate::command::spec::Spec;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    keys::COPY,
    keys::DEL,
    keys::EXISTS,
    keys::MOVE,
    keys::RANDOMKEY,
    keys::RENAME,
    keys::RENAMENX,
    keys::TOUCH,
    keys::TYPE,
    keys::UNLINK,
    dump::DUMP,
    dump::RESTORE,
    expire::EXPIRE,
    expire::EXPIREAT,
    expire::EXPIRETIME,
    expire::PERSIST,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    expire::PEXPIRETIME,
    expire::PTTL,
    expire::TTL,
    object::OBJECT,
    scan::KEYS,
    scan::SCAN,
    sort::SORT,
    sort::SORT_RO,
    wait::WAIT,
    wait::WAITAOF,
];
