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
    page.metric("up", Kind::Gauge, 1);
    if let ReplyFrame::BlobString { data, .. } = &info {
        from_info(&String::from_utf8_lossy(data), &mut page);
    }
    // The rest is left out for those who may not ask for it.
    if let ReplyFrame::Number { data, .. } = session.ask(&OwnedArgs::from_iter(["SLOWLOG", "LEN"])).await? {
        page.metric("slowlog_length", Kind::Gauge, data);
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
    fn family(&mut self, name: &str, kind: &str) {
        self.line(format_args!("# TYPE redis_{name} {kind}"));
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
    fn metric(&mut self, name: &str, kind: Kind, value: impl Display) {
        self.family(name, kind.name());
        self.sample(name, &[], value);
    }

    /// A metric with samples that one label tells apart. Without samples it is left out.
    fn labelled(&mut self, name: &str, kind: Kind, label: &str, samples: impl IntoIterator<Item = (String, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            self.family(name, kind.name());
            samples.for_each(|(which, value)| self.sample(name, &[(label, &which)], value));
        }
    }
}

/// A label's value as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics that come from INFO's report.
fn from_info(report: &str, page: &mut Page) {
    let fields: BTreeMap<&str, &str> = report.lines().filter_map(|line| line.split_once(':')).collect();
    for row in ROWS {
        if let Some(value) = fields.get(row.field).and_then(|text| number(text)) {
            page.metric(row.metric, row.kind, value * row.scale);
        }
    }
    if let Some(uptime) = fields.get("uptime_in_seconds").and_then(|text| number(text)) {
        page.metric("start_time_seconds", Kind::Gauge, unix_ms() as f64 / 1000.0 - uptime);
    }
    instance(&fields, page);
    databases(&fields, page);
    commands(&fields, page);
    let errors = with_prefix(&fields, "errorstat_").filter_map(|(code, values)| Some((code, part(values, "count")?)));
    page.labelled("errors_total", Kind::Counter, "err", errors);
}

fn instance(fields: &BTreeMap<&str, &str>, page: &mut Page) {
    const LABELS: [&str; 11] = [
        "role",
        "redis_version",
        "redis_build_id",
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
    page.family("instance_info", Kind::Gauge.name());
    page.sample("instance_info", &labels, 1);
}

fn databases(fields: &BTreeMap<&str, &str>, page: &mut Page) {
    for (metric, name, scale) in [
        ("db_keys", "keys", 1.0),
        ("db_keys_expiring", "expires", 1.0),
        ("db_avg_ttl_seconds", "avg_ttl", 1e-3),
        ("db_keys_with_expiring_items", "subexpiry", 1.0),
    ] {
        let samples = with_prefix(fields, "db")
            .filter_map(|(number, values)| Some((format!("db{number}"), part(values, name)? * scale)));
        page.labelled(metric, Kind::Gauge, "db", samples);
    }
}

fn commands(fields: &BTreeMap<&str, &str>, page: &mut Page) {
    for (metric, name, scale) in [
        ("commands_total", "calls", 1.0),
        ("commands_duration_seconds_total", "usec", 1e-6),
        ("commands_rejected_calls_total", "rejected_calls", 1.0),
        ("commands_failed_calls_total", "failed_calls", 1.0),
    ] {
        let samples = with_prefix(fields, "cmdstat_")
            .filter_map(|(command, values)| Some((command, part(values, name)? * scale)));
        page.labelled(metric, Kind::Counter, "cmd", samples);
    }
    const PERCENTILES: &str = "latency_percentiles_usec";
    let mut begun = false;
    for (command, values) in with_prefix(fields, "latency_percentiles_usec_") {
        if !std::mem::replace(&mut begun, true) {
            page.family(PERCENTILES, "summary");
        }
        for (percent, micros) in values.split(',').filter_map(|value| value.strip_prefix('p')?.split_once('=')) {
            page.sample(PERCENTILES, &[("cmd", &command), ("quantile", percent)], micros);
        }
        let stats = fields.get(format!("cmdstat_{command}").as_str()).copied().unwrap_or_default();
        for (suffix, name) in [("sum", "usec"), ("count", "calls")] {
            let value = part(stats, name).unwrap_or_default();
            page.sample(&format!("{PERCENTILES}_{suffix}"), &[("cmd", &command)], value);
        }
    }
}

/// The newest entry of the slow log.
fn slow_log(reply: &ReplyFrame, page: &mut Page) {
    let newest = elements(reply).first().map(elements).unwrap_or_default();
    if let [ReplyFrame::Number { data: id, .. }, _, ReplyFrame::Number { data: micros, .. }, ..] = newest {
        page.metric("slowlog_last_id", Kind::Gauge, id);
        page.metric("last_slow_execution_duration_seconds", Kind::Gauge, *micros as f64 * 1e-6);
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
    page.labelled("latency_spike_last", Kind::Gauge, "event_name", last);
    let length = spikes.iter().map(|(name, _, seconds)| (name.clone(), *seconds));
    page.labelled("latency_spike_duration_seconds", Kind::Gauge, "event_name", length);
}

fn elements(reply: &ReplyFrame) -> &[ReplyFrame] {
    match reply {
        ReplyFrame::Array { data, .. } => data,
        _ => &[],
    }
}

/// The fields whose names begin so, by the rest of their names.
fn with_prefix<'a>(
    fields: &'a BTreeMap<&str, &str>,
    prefix: &'a str,
) -> impl Iterator<Item = (String, &'a str)> + use<'a> {
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
        from_info(REPORT, &mut page);
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
    fn no_metric_is_declared_twice() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.metric).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
