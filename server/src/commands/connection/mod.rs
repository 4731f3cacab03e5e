//! Commands about the connection itself.

mod auth;
mod basic;
mod client;

use crate::command::spec::Spec;

/// The family's declarations.
pub const COMMANDS: &[Spec] =
    &[auth::AUTH, auth::HELLO, auth::RESET, basic::ECHO, basic::PING, basic::QUIT, basic::SELECT, client::CLIENT];
