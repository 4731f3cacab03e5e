//! Random commands, valid and not, on few keys, so that they meet.

use super::{collections, dump, geo, streams};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// One command: its arguments.
pub type Request = Vec<Vec<u8>>;

/// A group of commands that are tried together.
pub struct Family {
    pub name: &'static str,
    pub generate: fn(&mut StdRng) -> Request,
}

pub const FAMILIES: &[Family] = &[
    Family { name: "strings", generate: strings },
    Family { name: "bitmaps", generate: bitmaps },
    Family { name: "generic", generate: generic },
    Family { name: "connection", generate: connection },
    Family { name: "hashes", generate: collections::hashes },
    Family { name: "sets", generate: collections::sets },
    Family { name: "lists", generate: collections::lists },
    Family { name: "hyperloglog", generate: collections::hyperloglog },
    Family { name: "zsets", generate: collections::zsets },
    Family { name: "geo", generate: geo::geo },
    Family { name: "streams", generate: streams::streams },
    Family { name: "dump", generate: dump::dump },
];

/// All keys that are used; one is empty and one is not text.
pub const KEYS: &[&[u8]] = &[b"k0", b"k1", b"k2", b"k3", b"", b"\xff\x00\r\n"];

const VALUES: &[&[u8]] = &[
    b"",
    b"a",
    b"hello world",
    b"10",
    b"-1",
    b"0",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"007",
    b" 1",
    b"1.5",
    b"3.0e3",
    b"\x00\xff\x80\r\n",
    b"foobar",
    b"a string that is longer than the forty-four bytes of embedded ones",
];

/// Few, so that commands meet the same ones, of the kinds that are stored differently.
const ELEMENTS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"",
    b"1",
    b"2",
    b"-7",
    b"300",
    b"70000",
    b"5000000000",
    b"007",
    b"\x00\xff",
    b"an element that is longer than the sixty-four bytes of a packed collection's",
];

const SCORES: &[&[u8]] = &[
    b"1",
    b"2",
    b"2",
    b"-3",
    b"0",
    b"-0",
    b"1.5",
    b"0.1",
    b"1e20",
    b"-1e-5",
    b"inf",
    b"-inf",
    b"+inf",
    b"nan",
    b"abc",
    b"1e400",
    b"3.0",
    b"123456789012345678",
];

const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"2",
    b"5",
    b"-3",
    b"7",
    b"100",
    b"-100",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"4294967296",
    b"abc",
    b"",
    b"1.5",
    b"+1",
    b"01",
];

/// Times to live that both servers agree about whenever they are asked: none that runs out during the test.
const TIMES: &[&[u8]] =
    &[b"1000000", b"33177117420", b"0", b"-5", b"9223372036854775807", b"9223372036854775808", b"abc", b"1.5", b""];

const FLOATS: &[&[u8]] = &[
    b"0.1",
    b"-0.1",
    b"1e5",
    b"3",
    b"inf",
    b"-inf",
    b"nan",
    b"abc",
    b"",
    b"1e400",
    b"0x10",
    b"1.23456789012345678",
    b".5",
];

fn pick<'a>(random: &mut StdRng, from: &[&'a [u8]]) -> &'a [u8] {
    from.choose(random).copied().unwrap_or_default()
}

fn key(random: &mut StdRng) -> Vec<u8> {
    pick(random, KEYS).to_vec()
}

fn value(random: &mut StdRng) -> Vec<u8> {
    pick(random, VALUES).to_vec()
}

fn small(random: &mut StdRng) -> Vec<u8> {
    random.random_range(-12..40).to_string().into_bytes()
}

/// Mostly a sensible number, sometimes an odd one.
fn number(random: &mut StdRng) -> Vec<u8> {
    if random.random_ratio(3, 4) { small(random) } else { pick(random, NUMBERS).to_vec() }
}

/// A word in any case.
fn word(random: &mut StdRng, text: &str) -> Vec<u8> {
    match random.random_range(0..3) {
        0 => text.to_ascii_lowercase().into_bytes(),
        1 => text.to_ascii_uppercase().into_bytes(),
        _ => text.bytes().map(|byte| if random.random() { byte.to_ascii_uppercase() } else { byte }).collect(),
    }
}

/// A command from a pattern: `K` is a key, `V` a value, `N` a number, `F` a fraction, `T` a time to live, `S` a score, `E` an element
/// of a collection, `*` some options, the rest words.
pub fn fill(random: &mut StdRng, pattern: &str, options: &[&str]) -> Request {
    let mut request = expand(random, pattern, options);
    // Now and then an argument too few or too many.
    match random.random_range(0..60) {
        0 if request.len() > 1 => drop(request.pop()),
        1 => request.push(value(random)),
        _ => {}
    }
    request
}

pub fn expand(random: &mut StdRng, pattern: &str, options: &[&str]) -> Request {
    let mut request = Request::new();
    for part in pattern.split(' ') {
        match part {
            "K" => request.push(key(random)),
            "V" => request.push(value(random)),
            "N" => request.push(number(random)),
            "E" => request.push(pick(random, ELEMENTS).to_vec()),
            "(S" => request.push([b"(", pick(random, SCORES)].concat()),
            "[E" => request.push([b"[", pick(random, ELEMENTS)].concat()),
            "S" => request.push(pick(random, SCORES).to_vec()),
            "T" => request.push(pick(random, TIMES).to_vec()),
            "F" => request.push(pick(random, FLOATS).to_vec()),
            "*" => {
                for _ in 0..random.random_range(0..4) {
                    let option = options.choose(random).copied().unwrap_or_default();
                    request.extend(expand(random, option, &[]));
                }
            }
            text => request.push(word(random, text)),
        }
    }
    request
}

pub fn one_of(random: &mut StdRng, patterns: &[&str], options: &[&str]) -> Request {
    let pattern = patterns.choose(random).copied().unwrap_or_default();
    fill(random, pattern, options)
}

/// Times that both servers agree about: long ago, or far ahead.
const EXPIRIES: &[&str] =
    &["ex 1000", "px 1000000", "exat 33177117420", "pxat 33177117420000", "ex abc", "ex -5", "px 0"];

fn strings(random: &mut StdRng) -> Request {
    let set_options: Vec<&str> = ["nx", "xx", "get", "keepttl"].iter().chain(EXPIRIES).copied().collect();
    let get_options: Vec<&str> = ["persist", "exat 1", "pxat 1"].iter().chain(EXPIRIES).copied().collect();
    match random.random_range(0..8) {
        0 | 1 => one_of(random, &["set K V", "set K V *"], &set_options),
        2 => fill(random, "getex K *", &get_options),
        3 => one_of(random, &["lcs K K *"], &["len", "idx", "withmatchlen", "minmatchlen N"]),
        _ => one_of(
            random,
            &[
                "get K",
                "getset K V",
                "getdel K",
                "setnx K V",
                "setex K T V",
                "psetex K T V",
                "append K V",
                "strlen K",
                "getrange K N N",
                "substr K N N",
                "setrange K N V",
                "incr K",
                "decr K",
                "incrby K N",
                "decrby K N",
                "incrbyfloat K F",
                "mget K K K",
                "mset K V K V",
                "msetnx K V K V",
                "object encoding K",
                "set K N",
            ],
            &[],
        ),
    }
}

fn bitmaps(random: &mut StdRng) -> Request {
    const FIELDS: &[&str] = &[
        "get u8 N",
        "get i16 #1",
        "set u4 N N",
        "set i64 #0 N",
        "incrby i5 N N",
        "incrby u63 0 N",
        "overflow sat",
        "overflow fail",
        "overflow wrap",
        "overflow x",
        "get u64 0",
        "set i65 0 1",
        "get i1 #N",
    ];
    match random.random_range(0..6) {
        0 => fill(random, "bitfield K *", FIELDS),
        1 => fill(random, "bitfield_ro K *", FIELDS),
        2 => one_of(
            random,
            &[
                "bitop and K K K",
                "bitop or K K K K",
                "bitop xor K K",
                "bitop not K K",
                "bitop not K K K",
                "bitop bad K K",
            ],
            &[],
        ),
        3 => fill(random, "bitcount K *", &["N N", "N N bit", "N N byte", "N", "N N x"]),
        4 => one_of(
            random,
            &[
                "bitpos K N",
                "bitpos K 1",
                "bitpos K 0",
                "bitpos K 1 N",
                "bitpos K 0 N N",
                "bitpos K 0 N N bit",
                "bitpos K 1 N N byte",
            ],
            &[],
        ),
        _ => one_of(
            random,
            &["setbit K N 1", "setbit K N 0", "setbit K N N", "getbit K N", "set K V", "append K V", "del K"],
            &[],
        ),
    }
}

fn generic(random: &mut StdRng) -> Request {
    match random.random_range(0..5) {
        // With a time from now on, GT and LT would depend on the millisecond in which each server is asked.
        0 => match random.random_range(0..3) {
            0 => one_of(
                random,
                &["expire K 1000 *", "pexpire K 1000000 *", "expire K 0", "pexpire K -5"],
                &["nx", "xx", "bad"],
            ),
            1 => one_of(random, &["expire K bad gt", "pexpire K 5 gt lt", "expire K 9223372036854775807"], &[]),
            _ => fill(random, "expireat K 33177117420 *", &["nx", "xx", "gt", "lt", "bad"]),
        },
        1 => fill(random, "copy K K *", &["db 1", "db N", "replace", "bad"]),
        2 => one_of(random, &["set K V", "set K V ex 1000", "mset K V K V"], &[]),
        _ => one_of(
            random,
            &[
                "del K K",
                "unlink K",
                "exists K K",
                "type K",
                "ttl K",
                "pttl K",
                "expiretime K",
                "pexpiretime K",
                "persist K",
                "rename K K",
                "renamenx K K",
                "move K 1",
                "move K N",
                "keys *",
                "keys k?",
                "keys [k]*",
                "touch K K",
                "dbsize",
                "object encoding K",
                "object refcount K",
                "object freq K",
                "object bad K",
                "swapdb 0 1",
                "swapdb N 0",
                "select 1",
                "select 0",
                "select N",
                "flushdb",
                "flushdb bad",
                "flushall async",
                "scan bad",
                "scan 0 count 0",
                "scan 0 bad",
                "wait 0 0",
                "get K",
            ],
            &[],
        ),
    }
}

fn connection(random: &mut StdRng) -> Request {
    one_of(
        random,
        &[
            "ping",
            "ping V",
            "echo V",
            "select N",
            "client getname",
            "client setname V",
            "client setname K",
            "client setinfo V V",
            "client setinfo lib-name abc",
            "client bad",
            "client kill bad",
            "client kill 127.0.0.1:1",
            "client kill id 99999",
            "client kill type bad",
            "client list type bad",
            "client list id bad",
            "client no-evict on",
            "client no-evict N",
            "client no-touch off",
            "client reply bad",
            "client pause bad bad",
            "client unblock 99999",
            "client unblock N bad",
            "client getredir",
            "client id V",
            "auth V",
            "auth V V",
            "hello 9",
            "hello bad",
            "hello 3 bad",
            "command getkeys get K",
            "command getkeys mset K V K V",
            "command getkeys ping",
            "command getkeys bad K",
            "command getkeysandflags set K V",
            "command info get set incr",
            "command info bad",
            "command list filterby bad x",
            "command bad",
            "object",
            "object help x",
            "nosuch V V",
            "nosuch",
            "config get maxclients",
            "config get bad*",
            "config set maxmemory bad",
            "config set bad 1",
            "config bad",
            "debug bad",
            "slowlog bad",
            "slowlog get bad",
            "latency bad",
            "memory bad",
            "memory usage nokey",
            "time V",
            "dbsize V",
            "lastsave V",
            "swapdb N N",
        ],
        &[],
    )
}
