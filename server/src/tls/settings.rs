//! From directives to what rustls is told.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::sessions::SessionCache;
use super::{TlsAcceptor, ciphers, files};
use crate::config::{Config, TlsAuth};
use crate::log;

/// How clients are greeted, by what `tls-auth-clients` says when they come.
pub(super) struct Settings {
    unasked: Arc<ServerConfig>,
    /// Neither where nobody is trusted to issue certificates.
    optional: Option<Arc<ServerConfig>>,
    required: Option<Arc<ServerConfig>>,
}

impl Settings {
    /// Reads all that the configuration names. The error is a line for the log.
    pub(super) fn load(config: &Config) -> Result<Settings, String> {
        let certificate = named(config.tls_cert_file()).ok_or("No tls-cert-file configured!")?;
        let key = named(config.tls_key_file()).ok_or("No tls-key-file configured!")?;
        let (trusted_file, trusted_folder) = (named(config.tls_ca_cert_file()), named(config.tls_ca_cert_dir()));
        let asks = config.tls_auth_clients() != TlsAuth::No || config.tls_cluster() || config.tls_replication();
        if asks && trusted_file.is_none() && trusted_folder.is_none() {
            return Err("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, \
                        tls-replication or tls-auth-clients are enabled!"
                .into());
        }
        let versions = versions(&config.tls_protocols())?;
        let provider = Arc::new(provider(&config.tls_ciphers(), &config.tls_ciphersuites())?);
        let identity = Arc::new(files::identity(&certificate, &key, &config.tls_key_file_pass(), &provider)?);
        let trusted = files::trusted(trusted_file.as_deref(), trusted_folder.as_deref())?;
        check_rest(config, &provider)?;

        let make = |verifier| {
            server_config(config, Arc::clone(&provider), &versions, Arc::clone(&identity), verifier)
                .map_err(|error| format!("Failed to configure TLS: {error}"))
        };
        let (mut optional, mut required) = (None, None);
        if !trusted.is_empty() {
            let trusted = Arc::new(trusted);
            let verifier = || WebPkiClientVerifier::builder_with_provider(Arc::clone(&trusted), Arc::clone(&provider));
            let failed = |error| format!("Failed to configure CA certificate(s) file/directory: {error}");
            optional = Some(make(Some(verifier().allow_unauthenticated().build().map_err(failed)?))?);
            required = Some(make(Some(verifier().build().map_err(failed)?))?);
        }
        Ok(Settings { unasked: make(None)?, optional, required })
    }

    pub(super) fn acceptor(&self, auth: TlsAuth) -> Option<TlsAcceptor> {
        let config = match auth {
            TlsAuth::No => Some(&self.unasked),
            // Nobody could show a certificate that would do, so nobody is asked.
            TlsAuth::Optional => Some(self.optional.as_ref().unwrap_or(&self.unasked)),
            TlsAuth::Yes => self.required.as_ref(),
        };
        config.map(|config| TlsAcceptor::from(Arc::clone(config)))
    }
}

fn named(path: Arc<str>) -> Option<Arc<str>> {
    Some(path).filter(|path| !path.is_empty())
}

/// What is not used, but must be right when it is given.
fn check_rest(config: &Config, provider: &CryptoProvider) -> Result<(), String> {
    if let (Some(certificate), Some(key)) = (named(config.tls_client_cert_file()), named(config.tls_client_key_file()))
    {
        files::identity(&certificate, &key, &config.tls_client_key_file_pass(), provider)?;
    }
    if let Some(path) = named(config.tls_dh_params_file()) {
        files::read(&path).map_err(|reason| format!("Failed to load {path}: {reason}"))?;
        log::notice!("tls-dh-params-file is not used: keys are exchanged over elliptic curves only");
    }
    Ok(())
}

/// The versions that `tls-protocols` names: 1.2 and 1.3 where it names none.
fn versions(text: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    if text.is_empty() {
        return Ok(vec![&version::TLS12, &version::TLS13]);
    }
    let mut versions = Vec::new();
    for word in text.split(' ') {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1" | "tlsv1.1" => log::warning!("tls-protocols: {word} is not secure and not supported"),
            "tlsv1.2" => versions.push(&version::TLS12),
            "tlsv1.3" => versions.push(&version::TLS13),
            _ => {
                return Err("Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and \
                            'TLSv1.3'."
                    .into());
            }
        }
    }
    if versions.is_empty() { Err("tls-protocols leaves no version that is supported".into()) } else { Ok(versions) }
}

/// The cryptography, with no ciphers but those that are asked for.
fn provider(ciphers: &str, ciphersuites: &str) -> Result<CryptoProvider, String> {
    let mut suites = ciphers::of_tls13(ciphersuites)?;
    suites.extend(ciphers::of_tls12(ciphers)?);
    Ok(CryptoProvider { cipher_suites: suites, ..ring::default_provider() })
}

/// How clients are greeted who are asked for certificates by a verifier, if there is one.
fn server_config(
    config: &Config,
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    identity: Arc<CertifiedKey>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut made = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    made.ignore_client_order = config.tls_prefer_server_ciphers();
    // Each has sessions of its own: nobody gets around showing a certificate by resuming one that was begun without.
    made.session_storage = match config.tls_session_caching() {
        true => Arc::new(SessionCache::new(
            usize::try_from(config.tls_session_cache_size()).unwrap_or_default(),
            Duration::from_secs(u64::try_from(config.tls_session_cache_timeout()).unwrap_or_default()),
        )),
        false => Arc::new(NoServerSessionStorage {}),
    };
    if !made.session_storage.can_cache() {
        made.send_tls13_tickets = 0;
    }
    Ok(Arc::new(made))
}
