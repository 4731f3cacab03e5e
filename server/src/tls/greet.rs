//! The beginning of a client that speaks TLS.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Socket, Stream};
use crate::client::Peer;
use crate::listen;
use crate::log;
use crate::server::Server;

/// A client has so long for its handshake, less where `timeout` says so.
const HANDSHAKE_SECONDS: u64 = 10;

/// Shakes hands with a client. `None` where nothing came of it, which has been logged.
pub async fn greet(server: &Server, stream: TcpStream, peer: &Peer) -> Option<Stream> {
    let mut stream = match shake_hands(server, stream).await {
        Ok(stream) => stream,
        Err(reason) => {
            let Peer { addr, laddr, .. } = peer;
            log::warning!("Error accepting a client connection: {reason} (addr={addr} laddr={laddr})");
            return None;
        }
    };
    let Err(text) = listen::check_origin(server, peer) else { return Some(stream) };
    listen::count_refusal(server);
    // The client may be gone already, or not take it: nobody waits for that.
    let _ = timeout(Duration::from_secs(1), async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
    None
}

async fn shake_hands(server: &Server, stream: TcpStream) -> Result<Stream, String> {
    let Some(acceptor) = server.tls.acceptor(server.config.tls_auth_clients()) else {
        return Err("clients have to show certificates, and there is nobody who could issue them".into());
    };
    let seconds = match u64::try_from(server.config.timeout()) {
        Ok(seconds @ 1..HANDSHAKE_SECONDS) => seconds,
        _ => HANDSHAKE_SECONDS,
    };
    match timeout(Duration::from_secs(seconds), acceptor.accept(Socket::new(stream))).await {
        Ok(outcome) => outcome.map_err(|error| reason(&error)),
        Err(_) => Err(format!("no handshake within {seconds} seconds")),
    }
}

/// Why a handshake failed.
fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(_)) => format!("{error}, the client may not speak TLS"),
        _ => error.to_string(),
    }
}
