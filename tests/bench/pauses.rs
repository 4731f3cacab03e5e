//! How long one client's command makes another one wait.

use std::io;
use std::time::{Duration, Instant};

use super::{Contender, fill, start};

pub const NAME: &str = "UNLINK of a sorted set";

/// How long PINGs are measured, before and after.
const SPAN: Duration = Duration::from_secs(3);

/// Deletes a sorted set while another connection sends PINGs, and prints how long the slowest of them took, beside the
/// slowest of as many seconds in which nothing else happened.
pub fn unlink(contenders: &[Contender], members: usize) -> io::Result<()> {
    for contender in contenders {
        let server = start(contender)?;
        fill(&server, members, |n| {
            vec!["ZADD".into(), "zset".into(), (n * 7919 % 10_000_019).to_string(), format!("player:{n:012}")]
        })?;
        let (mut pinging, mut deleting) = (server.connect()?, server.connect()?);
        let mut slowest = || -> io::Result<f64> {
            let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
            while begin.elapsed() < SPAN {
                let sent = Instant::now();
                pinging.send_bytes(b"PING\r\n")?;
                pinging.read()?;
                slowest = slowest.max(sent.elapsed());
            }
            Ok(slowest.as_secs_f64() * 1000.0)
        };
        let quiet = slowest()?;
        deleting.send_bytes(b"UNLINK zset\r\n")?;
        let during = slowest()?;
        deleting.read()?;
        println!("| {NAME} of {members} | {} | {during:.2} | {quiet:.2} |", contender.name);
    }
    Ok(())
}
