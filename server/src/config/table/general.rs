//! The process, its log, access, diagnosis.

use super::{Apply, Directive, INT, LONG, directives, number, one_of, optional, switch, text};
use crate::config::value::{
    FlagSet, NotifyFlags, Number, OneOf, Percentiles, Secret, ShutdownFlags, Switch, Text, choices,
};

choices! {
    /// Lines of the log from this level on are written.
    LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }

    /// What starts the server and wants to hear of it.
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no", }

    /// The facility of lines for syslog.
    SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }

    /// Who may do something dangerous.
    Permission { No = "no", Yes = "yes", Local = "local", }

    /// Which channels new users may use.
    PubSubDefault { AllChannels = "allchannels", ResetChannels = "resetchannels", }
}

directives! {
    /// The process, its log, access, diagnosis.
    General in general {
        /// Whether to go to the background.
        daemonize: Switch = switch("daemonize", false).at_start();
        /// What starts the server and wants to hear of it.
        supervised: OneOf<Supervised> = one_of("supervised", Supervised::No).at_start();
        /// File that holds the process number.
        pidfile: Text = optional("pidfile").at_start();
        /// How much is logged.
        loglevel: OneOf<LogLevel> = one_of("loglevel", LogLevel::Notice).apply(Apply::Logging);
        /// File of the log; standard output where it is empty.
        logfile: Text = text("logfile", "").at_start();
        /// Whether to log to syslog as well.
        syslog_enabled: Switch = switch("syslog-enabled", false).at_start();
        /// Name in syslog.
        syslog_ident: Text = text("syslog-ident", "redis").at_start();
        /// Facility in syslog.
        syslog_facility: OneOf<SyslogFacility> = one_of("syslog-facility", SyslogFacility::Local0).at_start();
        /// Whether a crash is described in the log.
        crash_log_enabled: Switch = switch("crash-log-enabled", true).apply(Apply::CrashReports);
        /// Whether a crash tests the memory.
        crash_memcheck_enabled: Switch = switch("crash-memcheck-enabled", true);
        /// Whether a crash ends the process without a core dump.
        use_exit_on_panic: Switch = switch("use-exit-on-panic", false).hidden().apply(Apply::CrashReports);
        /// Warnings that do not stop the start.
        ignore_warnings: Text = text("ignore-warnings", "");
        /// Whether users' data is kept out of the log.
        hide_user_data_from_log: Switch = switch("hide-user-data-from-log", false);
        /// Databases that SELECT can choose from.
        databases: Number = number("databases", 16, 1, INT).at_start();
        /// Whether the logo is shown even in a log file.
        always_show_logo: Switch = switch("always-show-logo", false).at_start();
        /// Whether the process changes its title.
        set_proc_title: Switch = switch("set-proc-title", true).at_start();
        /// The process's title.
        proc_title_template: Text = text("proc-title-template", "{title} {listen-addr} {server-mode}")
            .checked(valid_title)
            .apply(Apply::Title);
        /// Order of text in SORT ALPHA; that of the environment where it is empty.
        locale_collate: Text = text("locale-collate", "").checked(valid_locale);
        /// Periodic work per second.
        hz: Number = number("hz", 10, 0, INT).moved_into(1, 500);
        /// Whether periodic work grows with the number of clients.
        dynamic_hz: Switch = switch("dynamic-hz", true);
        /// Password of the default user.
        requirepass: Secret = Directive::new("requirepass", Secret::absent()).sensitive().apply(Apply::Password);
        /// File of users.
        aclfile: Text = text("aclfile", "").at_start();
        /// Entries in ACL LOG.
        acllog_max_len: Number = number("acllog-max-len", 128, 0, LONG);
        /// Which channels new users may use.
        acl_pubsub_default: OneOf<PubSubDefault> = one_of("acl-pubsub-default", PubSubDefault::ResetChannels);
        /// Who may change protected directives.
        enable_protected_configs: OneOf<Permission> = one_of("enable-protected-configs", Permission::No).at_start();
        /// Who may use DEBUG.
        enable_debug_command: OneOf<Permission> = one_of("enable-debug-command", Permission::No).at_start();
        /// Who may use MODULE.
        enable_module_command: OneOf<Permission> = one_of("enable-module-command", Permission::No).at_start();
        /// Milliseconds after which a busy script answers others with BUSY.
        busy_reply_threshold: Number = number("busy-reply-threshold", 5000, 0, LONG).alias("lua-time-limit");
        /// Whether scripts find what Lua calls deprecated.
        lua_enable_deprecated_api: Switch = switch("lua-enable-deprecated-api", false).at_start().hidden();
        /// Microseconds from which a command is slow; -1 logs none.
        slowlog_log_slower_than: Number = number("slowlog-log-slower-than", 10000, -1, LONG);
        /// Entries in SLOWLOG.
        slowlog_max_len: Number = number("slowlog-max-len", 128, 0, LONG).apply(Apply::SlowLog);
        /// Milliseconds from which an event is a latency spike; 0 watches none.
        latency_threshold_ms: Number = number("latency-monitor-threshold", 0, 0, LONG);
        /// Whether the latency of each command is recorded.
        latency_tracking: Switch = switch("latency-tracking", true);
        /// Percentiles of latency in INFO.
        percentiles: Percentiles = Directive::new("latency-tracking-info-percentiles", Percentiles::standard())
            .multiple();
        /// Which keyspace events are published.
        notify_keyspace_events: FlagSet<NotifyFlags> = Directive::new("notify-keyspace-events", FlagSet::empty())
            .apply(Apply::Notifications);
        /// How SIGINT shuts down.
        shutdown_on_sigint: FlagSet<ShutdownFlags> =
            Directive::new("shutdown-on-sigint", FlagSet::empty()).multiple();
        /// How SIGTERM shuts down.
        shutdown_on_sigterm: FlagSet<ShutdownFlags> =
            Directive::new("shutdown-on-sigterm", FlagSet::empty()).multiple();
        /// Seconds that a shutdown waits for replicas.
        shutdown_timeout: Number = number("shutdown-timeout", 10, 0, INT);
        /// Milliseconds after which a stuck process says where it is; 0 never does.
        watchdog_period: Number = number("watchdog-period", 0, 0, INT).hidden();
        /// Processors for the server.
        server_cpulist: Text = optional("server-cpulist").alias("server_cpulist").at_start();
        /// Processors for background work.
        bio_cpulist: Text = optional("bio-cpulist").alias("bio_cpulist").at_start();
        /// Processors for rewriting the AOF.
        aof_rewrite_cpulist: Text = optional("aof-rewrite-cpulist").alias("aof_rewrite_cpulist").at_start();
        /// Processors for saving.
        bgsave_cpulist: Text = optional("bgsave-cpulist").alias("bgsave_cpulist").at_start();
    }
}

/// The variables that a title may name.
const TITLE_VARIABLES: [&[u8]; 7] =
    [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"config-file", b"unixsocket"];

/// A title is not blank, and names only variables that there are, in braces that are closed.
fn valid_title(template: &[u8]) -> Result<(), String> {
    let mut rest = template;
    let mut visible = false;
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'{' || behind.first() == Some(&b'{') {
            let doubled = first == b'{';
            visible |= !first.is_ascii_whitespace();
            rest = if doubled { behind.get(1..).unwrap_or_default() } else { behind };
            continue;
        }
        let end = behind.iter().position(|&byte| byte == b'}');
        let variable = end.and_then(|end| behind.get(..end)).unwrap_or_default();
        if !TITLE_VARIABLES.contains(&variable) {
            return Err("template format is invalid or contains unknown variables".into());
        }
        // The program's own title may turn out empty.
        visible |= variable != b"title";
        rest = behind.get(variable.len() + 1..).unwrap_or_default();
    }
    if visible { Ok(()) } else { Err("template format is invalid or contains unknown variables".into()) }
}

/// A locale that the system has.
fn valid_locale(name: &[u8]) -> Result<(), String> {
    let name = std::ffi::CString::new(name).map_err(|_| "Invalid locale name")?;
    // SAFETY: the name is a C string that outlives the call, and the locale is freed where there is one.
    let known = unsafe {
        let locale = libc::newlocale(libc::LC_COLLATE_MASK, name.as_ptr(), std::ptr::null_mut());
        if !locale.is_null() {
            libc::freelocale(locale);
        }
        !locale.is_null()
    };
    if known { Ok(()) } else { Err("Invalid locale name".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let valid = ["{title} x", "x", "}", "{{title}}", "a}b", "{title} {port} {tls-port} {unixsocket} {config-file}"];
        valid.iter().for_each(|title| assert!(valid_title(title.as_bytes()).is_ok(), "{title}"));
        let wrong = ["", "{title}", "{", "{}", "{title", "  ", "{ title }", "{bad}"];
        wrong.iter().for_each(|title| assert!(valid_title(title.as_bytes()).is_err(), "{title}"));
    }

    #[test]
    fn locales() {
        assert!(valid_locale(b"").is_ok());
        assert!(valid_locale(b"C").is_ok());
        assert_eq!(valid_locale(b"no such place"), Err("Invalid locale name".into()));
    }
}
