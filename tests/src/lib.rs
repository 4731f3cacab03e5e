//! Starts servers for the tests and talks to them.
