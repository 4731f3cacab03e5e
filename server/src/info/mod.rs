//! INFO: what the server tells about itself, in sections of `name:value` lines.

mod activity;
mod data;
pub mod memory;
mod process;
pub mod rates;

use std::fmt::{Display, Write};

use storage::View;

use crate::server::Server;

/// Writes a section's lines.
type Fill = fn(&Server, &View<'_>, &mut Lines);

/// A part of the report.
struct Section {
    /// As it is asked for.
    name: &'static str,
    /// As it is printed.
    title: &'static str,
    /// When it is shown without being asked for by its name.
    shown: Shown,
    fill: Fill,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Always,
    /// With `all`: what is long.
    WithAll,
    /// With `everything`: what takes a look at every key, which nobody who asks for a report every second wants.
    WithEverything,
}

const fn section(name: &'static str, title: &'static str, fill: Fill) -> Section {
    Section { name, title, shown: Shown::Always, fill }
}

const fn detail(name: &'static str, title: &'static str, fill: Fill) -> Section {
    Section { name, title, shown: Shown::WithAll, fill }
}

const SECTIONS: &[Section] = &[
    section("server", "Server", process::server),
    section("clients", "Clients", process::clients),
    section("memory", "Memory", memory::fill),
    section("persistence", "Persistence", data::persistence),
    section("threads", "Threads", process::threads),
    section("stats", "Stats", activity::stats),
    section("replication", "Replication", data::replication),
    section("cpu", "CPU", process::cpu),
    section("modules", "Modules", |_, _, _| ()),
    detail("commandstats", "Commandstats", activity::commands),
    section("errorstats", "Errorstats", activity::errors),
    detail("latencystats", "Latencystats", activity::latencies),
    section("cluster", "Cluster", data::cluster),
    section("keyspace", "Keyspace", data::keyspace),
    Section { name: "keysizes", title: "Keysizes", shown: Shown::WithEverything, fill: data::key_sizes },
];

/// The sections that are asked for by name, in any case and in the report's own order; the usual ones without a name.
pub fn report<'a>(server: &Server, view: &View<'_>, names: impl Iterator<Item = &'a [u8]> + Clone) -> String {
    let asked = |word: &str| names.clone().any(|name| name.eq_ignore_ascii_case(word.as_bytes()));
    let most = if asked("everything") {
        Some(Shown::WithEverything)
    } else if asked("all") {
        Some(Shown::WithAll)
    } else if asked("default") || names.clone().next().is_none() {
        Some(Shown::Always)
    } else {
        None
    };
    let mut lines = Lines(String::with_capacity(4096));
    for section in SECTIONS {
        // What is not tracked has no section.
        let tracked = section.name != "latencystats" || server.config.latency_tracking();
        if tracked && (most.is_some_and(|most| section.shown <= most) || asked(section.name)) {
            if !lines.0.is_empty() {
                lines.0.push_str("\r\n");
            }
            lines.write(format_args!("# {}", section.title));
            (section.fill)(server, view, &mut lines);
        }
    }
    lines.0
}

/// The report under construction.
pub struct Lines(String);

impl Lines {
    fn write(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{line}\r\n");
    }

    /// One field.
    fn field(&mut self, name: &str, value: impl Display) {
        self.write(format_args!("{name}:{value}"));
    }

    /// A number of bytes, once as it is and once to be read by people.
    fn bytes(&mut self, name: &str, value: u64) {
        self.field(name, value);
        self.write(format_args!("{name}_human:{}", Human(value)));
    }

    /// Fields of what this server does not have or has not done yet.
    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }
}

/// A number of bytes in the largest unit that it fills.
pub struct Human(pub u64);

impl Display for Human {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{}B", self.0);
        }
        let power = (self.0.ilog2() / 10).min(5);
        let unit = ["", "K", "M", "G", "T", "P"][power as usize];
        write!(f, "{:.2}{unit}", self.0 as f64 / (1u64 << (10 * power)) as f64)
    }
}

/// `part` of `whole`, 0 where there is no whole.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::config::Config;

    fn report_of(names: &[&str]) -> String {
        let server = Server::new(Config::new()).expect("defaults make a server");
        report(&server, &server.keyspace.view_none(0, 0), names.iter().map(|name| name.as_bytes()))
    }

    fn titles(report: &str) -> Vec<&str> {
        report.lines().filter_map(|line| line.strip_prefix("# ")).collect()
    }

    #[test]
    fn every_line_is_a_title_or_a_field_that_comes_once() {
        let report = report_of(&["everything"]);
        let mut seen = HashSet::new();
        for line in report.split_terminator("\r\n").filter(|line| !line.is_empty() && !line.starts_with("# ")) {
            let (name, value) = line.split_once(':').expect("a field");
            assert!(!name.is_empty() && !name.contains(' ') && !value.contains('\r'), "{line}");
            assert!(seen.insert(name.to_string()), "{name} twice");
        }
        for name in ["redis_version", "spinel_version", "used_memory", "role", "loading", "mem_allocator"] {
            assert!(seen.contains(name), "{name}");
        }
        assert_eq!(titles(&report).len(), SECTIONS.len());
    }

    #[test]
    fn sections_by_name() {
        assert_eq!(titles(&report_of(&["CPU", "server", "Cpu"])), ["Server", "CPU"]);
        assert_eq!(report_of(&["nosuch"]), "");
        assert!(!titles(&report_of(&[])).contains(&"Commandstats"));
        assert_eq!(titles(&report_of(&[])), titles(&report_of(&["default", "cpu"])));
        assert!(titles(&report_of(&["default", "latencystats"])).contains(&"Latencystats"));
        assert!(titles(&report_of(&["all"])).contains(&"Commandstats"));
        assert!(!titles(&report_of(&["all"])).contains(&"Keysizes"));
        assert_eq!(report_of(&["keysizes"]), "# Keysizes\r\n");
        assert_eq!(report_of(&["cluster", "modules"]), "# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n");
    }

    #[test]
    fn bytes_for_people() {
        let cases = [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (711_144, "694.48K"), (25_276_510_208, "23.54G")];
        cases.iter().for_each(|(bytes, text)| assert_eq!(Human(*bytes).to_string(), *text));
        assert_eq!(Human(u64::MAX).to_string(), "16384.00P");
    }
}
