//! Certificates for a test, and clients that speak TLS.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::connection::{Connection, socket};

/// Somebody who issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One of its own making.
    pub fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a new key. It is valid for `localhost` and 127.0.0.1.
    pub fn issue(&self, name: &str) -> Identity {
        self.certify(name, KeyPair::generate().expect("a key"))
    }

    /// A certificate for a key.
    pub fn certify(&self, name: &str, key: KeyPair) -> Identity {
        let certificate = named(name).signed_by(&key, &self.0).expect("a certificate");
        Identity { certificate: certificate.der().clone(), certificate_pem: certificate.pem(), key }
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_string(), "127.0.0.1".to_string()]).expect("good names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A certificate and its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub certificate_pem: String,
    key: KeyPair,
}

impl Identity {
    /// Writes both into files, and returns the paths of the certificate and the key.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.certificate_pem)?;
        std::fs::write(&key, self.key.serialize_pem())?;
        Ok((certificate, key))
    }
}

/// How a client speaks TLS: with whom it trusts, and who it says it is.
pub fn client(
    trusted: &Authority,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.der().clone()).expect("a good certificate");
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let builder = builder.with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key, .. }) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.clone()], key).expect("a key that fits")
        }
    }
}

/// A client's stream of TLS over a socket.
pub type Stream<S = TcpStream> = StreamOwned<ClientConnection, S>;

/// Speaks TLS over a stream. The handshake is made by the first that is sent or read.
pub fn over<S: Read + Write>(stream: S, config: &Arc<ClientConfig>) -> Connection<Stream<S>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::clone(config), name).expect("a good configuration");
    Connection::over(StreamOwned::new(session, stream))
}

/// Connects to a port for TLS of 127.0.0.1.
pub fn connect(port: u16, config: &Arc<ClientConfig>) -> io::Result<Connection<Stream>> {
    Ok(over(socket((Ipv4Addr::LOCALHOST, port))?, config))
}
