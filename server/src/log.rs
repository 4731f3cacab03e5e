//! The log, in Redis's line format, which tools read.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

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

/// Lines below this level are left out: the index of `loglevel`'s words.
pub fn set_level(level: i64) {
    THRESHOLD.store(level.clamp(0, 4) as u8, Relaxed);
}

/// Writes to this file from now on; to standard output when empty.
pub fn set_file(path: &str) {
    *FILE.write() = path.into();
}

pub fn enabled(level: Level) -> bool {
    level as u8 >= THRESHOLD.load(Relaxed)
}

/// Writes one line. The file is opened for each, so that it can be moved away at any time.
pub fn write(level: Level, message: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mark = b".-*#"[level as usize] as char;
    let time = local_time(now.as_secs() as libc::time_t);
    let line = format!("{}:M {}.{:03} {} {}\n", std::process::id(), time, now.subsec_millis(), mark, message);
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
macro_rules! verbose { ($($text:tt)*) => { $crate::log::at_level!(Verbose, $($text)*) }; }
macro_rules! notice { ($($text:tt)*) => { $crate::log::at_level!(Notice, $($text)*) }; }
macro_rules! warning { ($($text:tt)*) => { $crate::log::at_level!(Warning, $($text)*) }; }
pub(crate) use {at_level, notice, verbose, warning};
