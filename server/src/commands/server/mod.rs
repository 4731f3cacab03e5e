//! Commands about the server as a whole.

mod acl;
mod config;
mod debug;
mod info;
mod keyspace;
mod latency;
mod lolwut;
mod memory;
mod modules;
mod monitor;
mod process;
mod slowlog;

use crate::command::{CommandResult, Context, Error, Spec};
use crate::config::Permission;

pub const COMMANDS: &[Spec] = &[
    acl::ACL,
    config::CONFIG,
    debug::DEBUG,
    info::INFO,
    keyspace::DBSIZE,
    keyspace::FLUSHALL,
    keyspace::FLUSHDB,
    keyspace::SWAPDB,
    latency::LATENCY,
    lolwut::LOLWUT,
    memory::MEMORY,
    modules::MODULE,
    monitor::MONITOR,
    process::BGREWRITEAOF,
    process::BGSAVE,
    process::LASTSAVE,
    process::ROLE,
    process::SAVE,
    process::SHUTDOWN,
    process::TIME,
    slowlog::SLOWLOG,
];

impl Context<'_> {
    /// Refuses a command that only a directive allows.
    fn demand(&self, permission: Permission, command: &str, directive: &str) -> CommandResult {
        if self.client.is_permitted(permission) {
            return Ok(());
        }
        Err(Error::new(format!(
            "ERR {command} command not allowed. If the {directive} option is set to \"local\", you can run it from a local \
             connection, otherwise you need to set this option in the configuration file, and then restart the server."
        )))
    }
}
