//! The process: daemon mode, pid file, signals' meaning, limits.

use std::io::{self, Write};

use parking_lot::Mutex;

use crate::config::OomAdjust;
use crate::log;
use crate::server::os_error_text;

/// Files that are open besides the connections of clients: as many as Redis reckons with, or what so many event loops
/// and a spare one need.
fn own_files(workers: usize) -> u64 {
    (20 + 4 * workers as u64).max(32)
}

/// The system lets the process open fewer files than it needs.
#[derive(Debug)]
pub struct TooFewFiles {
    clients: u64,
    needed: u64,
    granted: u64,
    reason: String,
}

impl TooFewFiles {
    /// How many clients there is room for.
    pub fn room(&self) -> u64 {
        (self.granted + self.clients).saturating_sub(self.needed)
    }

    /// Why the configuration is not changed to want more.
    pub fn refusal(&self) -> String {
        let room = self.room();
        format!("The operating system is not able to handle the specified number of clients, try with {room}")
    }

    /// Why the server does not start.
    pub fn abortion(&self) -> String {
        let TooFewFiles { granted, needed, .. } = self;
        format!(
            "Your current 'ulimit -n' of {granted} is not enough for the server to start. Please increase your open \
             file limit to at least {needed}. Exiting."
        )
    }

    pub fn log(&self) {
        let TooFewFiles { clients, needed, granted, reason } = self;
        log::warning!("You requested maxclients of {clients} requiring at least {needed} max file descriptors.");
        log::warning!("Server can't set maximum open files to {needed} because of OS error: {reason}.");
        log::warning!(
            "Current maximum open files is {granted}. maxclients has been reduced to {} to compensate for low ulimit. \
             If you need higher maxclients increase 'ulimit -n'.",
            self.room()
        );
    }
}

/// Has a write beyond the size that files may have be an error, as one to a full disk is, and not the end of the process.
pub fn survive_full_files() {
    // SAFETY: nothing else decides about this signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Has the process get small pages only (`disable-thp`). A huge page is cleared and resident as a whole for the first of
/// its bytes: sessions of 50 to 200 KB took a fifth more memory with them, and twice the CPU.
pub fn refuse_huge_pages() {
    // SAFETY: a plain system call without pointers.
    if unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
        let error = io::Error::last_os_error();
        log::warning!("Transparent huge pages could not be disabled: {}", os_error_text(&error));
    }
}

/// Asks for room for so many clients, and takes what it gets where that is less.
pub fn make_room_for_clients(clients: u64, workers: usize) -> Result<(), TooFewFiles> {
    let files = clients.saturating_add(own_files(workers));
    // SAFETY: plain system calls on local structures.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 || limit.rlim_cur >= files {
            return Ok(());
        }
        let wanted = libc::rlimit { rlim_cur: files, rlim_max: limit.rlim_max.max(files) };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) == 0 {
            return Ok(());
        }
        let reason = os_error_text(&io::Error::last_os_error());
        let most = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        let raised = libc::setrlimit(libc::RLIMIT_NOFILE, &most) == 0;
        let granted = if raised { most.rlim_cur } else { limit.rlim_cur };
        if granted >= files {
            return Ok(());
        }
        Err(TooFewFiles { clients, needed: files, granted, reason })
    }
}

/// Leaves the terminal and the parent. To be called while there is only one thread.
pub fn daemonize() -> io::Result<()> {
    // SAFETY: plain system calls; only one thread exists, so the child is whole.
    unsafe {
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null != -1 {
            libc::dup2(null, libc::STDIN_FILENO);
            libc::dup2(null, libc::STDOUT_FILENO);
            libc::dup2(null, libc::STDERR_FILENO);
            if null > libc::STDERR_FILENO {
                libc::close(null);
            }
        }
    }
    Ok(())
}

/// Keeps this thread, and those that it starts, on the processors of a list such as `0-7:2,9`. An empty one leaves them
/// where they are.
pub fn use_processors(list: &str) {
    if list.is_empty() {
        return;
    }
    let Some(processors) = processors(list) else {
        log::warning!("Not a list of processors: {list}");
        return;
    };
    // SAFETY: a plain system call on a local set, which holds all numbers that get into it.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        processors.iter().for_each(|number| libc::CPU_SET(*number, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) != 0
    };
    if failed {
        log::warning!("Cannot stay on processors {list}: {}", os_error_text(&io::Error::last_os_error()));
    }
}

/// The numbers of a list of numbers and ranges, these with an optional step.
fn processors(list: &str) -> Option<Vec<usize>> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number < libc::CPU_SETSIZE as usize);
    let mut found = Vec::new();
    for part in list.split(',') {
        let (range, step) = match part.split_once(':') {
            Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(range)?, number(range)?),
        };
        found.extend((first..=last).step_by(step));
    }
    (!found.is_empty()).then_some(found)
}

/// Writes the process's number to a file.
pub fn write_pidfile(path: &str) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    writeln!(file, "{}", std::process::id())
}

/// CPU seconds of the process: system and user.
pub fn cpu_times() -> (f64, f64) {
    cpu_times_of(libc::RUSAGE_SELF)
}

/// CPU seconds of the calling thread: system and user.
pub fn thread_cpu_times() -> (f64, f64) {
    cpu_times_of(libc::RUSAGE_THREAD)
}

fn cpu_times_of(whom: libc::c_int) -> (f64, f64) {
    // SAFETY: all zeros is a valid `rusage`, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(whom, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_stime), seconds(usage.ru_utime))
}

/// The kernel's score for killing this process, as it was before it was changed. There while it is changed.
static FORMER_OOM_SCORE: Mutex<Option<i32>> = Mutex::new(None);

/// Tells the kernel how gladly this process may be killed when memory runs out: as the score says, or as it says on
/// top of the former score. Once it is not to say so any more, the former score comes back.
pub fn set_oom_score(mode: OomAdjust, score: i32) -> Result<(), String> {
    const PATH: &str = "/proc/self/oom_score_adj";
    let read = || std::fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default();
    let mut former = FORMER_OOM_SCORE.lock();
    let wanted = match mode {
        OomAdjust::No => match former.take() {
            Some(former) => former,
            None => return Ok(()),
        },
        OomAdjust::Relative => former.get_or_insert_with(read).saturating_add(score),
        OomAdjust::Absolute => {
            former.get_or_insert_with(read);
            score
        }
    };
    std::fs::write(PATH, wanted.clamp(-1000, 1000).to_string()).map_err(|error| {
        log::warning!("Unable to write oom_score_adj: {}", os_error_text(&error));
        "Failed to set current oom_score_adj. Check server logs.".to_string()
    })
}

/// The system's name, release and machine, as in `Linux 6.1.0 x86_64`.
pub fn system_name() -> String {
    // SAFETY: all zeros is a valid `utsname`, which the call fills with terminated strings.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&mut name);
        name
    };
    let text = |field: &[libc::c_char]| -> String {
        field.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8 as char).collect()
    };
    format!("{} {} {}", text(&name.sysname), text(&name.release), text(&name.machine))
}

/// Bytes of physical memory in the machine.
pub fn system_memory() -> u64 {
    // SAFETY: queries without arguments in memory.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    pages.max(0) as u64 * size.max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn lists_of_processors() {
        assert_eq!(processors("0-7:2,9"), Some(vec![0, 2, 4, 6, 9]));
        assert_eq!(processors("3"), Some(vec![3]));
        for wrong in ["", "x", "1-", "1-3:0", "5-3", "99999", "1,,2"] {
            assert_eq!(processors(wrong), None, "{wrong}");
        }
    }
}
