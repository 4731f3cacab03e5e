//! Memory of one big stream, counted and resident, and the time that adding to a stream of limited length takes.
//!
//! `cargo run --release -p spinel-storage --example stream_memory`

use std::time::Instant;

use storage::Collection;
use storage::memory::{CountingAllocator, anonymous_rss, used_memory};
use storage::stream::{Keep, References, Stream, StreamId, StreamLimits, Trim};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LIMITS: StreamLimits = StreamLimits { bytes: 4096, entries: 100 };
const ENTRIES: u64 = 500_000;

fn texts(shape: &str, n: u64) -> [String; 6] {
    match shape {
        "readings" => {
            ["sensor", &(n % 1000).to_string(), "temp", &format!("{}.{}", 20 + n % 10, n % 10), "status", "ok"]
                .map(str::to_string)
        }
        _ => ["user", &format!("user:{n:06}"), "action", "page_view", "path", &format!("/item/{}", n % 5000)]
            .map(str::to_string),
    }
}

fn main() {
    for shape in ["readings", "clicks"] {
        let (counted, resident) = (used_memory(), anonymous_rss());
        let mut stream = <Stream as Collection>::new();
        for n in 0..ENTRIES {
            let texts = texts(shape, n);
            let fields: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            assert!(stream.append(StreamId::new(1_700_000_000_000 + n / 3, n % 3 + 1), &fields, LIMITS));
        }
        let each = |before: usize, after: usize| after.saturating_sub(before) as f64 / ENTRIES as f64;
        println!(
            "{shape}: {:.1} bytes an entry, {:.1} resident, {:.1} as MEMORY USAGE tells it, {} nodes",
            each(counted, used_memory()),
            each(resident, anonymous_rss()),
            each(0, stream.memory()),
            stream.entries().nodes(),
        );
        let start = Instant::now();
        let read: usize = stream.entries().iter().map(|entry| entry.fields().count()).sum();
        println!("  read in {:.0} ns an entry", start.elapsed().as_nanos() as f64 / (read / 3) as f64);
    }

    let trim = Trim { keep: Keep::Last(1000), approximate: true, limit: 10_000, references: References::Keep };
    let mut stream = <Stream as Collection>::new();
    let start = Instant::now();
    for n in 0..10 * ENTRIES {
        let value = n.to_le_bytes();
        stream.append(StreamId::new(1_700_000_000_000 + n, 0), &[b"field", &value], LIMITS);
        stream.trim(trim);
    }
    println!("added within MAXLEN ~ 1000 in {:.0} ns", start.elapsed().as_nanos() as f64 / (10 * ENTRIES) as f64);
}
