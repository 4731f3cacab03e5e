//! TLS: who may come, what is agreed on, how it changes at run time, and that all else is as without it.

mod changes;
mod clients;
mod files;
mod hostile;
mod traffic;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::tls::{self, Authority, Identity};
use harness::{Connection, Server, ServerBuilder, free_port, server_under_test};
use rustls::{ALL_VERSIONS, ClientConfig, SupportedProtocolVersion};
use tempfile::TempDir;

fn binary() -> PathBuf {
    server_under_test(env!("CARGO_BIN_EXE_server-under-test"))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// A server with a certificate and an authority that clients' certificates have to be of.
struct Secured {
    server: Server,
    port: u16,
    authority: Authority,
    identity: Identity,
    folder: TempDir,
}

impl Secured {
    fn start(args: &[&str]) -> Secured {
        let authority = Authority::new("authority");
        let identity = authority.issue("server");
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = identity.write(folder.path(), "server").unwrap();
        let trusted = folder.path().join("ca.crt");
        std::fs::write(&trusted, authority.pem()).unwrap();
        let files = [("--tls-cert-file", certificate), ("--tls-key-file", key), ("--tls-ca-cert-file", trusted)];
        let (server, port) = loop {
            let port = free_port().unwrap();
            let mut builder = ServerBuilder::new(binary()).args(["--tls-port", &port.to_string()]);
            for (directive, file) in &files {
                builder = builder.arg(directive).arg(file);
            }
            match builder.args(args).start() {
                // Another process was quicker.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                started => break (started.unwrap(), port),
            }
        };
        Secured { server, port, authority, identity, folder }
    }

    /// How a client with a certificate speaks.
    fn known(&self) -> Arc<ClientConfig> {
        Arc::new(tls::client(&self.authority, Some(&self.authority.issue("client")), ALL_VERSIONS))
    }

    /// How a client without a certificate speaks.
    fn unknown(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        Arc::new(tls::client(&self.authority, None, versions))
    }

    /// A client that has shown a certificate and is served.
    fn connect(&self) -> Connection<tls::Stream> {
        let mut connection = tls::connect(self.port, &self.known()).unwrap();
        assert_eq!(ask(&mut connection, "PING").unwrap(), "PONG");
        connection
    }

    /// What a client gets for a PING.
    fn ping(&self, config: &Arc<ClientConfig>) -> io::Result<String> {
        ask(&mut tls::connect(self.port, config)?, "PING")
    }

    /// Changes directives, from a client without TLS.
    fn set(&self, directives: &str) -> String {
        ask(&mut self.server.connect().unwrap(), &format!("CONFIG SET {directives}")).unwrap()
    }

    /// Reads a directive.
    fn get(&self, directive: &str) -> String {
        let mut connection = self.server.connect().unwrap();
        let reply = connection.call(&["CONFIG", "GET", directive]).unwrap().elements();
        String::from_utf8_lossy(reply[1].payload()).into_owned()
    }

    /// Comes back when a line with this text is in the log.
    fn until_log(&self, text: &str) {
        assert!(self.server.wait_for_log(text, Duration::from_secs(60)), "{}", self.server.log());
    }

    /// A file of the server's folder.
    fn file(&self, name: &str) -> String {
        path(&self.folder.path().join(name))
    }
}

fn ask(connection: &mut Connection<impl Read + Write>, command: &str) -> io::Result<String> {
    let reply = connection.call(&command.split(' ').collect::<Vec<_>>())?;
    Ok(String::from_utf8_lossy(reply.payload()).into_owned())
}
