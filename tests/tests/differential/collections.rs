//! Random commands about collections.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::generate::{Request, fill, one_of};

/// What makes keys of several types meet, and turns on them.
const ANY: &[&str] = &[
    "set K V",
    "del K",
    "rename K K",
    "copy K K replace",
    "expire K 1000",
    "persist K",
    "object encoding K",
    "type K",
    "exists K K",
    "append K V",
    "incr K",
];

pub fn hashes(random: &mut StdRng) -> Request {
    // Only times that are over or far ahead.
    const EXPIRIES: &[&str] =
        &["ex 100000", "px 100000000", "exat 33177117420", "pxat 1", "ex 0", "ex -1", "ex abc", "keepttl", "persist"];
    match random.random_range(0..8) {
        0 => one_of(random, ANY, &[]),
        1 => fill(random, "hgetex K * fields 1 E", EXPIRIES),
        2 => fill(random, "hsetex K * fields 2 E V E E", &[EXPIRIES, &["fnx", "fxx", "nx"]].concat()),
        3 => one_of(
            random,
            &[
                "hexpire K 100000 * fields 2 E E",
                "hpexpire K 100000000 * fields 1 E",
                "hexpireat K 33177117420 * fields 1 E",
                "hpexpireat K 33177117420000 fields 2 E E",
                "hexpire K 0 * fields 1 E",
                "hpexpireat K 5 fields 1 E",
                "hexpire K N fields N E",
                "hexpire K T bad 1 E",
            ],
            &["nx", "xx", "bad"],
        ),
        4 => one_of(
            random,
            &[
                "httl K fields 2 E E",
                "hpttl K fields 1 E",
                "hexpiretime K fields 1 E",
                "hpexpiretime K fields N E",
                "hpersist K fields 2 E E",
                "hgetdel K fields 2 E E",
                "hgetdel K fields N E",
                "hrandfield K",
                "hrandfield K N",
                "hrandfield K N withvalues",
                "hscan K 0 *",
                "hscan K bad",
            ],
            &["count 10", "count N", "match *", "match [a-c]", "novalues", "bad"],
        ),
        _ => one_of(
            random,
            &[
                "hset K E V",
                "hset K E V E E E V",
                "hmset K E V E E",
                "hsetnx K E E",
                "hget K E",
                "hmget K E E E",
                "hgetall K",
                "hkeys K",
                "hvals K",
                "hlen K",
                "hstrlen K E",
                "hexists K E",
                "hdel K E E",
                "hincrby K E N",
                "hincrbyfloat K E F",
            ],
            &[],
        ),
    }
}
