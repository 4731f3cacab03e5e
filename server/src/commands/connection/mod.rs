//! Commands about the connection itself.

mod auth;
mod basic;
mod client;

pub(crate) use client::write_line as write_client_line;

use crate::command::spec::Spec;

/// The family's declarations.
pub const COMMANDS: &[Spec] =
    &[auth::AUTH, auth::HELLO, auth::RESET, basic::ECHO, basic::PING, basic::QUIT, basic::SELECT, client::CLIENT];
