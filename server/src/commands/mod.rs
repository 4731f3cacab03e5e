//! The commands, one file or folder per family.

mod bitmaps;
mod cluster;
mod command;
mod connection;
mod elements;
mod generic;
mod geo;
mod hashes;
mod hyperloglog;
mod lists;
mod pubsub;
mod scripting;
mod server;
mod sets;
mod streams;
mod strings;
mod transactions;
mod zsets;

pub(crate) use connection::write_client_line;
pub(crate) use generic::Logged;

use crate::command::spec::Spec;

/// Every family's declarations.
pub const FAMILIES: &[&[Spec]] = &[
    bitmaps::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hashes::COMMANDS,
    hyperloglog::COMMANDS,
    lists::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    sets::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
    zsets::COMMANDS,
];
