//! Commands about the server as a whole.

mod acl;
mod config;
mod debug;
mod info;
mod keyspace;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod process;
mod slowlog;

use crate::command::Spec;

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
