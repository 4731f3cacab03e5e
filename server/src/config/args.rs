//! The command line.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::load::{Failure, Loader, read};
use super::{Config, split_words};
use crate::server::os_error_text;
use crate::version;

/// What the command line asks for.
pub enum Invocation {
    Serve(Box<Config>),
    /// Print this and leave.
    Print(String),
    /// Check a snapshot, with these arguments.
    CheckSnapshot(Vec<OsString>),
    /// Check an append-only log, as these arguments say.
    CheckLog(Vec<OsString>),
}

/// Where the configuration comes from, in the order in which later lines win.
#[derive(PartialEq, Eq, Debug, Default)]
struct Sources {
    file: Option<PathBuf>,
    stdin: bool,
    /// Arguments as the lines of a file that they stand for.
    options: Vec<u8>,
}

/// Reads the arguments behind the program's name, and what they point to. `is_command` knows the names of commands,
/// in lower case.
pub fn read_invocation(
    args: impl IntoIterator<Item = OsString>,
    is_command: &dyn Fn(&[u8]) -> bool,
) -> Result<Invocation, Failure> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.first().is_some_and(|arg| arg == "--check-rdb") {
        return Ok(Invocation::CheckSnapshot(args.split_off(1)));
    }
    if args.first().is_some_and(|arg| arg == "--check-aof") {
        return Ok(Invocation::CheckLog(args.split_off(1)));
    }
    let args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
    if args.iter().any(|arg| arg == b"--sentinel") {
        return Err(Failure::Unsupported("Sentinel mode is not supported.".into()));
    }
    match args.first().map(Vec::as_slice) {
        Some(b"-v" | b"--version") => return Ok(Invocation::Print(version::line("Redis server") + "\n")),
        Some(b"-h" | b"--help") => return Ok(Invocation::Print(help())),
        Some(b"--test-memory" | b"--check-system") => {
            let reason = "Testing the machine is not supported.";
            return Err(Failure::Unsupported(reason.into()));
        }
        _ => {}
    }
    let mut config = Config::new();
    let sources = sources(&args);
    let mut content = Vec::new();
    if let Some(path) = sources.file {
        // Directives may change the directory; the file stays the same.
        let path = std::path::absolute(&path).unwrap_or(path);
        content = read(&path)?;
        config.file = Some(path);
    }
    if sources.stdin {
        let read = std::io::stdin().read_to_end(&mut content);
        read.map_err(|error| Failure::Unreadable { path: "-".into(), reason: os_error_text(&error) })?;
    }
    content.push(b'\n');
    content.extend(sources.options);
    Loader::new(&mut config, is_command).load(&content)?;
    Ok(Invocation::Serve(Box::new(config)))
}

/// Sorts arguments. A directive begins with `--` unless the one in front of it still waits for its value; all that
/// follows up to the next belongs to it.
fn sources(args: &[Vec<u8>]) -> Sources {
    let mut sources = Sources::default();
    let file = args.first().filter(|arg| !arg.starts_with(b"-"));
    sources.file = file.map(|arg| PathBuf::from(std::ffi::OsStr::from_bytes(arg)));
    let options = &mut sources.options;
    let mut complete = true;
    for (index, arg) in args.iter().enumerate().skip(usize::from(file.is_some())) {
        let next = args.get(index + 1);
        if arg == b"-" && (index == 0 || next.is_none()) {
            sources.stdin = true;
        } else if let Some(directive) = arg.strip_prefix(b"--").filter(|_| complete) {
            if !options.is_empty() {
                options.push(b'\n');
            }
            options.extend_from_slice(directive);
            options.push(b' ');
            complete = split_words(arg).is_none_or(|words| words.len() != 1);
            // Without a value, `--save` stands for no save points at all.
            let bare = next.is_none_or(|next| next.starts_with(b"--"));
            if !complete && bare && arg.eq_ignore_ascii_case(b"--save") {
                options.extend_from_slice(b"\"\"");
                complete = true;
            }
        } else {
            options.extend(super::value::quoted(arg));
            options.push(b' ');
            complete = true;
        }
    }
    sources
}

fn help() -> String {
    let mut text = String::from(
        "Usage: spinel-server [/path/to/redis.conf] [options] [-]
       spinel-server - (read the configuration from standard input)
       spinel-server -v or --version
       spinel-server -h or --help
       spinel-server --check-rdb <file.rdb>
       spinel-server --check-aof [--fix|--truncate-to-timestamp <seconds>] <file.manifest|file.aof>

Examples:
       spinel-server (run with the default configuration)
       echo 'maxmemory 128mb' | spinel-server -
       spinel-server /etc/redis/6379.conf
       spinel-server --port 7777
       spinel-server /etc/redis/6379.conf --loglevel verbose -

Options are the directives of redis.conf. With their defaults:

",
    );
    let config = Config::new();
    for entry in config.entries().into_iter().filter(|entry| !entry.row().hidden) {
        let row = entry.row();
        let default = match row.name {
            "dir" => "./".into(),
            _ => String::from_utf8_lossy(&entry.setting().text()).into_owned(),
        };
        let default = if default.is_empty() { "''" } else { &default };
        text.push_str(&format!("  --{} {default}\n        {}\n", row.name, row.summary.trim()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(args: &[&str]) -> (Option<String>, bool, String) {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        let Sources { file, stdin, options } = sources(&args);
        let file = file.map(|path| path.to_string_lossy().into_owned());
        (file, stdin, String::from_utf8(options).expect("ASCII"))
    }

    fn options(args: &[&str]) -> String {
        lines(args).2
    }

    #[test]
    fn arguments_become_lines() {
        assert_eq!(options(&["--port", "0", "--save", "900", "1"]), "port \"0\" \nsave \"900\" \"1\" ");
        assert_eq!(options(&["--maxmemory 700mb", "--port", "1"]), "maxmemory 700mb \nport \"1\" ");
        assert_eq!(options(&["--timeout", "--port", "0"]), "timeout \"--port\" \"0\" ");
        assert_eq!(options(&["--requirepass", "a \"b"]), "requirepass \"a \\\"b\" ");
        assert_eq!(options(&["-x"]), "\"-x\" ");
    }

    #[test]
    fn save_without_a_value_is_none() {
        assert_eq!(options(&["--save", "--port", "0"]), "save \"\"\nport \"0\" ");
        assert_eq!(options(&["--save"]), "save \"\"");
        assert_eq!(options(&["--save", ""]), "save \"\" ");
    }

    #[test]
    fn a_file_comes_first_and_standard_input_first_or_last() {
        assert_eq!(lines(&["my.conf", "--port", "0", "-"]), (Some("my.conf".into()), true, "port \"0\" ".into()));
        assert_eq!(lines(&["-", "--port", "0"]), (None, true, "port \"0\" ".into()));
        assert_eq!(lines(&["--port", "0", "-", "--hz", "1"]).2, "port \"0\" \"-\" \nhz \"1\" ");
    }

    #[test]
    fn help_and_version_are_answered() {
        let answer = |arg: &str| match read_invocation([OsString::from(arg)], &|_| false) {
            Ok(Invocation::Print(text)) => text,
            _ => panic!("{arg} is answered"),
        };
        assert!(answer("--version").starts_with("Redis server v=8.0.6 "));
        assert!(answer("-h").contains("--maxmemory-policy noeviction\n"));
        assert!(matches!(read_invocation(["--sentinel".into()], &|_| false), Err(Failure::Unsupported(_))));
    }

    #[test]
    fn arguments_are_numbered_as_lines_behind_the_file() {
        let failed = |args: &[&str]| match read_invocation(args.iter().map(OsString::from), &|_| false) {
            Err(failure) => failure.to_string(),
            Ok(_) => panic!("{args:?} is wrong"),
        };
        let text = failed(&["--port", "0", "--timeout", "x"]);
        let end = "Reading the configuration file, at line 3\n>>> 'timeout \"x\"'\nargument couldn't be parsed into an integer\n";
        assert!(text.starts_with("\n*** FATAL CONFIG FILE ERROR (Spinel ") && text.ends_with(end), "{text}");
        let text = failed(&["/no/such.conf"]);
        assert_eq!(text, "Fatal error, can't open config file '/no/such.conf': No such file or directory\n");
    }
}
