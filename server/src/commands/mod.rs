//! The commands, one file or folder per family.

mod bitmaps;
mod command;
mod connection;
mod generic;
mod server;
mod strings;

use crate::command::spec::Spec;

/// Every family's declarations.
pub const FAMILIES: &[&[Spec]] = &[
    bitmaps::COMMANDS,
    command::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    server::COMMANDS,
    strings::COMMANDS,
];
