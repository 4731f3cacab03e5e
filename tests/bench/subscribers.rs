//! Clients that are subscribed to a channel and read what comes.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};

use harness::Server;

/// The channel that they are subscribed to.
const CHANNEL: &str = "channel";

/// Connected until dropped.
pub struct Subscribers {
    sockets: Vec<TcpStream>,
    reader: Option<JoinHandle<()>>,
}

impl Subscribers {
    /// Subscribes so many clients, and has what they are sent read by a thread.
    pub fn connect(server: &Server, count: usize) -> io::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..count {
            let mut connection = server.connect()?;
            connection.call(&["SUBSCRIBE", CHANNEL])?;
            connections.push(connection);
        }
        let sockets =
            connections.iter().map(|connection| connection.socket().try_clone()).collect::<io::Result<_>>()?;
        // All are sent the same, so each can be waited for in turn.
        let read_all = move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                for connection in &connections {
                    match connection.socket().read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            }
        };
        Ok(Self { sockets, reader: Some(thread::spawn(read_all)) })
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for socket in &self.sockets {
            // One that the server has closed needs no end.
            let _ = socket.shutdown(Shutdown::Both);
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
