//! Snapshots in files, to and fro: what one server has made by itself and saved, others start with.
//!
//! Where `exchange` hands random values over, here a value of every form is made on purpose, by the very commands that a
//! client sends, and checked to have that form. Both servers start with the file. What they are asked about each key needs
//! no DUMP, and must be answered as by the one that wrote it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use harness::{Connection, Server, ServerBuilder, env_number, escape};
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::exchange::{about, text, words};
use crate::generate::Request;
use crate::run::normalised;

/// How often everything is made anew.
const ROUNDS: usize = 1;
/// The databases that have something in them.
const DATABASES: &[&str] = &["0", "1", "9", "15"];
/// As many elements as no small form has.
const MANY: usize = 700;

/// What a file says of a key's use depends on the policy: its name, what RESTORE sets there, and what is asked for it.
const POLICIES: &[(&str, &str, Option<&str>)] = &[
    ("noeviction", "IDLETIME", None),
    ("allkeys-lru", "IDLETIME", Some("OBJECT IDLETIME KEY")),
    ("volatile-lfu", "FREQ", Some("OBJECT FREQ KEY")),
];

/// A form that a value can have in memory, or in the file.
struct Form {
    name: &'static str,
    encoding: &'static str,
    make: fn(&mut StdRng, &[u8]) -> Vec<Request>,
}

const FORMS: &[Form] = &[
    form("number", "int", |random, key| vec![set(key, random.random::<i64>().to_string().into_bytes())]),
    form("small number", "int", |random, key| vec![set(key, random.random::<i8>().to_string().into_bytes())]),
    form("short", "embstr", |random, key| vec![set(key, [b"x".to_vec(), bytes(random, 20)].concat())]),
    form("empty", "embstr", |_, key| vec![set(key, Vec::new())]),
    form("long", "raw", |random, key| vec![set(key, bytes(random, 300))]),
    form("compressible", "raw", |_, key| vec![set(key, b"again and ".repeat(5000))]),
    form("huge", "raw", |random, key| vec![set(key, bytes(random, 300_000))]),
    form("short list", "listpack", |random, key| vec![with("RPUSH KEY", key, texts(random, 20))]),
    form("long list", "quicklist", |random, key| (0..5).map(|_| with("RPUSH KEY", key, texts(random, MANY))).collect()),
    form("list of long elements", "quicklist", |random, key| {
        let elements = (0..5).map(|_| bytes(random, 12_000)).collect();
        vec![with("RPUSH KEY", key, elements), with("LPUSH KEY", key, texts(random, 5))]
    }),
    form("ints of 16 bits", "intset", |random, key| vec![numbers::<i16>(random, key)]),
    form("ints of 32 bits", "intset", |random, key| vec![numbers::<i32>(random, key)]),
    form("ints of 64 bits", "intset", |random, key| vec![numbers::<i64>(random, key)]),
    form("small set", "listpack", |random, key| vec![with("SADD KEY no-number", key, numbered(random, 20))]),
    form("large set", "hashtable", |random, key| vec![with("SADD KEY no-number", key, texts(random, MANY))]),
    form("small hash", "listpack", |random, key| {
        vec![with("HSET KEY", key, paired(numbered(random, 20), numbered(random, 20)))]
    }),
    form("large hash", "hashtable", |random, key| {
        vec![with("HSET KEY", key, paired(numbered(random, MANY), texts(random, MANY)))]
    }),
    form("small hash that expires", "listpackex", |random, key| {
        let fields = numbered(random, 20);
        vec![with("HSET KEY", key, paired(fields.clone(), numbered(random, 20))), expiring(random, key, fields)]
    }),
    form("large hash that expires", "hashtable", |random, key| {
        let fields = numbered(random, MANY);
        vec![with("HSET KEY", key, paired(fields.clone(), texts(random, MANY))), expiring(random, key, fields)]
    }),
    form("small sorted set", "listpack", |random, key| {
        vec![with("ZADD KEY", key, paired(scores(random, 20), numbered(random, 20)))]
    }),
    form("large sorted set", "skiplist", |random, key| {
        vec![with("ZADD KEY", key, paired(scores(random, MANY), numbered(random, MANY)))]
    }),
    form("few counted", "raw", |random, key| vec![with("PFADD KEY", key, numbered(random, 40))]),
    form("many counted", "raw", |random, key| (0..8).map(|_| with("PFADD KEY", key, texts(random, MANY))).collect()),
    form("short stream", "stream", |random, key| entries(random, key, 5)),
    form("long stream", "stream", |random, key| entries(random, key, MANY)),
    form("stream with groups", "stream", |random, key| [entries(random, key, MANY), groups(key)].concat()),
    form("empty stream", "stream", |_, key| {
        let lines = [
            "XADD KEY 5-5 a b",
            "XGROUP CREATE KEY g 3-0",
            "XDEL KEY 5-5",
            "XSETID KEY 9-1 ENTRIESADDED 7 MAXDELETEDID 8-0",
        ];
        lines.iter().map(|line| about(line, key)).collect()
    }),
];

const fn form(name: &'static str, encoding: &'static str, make: fn(&mut StdRng, &[u8]) -> Vec<Request>) -> Form {
    Form { name, encoding, make }
}

fn with(line: &str, key: &[u8], rest: Vec<Vec<u8>>) -> Request {
    [about(line, key), rest].concat()
}

fn set(key: &[u8], value: Vec<u8>) -> Request {
    with("SET KEY", key, vec![value])
}

fn bytes(random: &mut StdRng, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.random()).collect()
}

/// Texts of all kinds, some of them long.
fn texts(random: &mut StdRng, count: usize) -> Vec<Vec<u8>> {
    let style = random.random_range(0..3);
    (0..count).map(|_| text(random, style)).collect()
}

/// Short texts, no two of them equal; some are numbers.
fn numbered(random: &mut StdRng, count: usize) -> Vec<Vec<u8>> {
    let one = |at: usize| match random.random_range(0..3) {
        0 => at.to_string().into_bytes(),
        1 => format!("-{at}{}", random.random::<u32>()).into_bytes(),
        _ => [format!("{at} ").into_bytes(), bytes(random, 9)].concat(),
    };
    (1..=count).map(one).collect()
}

fn paired(first: Vec<Vec<u8>>, second: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    first.into_iter().zip(second).flat_map(|(first, second)| [first, second]).collect()
}

fn scores(random: &mut StdRng, count: usize) -> Vec<Vec<u8>> {
    let one = |_| match random.random_range(0..8) {
        0 => "inf".into(),
        1 => "-inf".into(),
        2 => "-0.0".into(),
        3 => random.random::<i64>().to_string(),
        4 => f64::from_bits(random.random::<u64>() & !(1 << 62)).to_string(),
        _ => (f64::from(random.random_range(-9000..9000)) / 8.0).to_string(),
    };
    (0..count).map(one).map(String::into_bytes).collect()
}

fn numbers<N>(random: &mut StdRng, key: &[u8]) -> Request
where
    N: ToString,
    rand::distr::StandardUniform: rand::distr::Distribution<N>,
{
    let numbers = (0..random.random_range(1..200)).map(|_| random.random::<N>().to_string().into_bytes());
    let numbers = numbers.collect();
    with("SADD KEY", key, numbers)
}

/// Has some of the fields expire, in a few hundred years.
fn expiring(random: &mut StdRng, key: &[u8], fields: Vec<Vec<u8>>) -> Request {
    let some: Vec<_> = fields.into_iter().step_by(3).collect();
    let when = 33_177_117_420_000i64 + random.random_range(0..100_000);
    with(&format!("HPEXPIREAT KEY {when} FIELDS {}", some.len()), key, some)
}

/// A stream, some of whose entries are gone again.
fn entries(random: &mut StdRng, key: &[u8], count: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut id = 1_526_919_030_474u64;
    for at in 1..=count {
        id += random.random_range(1..90);
        let names = if random.random_ratio(4, 5) { ["name", "other"] } else { ["name", "new"] };
        let names = names.map(|name| name.as_bytes().to_vec()).to_vec();
        requests.push(with(&format!("XADD KEY {id}-{at}"), key, paired(names, texts(random, 2))));
        if random.random_ratio(1, 10) {
            requests.push(about(&format!("XDEL KEY {id}-{at}"), key));
        }
    }
    requests.push(about(&format!("XADD KEY {}-0 last one", id + 1), key));
    requests.push(about(&format!("XTRIM KEY MAXLEN {}", count - count / 7), key));
    requests
}

/// What consumers do.
fn groups(key: &[u8]) -> Vec<Request> {
    let lines = [
        "XGROUP CREATE KEY all 0",
        "XGROUP CREATE KEY none $",
        "XGROUP CREATE KEY somewhere 1526919040000-0 ENTRIESREAD 7",
        "XGROUP CREATECONSUMER KEY all idle",
        "XREADGROUP GROUP all first COUNT 90 STREAMS KEY >",
        "XREADGROUP GROUP all second COUNT 50 STREAMS KEY >",
        "XREADGROUP GROUP somewhere first COUNT 3 STREAMS KEY >",
        "XAUTOCLAIM KEY all third 0 - COUNT 40",
        "XREADGROUP GROUP all second COUNT 3 NOACK STREAMS KEY >",
        "XGROUP DELCONSUMER KEY somewhere first",
    ];
    lines.iter().map(|line| about(line, key)).collect()
}

/// What is asked about a key of each type; what changes a clock comes behind what shows it.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("string", &["GET KEY"]),
    ("list", &["LRANGE KEY 0 -1"]),
    ("set", &["SMEMBERS KEY"]),
    ("hash", &["HGETALL KEY"]),
    ("zset", &["ZRANGE KEY 0 -1 WITHSCORES"]),
    ("stream", &["XRANGE KEY - +", "XINFO STREAM KEY FULL COUNT 0"]),
];

/// How a value lies in memory may have to do with how it was made: the same for who has read it from the file.
const ENCODING: &str = "OBJECT ENCODING KEY";
/// Not in the form of streams that Redis 7.0 knows, which is the one that Spinel writes.
const ACTIVE: &str = "active times in XINFO STREAM";

/// All answers of a server, by database, key and question.
type Reading = BTreeMap<(String, Vec<u8>, String), Vec<Vec<u8>>>;

fn read(client: &mut Connection, use_question: Option<&str>) -> io::Result<Reading> {
    let mut reading = Reading::new();
    let libraries = client.call(&["FUNCTION", "LIST", "WITHCODE"])?;
    let mut libraries: Vec<_> = libraries.elements().into_iter().map(|library| library.0).collect();
    libraries.sort();
    reading.insert((String::new(), Vec::new(), "FUNCTION LIST".into()), libraries);
    for db in 0..16 {
        let db = db.to_string();
        client.call(&["SELECT", &db])?;
        reading.insert((db.clone(), Vec::new(), "DBSIZE".into()), vec![client.call(&["DBSIZE"])?.0]);
        for key in client.call(&["KEYS", "*"])?.elements() {
            let key = key.payload();
            let mut ask = |question: &str| -> io::Result<Vec<u8>> {
                let request = about(question, key);
                let reply = client.call(&request)?;
                let parts = match question {
                    "OBJECT IDLETIME KEY" => vec![(reply.integer().unwrap_or(-1) / 1000).to_string().into_bytes()],
                    // Times in there are in the file, too.
                    _ if question.starts_with("XINFO") => {
                        let (active, rest) = active_times(&reply.0);
                        reading.insert((db.clone(), key.to_vec(), ACTIVE.into()), active);
                        rest
                    }
                    _ => normalised(&request, &reply),
                };
                reading.insert((db.clone(), key.to_vec(), question.to_owned()), parts);
                Ok(reply.payload().to_vec())
            };
            if let Some(question) = use_question {
                ask(question)?;
            }
            ask(ENCODING)?;
            ask("PEXPIRETIME KEY")?;
            let kind = ask("TYPE KEY")?;
            let (_, questions) = QUESTIONS.iter().find(|(known, _)| known.as_bytes() == kind).unwrap_or(&("", &[]));
            for question in *questions {
                ask(question)?;
            }
            if kind == b"hash" {
                let fields = client.call(&about("HKEYS KEY", key))?.elements();
                for field in fields {
                    let request = with("HPEXPIRETIME KEY FIELDS 1", key, vec![field.payload().to_vec()]);
                    let question = format!("HPEXPIRETIME of {}", escape(field.payload()));
                    reading.insert((db.clone(), key.to_vec(), question), vec![client.call(&request)?.0]);
                }
            }
        }
    }
    Ok(reading)
}

/// Takes apart when consumers have last got something, and all else.
fn active_times(reply: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let lines = reply.split(|&byte| byte == b'\n').map(<[u8]>::to_vec);
    let mut is_active = false;
    lines.partition(|line| std::mem::replace(&mut is_active, line == b"active-time\r"))
}

/// What two readings differ in, if they do, apart from some questions.
fn difference(expected: &Reading, found: &Reading, apart_from: &[&str]) -> Option<String> {
    let questions = expected.keys().chain(found.keys());
    let counted = questions.filter(|(_, _, question)| !apart_from.contains(&question.as_str()));
    let mut differing = counted.filter(|question| expected.get(*question) != found.get(*question));
    let question @ (db, key, text) = differing.next()?;
    let answer = |reading: &Reading| reading.get(question).map(|parts| parts.concat()).unwrap_or_default();
    let (expected, found) = (answer(expected), answer(found));
    let equal = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
    // From a little in front of where they part.
    let shown = |answer: &[u8]| escape(answer.get(equal.saturating_sub(200)..).unwrap_or_default());
    let (expected, found) = (shown(&expected), shown(&found));
    Some(format!("database {db}, key {}: {text}\n  expected: {expected}\n  found:    {found}", escape(key)))
}

fn fill(client: &mut Connection, random: &mut StdRng, usage: &str) -> io::Result<Result<(), String>> {
    for library in ["one", "two"] {
        let code = format!("#!lua name={library}\nredis.register_function('f{library}', function() return 7 end)");
        client.call(&["FUNCTION", "LOAD", &code])?;
    }
    for db in DATABASES {
        client.call(&["SELECT", db])?;
        for form in FORMS {
            let suffix = if random.random() { bytes(random, 3) } else { b"a".repeat(random.random_range(0..200)) };
            let key = [form.name.as_bytes(), b" ", &suffix].concat();
            for request in (form.make)(random, &key) {
                let reply = client.call(&request)?;
                if reply.is_error() {
                    return Ok(Err(format!("{}: {}: {reply:?}", form.name, escape(&request[0]))));
                }
            }
            let encoding = client.call(&about(ENCODING, &key))?;
            if encoding.payload() != form.encoding.as_bytes() {
                return Ok(Err(format!("{} is not {} but {encoding:?}", form.name, form.encoding)));
            }
            if random.random_ratio(1, 3) {
                let payload = client.call(&about("DUMP KEY", &key))?.payload().to_vec();
                // Nobody takes long enough to come near the next thousand seconds.
                let number =
                    if usage == "FREQ" { random.random_range(0..256) } else { random.random_range(0..90) * 1000 + 50 };
                let number = number.to_string().into_bytes();
                client.call(&with(
                    "RESTORE KEY 0",
                    &key,
                    [vec![payload], words("REPLACE"), words(usage), vec![number]].concat(),
                ))?;
            }
            if random.random_ratio(1, 3) {
                let when = 33_177_117_420_000i64 + random.random_range(0..100_000);
                client.call(&about(&format!("PEXPIREAT KEY {when}"), &key))?;
            }
        }
    }
    Ok(Ok(()))
}

/// Has the server save, and gives where the file is.
fn save(server: &Server, client: &mut Connection, command: &str) -> io::Result<PathBuf> {
    let file = server.dir().join("dump.rdb");
    // What is read must be what this command wrote.
    if file.exists() {
        fs::remove_file(&file)?;
    }
    client.call(&[command])?;
    loop {
        let info = client.call(&["INFO", "persistence"])?;
        let info = String::from_utf8_lossy(info.payload()).into_owned();
        if info.contains("rdb_bgsave_in_progress:0") {
            return if info.contains("rdb_last_bgsave_status:ok") { Ok(file) } else { Err(io::Error::other(info)) };
        }
        std::thread::yield_now();
    }
}

fn builder(binary: &Path, policy: &str) -> ServerBuilder {
    ServerBuilder::new(binary).args(["--lfu-decay-time", "0", "--maxmemory-policy", policy])
}

/// Directives that change what a file looks like.
fn shape(random: &mut StdRng) -> Vec<&'static str> {
    let mut any = |name, values: &[&'static str]| [name, values.choose(random).copied().unwrap_or_default()];
    [
        any("--rdbcompression", &["yes", "no"]),
        any("--rdbchecksum", &["yes", "no"]),
        any("--list-compress-depth", &["0", "1", "3"]),
        any("--stream-node-max-entries", &["100", "7"]),
    ]
    .concat()
}

/// Compares what the writer holds with what both kinds of server make of its file.
fn compare(reference: &Path) -> io::Result<Result<(), String>> {
    let ours = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let seed = harness::seed("files");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..env_number("SPINEL_FILES_ROUNDS", ROUNDS) {
        for (policy, usage, use_question) in POLICIES {
            for (writer, commands) in [(ours.as_path(), &["SAVE", "BGSAVE"][..]), (reference, &["SAVE"])] {
                let shape = shape(&mut random);
                let told = |problem: String| {
                    let writer = if writer == reference { "Redis" } else { "Spinel" };
                    format!("written by {writer}, {policy}, {shape:?} (SPINEL_TEST_SEED={seed}): {problem}")
                };
                let server = builder(writer, policy).args(&shape).start()?;
                let mut client = server.connect()?;
                if let Err(problem) = fill(&mut client, &mut random, usage)? {
                    return Ok(Err(told(problem)));
                }
                for command in commands {
                    let file = save(&server, &mut client, command)?;
                    let written = read(&mut client, *use_question)?;
                    let start = |binary: &Path| -> io::Result<Reading> {
                        let folder = tempfile::tempdir()?;
                        fs::copy(&file, folder.path().join("dump.rdb"))?;
                        let reader = builder(binary, policy).arg("--dir").arg(folder.path()).start()?;
                        read(&mut reader.connect()?, *use_question)
                    };
                    let (theirs, found) = (start(reference)?, start(&ours)?);
                    let apart_from = if writer == reference { &[ENCODING][..] } else { &[ENCODING, ACTIVE] };
                    let problem = difference(&written, &theirs, apart_from)
                        .or_else(|| difference(&written, &found, apart_from))
                        .or_else(|| difference(&theirs, &found, &[]));
                    if let Some(problem) = problem {
                        return Ok(Err(told(format!("{command}: {problem}"))));
                    }
                }
            }
        }
    }
    Ok(Ok(()))
}

/// See the module.
pub fn to_and_fro(reference: &Path) -> Result<(), String> {
    compare(reference).map_err(|error| error.to_string())?
}
