//! How commands are declared, found and carried out; the commands themselves are in [`crate::commands`].

pub mod context;
pub mod dispatch;
pub mod error;
pub mod keys;
pub mod names;
mod prefetch;
pub mod spec;
pub mod table;

pub use context::{CommandResult, Context};
pub use error::Error;
pub use spec::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
pub use table::{Command, CommandTable};
