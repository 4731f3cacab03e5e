//! The append-only log of a server, as the commands in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The arguments of a command.
pub type Command = Vec<Vec<u8>>;

/// The folder of the log, within the directory of a server that has not been told otherwise.
pub fn folder(dir: &Path) -> PathBuf {
    dir.join("appendonlydir")
}

/// Commands, each in a line, as they stand in a log.
pub fn encoded(commands: &[&str]) -> Vec<u8> {
    commands.iter().flat_map(|command| crate::encode(&command.split(' ').collect::<Vec<_>>())).collect()
}

/// Writes a log of one incremental file into the directory of a server that is to be started, and tells which.
///
/// # Panics
/// If it cannot be written.
pub fn write_log(dir: &Path, bytes: &[u8]) -> PathBuf {
    let folder = folder(dir);
    fs::create_dir_all(&folder).expect("a folder");
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    fs::write(folder.join("appendonly.aof.manifest"), manifest).expect("a manifest");
    let path = folder.join("appendonly.aof.1.incr.aof");
    fs::write(&path, bytes).expect("a log");
    path
}

/// What is appended to the log of a server that was just started, as it comes.
#[derive(Debug)]
pub struct Tail {
    file: PathBuf,
    read: usize,
}

impl Tail {
    /// Follows the log in the directory of a server.
    pub fn of(dir: &Path) -> io::Result<Tail> {
        let files = fs::read_dir(folder(dir))?.collect::<io::Result<Vec<_>>>()?;
        let grows = |path: &PathBuf| path.to_string_lossy().ends_with(".incr.aof");
        let file = files.into_iter().map(|file| file.path()).find(grows);
        Ok(Tail { file: file.ok_or(io::ErrorKind::NotFound)?, read: 0 })
    }

    /// What has come since the last time.
    pub fn read(&mut self) -> io::Result<Vec<Command>> {
        let bytes = fs::read(&self.file)?;
        let mut rest = bytes.get(self.read..).unwrap_or_default();
        let mut commands = Vec::new();
        while let Some(command) = take_command(&mut rest) {
            commands.push(command);
        }
        self.read = bytes.len() - rest.len();
        Ok(commands)
    }
}

/// The first command of some bytes, which are advanced behind it; `None` if there is no whole one.
fn take_command(bytes: &mut &[u8]) -> Option<Command> {
    let mut rest = *bytes;
    while rest.first() == Some(&b'#') {
        take_line(&mut rest)?;
    }
    let count = number(take_line(&mut rest)?.strip_prefix(b"*")?)?;
    let command: Command = (0..count)
        .map(|_| {
            let length = number(take_line(&mut rest)?.strip_prefix(b"$")?)?;
            let (argument, behind) = rest.split_at_checked(length)?;
            rest = behind.strip_prefix(b"\r\n")?;
            Some(argument.to_vec())
        })
        .collect::<Option<_>>()?;
    *bytes = rest;
    Some(command)
}

fn take_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at(end);
    *bytes = rest.get(2..)?;
    Some(line)
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::take_command;

    #[test]
    fn takes_whole_commands() {
        let mut bytes: &[u8] = b"#TS:5\r\n*2\r\n$1\r\na\r\n$3\r\n\r\nb\r\n*1\r\n$2\r\nx";
        assert_eq!(take_command(&mut bytes), Some(vec![b"a".to_vec(), b"\r\nb".to_vec()]));
        assert_eq!(take_command(&mut bytes), None);
        assert_eq!(bytes, b"*1\r\n$2\r\nx");
    }
}
