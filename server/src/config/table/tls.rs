//! TLS.

use super::{Apply, INT, directives, number, one_of, optional, port, switch};
use crate::config::value::{Number, OneOf, Switch, Text, choices};

choices! {
    /// Whether clients must show a certificate.
    TlsAuth { No = "no", Yes = "yes", Optional = "optional", }
}

directives! {
    /// TLS.
    Tls in tls {
        /// Port for TLS; 0 listens on none.
        tls_port: Number = port("tls-port", 0).apply(Apply::TlsPort);
        /// The server's certificate.
        tls_cert_file: Text = optional("tls-cert-file").volatile().apply(Apply::Tls);
        /// The server's key.
        tls_key_file: Text = optional("tls-key-file").volatile().apply(Apply::Tls);
        /// Password of the server's key.
        tls_key_file_pass: Text = optional("tls-key-file-pass").sensitive().apply(Apply::Tls);
        /// Certificate for outgoing connections.
        tls_client_cert_file: Text = optional("tls-client-cert-file").volatile().apply(Apply::Tls);
        /// Key for outgoing connections.
        tls_client_key_file: Text = optional("tls-client-key-file").volatile().apply(Apply::Tls);
        /// Password of the key for outgoing connections.
        tls_client_key_file_pass: Text = optional("tls-client-key-file-pass").sensitive().apply(Apply::Tls);
        /// Parameters for Diffie-Hellman.
        tls_dh_params_file: Text = optional("tls-dh-params-file").volatile().apply(Apply::Tls);
        /// Certificates to trust, in a file.
        tls_ca_cert_file: Text = optional("tls-ca-cert-file").volatile().apply(Apply::Tls);
        /// Certificates to trust, in a directory.
        tls_ca_cert_dir: Text = optional("tls-ca-cert-dir").volatile().apply(Apply::Tls);
        /// Whether clients must show a certificate.
        tls_auth_clients: OneOf<TlsAuth> = one_of("tls-auth-clients", TlsAuth::Yes);
        /// Whether replication uses TLS.
        tls_replication: Switch = switch("tls-replication", false).apply(Apply::Tls);
        /// Whether the cluster's bus uses TLS.
        tls_cluster: Switch = switch("tls-cluster", false).apply(Apply::Tls);
        /// Versions of TLS.
        tls_protocols: Text = optional("tls-protocols").apply(Apply::Tls);
        /// Ciphers up to TLS 1.2.
        tls_ciphers: Text = optional("tls-ciphers").apply(Apply::Tls);
        /// Ciphers of TLS 1.3.
        tls_ciphersuites: Text = optional("tls-ciphersuites").apply(Apply::Tls);
        /// Whether the server chooses the cipher.
        tls_prefer_server_ciphers: Switch = switch("tls-prefer-server-ciphers", false).apply(Apply::Tls);
        /// Whether sessions are resumed.
        tls_session_caching: Switch = switch("tls-session-caching", true).apply(Apply::Tls);
        /// Sessions that are remembered; 0 is no limit.
        tls_session_cache_size: Number = number("tls-session-cache-size", 20480, 0, INT).apply(Apply::Tls);
        /// Seconds that a session is remembered.
        tls_session_cache_timeout: Number = number("tls-session-cache-timeout", 300, 0, INT).apply(Apply::Tls);
    }
}
