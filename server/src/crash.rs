//! What the process leaves behind when it crashes: a report in the log, and then the core dump that the system makes.

use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::{log, version};

const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
/// Writing a report may hang, since the crash may have happened anywhere. Then the process ends without.
const LIMIT_SECONDS: libc::c_uint = 10;

static REPORTS: AtomicBool = AtomicBool::new(false);
static EXITS: AtomicBool = AtomicBool::new(false);
static REPORTING: AtomicBool = AtomicBool::new(false);

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Has crashes reported from now on.
pub fn install() {
    let handler: Handler = on_crash;
    for signal in SIGNALS {
        // SAFETY: all zeros is a valid `sigaction` with an empty mask, and the handler has the form that the flags ask
        // for. It does not run on the alternative stack, which is too small for a trace.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_RESETHAND;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// Whether there are reports, and whether the process leaves without a core dump.
pub fn configure(reports: bool, exits: bool) {
    REPORTS.store(reports, Relaxed);
    EXITS.store(exits, Relaxed);
}

extern "C" fn on_crash(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if REPORTING.swap(true, Relaxed) {
        // Another thread is about to end the process. The same one that fails again gets here too: the time limit ends it.
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    // SAFETY: plain system calls; the kernel passes a valid `info`.
    let (code, address) = unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::alarm(LIMIT_SECONDS);
        ((*info).si_code, (*info).si_addr())
    };
    if REPORTS.load(Relaxed) {
        report(signal, code, address);
    }
    // SAFETY: the handler was reset when it was called, so the signal now does what it does by default.
    unsafe {
        if EXITS.load(Relaxed) {
            libc::_exit(1);
        }
        libc::raise(signal);
    }
}

/// Not what a signal handler may do in general: it allocates. All that is lost if that fails is the report.
fn report(signal: libc::c_int, code: libc::c_int, address: *mut libc::c_void) {
    log::warning!("=== BUG REPORT START: cut and paste from here ===");
    log::warning!("Spinel {} crashed by signal: {signal}, si_code: {code}", version::SPINEL);
    if signal == libc::SIGSEGV || signal == libc::SIGBUS {
        log::warning!("Accessing address: {address:p}");
    }
    let thread = std::thread::current();
    log::warning!("------ STACK TRACE of thread {} ------", thread.name().unwrap_or("without a name"));
    for line in Backtrace::force_capture().to_string().lines() {
        log::warning!("{line}");
    }
    log::warning!("------ MEMORY ------");
    log::warning!("used_memory:{}, used_memory_rss:{}", storage::memory::used_memory(), storage::memory::rss());
    log::warning!("=== BUG REPORT END: please report it, with what the server was doing ===");
}
