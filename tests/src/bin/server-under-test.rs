//! The server as the tests start it: cargo gives integration tests the path of a binary of their own package only.

fn main() -> std::process::ExitCode {
    server::main()
}
