//! The configuration: one table, from which files, the command line, CONFIG and `--help` are derived.

mod args;
mod change;
mod load;
mod rewrite;
mod table;
mod value;

use std::path::PathBuf;
use std::sync::LazyLock;

use parking_lot::Mutex;

pub use args::{Invocation, read_invocation};
pub use change::Caller;
pub use load::{Failure, UserLine};
pub use rewrite::Extent;
pub(crate) use rewrite::replace_file;
pub use table::{
    Apply, DisklessLoad, EndpointType, FsyncPolicy, LogLevel, MaxmemoryPolicy, Mutability, OomAdjust, Permission,
    PropagationError, PubSubDefault, Row, SanitizePayload, Supervised, SyslogFacility, TlsAuth,
};
pub use value::{Choice, NotifyFlags, OutputLimit, Percentiles, SavePoint, ShutdownFlags, parse_memory as memory_size};

use table::{Cluster, Entry, General, Memory, Network, Persistence, Replication, Tls};

/// The values of all directives. Numbers, switches and enumerations are read without a lock.
pub struct Config {
    network: Network,
    general: General,
    memory: Memory,
    persistence: Persistence,
    replication: Replication,
    cluster: Cluster,
    tls: Tls,
    /// Only one CONFIG SET at a time.
    changing: Mutex<()>,
    /// The file that the server was started with.
    pub file: Option<PathBuf>,
    /// Other names for commands, an empty one takes a command away.
    pub renames: Vec<(Vec<u8>, Vec<u8>)>,
    /// Paths of the modules that files ask for.
    pub modules: Vec<String>,
    /// Users that files declare, in their order.
    pub users: Vec<UserLine>,
}

/// A directive that was looked up.
struct Found<'a> {
    entry: &'a dyn Entry,
    /// The name that was asked for: the directive's own or its alias.
    name: &'static str,
}

impl Config {
    /// All defaults.
    pub fn new() -> Config {
        Config {
            network: Network::new(),
            general: General::new(),
            memory: Memory::new(),
            persistence: Persistence::new(),
            replication: Replication::new(),
            cluster: Cluster::new(),
            tls: Tls::new(),
            changing: Mutex::new(()),
            file: None,
            renames: Vec::new(),
            modules: Vec::new(),
            users: Vec::new(),
        }
    }

    fn entries(&self) -> Vec<&dyn Entry> {
        let mut all = Vec::with_capacity(256);
        self.network.list(&mut all);
        self.general.list(&mut all);
        self.memory.list(&mut all);
        self.persistence.list(&mut all);
        self.replication.list(&mut all);
        self.cluster.list(&mut all);
        self.tls.list(&mut all);
        all
    }

    /// All rows of the table.
    pub fn rows(&self) -> Vec<&Row> {
        self.entries().into_iter().map(Entry::row).collect()
    }

    /// The row of a directive, by its name or alias in any case.
    pub fn row(&self, name: &[u8]) -> Option<&Row> {
        find(&self.entries(), name).map(|found| found.entry.row())
    }

    /// Stores what the server found out for itself about a directive.
    pub fn correct(&self, name: &str, value: &str) {
        let entries = self.entries();
        let Some(found) = find(&entries, name.as_bytes()) else { return };
        if let Err(reason) = found.entry.setting().set(&[value.as_bytes()], value::Intent::Load) {
            crate::log::warning!("Cannot set {name} to {value}: {reason}");
        }
    }

    /// Whether new users may use all channels.
    pub fn opens_channels(&self) -> bool {
        self.acl_pubsub_default() == PubSubDefault::AllChannels
    }

    /// The port that clients come to: the one for TLS where there is no other, 0 where there is none.
    pub fn main_port(&self) -> i64 {
        if self.port() != 0 { self.port() } else { self.tls_port() }
    }

    /// How many workers to start: as many as `io-threads` says where it is given, else one per core.
    pub fn workers(&self) -> usize {
        if self.network.io_threads.given() {
            return usize::try_from(self.io_threads()).unwrap_or(1);
        }
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the values of a directive must not be seen by others.
pub fn is_sensitive(directive: &[u8]) -> bool {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let config = Config::new();
        let rows = config.rows().into_iter().filter(|row| row.sensitive);
        rows.flat_map(|row| [Some(row.name), row.alias]).flatten().collect()
    });
    NAMES.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(directive))
}

/// Finds a directive by its name or alias in any case.
fn find<'a>(entries: &[&'a dyn Entry], name: &[u8]) -> Option<Found<'a>> {
    entries.iter().find_map(|&entry| {
        let names = [Some(entry.row().name), entry.row().alias];
        let name = names.into_iter().flatten().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(Found { entry, name })
    })
}

/// Words of a line, quotes undone; `None` where the quotes do not match.
pub(crate) fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut line = line.to_vec();
    let mut spans = Vec::new();
    protocol::split_words(&mut line, |start, len| spans.push(start..start + len)).ok()?;
    spans.into_iter().map(|span| line.get(span).map(<[u8]>::to_vec)).collect()
}
