//! TLS: what the `tls-*` directives ask for, made into what greets clients.
//!
//! [`Tls`] holds it and is the one place that asks for it: [`Tls::acceptor`] makes a TLS stream of a socket, whatever is
//! spoken over it. Connections keep what they were greeted with when the configuration changes.

mod ciphers;
mod files;
mod greet;
mod sessions;
mod settings;
mod socket;

use parking_lot::RwLock;
pub use tokio_rustls::TlsAcceptor;

pub use greet::greet;
pub use socket::Socket;

use crate::config::{Config, TlsAuth};
use crate::log;
use settings::Settings;

/// A client's stream.
pub type Stream = tokio_rustls::server::TlsStream<Socket>;

/// The TLS of a server.
#[derive(Default)]
pub struct Tls {
    current: RwLock<Option<Settings>>,
}

impl Tls {
    /// Reads the files that the configuration names and uses them for clients from now on. Where anything is wrong with
    /// them, that is logged, and all stays as it was.
    pub fn configure(&self, config: &Config) -> Result<(), CannotConfigure> {
        match Settings::load(config) {
            Ok(settings) => {
                *self.current.write() = Some(settings);
                Ok(())
            }
            Err(reason) => {
                log::warning!("{reason}");
                Err(CannotConfigure)
            }
        }
    }

    pub fn is_configured(&self) -> bool {
        self.current.read().is_some()
    }

    /// Has TLS be configured before it is used again.
    pub fn forget(&self) {
        *self.current.write() = None;
    }

    /// What greets clients that have to show a certificate as `auth` says. `None` where nothing could: TLS was never
    /// configured, or clients would have to show certificates and nobody is trusted to issue them.
    pub fn acceptor(&self, auth: TlsAuth) -> Option<TlsAcceptor> {
        self.current.read().as_ref()?.acceptor(auth)
    }
}

/// The configuration does not make for TLS. The log says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CannotConfigure;

/// Whether anything that the configuration asks for needs TLS.
pub fn is_wanted(config: &Config) -> bool {
    config.tls_port() != 0 || config.tls_replication() || config.tls_cluster()
}
