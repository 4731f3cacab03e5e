//! Clients for what `redis-benchmark` cannot send: requests of several commands, times, large values, HTTP.

use std::io;
use std::time::Instant;

use harness::{Server, proc};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{Figures, LOAD_CPU};

/// Has all clients make requests, each one after another, `requests` in all. A client is a thread of its own; all are on
/// one core.
pub fn drive<C: Send>(
    server: &Server,
    clients: &mut [C],
    requests: usize,
    request: impl Fn(&mut C, &mut SmallRng) -> io::Result<()> + Sync,
) -> io::Result<Figures> {
    let each = requests / clients.len();
    let before = proc::cpu_nanos(server.pid())?;
    let begin = Instant::now();
    let mut millis = std::thread::scope(|scope| {
        let request = &request;
        let threads = clients.iter_mut().enumerate().map(|(seed, client)| {
            scope.spawn(move || -> io::Result<Vec<f64>> {
                proc::pin_this_thread(LOAD_CPU)?;
                let mut random = SmallRng::seed_from_u64(seed as u64);
                let timed = (0..each).map(|_| {
                    let sent = Instant::now();
                    request(client, &mut random)?;
                    Ok(sent.elapsed().as_secs_f64() * 1000.0)
                });
                timed.collect()
            })
        });
        let threads: Vec<_> = threads.collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic"))));
        joined.collect::<io::Result<Vec<_>>>()
    })?
    .concat();
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = proc::cpu_nanos(server.pid())? - before;
    millis.sort_by(f64::total_cmp);
    let percentile = |percent: usize| millis.get(millis.len() * percent / 100).copied().unwrap_or_default();
    Ok(Figures {
        requests_per_second: millis.len() as f64 / seconds,
        cpu_micros: cpu as f64 / 1000.0 / millis.len().max(1) as f64,
        p50_ms: percentile(50),
        p99_ms: percentile(99),
    })
}
