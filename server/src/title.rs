//! The process's title: what `ps` shows.

use std::sync::OnceLock;

use crate::config::Config;
use crate::log;

/// The memory that the system reads arguments from: theirs, and behind it that of the environment.
struct Area {
    start: usize,
    end: usize,
    /// Where the arguments end.
    args_end: usize,
    /// The program's name as it was called.
    program: String,
}

static AREA: OnceLock<Area> = OnceLock::new();

/// Makes titles possible. To be called while there is only one thread, once nobody reads the arguments any more.
pub fn prepare() {
    let program = std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned();
    let Some((start, args_end, end)) = area() else { return };
    let environment: Vec<_> = std::env::vars_os().collect();
    for (name, value) in environment {
        // SAFETY: there is no other thread. This leaves the old place, which a title may be written over.
        unsafe { std::env::set_var(name, value) };
    }
    let _ = AREA.set(Area { start, end, args_end, program });
}

/// Where the arguments begin and end, and the end of the environment, which follows them.
fn area() -> Option<(usize, usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields are counted from behind the program's name, which may hold anything.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<usize>().ok();
    let (start, args_end, env_start, env_end) = (number(48)?, number(49)?, number(50)?, number(51)?);
    let end = if env_start == args_end && env_end > env_start { env_end } else { args_end };
    (start != 0 && args_end > start).then_some((start, args_end, end))
}

/// Shows the title that the configuration asks for.
pub fn show(config: &Config) {
    let Some(area) = AREA.get().filter(|_| config.set_proc_title()) else { return };
    let title = expand(&config.proc_title_template(), config, &area.program);
    let room = area.end - area.start - 1;
    let title = title.as_bytes().get(..room).unwrap_or(title.as_bytes());
    // SAFETY: the memory from `start` to `end` is this process's own, writable, and read by nobody else in it; the title
    // leaves room for a NUL.
    unsafe {
        let area_start = std::ptr::with_exposed_provenance_mut::<u8>(area.start);
        area_start.write_bytes(0, room + 1);
        area_start.copy_from_nonoverlapping(title.as_ptr(), title.len());
        if area.start + title.len() < area.args_end {
            // Without a NUL at the arguments' end the system takes them for one text, which ends with its first NUL.
            std::ptr::with_exposed_provenance_mut::<u8>(area.args_end - 1).write(b'.');
        }
    }
    log::verbose!("The process's title is now {}", String::from_utf8_lossy(title));
}

/// A template, which is valid, with the values of its variables.
fn expand(template: &str, config: &Config, program: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix('{') {
            text.push('{');
            rest = behind;
            continue;
        }
        let (variable, behind) = behind.split_once('}').unwrap_or((behind, ""));
        text.push_str(&value(variable, config, program));
        rest = behind;
    }
    text.push_str(rest);
    text.trim_matches(' ').to_string()
}

fn value(variable: &str, config: &Config, program: &str) -> String {
    match variable {
        "title" => program.to_string(),
        "listen-addr" if config.main_port() == 0 => config.unixsocket().to_string(),
        "listen-addr" => {
            format!("{}:{}", config.bind().split_ascii_whitespace().next().unwrap_or("*"), config.main_port())
        }
        "port" => config.port().to_string(),
        "tls-port" => config.tls_port().to_string(),
        "unixsocket" => config.unixsocket().to_string(),
        "config-file" => config.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default(),
        // The mode has a name in a cluster only.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let config = Config::new();
        let cases = [
            ("{title} {listen-addr} {server-mode}", "spinel *:6379"),
            ("{{x} {port}/{tls-port}", "{x} 6379/0"),
            ("{config-file}{unixsocket} a", "a"),
        ];
        for (template, title) in cases {
            assert_eq!(expand(template, &config, "spinel"), title);
        }
    }
}
