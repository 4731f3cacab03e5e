//! MEMORY: where the memory is.

use crate::command::*;
use crate::info::memory::{Figures, excess};
use crate::info::ratio;
use crate::set;

const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
const ALLOCATOR_COMPLEXITY: &str = "Depends on how much is allocated, may be slow";

pub(super) const MEMORY: Spec = Spec::container(
    "memory",
    &[
        Spec::new("doctor", 2, doctor)
            .doc(Group::Server, "4.0.0", "O(1)", "Explains what is unusual about memory.")
            .tips(TIPS),
        Spec::new("help", 2, help)
            .doc(Group::Server, "4.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        Spec::new("malloc-stats", 2, malloc_stats)
            .doc(Group::Server, "4.0.0", ALLOCATOR_COMPLEXITY, "Shows the allocator's account of itself.")
            .tips(TIPS),
        Spec::new("purge", 2, purge)
            .doc(Group::Server, "4.0.0", ALLOCATOR_COMPLEXITY, "Gives free memory back to the system.")
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        Spec::new("stats", 2, stats).doc(Group::Server, "4.0.0", "O(1)", "Shows what memory is used for.").tips(TIPS),
        Spec::new("usage", -3, usage)
            .doc(Group::Server, "4.0.0", "O(N) where N is the number of samples", "Tells how much memory a key takes.")
            .flags(Flags::READONLY)
            .keys(&[KeySpec::at(2, KeyFlags::RO)])
            .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).token("SAMPLES").optional()]),
    ],
)
.doc(Group::Server, "4.0.0", "Depends on subcommand.", "Diagnosis of memory.");

fn usage(cx: &mut Context<'_>) -> CommandResult {
    let mut at = 3;
    while at < cx.args.len() {
        if !cx.arg_is(at, "samples") || at + 1 >= cx.args.len() {
            return Err(Error::SYNTAX);
        }
        // A string is always counted in whole, however many samples are asked for.
        if cx.integer(at + 1)? < 0 {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    let key = cx.key(2);
    match cx.db.peek(&key) {
        Some(entry) => cx.reply.integer(entry.memory() as i64),
        None => cx.reply.null(),
    }
    Ok(())
}

fn malloc_stats(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.verbatim("txt", storage::memory::stats_text().as_bytes());
    Ok(())
}

fn purge(cx: &mut Context<'_>) -> CommandResult {
    storage::memory::purge();
    cx.reply.ok();
    Ok(())
}

/// A figure of MEMORY STATS.
enum Figure {
    Count(i64),
    Ratio(f64),
}

fn stats(cx: &mut Context<'_>) -> CommandResult {
    use Figure::{Count, Ratio};
    let figures = Figures::collect(cx.server, cx.db, 0);
    let bytes = |bytes: u64| Count(bytes as i64);
    let before = [
        ("peak.allocated", bytes(figures.peak)),
        ("total.allocated", bytes(figures.used)),
        ("startup.allocated", bytes(figures.startup)),
        ("replication.backlog", Count(0)),
        ("replica.fullsync.buffer", Count(0)),
        ("clients.slaves", Count(0)),
        ("clients.normal", bytes(figures.clients)),
        ("cluster.links", Count(0)),
        ("aof.buffer", bytes(cx.server.aof.memory() as u64)),
        ("lua.caches", Count(0)),
        ("functions.caches", Count(0)),
        ("script.VMs", Count(0)),
    ];
    let pairs = [
        ("allocator-fragmentation", figures.heap, figures.used),
        ("allocator-rss", figures.heap, figures.heap),
        ("rss-overhead", figures.resident, figures.heap),
    ];
    let (fragmentation, fragmented) = excess(figures.resident, figures.used);
    let after = [
        ("overhead.db.hashtable.lut", bytes(figures.tables())),
        ("overhead.db.hashtable.rehashing", Count(0)),
        ("overhead.total", bytes(figures.overhead())),
        ("db.dict.rehashing.count", Count(0)),
        ("keys.count", bytes(figures.keys)),
        ("keys.bytes-per-key", bytes(figures.bytes_per_key())),
        ("dataset.bytes", bytes(figures.dataset())),
        ("dataset.percentage", Ratio(figures.dataset_percent())),
        ("peak.percentage", Ratio(figures.peak_percent())),
        ("allocator.allocated", bytes(figures.used)),
        ("allocator.active", bytes(figures.heap)),
        ("allocator.resident", bytes(figures.heap)),
        ("allocator.muzzy", Count(0)),
    ];
    cx.reply.map(before.len() + figures.dbs.len() + after.len() + 2 * pairs.len() + 2);
    before.into_iter().for_each(|(name, figure)| write_figure(cx, name, figure));
    for db in &figures.dbs {
        cx.reply.bulk_display(format_args!("db.{}", db.db));
        cx.reply.map(2);
        write_figure(cx, "overhead.hashtable.main", bytes(db.table));
        // The expiry is part of each entry.
        write_figure(cx, "overhead.hashtable.expires", Count(0));
    }
    after.into_iter().for_each(|(name, figure)| write_figure(cx, name, figure));
    for (name, outer, inner) in pairs {
        let (ratio, bytes) = excess(outer, inner);
        write_figure(cx, &format!("{name}.ratio"), Ratio(ratio));
        write_figure(cx, &format!("{name}.bytes"), Count(bytes));
    }
    write_figure(cx, "fragmentation", Ratio(fragmentation));
    write_figure(cx, "fragmentation.bytes", Count(fragmented));
    Ok(())
}

fn write_figure(cx: &mut Context<'_>, name: &str, figure: Figure) {
    cx.reply.bulk_str(name);
    match figure {
        Figure::Count(count) => cx.reply.integer(count),
        Figure::Ratio(ratio) => cx.reply.double(ratio),
    }
}

fn doctor(cx: &mut Context<'_>) -> CommandResult {
    let figures = Figures::collect(cx.server, cx.db, 0);
    let clients = cx.server.clients.len() as u64;
    cx.reply.verbatim("txt", diagnosis(&figures, clients).as_bytes());
    Ok(())
}

/// Below this, what the process itself takes drowns everything else.
const ENOUGH_TO_TELL: u64 = 5 << 20;
/// A smaller difference between two figures is not worth a word, however large their ratio is.
const WORTH_A_WORD: i64 = 10 << 20;

fn diagnosis(figures: &Figures, clients: u64) -> String {
    if figures.used < ENOUGH_TO_TELL {
        return "There is too little in memory to tell anything from it: come back with more data.\n".into();
    }
    let mut findings = Vec::new();
    if ratio(figures.peak as f64, figures.used as f64) > 1.5 {
        findings.push(
            "The peak was more than half again as high as what is used now. What was freed since may make the process \
             look larger than its data; MEMORY PURGE gives back what can be given.",
        );
    }
    let (fragmentation, bytes) = excess(figures.heap, figures.used);
    if fragmentation > 1.4 && bytes > WORTH_A_WORD {
        findings.push(
            "The allocator holds much more than is in use: freed memory that is scattered, or not given back yet. \
             MEMORY PURGE may help.",
        );
    }
    let (overhead, bytes) = excess(figures.resident, figures.heap);
    if overhead > 1.1 && bytes > WORTH_A_WORD {
        findings.push("The process takes more memory than its allocator has: thread stacks, code, or other libraries.");
    }
    if figures.clients.checked_div(clients).unwrap_or(0) > 200 << 10 {
        findings.push(
            "The buffers of clients are large in the mean: some client may not read its replies, or send very large \
             requests. CLIENT LIST shows them.",
        );
    }
    if findings.is_empty() {
        return "Nothing unusual was found.\n".into();
    }
    let list: String = findings.into_iter().map(|finding| format!("- {finding}\n")).collect();
    format!("This was found:\n\n{list}")
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "DOCTOR",
        "    What is unusual about memory, in words.",
        "MALLOC-STATS",
        "    The allocator's account of itself.",
        "PURGE",
        "    Give free memory back to the system.",
        "STATS",
        "    What memory is used for, in bytes.",
        "USAGE <key> [SAMPLES <count>]",
        "    The bytes that <key> and its value take. Of large collections <count> elements",
        "    are looked at (default: 5, all with 0).",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(used: u64, peak: u64, heap: u64) -> Figures {
        let (dbs, resident) = (Vec::new(), heap);
        Figures { used, peak, peak_at: 0, startup: 0, resident, heap, clients: 0, dbs, keys: 0 }
    }

    #[test]
    fn finds_what_is_unusual() {
        assert!(diagnosis(&figures(1 << 20, 1 << 30, 1 << 30), 1).contains("too little"));
        assert!(diagnosis(&figures(100 << 20, 100 << 20, 101 << 20), 1).contains("Nothing unusual"));
        let text = diagnosis(&figures(100 << 20, 200 << 20, 190 << 20), 1);
        assert!(text.contains("peak") && text.contains("allocator holds"), "{text}");
    }
}
