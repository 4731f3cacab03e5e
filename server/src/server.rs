//! The server as a whole: what all workers share.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use protocol::Args;
use storage::{Class, Happening, Keyspace};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::acl::Acl;
use crate::client::{Client, Registry, Shared};
use crate::command::spec::Flags;
use crate::command::table::{Command, CommandTable};
use crate::config::{Apply, Config, OutputLimit, ShutdownFlags};
use crate::eviction::{ClientMemory, Pressure};
use crate::http::{TokenStreams, warn_of_equal_tokens};
use crate::info::rates::Rates;
use crate::latency::LatencyMonitor;
use crate::listen::Relisten;
use crate::log;
use crate::notifications;
use crate::persistence::aof::Aof;
use crate::persistence::{self, Persistence};
use crate::pubsub::PubSub;
use crate::scripts::Scripts;
use crate::slowlog::SlowLog;
use crate::stats::Stats;
use crate::supervise;
use crate::tls::{self, Tls};
use crate::tracking::Tracking;
use crate::worker::Incoming;

const NO_PORT: &str = "Unable to listen on this port. Check server logs.";

/// Which commands CLIENT PAUSE holds back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Pause {
    None = 0,
    Writes = 1,
    All = 2,
}

/// How the memory of clients' output is looked after.
pub struct OutputUpkeep {
    /// So long the largest output of a client is remembered, in milliseconds; for ever where it is negative.
    pub peak_ms: AtomicI64,
    /// Whether idle clients give memory back.
    pub shrinks: AtomicBool,
}

impl OutputUpkeep {
    pub const PEAK_MS: i64 = 5000;
}

impl Default for OutputUpkeep {
    fn default() -> OutputUpkeep {
        OutputUpkeep { peak_ms: OutputUpkeep::PEAK_MS.into(), shrinks: true.into() }
    }
}

/// See the module's description. There is one, and it lives as long as the process.
pub struct Server {
    pub config: Config,
    pub keyspace: Keyspace,
    pub commands: CommandTable,
    /// Commands by their number in statistics.
    pub commands_by_id: Vec<&'static Command>,
    pub clients: Registry,
    pub scripts: Scripts,
    pub acl: Acl,
    pub pubsub: PubSub,
    pub tracking: Tracking,
    pub stats: Stats,
    pub slowlog: Mutex<SlowLog>,
    pub latency: LatencyMonitor,
    pub clock: quanta::Clock,
    pub run_id: String,
    /// What replicas would know this data's history by.
    pub replication_id: Mutex<String>,
    pub rates: Rates,
    /// CPU seconds of the first worker, system and user, as of its last upkeep.
    pub first_worker_cpu: Mutex<(f64, f64)>,
    /// Bytes in use when the first client was about to come.
    pub startup_memory: AtomicUsize,
    /// Unix milliseconds.
    pub started_ms: i64,
    pub executable: String,
    /// Clients that are connected or about to be.
    pub connected: AtomicUsize,
    pub blocked: AtomicUsize,
    /// Connections that were ever handed to a worker, and refused.
    pub accepted: AtomicUsize,
    pub rejected: AtomicUsize,
    /// Whether keys are expired without being touched.
    pub active_expire: AtomicBool,
    /// Whether nothing is done but what clients ask for.
    pub cron_paused: AtomicBool,
    pub output_upkeep: OutputUpkeep,
    /// Elements of lists from so many bytes on are kept on their own; 0 leaves that to the directive.
    pub long_elements: AtomicU32,
    /// Whether payloads and files are taken whatever their checksums are.
    pub skips_checksums: AtomicBool,
    pub pressure: Pressure,
    pub client_memory: ClientMemory,
    /// Streams over HTTP that end with their tokens.
    pub token_streams: TokenStreams,
    pub workers: usize,
    /// The worker beside them that is started when scripts keep all others from their clients, if it could be.
    pub spare_worker: OnceLock<Option<UnboundedSender<Incoming>>>,
    pub tcp_port: AtomicUsize,
    /// Where to ask for other sockets to listen on, once there are any.
    pub relisten: OnceLock<UnboundedSender<Relisten>>,
    pub tls: Tls,
    pub shutdown: Notify,
    pub persistence: Persistence,
    pub aof: Aof,
    pause: AtomicU8,
    pause_until_ms: AtomicI64,
    /// When lines of HTTP were last told of, in Unix milliseconds.
    attack_noted_ms: AtomicI64,
}

impl Server {
    pub fn new(config: Config) -> Result<Server, String> {
        let mut commands = CommandTable::new();
        let mut commands_by_id: Vec<&'static Command> = commands.iter_all().collect();
        commands_by_id.sort_by_key(|command| command.id);
        for (from, to) in &config.renames {
            commands.rename(from, to)?;
        }
        let workers = config.workers();
        let server = Server {
            keyspace: Keyspace::new(config.databases() as usize),
            commands,
            commands_by_id,
            clients: Registry::default(),
            scripts: Scripts::default(),
            acl: Acl::new(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            // With a set for the spare one.
            stats: Stats::new(workers + 1),
            slowlog: Mutex::new(SlowLog::default()),
            latency: LatencyMonitor::default(),
            clock: quanta::Clock::new(),
            run_id: random_hex(20),
            replication_id: Mutex::new(random_hex(20)),
            rates: Rates::default(),
            first_worker_cpu: Mutex::default(),
            startup_memory: AtomicUsize::new(0),
            started_ms: unix_ms(),
            executable: std::env::current_exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
            connected: AtomicUsize::new(0),
            blocked: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            rejected: AtomicUsize::new(0),
            active_expire: AtomicBool::new(true),
            cron_paused: AtomicBool::new(false),
            output_upkeep: OutputUpkeep::default(),
            long_elements: AtomicU32::new(0),
            skips_checksums: AtomicBool::new(false),
            pressure: Pressure::default(),
            client_memory: ClientMemory::default(),
            token_streams: TokenStreams::default(),
            workers,
            spare_worker: OnceLock::new(),
            tcp_port: AtomicUsize::new(config.main_port() as usize),
            relisten: OnceLock::new(),
            tls: Tls::default(),
            shutdown: Notify::new(),
            persistence: Persistence::default(),
            aof: Aof::default(),
            pause: AtomicU8::new(Pause::None as u8),
            pause_until_ms: AtomicI64::new(0),
            attack_noted_ms: AtomicI64::new(0),
            config,
        };
        server.acl.load_at_start(&server.config)?;
        Ok(server)
    }

    /// Puts those directives in force that need more than to be read.
    pub fn apply_all(&'static self) -> Result<(), String> {
        let steps = [Apply::AccessPolicy, Apply::AppendTime, Apply::CrashReports, Apply::Logging, Apply::Notifications];
        for step in steps {
            self.apply(step)?;
        }
        if let Err(reason) = self.apply(Apply::OomScore) {
            crate::log::warning!("{reason}");
        }
        Ok(())
    }

    /// Puts a changed directive in force.
    pub fn apply(&'static self, step: Apply) -> Result<(), String> {
        let config = &self.config;
        match step {
            Apply::AccessPolicy => {
                let measure = config.maxmemory_policy().measure();
                self.keyspace.access.set(measure, config.lfu_log_factor() as u32, config.lfu_decay_time() as u32);
            }
            Apply::AppendHistory => self.aof.delete_history(self),
            Apply::AppendOnly => {
                if !self.aof.switch(self) {
                    return Err("Unable to turn on AOF. Check server logs.".into());
                }
            }
            Apply::AppendTime => self.aof.tell_time(config.aof_timestamp_enabled()),
            Apply::ClientMemory => self.client_memory.limit_changed(self),
            Apply::CrashReports => crate::crash::configure(config.crash_log_enabled(), config.use_exit_on_panic()),
            Apply::Bind => self.relisten("Failed to bind to specified addresses.")?,
            Apply::Port => self.relisten(NO_PORT)?,
            Apply::HttpTokens => {
                self.token_streams.tokens_changed(config);
                warn_of_equal_tokens(config);
            }
            Apply::Logging => crate::log::set_level(config.loglevel() as i64),
            Apply::MaxClients => {
                // A higher limit needs as many file descriptors.
                let room = crate::process::make_room_for_clients(config.maxclients() as u64, self.workers);
                room.inspect_err(|room| room.log()).map_err(|room| room.refusal())?;
            }
            Apply::Memory => {
                self.pressure.limit_changed(self);
                // It may be a share of this limit.
                self.client_memory.limit_changed(self);
            }
            Apply::Notifications => self.keyspace.observe(notifications::wanted(config.notify_keyspace_events())),
            Apply::OomScore => crate::process::set_oom_score(config.oom_score_adj(), config.oom_score_adj_values()[0])?,
            Apply::Password => self.acl.set_default_password(&config.requirepass()),
            Apply::SlowLog => self.slowlog.lock().set_max_len(config.slowlog_max_len() as usize),
            Apply::Title => crate::title::show(config),
            Apply::Tls if tls::is_wanted(config) => self.configure_tls()?,
            Apply::Tls => self.tls.forget(),
            Apply::TlsPort => {
                if (config.tls_port() != 0 || config.https_port() != 0) && !self.tls.is_configured() {
                    self.configure_tls()?;
                }
                self.relisten(NO_PORT)?;
            }
            Apply::Tracking => self.tracking.trim(self),
        }
        Ok(())
    }

    /// Hears of what happens to keys, under the locks of their shards.
    pub fn observe(&'static self, happening: &Happening<'_>) {
        match happening.event.class {
            Class::Change => self.tracking.heard(self, happening),
            _ => notifications::publish(self, happening),
        }
    }

    /// How often a second the periodic work is done: as `hz` says, or more often when there are many clients.
    pub fn hz(&self) -> u32 {
        const CLIENTS_PER_TICK: usize = 200;
        const MOST: u32 = 500;
        let mut hz = u32::try_from(self.config.hz()).unwrap_or(1).clamp(1, MOST);
        while self.config.dynamic_hz() && hz < MOST && self.connected.load(Relaxed) / hz as usize > CLIENTS_PER_TICK {
            hz = (hz * 2).min(MOST);
        }
        hz
    }

    fn configure_tls(&self) -> Result<(), String> {
        self.tls.configure(&self.config).map_err(|_| "Unable to update TLS configuration. Check server logs.".into())
    }

    fn relisten(&self, failure: &str) -> Result<(), String> {
        crate::listen::relisten(self).map_err(|reason| {
            log::warning!("{reason}");
            failure.to_string()
        })
    }

    /// The output limits for a client.
    pub fn output_limit(&self, client: &Shared) -> OutputLimit {
        let [normal, _, pubsub] = self.config.output_limits();
        if client.is_subscriber() { pubsub } else { normal }
    }

    /// Tells, at most once a minute, of a browser that was made to talk to this server.
    pub fn note_attack(&self, client: &Client) {
        const PAUSE_MS: i64 = 60_000;
        let now = unix_ms();
        if now - self.attack_noted_ms.load(Relaxed) < PAUSE_MS {
            return;
        }
        self.attack_noted_ms.store(now, Relaxed);
        log::warning!(
            "Possible SECURITY ATTACK detected: POST or Host: lines of HTTP came instead of commands, maybe from a \
             browser that was tricked into it. The connection from {} is closed.",
            client.shared.peer.addr
        );
    }

    /// After each command: the slow log and the latency monitor.
    #[inline]
    pub fn observe_duration(&self, command: &Command, client: &Client, args: Args<'_>, nanos: u64) {
        let threshold = self.config.slowlog_log_slower_than();
        let micros = (nanos / 1000) as i64;
        if threshold >= 0 && micros >= threshold && !command.spec.flags.contains(Flags::SKIP_SLOWLOG) {
            self.slowlog.lock().add(command, args, micros, client, self.config.slowlog_max_len() as usize);
            self.stats.slow_commands.fetch_add(1, Relaxed);
        }
        self.observe_latency(if command.spec.flags.contains(Flags::FAST) { "fast-command" } else { "command" }, nanos);
    }

    /// After something that kept a worker from its clients: the latency monitor.
    #[inline]
    pub fn observe_latency(&self, event: &str, nanos: u64) {
        let threshold = self.config.latency_threshold_ms();
        let millis = (nanos / 1_000_000) as i64;
        if threshold > 0 && millis >= threshold {
            self.latency.record(event, millis);
        }
    }

    /// Does what must be done before the process ends; tells whether it may.
    pub fn prepare_to_leave(&self, flags: ShutdownFlags) -> bool {
        log::notice!("User requested shutdown...");
        if self.aof.rewrites.is_turning_on() {
            if !flags.contains(ShutdownFlags::FORCE) {
                log::warning!("Writing initial AOF, can't exit.");
                return false;
            }
            log::warning!("Writing initial AOF. Exiting anyway.");
        }
        if self.persistence.background.is_running() {
            log::warning!("There is a snapshot being written beside the service. Giving it up!");
            self.persistence.background.stop();
        }
        self.aof.stop_rewriting(self);
        // Half the data in the place of all of it would be the end of the other half.
        let flags = if self.persistence.loading.is_on() { ShutdownFlags::NOSAVE } else { flags };
        let wanted = flags.contains(ShutdownFlags::SAVE) || !self.config.save().is_empty();
        let leaves = flags.contains(ShutdownFlags::NOSAVE)
            || !wanted
            || self.save_at_end()
            || flags.contains(ShutdownFlags::FORCE);
        if leaves && self.aof.is_on() {
            log::notice!("Calling fsync() on the AOF file.");
            self.aof.finish(self);
        }
        if leaves {
            supervise::stopping();
        } else {
            self.aof.go_on_rewriting();
            log::warning!("Error trying to save the DB, can't exit.");
            supervise::status("Error trying to save the DB, can't exit.");
        }
        leaves
    }

    /// Writes a last snapshot, after which nothing changes any more. Tells whether that could be done.
    fn save_at_end(&self) -> bool {
        log::notice!("Saving the final RDB snapshot before exiting.");
        let mut view = self.keyspace.view_all(0, unix_ms());
        let saved = persistence::save(self, &mut view).is_ok();
        if saved {
            // The locks are held until the process ends: what others did would be lost though they were told it is done.
            std::mem::forget(view);
        }
        saved
    }

    /// CLIENT PAUSE. A pause for all commands is not weakened by a later one for writes.
    pub fn pause(&self, pause: Pause, until_ms: i64) {
        let current = self.pause_state();
        if (pause as u8) > (current as u8) {
            self.pause.store(pause as u8, Relaxed);
        }
        if current == Pause::None {
            self.pause_until_ms.store(until_ms, Relaxed);
        } else {
            self.pause_until_ms.fetch_max(until_ms, Relaxed);
        }
    }

    /// CLIENT UNPAUSE.
    pub fn unpause(&self) {
        self.pause.store(Pause::None as u8, Relaxed);
        self.clients.all().iter().for_each(|client| client.wake());
    }

    /// What is paused now.
    #[inline]
    pub fn pause_state(&self) -> Pause {
        match self.pause.load(Relaxed) {
            0 => Pause::None,
            _ if unix_ms() >= self.pause_until_ms.load(Relaxed) => {
                self.pause.store(Pause::None as u8, Relaxed);
                Pause::None
            }
            1 => Pause::Writes,
            _ => Pause::All,
        }
    }

    pub fn pause_until_ms(&self) -> i64 {
        self.pause_until_ms.load(Relaxed)
    }
}

/// The time now, in Unix milliseconds.
pub fn unix_ms() -> i64 {
    unix_nanos() / 1_000_000
}

pub fn unix_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// `count` random bytes as hexadecimal digits.
pub fn random_hex(count: usize) -> String {
    (0..count).map(|_| format!("{:02x}", rand::random::<u8>())).collect()
}

/// The system's words for an error, without the number that Rust adds.
pub fn os_error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
