//! A server process in a directory of its own, which never outlives the test that started it.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::connection::Connection;

const READY: &str = "Ready to accept connections";
/// Safety net against a server that neither starts nor exits.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Between choosing a free port and the server's bind another process may take it: so often is another one tried.
const PORT_ATTEMPTS: usize = 5;

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    binary: PathBuf,
    args: Vec<OsString>,
    config: Option<PathBuf>,
    cpu: Option<usize>,
    snapshots: bool,
    environment: Vec<(OsString, OsString)>,
    files: Option<u64>,
    file_bytes: Option<u64>,
    more_ports: Vec<&'static str>,
    started_at: &'static str,
}

impl ServerBuilder {
    /// Prepares to start `binary` on a free port of 127.0.0.1 in a new directory, without snapshots.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            args: Vec::new(),
            config: None,
            cpu: None,
            snapshots: false,
            environment: Vec::new(),
            files: None,
            file_bytes: None,
            more_ports: Vec::new(),
            started_at: READY,
        }
    }

    /// Takes the server as started when this is in its log, not only when everything is ready.
    pub fn started_at(mut self, line: &'static str) -> Self {
        self.started_at = line;
        self
    }

    /// Sets a directive such as `http-port` to a free port as well; see [`Server::port_of`].
    pub fn free_port(mut self, directive: &'static str) -> Self {
        self.more_ports.push(directive);
        self
    }

    /// Adds a command line argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds command line arguments.
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Has the server read a configuration file before its arguments.
    pub fn config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// Keeps the server's own `save` default instead of `--save ''`.
    pub fn with_snapshots(mut self) -> Self {
        self.snapshots = true;
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lets the server open so many files and no more, whoever starts it.
    pub fn max_files(mut self, files: u64) -> Self {
        self.files = Some(files);
        self
    }

    /// Lets the server write files of so many bytes and no longer: what a full disk is to it.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = Some(bytes);
        self
    }

    /// Binds all threads of the server to one processor.
    pub fn pin_to(mut self, cpu: usize) -> Self {
        self.cpu = Some(cpu);
        self
    }

    /// Starts the server and waits until it accepts connections. A server that exits instead is an error that
    /// quotes its log.
    pub fn start(&self) -> io::Result<Server> {
        let mut last = None;
        for _ in 0..PORT_ATTEMPTS {
            match self.start_once() {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("no port tried")))
    }

    fn start_once(&self) -> io::Result<Server> {
        let port = free_port()?;
        let dir = tempfile::Builder::new().prefix("spinel-test-").tempdir()?;
        let mut command = Command::new(&self.binary);
        command.args(&self.config).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(dir.path());
        let mut more_ports = Vec::new();
        for directive in &self.more_ports {
            let port = free_port()?;
            command.arg(format!("--{directive}")).arg(port.to_string());
            more_ports.push((*directive, port));
        }
        if !self.snapshots {
            command.args(["--save", ""]);
        }
        command.args(&self.args).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (cpu, files, file_bytes) = (self.cpu, self.files, self.file_bytes);
        // SAFETY: between fork and exec the closure makes system calls only, on values copied into it.
        unsafe {
            command.pre_exec(move || {
                // Should this process be killed, its servers go with it.
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                if let Some(files) = files {
                    limit_files(files)?;
                }
                if let Some(bytes) = file_bytes {
                    limit_file_bytes(bytes)?;
                }
                cpu.map_or(Ok(()), crate::proc::pin_this_thread)
            });
        }
        let mut child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", self.binary.display()))
        })?;
        let log = Arc::new(Log::default());
        let readers = [
            child.stdout.take().map(|pipe| Log::follow(&log, pipe)),
            child.stderr.take().map(|pipe| Log::follow(&log, pipe)),
        ];
        let readers = readers.into_iter().flatten().collect();
        let server = Server { child, port, more_ports, dir, log, readers, binary: self.binary.clone() };
        server.wait_until_started(self.started_at)?;
        Ok(server)
    }
}

/// A running server. Dropping it kills the process and removes its directory.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    more_ports: Vec<(&'static str, u16)>,
    dir: TempDir,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
    binary: PathBuf,
}

impl Server {
    /// Starts `binary` with the harness's defaults and `args`.
    pub fn start(binary: impl Into<PathBuf>, args: &[&str]) -> io::Result<Self> {
        ServerBuilder::new(binary).args(args).start()
    }

    fn wait_until_started(&self, line: &str) -> io::Result<()> {
        if self.log.wait_for(line, START_LIMIT) {
            return Ok(());
        }
        let log = self.log.text();
        let in_use = log.contains("Address already in use") || log.contains("Failed listening on port");
        let kind = if in_use { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
        Err(io::Error::new(kind, format!("{} did not get ready; its log:\n{log}", self.binary.display())))
    }

    /// The TCP port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that a directive was set to by [`ServerBuilder::free_port`].
    ///
    /// # Panics
    /// If it was not.
    pub fn port_of(&self, directive: &str) -> u16 {
        let found = self.more_ports.iter().find(|(known, _)| *known == directive);
        found.unwrap_or_else(|| panic!("no port was chosen for {directive}")).1
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory it runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `redis://` URL for client libraries.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Opens a raw connection.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Everything that it has written to stdout and stderr so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until a line that contains `text` is in the log; false if the process went silent or away before.
    pub fn wait_for_log(&self, text: &str, limit: Duration) -> bool {
        self.log.wait_for(text, limit)
    }

    /// The exit status if the process has ended.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        // SAFETY: plain system call; the child is not reaped before `self` goes, so the id is still its own.
        if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits for the process to end by itself and returns its status with the whole log.
    pub fn wait(mut self) -> io::Result<(ExitStatus, String)> {
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            // A reader thread only copies lines: it has no panic to report.
            let _ = reader.join();
        }
        Ok((status, self.log.text()))
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub fn stop(self) -> io::Result<(ExitStatus, String)> {
        self.signal(libc::SIGTERM)?;
        let (status, log) = self.wait()?;
        if let Some(signal) = status.signal() {
            return Err(io::Error::other(format!("ended by signal {signal} instead of leaving:\n{log}")));
        }
        Ok((status, log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the process has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    text: String,
    /// Pipes still open; the log is complete when none is.
    open: usize,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(log: &Arc<Self>, pipe: impl io::Read + Send + 'static) -> JoinHandle<()> {
        log.lock().open += 1;
        let log = Arc::clone(log);
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
                log.lock().text.push_str(&String::from_utf8_lossy(&line));
                log.changed.notify_all();
                line.clear();
            }
            log.lock().open -= 1;
            log.changed.notify_all();
        })
    }

    fn text(&self) -> String {
        self.lock().text.clone()
    }

    fn wait_for(&self, text: &str, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if state.text.contains(text) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.open == 0 || left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Limits how many files this process may open, for good.
fn limit_file_bytes(bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: system calls on local values.
    unsafe {
        // A write beyond the limit is to fail, not to end the process.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn limit_files(files: u64) -> io::Result<()> {
    const CAP_SYS_RESOURCE: libc::c_ulong = 24;
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: system calls on local values.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        // Fails where the process has no such power, which is as good as giving it up.
        libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
    }
    Ok(())
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
