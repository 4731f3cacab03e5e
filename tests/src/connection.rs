//! A blocking connection that shows replies as the bytes they came in.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::reply::{self, Reply};

/// No reply takes as long: a test that gets here has found a hang.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// A raw RESP connection.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: BufReader<S>,
}

/// A socket to `address`.
pub(crate) fn socket(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    stream.set_write_timeout(Some(READ_LIMIT))?;
    Ok(stream)
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self::over(socket(address)?))
    }

    /// Tells the server that nothing more will come, and reads until it closes the connection.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        // A server that has closed already, for a protocol error, is as good.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        self.read_to_close()
    }
}

impl<S: Read + Write> Connection<S> {
    /// Speaks over a stream.
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends one command without waiting for its reply.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        self.send_bytes(&encode(args))
    }

    /// Reads exactly one reply.
    pub fn read(&mut self) -> io::Result<Reply> {
        reply::read(&mut self.stream)
    }

    /// Sends one command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.read()
    }

    /// Reads until the server closes the connection. A reset is a close, too.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        read_to_close(&mut self.stream)
    }

    /// The stream below, for tests that set a socket's options or use it half-open.
    pub fn socket(&self) -> &S {
        self.stream.get_ref()
    }
}

/// What comes until the other side closes. A reset is a close, too.
pub(crate) fn read_to_close(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
        _ => Ok(bytes),
    }
}

/// A command as a RESP array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends a command of words and gives its whole reply, escaped.
pub fn call(connection: &mut Connection<impl Read + Write>, command: &str) -> String {
    let args: Vec<&str> = command.split(' ').collect();
    connection.call(&args).unwrap().0.escape_ascii().to_string()
}

/// A field of INFO persistence, empty where there is none.
pub fn figure(connection: &mut Connection, name: &str) -> String {
    let [figure] = figures(connection, [name]);
    figure
}

/// The same of several fields at one moment.
pub fn figures<const N: usize>(connection: &mut Connection, names: [&str; N]) -> [String; N] {
    let info = connection.call(&["INFO", "persistence"]).expect("a reply");
    let info = String::from_utf8_lossy(info.payload()).into_owned();
    names.map(|name| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    })
}

/// Sends each command and compares its whole reply.
pub fn converse(connection: &mut Connection<impl Read + Write>, lines: &[(&str, &str)]) {
    for (command, expected) in lines {
        assert_eq!(call(connection, command), *expected, "{command}");
    }
}
