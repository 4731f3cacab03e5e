//! Sends the same generated commands to a real `redis-server` and to Spinel and compares the bytes of the replies.
//!
//! Without a real server there is nothing to compare with: then the tests are reported as ignored, with the command
//! that gets one. `SPINEL_TEST_SEED` replays a run, `SPINEL_DIFFERENTIAL_COMMANDS` sets its length.

mod collections;
mod generate;
mod geo;
mod run;
mod streams;

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

use generate::{FAMILIES, Family};

/// Where `tests/reference/get` puts the server, or one that is given.
fn reference() -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/get");
    let output = Command::new(script).arg("--offline").output().ok().filter(|output| output.status.success())?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // An older Redis answers differently, and 8.0 is the one to be like.
    let version = Command::new(&path).arg("--version").output().ok()?;
    String::from_utf8_lossy(&version.stdout).contains("v=8.").then_some(path)
}

fn main() {
    let arguments = Arguments::from_args();
    let reference = reference();
    if reference.is_none() {
        eprintln!("differential: no Redis 8 to compare with; `tests/reference/get` fetches one");
    }
    let trial = |family: &'static Family, resp: u8| {
        let reference = reference.clone();
        let ignored = reference.is_none();
        let test = move || match reference {
            Some(reference) => run::compare(&reference, family, resp).map_err(Into::into),
            None => Err("no Redis 8 to compare with: run tests/reference/get".into()),
        };
        Trial::test(format!("{}_resp{resp}", family.name), test).with_ignored_flag(ignored)
    };
    let trials = FAMILIES.iter().flat_map(|family| [trial(family, 2), trial(family, 3)]).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
