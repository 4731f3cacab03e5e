//! Certificates and keys, read from PEM files.

use std::fs;
use std::path::Path;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::log;
use crate::server::os_error_text;

/// What a server, or a client, proves who it is with: its chain of certificates and the key to the first of them. The
/// error is a line for the log.
pub(super) fn identity(
    certificate_path: &str,
    key_path: &str,
    password: &str,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let bad_certificate = |reason| format!("Failed to load certificate: {certificate_path}: {reason}");
    let bad_key = |reason| format!("Failed to load private key: {key_path}: {reason}");
    let chain = read(certificate_path).and_then(|pem| certificates(&pem)).map_err(bad_certificate)?;
    let key = read(key_path).and_then(|pem| private_key(&pem, password)).map_err(bad_key)?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| bad_key(error.to_string()))?;
    // The certificate says whose key it is about in the very bytes that the key has for it. They are looked for rather
    // than taken out of a parsed certificate, because servers have certificates of versions which no parser here reads.
    if let (Some(first), Some(public)) = (chain.first(), key.public_key())
        && !contains(first, &public)
    {
        return Err(bad_key("it is not the key of the certificate".into()));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(whole, part).is_some()
}

/// The authorities whose certificates are trusted: those in a file and those in the files of a folder. The error is a
/// line for the log.
pub(super) fn trusted(file: Option<&str>, folder: Option<&str>) -> Result<RootCertStore, String> {
    let mut trusted = RootCertStore::empty();
    if let Some(path) = file {
        let failed = |reason| format!("Failed to configure CA certificate(s) file/directory: {path}: {reason}");
        for certificate in read(path).and_then(|pem| certificates(&pem)).map_err(failed)? {
            trusted.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
    }
    if let Some(path) = folder {
        add_folder(&mut trusted, Path::new(path));
    }
    Ok(trusted)
}

/// What cannot be used in a folder is left out: system folders hold all kinds of things.
fn add_folder(trusted: &mut RootCertStore, folder: &Path) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            log::warning!("Cannot read the CA certificates in {}: {}", folder.display(), os_error_text(&error));
            return;
        }
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let found = fs::read(&path).map_err(|error| os_error_text(&error)).and_then(|pem| certificates(&pem));
        let (added, ignored) = trusted.add_parsable_certificates(found.unwrap_or_default());
        if added == 0 || ignored > 0 {
            log::verbose!("{} has certificates that cannot be trusted, or none", path.display());
        }
    }
}

/// A file's content, or the system's words for why there is none.
pub(super) fn read(path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| os_error_text(&error))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is no certificate in it".into()) } else { Ok(found) }
}

const ENCRYPTED: (&str, &str) = ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");
/// In a key that OpenSSL has encrypted in the way of its own that came before PKCS#8.
const ENCRYPTED_TRADITIONALLY: &str = "Proc-Type: 4,ENCRYPTED";

fn private_key(pem: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, String> {
    if contains(pem, ENCRYPTED_TRADITIONALLY.as_bytes()) {
        return Err("it is encrypted in a way that is not supported: convert it with 'openssl pkcs8 -topk8'".into());
    }
    if let Some(section) = encrypted_section(&String::from_utf8_lossy(pem)) {
        if password.is_empty() {
            return Err("it is encrypted, and there is no tls-key-file-pass".into());
        }
        let (_, document) = SecretDocument::from_pem(section).map_err(|error| error.to_string())?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| error.to_string())?;
        let key = encrypted.decrypt(password).map_err(|_| "it cannot be decrypted with tls-key-file-pass")?;
        return Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into());
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        PemError::NoItemsFound => "there is no private key in it".into(),
        error => error.to_string(),
    })
}

/// The part of a file that is an encrypted key.
fn encrypted_section(pem: &str) -> Option<&str> {
    let start = pem.find(ENCRYPTED.0)?;
    let rest = pem.get(start..)?;
    rest.get(..rest.find(ENCRYPTED.1)? + ENCRYPTED.1.len())
}
