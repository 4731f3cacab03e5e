//! LATENCY: spikes that were seen, and how long commands take.

mod doctor;
mod graph;

use crate::command::table::Command;
use crate::command::*;
use crate::set;
use crate::stats::CommandFigures;

const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

pub(super) const LATENCY: Spec = Spec::container(
    "latency",
    &[
        Spec::new("doctor", 2, doctor)
            .doc(Group::Server, "2.8.13", "O(1)", "Explains the spikes that were seen.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(TIPS),
        Spec::new("graph", 3, graph)
            .doc(Group::Server, "2.8.13", "O(1)", "Draws the latest spikes of an event.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(TIPS)
            .args(&[Arg::new("event", ArgKind::String)]),
        Spec::new("help", 2, help)
            .doc(Group::Server, "2.8.13", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE)),
        Spec::new("histogram", -2, histogram)
            .doc(
                Group::Server,
                "7.0.0",
                "O(N) where N is the number of commands shown",
                "Shows how many calls of commands took how long.",
            )
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(TIPS)
            .args(&[Arg::new("command", ArgKind::String).optional().multiple()]),
        Spec::new("history", 3, history)
            .doc(Group::Server, "2.8.13", "O(1)", "Lists the latest spikes of an event.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(TIPS)
            .args(&[Arg::new("event", ArgKind::String)]),
        Spec::new("latest", 2, latest)
            .doc(Group::Server, "2.8.13", "O(1)", "Shows the latest spike of every event.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(TIPS),
        Spec::new("reset", -2, reset)
            .doc(Group::Server, "2.8.13", "O(1)", "Forgets the spikes of events.")
            .flags(set!(Flags: ADMIN | NOSCRIPT | LOADING | STALE))
            .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
            .args(&[Arg::new("event", ArgKind::String).optional().multiple()]),
    ],
)
.doc(Group::Server, "2.8.13", "Depends on subcommand.", "Diagnosis of latency.");

fn latest(cx: &mut Context<'_>) -> CommandResult {
    let events = cx.server.latency.events();
    cx.reply.array(events.len());
    for (name, event) in events {
        let (time, millis) = event.spikes.back().copied().unwrap_or_default();
        cx.reply.array(4);
        cx.reply.bulk_str(&name);
        [time, millis, event.max_ms].into_iter().for_each(|number| cx.reply.integer(number));
    }
    Ok(())
}

fn history(cx: &mut Context<'_>) -> CommandResult {
    let event = cx.server.latency.event(&String::from_utf8_lossy(cx.arg(2))).unwrap_or_default();
    cx.reply.array(event.spikes.len());
    for (time, millis) in event.spikes {
        cx.reply.array(2);
        cx.reply.integer(time);
        cx.reply.integer(millis);
    }
    Ok(())
}

fn reset(cx: &mut Context<'_>) -> CommandResult {
    let latency = &cx.server.latency;
    let forgotten: usize = match cx.args.len() {
        2 => latency.reset(None),
        _ => cx.args.tail(2).iter().map(|name| latency.reset(Some(&String::from_utf8_lossy(name)))).sum(),
    };
    cx.reply.integer(forgotten as i64);
    Ok(())
}

fn graph(cx: &mut Context<'_>) -> CommandResult {
    let name = String::from_utf8_lossy(cx.arg(2));
    let Some(event) = cx.server.latency.event(&name) else {
        return Err(Error::quoting("ERR No samples available for event '", cx.arg(2), "'"));
    };
    let picture = graph::draw(&name, &event, crate::server::unix_ms() / 1000);
    cx.reply.verbatim("txt", picture.as_bytes());
    Ok(())
}

fn doctor(cx: &mut Context<'_>) -> CommandResult {
    let report = doctor::report(cx.server.config.latency_threshold_ms(), &cx.server.latency.events());
    cx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

fn histogram(cx: &mut Context<'_>) -> CommandResult {
    let map = cx.reply.defer();
    let mut shown = 0;
    if cx.args.len() == 2 {
        for command in &cx.server.commands_by_id {
            shown += usize::from(write_histogram(cx, command));
        }
    }
    for name in cx.args.tail(2) {
        let Some(command) = find(cx, name) else { continue };
        shown += usize::from(write_histogram(cx, command));
        let mut subcommands: Vec<&Command> = command.subcommands.commands().collect();
        subcommands.sort_by_key(|command| command.id);
        for command in subcommands {
            shown += usize::from(write_histogram(cx, command));
        }
    }
    cx.reply.end_map(map, shown);
    Ok(())
}

/// A command by its full name, as in `client|kill`.
fn find(cx: &Context<'_>, name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|byte| *byte == b'|') {
        None => cx.server.commands.get(name),
        Some(bar) => cx.server.commands.get(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

/// Writes what is known of a command's durations. Tells whether there was anything.
fn write_histogram(cx: &mut Context<'_>, command: &Command) -> bool {
    let figures = cx.server.stats.command(command.id);
    let calls: u64 = figures.latencies.values().sum();
    if calls == 0 {
        return false;
    }
    cx.reply.bulk_str(&command.full_name);
    cx.reply.map(2);
    cx.reply.bulk_str("calls");
    cx.reply.integer(calls as i64);
    cx.reply.bulk_str("histogram_usec");
    let steps = cumulated(&figures);
    cx.reply.map(steps.len());
    for (micros, count) in steps {
        cx.reply.integer(micros as i64);
        cx.reply.integer(count as i64);
    }
    true
}

/// How many calls took no longer than 1, 2, 4, ... microseconds; steps that add no calls are left out.
fn cumulated(figures: &CommandFigures) -> Vec<(u64, u64)> {
    let calls: u64 = figures.latencies.values().sum();
    let mut steps = Vec::new();
    let (mut limit, mut before) = (1u64 << 10, 0);
    while before < calls {
        // The figures' own buckets end there, too.
        let count = figures.latencies.range(..limit).map(|(_, count)| count).sum();
        if count > before {
            steps.push((step_name(limit), count));
            before = count;
        }
        let Some(next) = limit.checked_mul(2).filter(|next| *next < 1 << 62) else { break };
        limit = next;
    }
    steps
}

/// The microseconds by which Redis names the step that ends at so many nanoseconds: those of the longest duration that
/// its histogram, which is right to 1/128, does not tell from the limit. It ends at a second, for which 2^30 stands.
fn step_name(limit: u64) -> u64 {
    let longest = if limit < 1 << 30 { limit + limit / 128 } else { limit } - 1;
    longest / 1000
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "DOCTOR",
        "    What the spikes may come from, in words.",
        "GRAPH <event>",
        "    A picture of the latest spikes of <event>.",
        "HISTOGRAM [<command> ...]",
        "    How many calls took how long, for these commands or for all.",
        "HISTORY <event>",
        "    The latest spikes of <event>: Unix time and milliseconds.",
        "LATEST",
        "    Of every event the latest spike and the longest.",
        "RESET [<event> ...]",
        "    Forget the spikes of these events, or of all.",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_add_up() {
        let mut figures = CommandFigures::default();
        assert!(cumulated(&figures).is_empty());
        figures.latencies.extend([(900, 3), (1023, 1), (1055, 2), (40_000, 4), (u64::MAX >> 3, 1)]);
        let steps = cumulated(&figures);
        assert_eq!(steps[..3], [(1, 4), (2, 6), (66, 10)]);
        assert_eq!(steps.last().map(|step| step.1), Some(11));
    }

    #[test]
    fn steps_have_the_names_of_redis() {
        let names: Vec<u64> = (10..32).map(|power| step_name(1 << power)).collect();
        let short = [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056];
        let long = [2113, 4227, 8454, 16908, 33816, 67633, 135_266, 270_532, 541_065, 1_073_741, 2_147_483];
        assert_eq!(names, [short, long].concat());
    }
}
