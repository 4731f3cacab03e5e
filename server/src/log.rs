//! The log, in Redis's line format, which tools read.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

use crate::config::SyslogFacility;

/// How important a line is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Debug = 0,
    Verbose = 1,
    Notice = 2,
    Warning = 3,
}

static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static FILE: RwLock<String> = RwLock::new(String::new());
/// Whether the process serves clients, or is about to: lines show it as a primary then.
static SERVES: AtomicBool = AtomicBool::new(false);
static TO_SYSLOG: AtomicBool = AtomicBool::new(false);

/// Lines below this level are left out: the index of `loglevel`'s words.
pub fn set_level(level: i64) {
    THRESHOLD.store(level.clamp(0, 4) as u8, Relaxed);
}

/// The configuration is read and the process in its place: lines name it as the primary from now on.
pub fn set_serving() {
    SERVES.store(true, Relaxed);
}

/// Writes to this file from now on; to standard output when empty.
pub fn set_file(path: &str) {
    *FILE.write() = path.into();
}

/// Writes to syslog as well from now on, under this name.
pub fn open_syslog(ident: &str, facility: SyslogFacility) {
    let facility = match facility {
        SyslogFacility::User => libc::LOG_USER,
        SyslogFacility::Local0 => libc::LOG_LOCAL0,
        SyslogFacility::Local1 => libc::LOG_LOCAL1,
        SyslogFacility::Local2 => libc::LOG_LOCAL2,
        SyslogFacility::Local3 => libc::LOG_LOCAL3,
        SyslogFacility::Local4 => libc::LOG_LOCAL4,
        SyslogFacility::Local5 => libc::LOG_LOCAL5,
        SyslogFacility::Local6 => libc::LOG_LOCAL6,
        SyslogFacility::Local7 => libc::LOG_LOCAL7,
    };
    // The C library keeps the pointer, so the name has to stay for as long as the process.
    let ident: &'static CString = Box::leak(Box::new(text_for_c(ident)));
    // SAFETY: the name ends with a NUL and is never freed.
    unsafe { libc::openlog(ident.as_ptr(), libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, facility) };
    TO_SYSLOG.store(true, Relaxed);
}

/// The text without what C would take for its end.
fn text_for_c(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

fn write_to_syslog(level: Level, message: &str) {
    let priority = [libc::LOG_DEBUG, libc::LOG_INFO, libc::LOG_NOTICE, libc::LOG_WARNING][level as usize];
    let message = text_for_c(message);
    // SAFETY: the format takes one string, which ends with a NUL.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), message.as_ptr()) };
}

pub fn enabled(level: Level) -> bool {
    level as u8 >= THRESHOLD.load(Relaxed)
}

/// Writes one line. The file is opened for each, so that it can be moved away at any time.
pub fn write(level: Level, message: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mark = b".-*#"[level as usize] as char;
    let time = local_time(now.as_secs() as libc::time_t);
    let role = if SERVES.load(Relaxed) { 'M' } else { 'C' };
    let line = format!("{}:{role} {}.{:03} {} {}\n", std::process::id(), time, now.subsec_millis(), mark, message);
    if TO_SYSLOG.load(Relaxed) {
        write_to_syslog(level, message);
    }
    let file = FILE.read();
    // A log that cannot be written must not stop the server.
    if file.is_empty() {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    } else if let Ok(mut out) = OpenOptions::new().create(true).append(true).open(&*file) {
        let _ = out.write_all(line.as_bytes());
    }
}

fn local_time(seconds: libc::time_t) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // SAFETY: all zeros is a valid `tm`, and `localtime_r` only writes to the one it is given.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    let month = MONTHS.get(tm.tm_mon as usize).unwrap_or(&"???");
    format!("{:02} {} {} {:02}:{:02}:{:02}", tm.tm_mday, month, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec)
}

macro_rules! at_level {
    ($level:ident, $($text:tt)*) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, &format!($($text)*));
        }
    };
}
macro_rules! debug { ($($text:tt)*) => { $crate::log::at_level!(Debug, $($text)*) }; }
macro_rules! verbose { ($($text:tt)*) => { $crate::log::at_level!(Verbose, $($text)*) }; }
macro_rules! notice { ($($text:tt)*) => { $crate::log::at_level!(Notice, $($text)*) }; }
macro_rules! warning { ($($text:tt)*) => { $crate::log::at_level!(Warning, $($text)*) }; }
pub(crate) use {at_level, debug, notice, verbose, warning};
