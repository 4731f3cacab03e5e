//! Reading configuration files.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::value::Intent;
use super::{Config, find, split_words};
use crate::server::os_error_text;
use crate::version;

/// A configuration that the server refuses to start with.
#[derive(Debug)]
pub enum Failure {
    /// A line that is wrong, by its number and text.
    Line { number: usize, text: String, reason: String },
    /// All lines are right, but not together.
    Whole(String),
    /// A file that cannot be read.
    Unreadable { path: PathBuf, reason: String },
    /// Something that this program does not do.
    Unsupported(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("\n*** FATAL CONFIG FILE ERROR (Spinel {}) ***", version::SPINEL);
        match self {
            Failure::Line { number, text, reason } => {
                writeln!(f, "{title}\nReading the configuration file, at line {number}\n>>> '{text}'\n{reason}")
            }
            Failure::Whole(reason) => writeln!(f, "{title}\n{reason}"),
            Failure::Unreadable { path, reason } => {
                writeln!(f, "Fatal error, can't open config file '{}': {reason}", path.display())
            }
            Failure::Unsupported(reason) => writeln!(f, "{reason}"),
        }
    }
}

/// A `user` line: a name and its rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserLine {
    /// Where the line stands, for messages about its rules.
    pub line: usize,
    pub text: String,
    /// The name and the rules.
    pub words: Vec<Vec<u8>>,
}

impl UserLine {
    /// What to say and leave with when the rules are wrong.
    pub fn failure(&self, reason: String) -> Failure {
        Failure::Line { number: self.line, text: self.text.clone(), reason }
    }
}

/// A file that includes itself must end somewhere.
const MAX_INCLUDES: usize = 64;

/// Directives of older versions that mean nothing any more.
const FORGOTTEN: [&[u8]; 4] =
    [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands", b"io-threads-do-reads"];

const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";

/// Takes lines over into a configuration.
pub(super) struct Loader<'a> {
    config: &'a mut Config,
    is_command: &'a dyn Fn(&[u8]) -> bool,
    /// Commands that lost their names, and names that commands got, both in lower case.
    gone: HashSet<Vec<u8>>,
    renamed: HashSet<Vec<u8>>,
}

impl<'a> Loader<'a> {
    /// A loader that asks `is_command` for the names of commands, in lower case.
    pub(super) fn new(config: &'a mut Config, is_command: &'a dyn Fn(&[u8]) -> bool) -> Loader<'a> {
        Loader { config, is_command, gone: HashSet::new(), renamed: HashSet::new() }
    }

    /// Takes over the lines of a file's content.
    pub(super) fn load(&mut self, content: &[u8]) -> Result<(), Failure> {
        self.load_nested(content, 0)
    }

    fn load_nested(&mut self, content: &[u8], depth: usize) -> Result<(), Failure> {
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
            let line = trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let outcome = match split_words(line) {
                None => Err("Unbalanced quotes in configuration line".into()),
                Some(words) => self.line(line, &words, index + 1, depth),
            };
            outcome.map_err(|problem| match problem {
                Problem::Line(reason) => {
                    Failure::Line { number: index + 1, text: String::from_utf8_lossy(line).into_owned(), reason }
                }
                Problem::Nested(failure) => failure,
            })?;
        }
        self.check_whole()
    }

    fn line(&mut self, line: &[u8], words: &[Vec<u8>], number: usize, depth: usize) -> Result<(), Problem> {
        let Some((name, values)) = words.split_first() else { return Ok(()) };
        if let Some(found) = find(&self.config.entries(), name) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let parts;
            let values = match values[..] {
                [value] if found.entry.row().multiple && !value.is_empty() => {
                    parts = split_words(value).ok_or("Unbalanced quotes in configuration line")?;
                    parts.iter().map(Vec::as_slice).collect()
                }
                _ => values,
            };
            found.entry.setting().set(&values, Intent::Load)?;
            found.entry.mark_given();
            return Ok(());
        }
        let name = name.to_ascii_lowercase();
        match (name.as_slice(), values) {
            (name, [_]) if FORGOTTEN.contains(&name) => Ok(()),
            (b"include", [pattern]) => self.include(pattern, depth),
            (b"rename-command", [from, to]) => Ok(self.rename(from, to)?),
            (b"user", [user, ..]) => {
                if self.config.users.iter().any(|line| line.words.first() == Some(user)) {
                    let user = String::from_utf8_lossy(user);
                    let reason = "Duplicate user found. A user can only be defined once in config files";
                    return Err(format!("Error in user declaration '{user}': {reason}").into());
                }
                let text = String::from_utf8_lossy(line).into_owned();
                self.config.users.push(UserLine { line: number, text, words: values.to_vec() });
                Ok(())
            }
            (b"loadmodule", [path, ..]) => {
                self.config.modules.push(String::from_utf8_lossy(path).into_owned());
                Ok(())
            }
            (b"sentinel", [_, ..]) => Err("sentinel directive while not in sentinel mode".into()),
            (b"sentinel", []) => Ok(()),
            _ => Err(BAD_DIRECTIVE.into()),
        }
    }

    /// Reads the files that a path or a pattern names. A pattern may name none.
    fn include(&mut self, pattern: &[u8], depth: usize) -> Result<(), Problem> {
        if depth >= MAX_INCLUDES {
            return Err("Too many nested includes".into());
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(pattern));
        let files = if is_pattern(pattern) { expand(path) } else { vec![path.to_path_buf()] };
        // The files that a pattern names count as one.
        let mut content = Vec::new();
        for file in files {
            content.extend(read(&file)?);
        }
        Ok(self.load_nested(&content, depth + 1)?)
    }

    /// Gives a command another name, or takes it away where that is empty.
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), &'static str> {
        let (old, new) = (from.to_ascii_lowercase(), to.to_ascii_lowercase());
        if !self.renamed.remove(&old) {
            if self.gone.contains(&old) || !(self.is_command)(&old) {
                return Err("No such command in rename-command");
            }
            self.gone.insert(old);
        }
        if !new.is_empty() {
            let taken = (self.is_command)(&new) && !self.gone.contains(&new);
            if taken || !self.renamed.insert(new) {
                return Err("Target command name already exists");
            }
        }
        self.config.renames.push((from.to_vec(), to.to_vec()));
        Ok(())
    }

    /// What single lines cannot tell.
    fn check_whole(&self) -> Result<(), Failure> {
        let logfile = self.config.logfile();
        if !logfile.is_empty()
            && let Err(error) = fs::OpenOptions::new().create(true).append(true).open(&*logfile)
        {
            return Err(Failure::Whole(format!("Can't open the log file: {}", os_error_text(&error))));
        }
        if self.config.cluster_enabled() && self.config.replicaof().is_some() {
            return Err(Failure::Whole("replicaof directive not allowed in cluster mode".into()));
        }
        Ok(())
    }
}

/// What is wrong with a line, or with what it includes.
enum Problem {
    Line(String),
    Nested(Failure),
}

impl From<String> for Problem {
    fn from(reason: String) -> Problem {
        Problem::Line(reason)
    }
}

impl From<&str> for Problem {
    fn from(reason: &str) -> Problem {
        Problem::Line(reason.into())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        Problem::Nested(failure)
    }
}

/// Without the blanks that may stand around a line.
fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| b" \t\r\n".contains(byte);
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}

/// A file's content, as a list of whole lines.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| Failure::Unreadable { path: path.into(), reason: os_error_text(&error) };
    fs::read(path).map_err(unreadable)
}

fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| b"*?[".contains(byte))
}

/// The paths that a pattern names, in order. Each part of the pattern may have wildcards; names that begin with a dot
/// are only met by parts that do.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        if !is_pattern(part.as_bytes()) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let names = |folder: PathBuf| {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let entries = fs::read_dir(here).into_iter().flatten().flatten().map(|entry| entry.file_name());
            let mut names: Vec<_> = entries.filter(|name| names_file(part.as_bytes(), name.as_bytes())).collect();
            names.sort();
            names.into_iter().map(move |name| folder.join(name)).collect::<Vec<_>>()
        };
        found = found.into_iter().flat_map(names).collect();
    }
    found.retain(|path| path.exists());
    found
}

fn names_file(pattern: &[u8], name: &[u8]) -> bool {
    name.starts_with(b".") == pattern.starts_with(b".") && crate::glob::matches(pattern, name, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_command(name: &[u8]) -> bool {
        [&b"get"[..], b"set", b"config"].contains(&name)
    }

    fn load(content: &str) -> Result<Config, Failure> {
        let mut config = Config::new();
        Loader::new(&mut config, &is_command).load(content.as_bytes())?;
        Ok(config)
    }

    /// The number, text and reason of the line that is refused.
    fn refused(content: &str) -> (usize, String, String) {
        match load(content) {
            Err(Failure::Line { number, text, reason }) => (number, text, reason),
            Err(other) => panic!("{content:?} fails as a whole: {other}"),
            Ok(_) => panic!("{content:?} is valid"),
        }
    }

    /// What a user's file looks like: comments, sections, quotes, old names.
    const SAMPLE: &str = r#"
# A cache in front of the shop.
bind 127.0.0.1 -::1
PORT 7001
  timeout 60
tcp-keepalive	"120"

maxmemory 700mb
maxmemory-policy 'allkeys-lru'
save 900 1
save 300 10 60 10000
slave-priority 50
hash-max-ziplist-entries 99
lua-time-limit 100
list-max-ziplist-value 64
client-output-buffer-limit replica 1mb 512kb 10
notify-keyspace-events "KEx"
requirepass "a \"quoted\" \x41"
unixsocketperm 770
rename-command CONFIG ""
rename-command GET READ
shutdown-on-sigterm "nosave now"
loadmodule /opt/module.so 1 2
user default on nopass
io-threads 4
"#;

    #[test]
    fn a_users_file() {
        let config = load(SAMPLE).expect("the sample is valid");
        assert_eq!(&*config.bind(), "127.0.0.1 -::1");
        assert_eq!((config.port(), config.timeout(), config.tcp_keepalive()), (7001, 60, 120));
        assert_eq!((config.maxmemory(), config.maxmemory_policy().is_by_access()), (700 << 20, true));
        assert_eq!(config.get(&[b"save"]), [(b"save".to_vec(), b"900 1 300 10 60 10000".to_vec())]);
        assert_eq!((config.replica_priority(), config.hash_max_listpack_entries()), (50, 99));
        assert_eq!((config.busy_reply_threshold(), config.unixsocketperm()), (100, 0o770));
        assert_eq!(&*config.requirepass(), b"a \"quoted\" A");
        assert_eq!(config.renames, [(b"CONFIG".to_vec(), vec![]), (b"GET".to_vec(), b"READ".to_vec())]);
        assert_eq!(config.users.len(), 1);
        assert_eq!(config.modules, ["/opt/module.so"]);
        assert_eq!(config.workers(), 4);
    }

    #[test]
    fn a_file_of_all_directives() {
        let defaults = Config::new();
        let mut file = String::new();
        for (name, value) in defaults.get(&[b"*"]) {
            let value = String::from_utf8(super::super::value::quoted(&value)).expect("ASCII");
            // "None" is spelled by leaving these out.
            if name != b"replicaof" && name != b"slaveof" {
                file.push_str(&format!("{} {value}\n", String::from_utf8_lossy(&name)));
            }
        }
        let config = load(&file).expect("defaults are valid");
        assert_eq!(config.get(&[b"*"]), defaults.get(&[b"*"]));
    }

    #[test]
    fn wrong_lines_are_explained() {
        let count = "wrong number of arguments";
        let bad = "Bad directive or wrong number of arguments";
        let quotes = "Unbalanced quotes in configuration line";
        for (line, reason) in [
            ("maxclients abc", "argument couldn't be parsed into an integer"),
            ("maxclients", count),
            ("maxclients 1 2", count),
            ("no-such-thing 1", bad),
            ("timeout \"abc", quotes),
            ("timeout \"10\"x", quotes),
            ("save 900", "Invalid save parameters"),
            ("save {}", "Invalid save parameters"),
            ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
            ("appendfilename a/b", "appendfilename can't be a path, just a filename"),
            ("appenddirname \"\"", "appenddirname can't be empty"),
            ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
            ("dir /no/such/folder", "No such file or directory"),
            ("supervised foo", "argument(s) must be one of the following: upstart, systemd, auto, no"),
            ("replicaof localhost", count),
            ("list-max-ziplist-entries 5 6", bad),
            ("include", bad),
            ("user", bad),
            ("loadmodule", bad),
            ("rename-command GET", bad),
            ("rename-command NOSUCH x", "No such command in rename-command"),
            ("rename-command GET SET", "Target command name already exists"),
            ("sentinel monitor a b 1 2", "sentinel directive while not in sentinel mode"),
        ] {
            assert_eq!(refused(&format!("# one\n  {line}  \n")), (2, line.into(), reason.into()));
        }
        assert_eq!(refused("rename-command GET \"\"\nrename-command GET x").2, "No such command in rename-command");
        let duplicate = "Error in user declaration 'bob': Duplicate user found. A user can only be defined once in \
                         config files";
        assert_eq!(refused("user bob on\nuser bob off").2, duplicate);
    }

    #[test]
    fn some_things_are_wrong_together() {
        let text = |content| load(content).err().map(|failure| failure.to_string()).unwrap_or_default();
        let title = format!("\n*** FATAL CONFIG FILE ERROR (Spinel {}) ***\n", version::SPINEL);
        let reason = "replicaof directive not allowed in cluster mode\n";
        assert_eq!(text("cluster-enabled yes\nreplicaof localhost 6379"), format!("{title}{reason}"));
        let reason = "Can't open the log file: No such file or directory\n";
        assert_eq!(text("logfile /no/such/file.log"), format!("{title}{reason}"));
    }

    #[test]
    fn names_may_be_moved_around() {
        let names = "rename-command GET X\nrename-command SET GET\nrename-command X SET\nrename-command SET \"\"";
        assert_eq!(load(names).expect("each name is free when it is taken").renames.len(), 4);
    }

    #[test]
    fn files_include_others() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, content: &str| fs::write(path(name), content).expect("writable");
        write("b.conf", "timeout 2\nhz 20");
        write("a.conf", "timeout 1\n");
        write("c.txt", "timeout 3\n");
        write("again.conf", &format!("include {}\n", path("again.conf")));
        write("wrong.conf", "\ntimeout x\n");
        let config = load(&format!("include {}\n", path("[ab].conf"))).expect("valid");
        assert_eq!((config.timeout(), config.hz()), (2, 20));
        assert!(load(&format!("include {}\n", path("*/none*.conf"))).is_ok());
        assert!(matches!(load("include /no/such.conf"), Err(Failure::Unreadable { .. })));
        assert_eq!(refused(&format!("hz 1\ninclude {}", path("again.conf"))).2, "Too many nested includes");
        assert_eq!(refused(&format!("hz 1\ninclude {}", path("wrong.conf"))).0, 2);
    }

    /// Names of directives that leave the file system alone.
    fn harmless_names() -> Vec<&'static str> {
        let config = Config::new();
        let names = config.rows().into_iter().flat_map(|row| [Some(row.name), row.alias]).flatten();
        names.filter(|name| !["dir", "logfile"].contains(name)).collect()
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let content: Vec<u8> = content.into_iter().filter(|byte| !b"/.".contains(byte)).collect();
            let mut config = Config::new();
            let _ = Loader::new(&mut config, &is_command).load(&content);
        }

        #[test]
        fn any_words_are_taken_or_refused(
            name in proptest::sample::select(harmless_names()),
            words in proptest::collection::vec("[ -~]{0,8}|-?[0-9]{1,20}[kmgb%]{0,2}|[a-z]{0,6}", 0..5),
        ) {
            let line = words.iter().fold(name.to_string(), |line, word| {
                line + " " + &String::from_utf8_lossy(&crate::config::value::quoted(word.as_bytes()))
            });
            if let Ok(config) = load(&line) {
                let value = config.get(&[name.as_bytes()]);
                prop_assert_eq!(value.len(), 1);
                // Names of hosts are written as they are; those with quotes never get as far.
                prop_assume!(!["bind", "replicaof", "slaveof"].contains(&name));
                // What was taken is written in a way that is taken again.
                let mut again = Config::new();
                let text = config.rewritten(b"", None, crate::config::Extent::Changed);
                prop_assert!(Loader::new(&mut again, &is_command).load(&text).is_ok());
                prop_assert_eq!(again.get(&[name.as_bytes()]), value);
            }
        }
    }
}
