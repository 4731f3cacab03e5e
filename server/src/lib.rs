//! The server: configuration, connections, the command table and the commands.

use std::process::ExitCode;

/// The whole program, called by the binary.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
