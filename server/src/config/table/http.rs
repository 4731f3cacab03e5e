//! The HTTP port. These directives are Spinel's own.

use super::{Apply, Directive, INT, bytes, directives, number, port};
use crate::config::value::{Number, Secret};

directives! {
    /// The HTTP port.
    Http in http {
        /// TCP port for HTTP; 0 listens on none.
        http_port: Number = port("http-port", 0).apply(Apply::Port);
        /// TCP port for HTTP inside of TLS, which is configured as for `tls-port`; 0 listens on none.
        https_port: Number = port("https-port", 0).apply(Apply::TlsPort);
        /// Token of HTTP requests that act for the default user.
        http_token: Secret = Directive::new("http-token", Secret::absent()).sensitive().apply(Apply::HttpTokens);
        /// Token of HTTP requests that may only read.
        http_readonly_token: Secret = Directive::new("http-readonly-token", Secret::absent()).sensitive().apply(Apply::HttpTokens);
        /// The largest body of an HTTP request.
        http_max_body_size: Number = bytes("http-max-body-size", 64 << 20, 1 << 10, INT);
        /// Seconds within which an HTTP request has to arrive, its head and then its body.
        /// A connection without requests is closed after this time, too.
        http_timeout: Number = number("http-timeout", 60, 1, INT);
    }
}
