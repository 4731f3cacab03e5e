//! redis-rs, in both versions of the protocol: its connection that blocks, and its async one that connects again.

use std::collections::HashMap;
use std::sync::mpsc;

use futures_util::StreamExt;
use harness::{Server, ServerBuilder, free_port, server_under_test};
use libtest_mimic::{Arguments, Failed, Trial};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::streams::{StreamAutoClaimReply, StreamPendingReply, StreamRangeReply, StreamReadOptions, StreamReadReply};
use redis::{
    AsyncTypedCommands, Client, Connection, ErrorKind, IntoConnectionInfo, ProtocolVersion, PushKind, Script,
    TypedCommands,
};

type Outcome = Result<(), Failed>;
type Test = fn(ProtocolVersion) -> Outcome;

fn server(args: &[&str]) -> Result<Server, Failed> {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    Ok(ServerBuilder::new(binary).args(args).start()?)
}

fn client(url: &str, protocol: ProtocolVersion) -> Result<Client, Failed> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(protocol);
    Ok(Client::open(info.set_redis_settings(settings))?)
}

/// A server for one test, and a connection to it. The server lives as long as it is held.
fn connect(protocol: ProtocolVersion) -> Result<(Server, Client, Connection), Failed> {
    let server = server(&[])?;
    let client = client(&server.url(), protocol)?;
    let connection = client.get_connection()?;
    Ok((server, client, connection))
}

fn equal<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(found: T, expected: U) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}").into()) }
}

fn speaks(protocol: ProtocolVersion) -> Outcome {
    let (_server, _, mut redis) = connect(protocol)?;
    let info: String = redis::cmd("CLIENT").arg("INFO").query(&mut redis)?;
    let version = if protocol == ProtocolVersion::RESP3 { "resp=3" } else { "resp=2" };
    equal((info.contains(version), info.contains("lib-name=redis-rs")), (true, true))
}

fn basic(protocol: ProtocolVersion) -> Outcome {
    let (_server, _, mut redis) = connect(protocol)?;
    redis.set("key", "value")?;
    equal(redis.set_nx("key", "other")?, false)?;
    equal(redis.get("key")?.as_deref(), Some("value"))?;
    equal(redis.get("missing")?, None::<String>)?;
    equal(redis.incr("n", 41)?, 41)?;
    let sum: f64 = redis::Commands::incr(&mut redis, "n", 1.5)?;
    equal(sum, 42.5)?;
    redis.hset_multiple("hash", &[("a", "1"), ("b", "two")])?;
    equal(
        redis.hgetall("hash")?,
        HashMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "two".to_owned())]),
    )?;
    redis.rpush("list", &["a", "b", "c"])?;
    equal(redis.lrange("list", 0, -1)?, ["a", "b", "c"])?;
    redis.sadd("set", &["x", "y"])?;
    equal(redis.sismember("set", "x")?, true)?;
    redis.zadd_multiple("zset", &[(1.0, "one"), (2.5, "more")])?;
    let scores: Vec<(String, f64)> = redis::Commands::zrange_withscores(&mut redis, "zset", 0, -1)?;
    equal(scores, [("one".to_owned(), 1.0), ("more".to_owned(), 2.5)])?;
    let mut keys: Vec<String> = redis::Commands::scan::<String>(&mut redis)?.collect::<Result<_, _>>()?;
    keys.sort();
    equal(keys, ["hash", "key", "list", "n", "set", "zset"])?;
    let error = redis.lpush("key", "x").err().ok_or("a list was made of a string")?;
    equal(error.code(), Some("WRONGTYPE"))
}

fn pipelines(protocol: ProtocolVersion) -> Outcome {
    let (_server, _, mut redis) = connect(protocol)?;
    let mut pipeline = redis::pipe();
    for n in 0..1000 {
        pipeline.set(format!("key:{n}"), n).ignore().get(format!("key:{n}"));
    }
    let values: Vec<usize> = pipeline.query(&mut redis)?;
    equal(values, (0..1000).collect::<Vec<_>>())?;
    let binary: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    redis.set("binary", &binary)?;
    let read: Vec<u8> = redis::Commands::get(&mut redis, "binary")?;
    equal(read == binary, true)
}

fn transactions(protocol: ProtocolVersion) -> Outcome {
    let (_server, client, mut redis) = connect(protocol)?;
    let replies: (i64, String) = redis::pipe().atomic().set("a", 1).ignore().incr("a", 1).get("a").query(&mut redis)?;
    equal(replies, (2, "2".to_owned()))?;
    // Somebody else is faster the first time; then it is tried again.
    let mut other = client.get_connection()?;
    let mut tries = 0;
    let doubled: (i64,) = redis::transaction(&mut redis, &["a"], |redis, pipeline| {
        let value: i64 = redis::Commands::get(redis, "a")?;
        tries += 1;
        if tries == 1 {
            other.set("a", 21)?;
        }
        pipeline.set("a", value * 2).ignore().get("a").query(redis)
    })?;
    equal((doubled.0, tries), (42, 2))
}

/// In RESP3 messages come between the replies, in RESP2 on a connection of their own.
fn pubsub(protocol: ProtocolVersion) -> Outcome {
    let (_server, client, mut redis) = connect(protocol)?;
    let mut subscribed = client.get_connection()?;
    if protocol == ProtocolVersion::RESP3 {
        let (sender, pushes) = mpsc::channel();
        subscribed.set_push_sender(sender);
        // Does not wait until it is so.
        subscribed.subscribe_resp3("news")?;
        while redis.publish("news", "first")? == 0 {}
        subscribed.set("key", "in between")?;
        let push = pushes.into_iter().find(|push| push.kind == PushKind::Message).ok_or("no message")?;
        let words: (String, String) = redis::from_redis_value(redis::Value::Array(push.data))?;
        return equal(words, ("news".to_owned(), "first".to_owned()));
    }
    let mut subscription = subscribed.as_pubsub();
    subscription.subscribe("news")?;
    subscription.psubscribe("n*")?;
    equal(redis.publish("news", "first")?, 2)?;
    let (direct, by_pattern) = (subscription.get_message()?, subscription.get_message()?);
    equal((direct.get_channel_name(), direct.get_payload::<String>()?.as_str()), ("news", "first"))?;
    equal(by_pattern.get_pattern::<String>()?, "n*")
}

fn streams(protocol: ProtocolVersion) -> Outcome {
    let (_server, _, mut redis) = connect(protocol)?;
    let id: String = redis::Commands::xadd(&mut redis, "stream", "*", &[("field", "value")])?;
    let all: StreamRangeReply = redis::Commands::xrange_all(&mut redis, "stream")?;
    equal(all.ids.first().and_then(|entry| entry.get::<String>("field")).as_deref(), Some("value"))?;
    let _: String = redis::Commands::xgroup_create(&mut redis, "stream", "group", "0")?;
    let options = StreamReadOptions::default().group("group", "ann").count(10);
    let read: StreamReadReply = redis::Commands::xread_options(&mut redis, &["stream"], &[">"], &options)?;
    equal(read.keys.first().map(|key| key.ids.len()), Some(1))?;
    let pending: StreamPendingReply = redis::Commands::xpending(&mut redis, "stream", "group")?;
    equal(pending.count(), 1)?;
    let claimed: StreamAutoClaimReply =
        redis::Commands::xautoclaim_options(&mut redis, "stream", "group", "ben", 0, "0", Default::default())?;
    equal(claimed.claimed.first().map(|entry| entry.id.as_str()), Some(id.as_str()))?;
    let acknowledged: usize = redis::Commands::xack(&mut redis, "stream", "group", &[&id])?;
    equal(acknowledged, 1)
}

fn scripts(protocol: ProtocolVersion) -> Outcome {
    let (_server, _, mut redis) = connect(protocol)?;
    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let sum = |redis: &mut Connection| add.key("n").arg(5).invoke::<i64>(redis);
    equal(sum(&mut redis)?, 5)?;
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut redis)?;
    equal(sum(&mut redis)?, 10)?;
    let bad: Result<String, _> = Script::new("return redis.error_reply('MINE it is')").invoke(&mut redis);
    equal(bad.err().and_then(|error| error.code().map(str::to_owned)).as_deref(), Some("MINE"))
}

/// Runs on a thread of its own.
fn asynchronous<F: Future<Output = Outcome>>(run: F) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run)
}

async fn managed(client: &Client) -> Result<ConnectionManager, Failed> {
    let config = ConnectionManagerConfig::new().set_min_delay(std::time::Duration::from_millis(10));
    Ok(client.get_connection_manager_with_config(config).await?)
}

fn many_at_once(protocol: ProtocolVersion) -> Outcome {
    let (_server, client, _) = connect(protocol)?;
    asynchronous(async {
        let redis = managed(&client).await?;
        let counts = (0..500).map(|_| {
            let mut redis = redis.clone();
            async move { redis.incr("n", 1).await }
        });
        let mut counted = Vec::new();
        for count in futures_util::future::join_all(counts).await {
            counted.push(count?);
        }
        counted.sort_unstable();
        equal(counted, (1..=500).collect::<Vec<_>>())?;
        let mut subscription = client.get_async_pubsub().await?;
        subscription.subscribe("news").await?;
        redis.clone().publish("news", "first").await?;
        let message = subscription.on_message().next().await.ok_or("no message")?;
        equal(message.get_payload::<String>()?, "first")
    })
}

fn restart(protocol: ProtocolVersion) -> Outcome {
    let port = free_port()?.to_string();
    let first = server(&["--port", &port])?;
    let client = client(&format!("redis://127.0.0.1:{port}"), protocol)?;
    asynchronous(async {
        let mut redis = managed(&client).await?;
        redis.set("key", "before").await?;
        let _ = first.stop()?;
        let _second = server(&["--port", &port])?;
        // Whoever finds the connection gone is told so; the next ones use another.
        let value = loop {
            match redis.get("key").await {
                Ok(value) => break value,
                Err(error) if error.is_io_error() || error.is_connection_dropped() => {}
                Err(error) if error.kind() == ErrorKind::Io => {}
                Err(error) => return Err(error.into()),
            }
        };
        equal(value, None::<String>)?;
        redis.set("key", "after").await?;
        equal(redis.get("key").await?.as_deref(), Some("after"))
    })
}

fn main() {
    let tests: [(&str, Test); 9] = [
        ("connects, and speaks the version that was asked for", speaks),
        ("basic commands", basic),
        ("pipelines, and large and binary values", pipelines),
        ("transactions, and WATCH", transactions),
        ("publish and subscribe", pubsub),
        ("streams and their groups", streams),
        ("scripts, also after SCRIPT FLUSH", scripts),
        ("async: many at once over one connection, and subscriptions", many_at_once),
        ("connects again after a restart", restart),
    ];
    let versions = [("RESP2", ProtocolVersion::RESP2), ("RESP3", ProtocolVersion::RESP3)];
    let trial =
        |(name, version), (test, run): (&str, Test)| Trial::test(format!("{name}: {test}"), move || run(version));
    let trials = versions.into_iter().flat_map(|version| tests.map(|test| trial(version, test)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
