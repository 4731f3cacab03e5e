//! CONFIG GET and CONFIG SET.

use super::table::{Apply, Entry, Mutability};
use super::value::Intent;
use super::{Config, Found, find};
use crate::command::Error;
use crate::glob;

/// Who wants to change the configuration, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Whether protected directives may be changed.
    pub trusted: bool,
    /// Whether the dataset is being loaded.
    pub loading: bool,
}

/// Why CONFIG SET was refused, as an error reply.
fn refused(name: &[u8], reason: &str) -> Error {
    Error::quoting("ERR CONFIG SET failed (possibly related to argument '", name, &format!("') - {reason}"))
}

/// A directive to set, and what to put back if the whole fails.
struct Change<'a> {
    entry: &'a dyn Entry,
    name: &'static str,
    new: &'a [u8],
    old: Vec<u8>,
}

/// The words of a value of CONFIG SET: apart at every single space where the directive takes several.
fn words<'v>(entry: &dyn Entry, value: &'v [u8]) -> Vec<&'v [u8]> {
    match entry.row().multiple {
        true if value.is_empty() => Vec::new(),
        true => value.split(|&byte| byte == b' ').collect(),
        false => vec![value],
    }
}

impl Config {
    /// CONFIG GET: names and values that match one of the patterns, each once. A name without wildcards is answered
    /// the way it was asked for.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let entries = self.entries();
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], entry: &dyn Entry| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), entry.setting().text()));
            }
        };
        for &pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                if let Some(Found { entry, .. }) = find(&entries, pattern) {
                    add(pattern, entry);
                }
                continue;
            }
            for &entry in entries.iter().filter(|entry| !entry.row().hidden) {
                for name in [Some(entry.row().name), entry.row().alias].into_iter().flatten() {
                    if glob::matches(pattern, name.as_bytes(), true) {
                        add(name.as_bytes(), entry);
                    }
                }
            }
        }
        found
    }

    /// CONFIG SET: all pairs or none. `apply` does what a changed directive asks for besides being stored; it is
    /// called once for each such thing, and again with the old values where one of them fails.
    pub fn set(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
        apply: &mut dyn FnMut(Apply) -> Result<(), String>,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.changing.lock();
        let entries = self.entries();
        let changes = self.plan(&entries, pairs, caller)?;
        let mut steps: Vec<(Apply, &str)> = Vec::new();
        for (done, change) in changes.iter().enumerate() {
            let row = change.entry.row();
            let changed = match change.entry.setting().set(&words(change.entry, change.new), Intent::Change) {
                Ok(changed) => changed,
                Err(reason) => {
                    restore(changes.get(..=done).unwrap_or_default());
                    return Err(refused(change.name.as_bytes(), &reason));
                }
            };
            if let Some(step) = row.apply
                && (changed || row.volatile)
                && !steps.iter().any(|(known, _)| *known == step)
            {
                steps.push((step, change.name));
            }
        }
        for (done, (step, name)) in steps.iter().enumerate() {
            let Err(reason) = apply(*step) else { continue };
            crate::log::warning!(
                "Failed applying new configuration. Possibly related to new {name} setting. Restoring previous settings."
            );
            restore(&changes);
            for (step, _) in steps.get(..=done).unwrap_or_default() {
                if let Err(reason) = apply(*step) {
                    crate::log::warning!("Failed applying restored failed CONFIG SET command: {reason}");
                }
            }
            return Err(refused(name.as_bytes(), &reason));
        }
        Ok(())
    }

    /// Looks all names up and checks all values, before anything is changed.
    fn plan<'a>(
        &self,
        entries: &[&'a dyn Entry],
        pairs: &[(&'a [u8], &'a [u8])],
        caller: Caller,
    ) -> Result<Vec<Change<'a>>, Error> {
        let mut changes: Vec<Change<'a>> = Vec::with_capacity(pairs.len());
        for &(asked, new) in pairs {
            // Errors name it as the client wrote it.
            let Some(Found { entry, name }) = find(entries, asked) else {
                let before = "ERR Unknown option or number of arguments for CONFIG SET - '";
                return Err(Error::quoting(before, asked, "'"));
            };
            let row = entry.row();
            if row.mutability == Mutability::AtStart {
                return Err(refused(asked, "can't set immutable config"));
            }
            if row.mutability == Mutability::Protected && !caller.trusted {
                return Err(refused(asked, "can't set protected config"));
            }
            if row.not_while_loading && caller.loading {
                return Err(Error::LOADING);
            }
            if changes.iter().any(|change| change.name == name) {
                return Err(refused(asked, "duplicate parameter"));
            }
            changes.push(Change { entry, name, new, old: entry.setting().text() });
        }
        for change in &changes {
            let checked = change.entry.setting().set(&words(change.entry, change.new), Intent::Check);
            checked.map_err(|reason| refused(change.name.as_bytes(), &reason))?;
        }
        Ok(changes)
    }
}

/// Puts old values back. They were valid before, so only the outside can stand in the way: a directory that is gone.
fn restore(changes: &[Change<'_>]) {
    for change in changes {
        if let Err(reason) = change.entry.setting().set(&words(change.entry, &change.old), Intent::Change) {
            crate::log::warning!("Failed restoring failed CONFIG SET command. Error setting {}: {reason}", change.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(config: &Config, pairs: &[(&str, &str)]) -> Result<Vec<Apply>, String> {
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        let mut applied = Vec::new();
        let outcome = config.set(&pairs, Caller::default(), &mut |step| {
            applied.push(step);
            Ok(())
        });
        outcome.map(|()| applied).map_err(|error| error.to_string())
    }

    fn get(config: &Config, patterns: &[&str]) -> Vec<(String, String)> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let text = |bytes| String::from_utf8(bytes).expect("ASCII");
        config.get(&patterns).into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn names_come_once_and_as_asked_for() {
        let config = Config::new();
        assert_eq!(get(&config, &["hz", "HZ", "h[z]", "hz*"]), [("hz".into(), "10".into())]);
        assert_eq!(get(&config, &["SLAVE-priority"]), [("SLAVE-priority".into(), "100".into())]);
        assert_eq!(get(&config, &["watchdog*", "nothing"]), []);
        assert_eq!(get(&config, &["watchdog-period"]).len(), 1);
        let names: Vec<String> = get(&config, &["zset*value"]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["zset-max-listpack-value", "zset-max-ziplist-value"]);
    }

    #[test]
    fn all_or_nothing() {
        let config = Config::new();
        let failed = "ERR CONFIG SET failed (possibly related to argument ";
        let wrong = [
            (vec![("hz", "20"), ("maxclients", "abc")], "'maxclients') - argument couldn't be parsed into an integer"),
            (vec![("hz", "20"), ("HZ", "30")], "'HZ') - duplicate parameter"),
            (vec![("hz", "20"), ("daemonize", "no"), ("xyz", "1")], "'daemonize') - can't set immutable config"),
            (vec![("hz", "20"), ("dbfilename", "x")], "'dbfilename') - can't set protected config"),
            (vec![("slave-priority", "abc")], "'slave-priority') - argument couldn't be parsed into an integer"),
        ];
        for (pairs, reason) in wrong {
            assert_eq!(set(&config, &pairs), Err(format!("{failed}{reason}")));
        }
        let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'xyz'";
        assert_eq!(set(&config, &[("port", "abc"), ("xyz", "1"), ("daemonize", "no")]), Err(unknown.into()));
        assert_eq!(config.hz(), 10);
        assert_eq!(set(&config, &[("slave-priority", "1"), ("replica-priority", "2")]), Ok(vec![]));
        assert_eq!(config.replica_priority(), 2);
    }

    #[test]
    fn each_thing_is_applied_once_and_only_for_a_change() {
        let config = Config::new();
        let pairs = [("port", "7000"), ("maxclients", "10000"), ("bind", "::1"), ("slowlog-max-len", "5")];
        assert_eq!(set(&config, &pairs), Ok(vec![Apply::Port, Apply::Bind, Apply::SlowLog]));
        assert_eq!(set(&config, &[("tls-cert-file", "")]), Ok(vec![Apply::Tls]), "the file may have changed");
    }

    #[test]
    fn what_cannot_be_applied_is_taken_back() {
        let config = Config::new();
        let mut seen = Vec::new();
        let pairs: [(&[u8], &[u8]); 3] = [(b"port", b"7000"), (b"maxclients", b"77"), (b"save", b"1 1")];
        let outcome = config.set(&pairs, Caller::default(), &mut |step| {
            seen.push((step, config.port(), config.maxclients()));
            if config.maxclients() == 77 && step == Apply::MaxClients { Err("too many".into()) } else { Ok(()) }
        });
        let error = refused(b"maxclients", "too many");
        assert_eq!(outcome, Err(error));
        let (listen, clients) = (Apply::Port, Apply::MaxClients);
        let calls = [(listen, 7000, 77), (clients, 7000, 77), (listen, 6379, 10000), (clients, 6379, 10000)];
        assert_eq!(seen, calls);
        assert_eq!(get(&config, &["save"]), [("save".into(), "3600 1 300 100 60 10000".into())]);
    }

    #[test]
    fn some_directives_wait_for_the_dataset() {
        let config = Config::new();
        let caller = Caller { loading: true, trusted: true };
        let outcome = config.set(&[(b"dir", b".")], caller, &mut |_| Ok(()));
        assert_eq!(outcome, Err(Error::LOADING));
    }

    #[test]
    fn every_value_can_be_set_to_itself() {
        let config = Config::new();
        for (name, value) in config.get(&[b"*"]) {
            let row = config.row(&name).expect("it was listed");
            let outcome = config.set(&[(&name, &value)], Caller::default(), &mut |_| Ok(()));
            match row.mutability {
                Mutability::Anytime => assert_eq!(outcome, Ok(()), "{}", row.name),
                _ => assert!(outcome.is_err(), "{}", row.name),
            }
            assert_eq!(config.get(&[&name]), [(name, value)]);
        }
    }

    #[test]
    fn no_name_stands_twice() {
        let config = Config::new();
        let mut names: Vec<&str> = config.rows().iter().flat_map(|row| [Some(row.name), row.alias]).flatten().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(config.rows().iter().all(|row| !row.summary.trim().is_empty()));
    }
}
