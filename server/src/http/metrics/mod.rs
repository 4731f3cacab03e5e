//! `GET /metrics`: what INFO tells, in Prometheus's text format and by the names that redis_exporter has given it.
//!
//! The figures are those of INFO, SLOWLOG and LATENCY, asked for as any client does: whoever may not call these gets no
//! metrics, and every figure is computed in one place.

mod table;

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use hyper::StatusCode;
use protocol::{OwnedArgs, ReplyFrame};

use super::answer::{Answer, Failure, answer, refused};
use super::json::error_text;
use super::session::Session;
use crate::server::unix_ms;
use table::{Kind, ROWS};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Asks the server for its figures, and writes them as metrics.
pub async fn scrape(session: &mut Session) -> Result<Answer, Failure> {
    let info = session.ask(&OwnedArgs::from_iter(["INFO", "all"])).await?;
    if let Some(error) = error_text(&info) {
        // Others than those who may not are to come again: a script takes long.
        let denied = error.starts_with("NOPERM");
        return refused(if denied { StatusCode::FORBIDDEN } else { StatusCode::SERVICE_UNAVAILABLE }, error);
    }
    let mut page = Page::default();
    page.metric("up", Kind::Gauge, "1: the server answers.", 1);
    let report = match &info {
        ReplyFrame::BlobString { data, .. } => String::from_utf8_lossy(data),
        _ => "".into(),
    };
    let fields = fields_of(&report);
    from_info(&fields, &mut page);
    // The rest is left out for those who may not ask for it.
    histograms(&session.ask(&OwnedArgs::from_iter(["LATENCY", "HISTOGRAM"])).await?, &fields, &mut page);
    if let ReplyFrame::Number { data, .. } = session.ask(&OwnedArgs::from_iter(["SLOWLOG", "LEN"])).await? {
        page.metric("slowlog_length", Kind::Gauge, "Entries of the slow log.", data);
    }
    slow_log(&session.ask(&OwnedArgs::from_iter(["SLOWLOG", "GET", "1"])).await?, &mut page);
    latencies(&session.ask(&OwnedArgs::from_iter(["LATENCY", "LATEST"])).await?, &mut page);
    Ok(answer(StatusCode::OK, CONTENT_TYPE, page.text))
}

/// The text under construction.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Begins a metric: its samples have to follow.
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.line(format_args!("# HELP redis_{name} {help}"));
        self.line(format_args!("# TYPE redis_{name} {}", kind.name()));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        if labels.is_empty() {
            self.line(format_args!("redis_{name} {value}"));
        } else {
            self.line(format_args!("redis_{name}{{{}}} {value}", labels.join(",")));
        }
    }

    /// A metric with a single sample.
    fn metric(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A metric with samples that one label tells apart. Without samples it is left out.
    fn labelled(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (String, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            self.family(name, kind, help);
            samples.for_each(|(which, value)| self.sample(name, &[(label, &which)], value));
        }
    }
}

/// A label's value as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// INFO's fields by name.
type Fields<'a> = BTreeMap<&'a str, &'a str>;

fn fields_of(report: &str) -> Fields<'_> {
    report.lines().filter_map(|line| line.split_once(':')).collect()
}

/// All metrics that come from INFO's report.
fn from_info(fields: &Fields<'_>, page: &mut Page) {
    for row in ROWS {
        if let Some(value) = fields.get(row.field).and_then(|text| number(text)) {
            page.metric(row.metric, row.kind, row.help, value * row.scale);
        }
    }
    if let Some(uptime) = fields.get("uptime_in_seconds").and_then(|text| number(text)) {
        let started = unix_ms() as f64 / 1000.0 - uptime;
        page.metric("start_time_seconds", Kind::Gauge, "When the server was started, in Unix time.", started);
    }
    instance(fields, page);
    databases(fields, page);
    commands(fields, page);
    let errors = with_prefix(fields, "errorstat_").filter_map(|(code, values)| Some((code, part(values, "count")?)));
    page.labelled("errors_total", Kind::Counter, "Error replies by their code.", "err", errors);
}

fn instance(fields: &Fields<'_>, page: &mut Page) {
    const LABELS: [&str; 10] = [
        "role",
        "redis_version",
        "redis_mode",
        "os",
        "maxmemory_policy",
        "tcp_port",
        "run_id",
        "process_id",
        "master_replid",
        "spinel_version",
    ];
    let labels: Vec<(&str, &str)> =
        LABELS.iter().map(|label| (*label, fields.get(label).copied().unwrap_or_default())).collect();
    page.family("instance_info", Kind::Gauge, "What the server says of itself.");
    page.sample("instance_info", &labels, 1);
}

fn databases(fields: &Fields<'_>, page: &mut Page) {
    for (metric, help, name, scale) in [
        ("db_keys", "Keys by database.", "keys", 1.0),
        ("db_keys_expiring", "Keys that expire, by database.", "expires", 1.0),
        ("db_avg_ttl_seconds", "Mean time to live of keys that expire.", "avg_ttl", 1e-3),
        ("db_keys_with_expiring_items", "Hashes with fields that expire.", "subexpiry", 1.0),
    ] {
        let samples = with_prefix(fields, "db")
            .filter_map(|(number, values)| Some((format!("db{number}"), part(values, name)? * scale)));
        page.labelled(metric, Kind::Gauge, help, "db", samples);
    }
}

fn commands(fields: &Fields<'_>, page: &mut Page) {
    for (metric, help, name, scale) in [
        ("commands_total", "Calls by command.", "calls", 1.0),
        ("commands_duration_seconds_total", "Time that the calls of a command took.", "usec", 1e-6),
        ("commands_rejected_calls_total", "Calls that were refused before they ran.", "rejected_calls", 1.0),
        ("commands_failed_calls_total", "Calls that ended in an error.", "failed_calls", 1.0),
    ] {
        let samples = with_prefix(fields, "cmdstat_")
            .filter_map(|(command, values)| Some((command, part(values, name)? * scale)));
        page.labelled(metric, Kind::Counter, help, "cmd", samples);
    }
    percentiles(fields, page);
}

fn percentiles(fields: &Fields<'_>, page: &mut Page) {
    const METRIC: &str = "latency_percentiles_usec";
    let mut begun = false;
    for (command, values) in with_prefix(fields, "latency_percentiles_usec_") {
        if !std::mem::replace(&mut begun, true) {
            page.family(METRIC, Kind::Summary, "Microseconds that a share of the calls stayed within.");
        }
        for (percent, micros) in values.split(',').filter_map(|value| value.strip_prefix('p')?.split_once('=')) {
            page.sample(METRIC, &[("cmd", &command), ("quantile", percent)], micros);
        }
        page.sample(&format!("{METRIC}_sum"), &[("cmd", &command)], of_command(fields, &command, "usec"));
        page.sample(&format!("{METRIC}_count"), &[("cmd", &command)], of_command(fields, &command, "calls"));
    }
}

/// How many calls took how long. The reply has for each command its calls and, behind a name each, the steps.
fn histograms(reply: &ReplyFrame, fields: &Fields<'_>, page: &mut Page) {
    const METRIC: &str = "commands_latencies_usec";
    let mut begun = false;
    for of_one in elements(reply).chunks(2) {
        let [ReplyFrame::BlobString { data: command, .. }, facts] = of_one else { continue };
        let [_, ReplyFrame::Number { data: calls, .. }, _, steps] = elements(facts) else { continue };
        if !std::mem::replace(&mut begun, true) {
            page.family(METRIC, Kind::Histogram, "Microseconds that the calls of a command took.");
        }
        let command = String::from_utf8_lossy(command);
        for step in elements(steps).chunks(2) {
            if let [ReplyFrame::Number { data: micros, .. }, ReplyFrame::Number { data: count, .. }] = step {
                page.sample(&format!("{METRIC}_bucket"), &[("cmd", &command), ("le", &micros.to_string())], count);
            }
        }
        page.sample(&format!("{METRIC}_bucket"), &[("cmd", &command), ("le", "+Inf")], calls);
        page.sample(&format!("{METRIC}_sum"), &[("cmd", &command)], of_command(fields, &command, "usec"));
        page.sample(&format!("{METRIC}_count"), &[("cmd", &command)], calls);
    }
}

/// One of the figures of a command.
fn of_command(fields: &Fields<'_>, command: &str, name: &str) -> f64 {
    let figures = fields.get(format!("cmdstat_{command}").as_str()).copied().unwrap_or_default();
    part(figures, name).unwrap_or_default()
}

/// The newest entry of the slow log.
fn slow_log(reply: &ReplyFrame, page: &mut Page) {
    let newest = elements(reply).first().map(elements).unwrap_or_default();
    if let [ReplyFrame::Number { data: id, .. }, _, ReplyFrame::Number { data: micros, .. }, ..] = newest {
        page.metric("slowlog_last_id", Kind::Gauge, "Number of the slow log's newest entry.", id);
        let (name, help) = ("last_slow_execution_duration_seconds", "How long the slow log's newest command took.");
        page.metric(name, Kind::Gauge, help, *micros as f64 * 1e-6);
    }
}

/// What the latency monitor has noticed last, by event.
fn latencies(reply: &ReplyFrame, page: &mut Page) {
    let mut spikes = Vec::new();
    for event in elements(reply) {
        let [
            ReplyFrame::BlobString { data: name, .. },
            ReplyFrame::Number { data: when, .. },
            ReplyFrame::Number { data: millis, .. },
            ..,
        ] = elements(event)
        else {
            continue;
        };
        spikes.push((String::from_utf8_lossy(name).into_owned(), *when as f64, *millis as f64 * 1e-3));
    }
    let last = spikes.iter().map(|(name, when, _)| (name.clone(), *when));
    page.labelled("latency_spike_last", Kind::Gauge, "When the latest spike was, in Unix time.", "event_name", last);
    let length = spikes.iter().map(|(name, _, seconds)| (name.clone(), *seconds));
    let (name, help) = ("latency_spike_duration_seconds", "How long the latest spike was.");
    page.labelled(name, Kind::Gauge, help, "event_name", length);
}

fn elements(reply: &ReplyFrame) -> &[ReplyFrame] {
    match reply {
        ReplyFrame::Array { data, .. } => data,
        _ => &[],
    }
}

/// The fields whose names begin so, by the rest of their names.
fn with_prefix<'a>(fields: &'a Fields<'_>, prefix: &'a str) -> impl Iterator<Item = (String, &'a str)> + use<'a> {
    fields.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), *value)))
}

/// One of `name=value,name=value`.
fn part(values: &str, name: &str) -> Option<f64> {
    values.split(',').filter_map(|value| value.split_once('=')).find(|(known, _)| *known == name)?.1.parse().ok()
}

/// A field's value; states count as 1 where they are good.
fn number(text: &str) -> Option<f64> {
    match text {
        "ok" => Some(1.0),
        "err" => Some(0.0),
        text => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "# Server\r\nredis_version:8.0.6\r\nuptime_in_seconds:5\r\n# Memory\r\nused_memory:1024\r\n\
                          latest_fork_usec:1500\r\naof_last_write_status:err\r\n# Commandstats\r\n\
                          cmdstat_config|get:calls=2,usec=3,usec_per_call=1.50,rejected_calls=4,failed_calls=5\r\n\
                          # Errorstats\r\nerrorstat_A\"B\\C:count=7\r\n# Latencystats\r\n\
                          latency_percentiles_usec_config|get:p50=1.003,p99.9=2.007\r\n# Keyspace\r\n\
                          db0:keys=10,expires=2,avg_ttl=1500,subexpiry=1\r\ndb3:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n";

    #[test]
    fn a_report_becomes_metrics() {
        let mut page = Page::default();
        from_info(&fields_of(REPORT), &mut page);
        for line in [
            "# TYPE redis_memory_used_bytes gauge\nredis_memory_used_bytes 1024\n",
            "redis_latest_fork_seconds 0.0015\n",
            "redis_aof_last_write_status 0\n",
            "# TYPE redis_commands_total counter\nredis_commands_total{cmd=\"config|get\"} 2\n",
            "redis_commands_duration_seconds_total{cmd=\"config|get\"} 0.000003\n",
            "redis_commands_rejected_calls_total{cmd=\"config|get\"} 4\n",
            "redis_commands_failed_calls_total{cmd=\"config|get\"} 5\n",
            "redis_errors_total{err=\"A\\\"B\\\\C\"} 7\n",
            "# TYPE redis_latency_percentiles_usec summary\n\
             redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"50\"} 1.003\n\
             redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"99.9\"} 2.007\n\
             redis_latency_percentiles_usec_sum{cmd=\"config|get\"} 3\n\
             redis_latency_percentiles_usec_count{cmd=\"config|get\"} 2\n",
            "# TYPE redis_db_keys gauge\nredis_db_keys{db=\"db0\"} 10\nredis_db_keys{db=\"db3\"} 1\n",
            "redis_db_keys_expiring{db=\"db0\"} 2\n",
            "redis_db_avg_ttl_seconds{db=\"db0\"} 1.5\n",
            "redis_version=\"8.0.6\"",
            "# HELP redis_commands_total Calls by command.\n# TYPE redis_commands_total counter\n",
        ] {
            assert!(page.text.contains(line), "{line} in\n{}", page.text);
        }
        let families: Vec<&str> = page.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut unique = families.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), families.len());
    }

    #[test]
    fn a_histogram_becomes_a_metric() {
        let blob = |text: &str| ReplyFrame::BlobString { data: text.to_owned().into(), attributes: None };
        let number = |data| ReplyFrame::Number { data, attributes: None };
        let array = |data| ReplyFrame::Array { data, attributes: None };
        let steps = array([1, 1, 66, 3].map(number).to_vec());
        let facts = array(vec![blob("calls"), number(3), blob("histogram_usec"), steps]);
        let mut page = Page::default();
        histograms(&array(vec![blob("config|get"), facts]), &fields_of(REPORT), &mut page);
        let expected = "# HELP redis_commands_latencies_usec Microseconds that the calls of a command took.\n\
                        # TYPE redis_commands_latencies_usec histogram\n\
                        redis_commands_latencies_usec_bucket{cmd=\"config|get\",le=\"1\"} 1\n\
                        redis_commands_latencies_usec_bucket{cmd=\"config|get\",le=\"66\"} 3\n\
                        redis_commands_latencies_usec_bucket{cmd=\"config|get\",le=\"+Inf\"} 3\n\
                        redis_commands_latencies_usec_sum{cmd=\"config|get\"} 3\n\
                        redis_commands_latencies_usec_count{cmd=\"config|get\"} 3\n";
        assert_eq!(page.text, expected);
        let mut page = Page::default();
        histograms(&ReplyFrame::Null, &fields_of(REPORT), &mut page);
        assert_eq!(page.text, "");
    }

    #[test]
    fn no_metric_is_declared_twice() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.metric).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_help_is_a_sentence_on_one_line() {
        for row in ROWS {
            assert!(row.help.ends_with('.') && !row.help.contains(['\n', '\\']), "{}", row.metric);
        }
    }
}
