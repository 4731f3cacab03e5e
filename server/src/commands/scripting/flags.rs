//! What is known before a call of what its script or function says of itself.

use protocol::Args;
use scripting::{Flags, Header, Sha};

use crate::scripts::Scripts;

/// Of the script whose text is given.
pub(super) fn of_text(_: &Scripts, args: Args<'_>) -> Option<Flags> {
    Header::parse(args.get(1)?).ok()?.flags
}

/// Of the script whose digest is given.
pub(super) fn of_digest(scripts: &Scripts, args: Args<'_>) -> Option<Flags> {
    scripts.get(&Sha::parse(args.get(1)?)?)?.flags
}

/// Of the function that is named.
pub(super) fn of_function(scripts: &Scripts, args: Args<'_>) -> Option<Flags> {
    let name = args.get(1)?;
    let libraries = scripts.libraries.lock();
    let mut functions = libraries.values().flat_map(|library| &library.functions);
    functions.find(|function| function.name.as_bytes().eq_ignore_ascii_case(name)).map(|function| function.flags)
}
