//! Sends the same generated commands to a real `redis-server` and to Spinel and compares the bytes of the replies.
//!
//! Without a real server there is nothing to compare with: then the tests are reported as ignored, with the command
//! that gets one. `SPINEL_TEST_SEED` replays a run, `SPINEL_DIFFERENTIAL_COMMANDS` sets its length.

mod collections;
mod dump;
mod entries;
mod exchange;
mod files;
mod generate;
mod geo;
mod replay;
mod run;
mod streams;

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

use generate::{FAMILIES, Family};

/// Where `tests/reference/get` puts a server of a version, or one that is given.
fn reference(version: &str, given: bool) -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/get");
    let mut command = Command::new(script);
    command.args(["--offline", "--redis-server", version]);
    if !given {
        command.env_remove("REDIS_SERVER");
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // Others answer differently.
    let banner = Command::new(&path).arg("--version").output().ok()?;
    String::from_utf8_lossy(&banner.stdout).contains(&format!("v={version}")).then_some(path)
}

/// A test that hands values to and fro.
fn exchange_with(version: &'static str, server: Option<PathBuf>, expires_fields: bool) -> Trial {
    let ignored = server.is_none();
    let test = move || match &server {
        Some(binary) => exchange::exchange(&exchange::Other { binary, expires_fields }).map_err(Into::into),
        None => Err("no such Redis: run tests/reference/get".into()),
    };
    Trial::test(format!("exchange_with_{version}"), test).with_ignored_flag(ignored)
}

/// A test beside the newest Redis.
fn with_newest(
    name: &str,
    server: Option<PathBuf>,
    compare: impl FnOnce(&Path) -> Result<(), String> + Send + 'static,
) -> Trial {
    let ignored = server.is_none();
    let test = move || match &server {
        Some(reference) => compare(reference).map_err(Into::into),
        None => Err("no Redis 8 to compare with: run tests/reference/get".into()),
    };
    Trial::test(name, test).with_ignored_flag(ignored)
}

fn main() {
    let arguments = Arguments::from_args();
    // The one to be like.
    let newest = reference("8.0", true);
    let older = reference("7.0", false);
    if newest.is_none() {
        eprintln!("differential: no Redis 8 to compare with; `tests/reference/get` fetches one");
    }
    let trial = |family: &'static Family, resp: u8| {
        let reference = newest.clone();
        let ignored = reference.is_none();
        let test = move || match reference {
            Some(reference) => run::compare(&reference, family, resp).map_err(Into::into),
            None => Err("no Redis 8 to compare with: run tests/reference/get".into()),
        };
        Trial::test(format!("{}_resp{resp}", family.name), test).with_ignored_flag(ignored)
    };
    let mut trials: Vec<Trial> = FAMILIES.iter().flat_map(|family| [trial(family, 2), trial(family, 3)]).collect();
    // What a log has of these.
    let logged = FAMILIES.iter().filter(|family| family.name != "connection");
    trials.extend(logged.map(|family| {
        with_newest(&format!("log_of_{}", family.name), newest.clone(), move |path| entries::compare(path, family))
    }));
    trials.push(with_newest("log", newest.clone(), entries::compare_table));
    for (name, replay) in [("repeat", replay::repeat as fn(Option<&Path>) -> _), ("order", replay::order)] {
        let reference = newest.clone();
        trials.push(Trial::test(name, move || replay(reference.as_deref()).map_err(Into::into)));
    }
    trials.push(with_newest("files", newest.clone(), files::to_and_fro));
    trials.push(exchange_with("8.0", newest.clone(), true));
    trials.push(exchange_with("7.0", older, false));
    libtest_mimic::run(&arguments, trials).exit();
}
