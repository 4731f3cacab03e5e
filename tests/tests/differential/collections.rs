//! Random commands about collections.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::generate::{Request, expand, fill, one_of};

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
    match random.random_range(0..10) {
        0 => one_of(random, ANY, &[]),
        1 => one_of(
            random,
            &["hgetex K * fields 1 E", "hgetex K * fields 3 E E E", "hgetex K * fields N E E", "hgetex K * E 1 E"],
            EXPIRIES,
        ),
        2 => one_of(
            random,
            &[
                "hsetex K * fields 1 E V",
                "hsetex K * fields 2 E V E E",
                "hsetex K * fields N E V *",
                "hsetex K * E E E",
            ],
            &[EXPIRIES, &["fnx", "fxx", "nx", "ex 9223372036854775807", "pxat 70368744177664"]].concat(),
        ),
        3 => one_of(
            random,
            &[
                "hexpire K 100000 * fields 2 E E",
                "hpexpire K 100000000 * fields 1 E",
                "hexpireat K 33177117420 * fields 1 E",
                "hpexpireat K 33177117420000 fields 2 E E",
                "hpexpireat K 33177117420001 fields 1 E",
                "hpexpireat K 33177117420001 fields 3 E E E",
                "hpexpireat K 70368744177663 fields 1 E",
                "hpexpireat K 70368744177664 fields 1 E",
                "hexpireat K 70368744178 fields 1 E",
                "hexpire K 0 * fields 1 E",
                "hpexpireat K 5 fields 1 E",
                "hexpire K 0 fields N E",
                "hexpire K T bad 1 E",
            ],
            &["nx", "xx", "bad"],
        ),
        4 => one_of(
            random,
            &[
                "hexpireat K 33177117420 gt fields 2 E E",
                "hexpireat K 33177117419 lt fields 2 E E",
                "hpexpireat K 33177117420001 gt fields 1 E",
                "hpexpireat K 33177117419999 lt fields 2 E E",
                "hpexpireat K 7 lt fields 2 E E",
                "hpexpireat K 7 gt fields 2 E E",
                "hexpireat K N * fields N E",
            ],
            &["gt", "lt", "fields"],
        ),
        5 => one_of(
            random,
            &[
                "httl K fields 2 E E",
                "hpttl K fields 1 E",
                "hexpiretime K fields 1 E",
                "hpexpiretime K fields N E",
                "httl K E 1 E",
                "hpersist K fields 2 E E",
                "hpersist K fields N E",
                "hpersist K E 1 E",
                "hgetdel K fields 2 E E",
                "hgetdel K fields N E",
                "hgetdel K E 1 E",
            ],
            &[],
        ),
        // The last count holds: one that a page of either server has room for.
        6 => one_of(
            random,
            &[
                "hrandfield K",
                "hrandfield K N",
                "hrandfield K N withvalues",
                "hrandfield K N E",
                "hrandfield K -9223372036854775808",
                "hrandfield K 4611686018427387904 withvalues",
                "hscan K 0 * count 1000",
                "hscan K bad *",
                "scan 0 novalues",
            ],
            &["count 10", "count N", "match *", "match [a-c]", "novalues", "type hash", "bad"],
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
                "hincrby K E V",
                "hset K E N",
                "hset K E F E F",
                "hincrbyfloat K E F",
                "hincrbyfloat K E V",
            ],
            &[],
        ),
    }
}

pub fn sets(random: &mut StdRng) -> Request {
    match random.random_range(0..7) {
        // None of these leaves it to chance which members stay.
        6 => {
            let pattern =
                ["spop K 0", "spop K 100", "spop K -1", "spop K bad", "spop K 1 2"][random.random_range(0..5)];
            expand(random, pattern, &[])
        }
        0 => one_of(random, ANY, &[]),
        1 => one_of(
            random,
            &[
                "sinter K K",
                "sinter K K K",
                "sunion K K",
                "sdiff K K",
                "sdiff K K K",
                "sinterstore K K K",
                "sunionstore K K K",
                "sdiffstore K K K",
                "sintercard 2 K K",
                "sintercard N K K limit N",
                "sintercard 2 K K limit 1",
                "sintercard 1 K K",
                "smove K K E",
            ],
            &[],
        ),
        2 => one_of(
            random,
            &[
                "srandmember K N",
                "srandmember K 0",
                "srandmember K bad",
                "srandmember K 1 2",
                "sscan K 0 count 100 *",
                "sscan K bad",
                "hset K E E",
            ],
            &["count 100", "count bad", "count 0", "match *", "match [a-c]", "novalues", "bad"],
        ),
        3 => one_of(random, &["sadd K N", "sadd K N N N", "sadd K N N N N N N N N", "srem K N N"], &[]),
        _ => one_of(
            random,
            &["sadd K E", "sadd K E E E", "srem K E E", "sismember K E", "smismember K E N E", "smembers K", "scard K"],
            &[],
        ),
    }
}

pub fn lists(random: &mut StdRng) -> Request {
    // As they stand: another argument could make them wait for long.
    const BLOCKING: &[&str] = &[
        "blmpop 0.001 1 K left",
        "blpop K 0.001",
        "brpop K K 0.001",
        "blmove K K left right 0.001",
        "brpoplpush K K 0.001",
        "blpop K -1",
        "blpop K bad",
        "brpop K inf",
        "blmpop bad 1 K left",
        "blmpop 0.001 0 K left",
    ];
    match random.random_range(0..7) {
        6 => {
            let pattern = BLOCKING[random.random_range(0..BLOCKING.len())];
            expand(random, pattern, &[])
        }
        0 => one_of(random, ANY, &[]),
        1 => fill(random, "lpos K E *", &["rank N", "rank 1", "rank -1", "count N", "count 0", "maxlen N", "bad"]),
        2 => one_of(
            random,
            &[
                "lmove K K left right",
                "lmove K K right left",
                "lmove K K left bad",
                "rpoplpush K K",
                "lmpop 2 K K left",
                "lmpop N K right count N",
                "lmpop 1 K right count 2",
                "lmpop 1 K bad",
                "sadd K E",
            ],
            &[],
        ),
        3 => one_of(
            random,
            &["lpop K", "rpop K", "lpop K N", "rpop K N", "lrem K N E", "lrem K 0 E", "ltrim K N N", "ltrim K 0 N"],
            &[],
        ),
        4 => one_of(
            random,
            &[
                // Redis takes the lowest 32 bits of an index here, so none is larger.
                "lset K 1 E",
                "lset K -2 E",
                "lset K 100 E",
                "lset K bad E",
                "lset K 0 V",
                "linsert K before E V",
                "linsert K after E E",
                "linsert K bad E E",
                "lindex K N",
                "lindex K bad",
                "lrange K N N",
                "lrange K 0 -1",
                "llen K",
            ],
            &[],
        ),
        _ => one_of(random, &["lpush K E E E", "rpush K E V", "rpush K N N N", "lpushx K E", "rpushx K E E"], &[]),
    }
}

pub fn zsets(random: &mut StdRng) -> Request {
    const BLOCKING: &[&str] = &[
        "bzpopmin K 0.001",
        "bzpopmax K K 0.001",
        "bzmpop 0.001 2 K K min",
        "bzmpop 0.001 1 K max count 2",
        "bzpopmin K bad",
        "bzpopmin K -1",
        "bzmpop bad 1 K min",
        "bzmpop 0.001 0 K min",
    ];
    const RANGE: &[&str] = &["byscore", "rev", "limit 0 2", "limit 1 -1", "limit N N", "withscores", "bad"];
    match random.random_range(0..9) {
        0 => one_of(random, ANY, &[]),
        1 => {
            let pattern = BLOCKING[random.random_range(0..BLOCKING.len())];
            expand(random, pattern, &[])
        }
        2 => one_of(
            random,
            &[
                "zrange K N N *",
                "zrange K S S *",
                "zrange K (S S *",
                "zrange K S S byscore *",
                // Names are only in order where scores are equal, as in this key.
                "zrange 0 [E [E bylex *",
                "zrange 0 - + bylex *",
                "zrange 0 + (E rev bylex *",
                "zadd 0 0 E 0 E",
            ],
            RANGE,
        ),
        3 => one_of(
            random,
            &[
                "zrangestore K K N N *",
                "zrangestore K K S S *",
                "zrangebyscore K S S *",
                "zrangebyscore K (1 (2 *",
                "zrevrangebyscore K S S *",
                "zrevrangebyscore K +inf -inf *",
                "zrangebylex 0 - + *",
                "zrangebylex 0 [a (c *",
                "zrevrangebylex 0 + [b *",
                "zrevrange K N N *",
            ],
            RANGE,
        ),
        4 => one_of(
            random,
            &[
                "zcount K S S",
                "zcount K (S (S",
                "zcount K -inf +inf",
                "zlexcount 0 - +",
                "zlexcount 0 [a [c",
                "zlexcount 0 a c",
                "zremrangebyrank K N N",
                "zremrangebyscore K S S",
                "zremrangebyscore K (S (S",
                "zremrangebylex 0 [a (c",
                "zremrangebylex 0 - [b",
                "zpopmin K",
                "zpopmax K",
                "zpopmin K N",
                "zpopmax K N",
                "zmpop 2 K K min",
                "zmpop N K K max count N",
                "zmpop 1 K bad",
            ],
            &[],
        ),
        5 => one_of(
            random,
            &[
                "zunion 2 K K *",
                "zinter 2 K K *",
                "zdiff 2 K K *",
                "zunionstore K 2 K K *",
                "zinterstore K 2 K K *",
                "zdiffstore K 2 K K *",
                "zunion N K K *",
                "zintercard 2 K K",
                "zintercard 2 K K limit N",
                "zintercard N K K *",
                "sadd K E E",
            ],
            &["weights S S", "weights 2 3", "aggregate min", "aggregate max", "aggregate sum", "withscores", "bad"],
        ),
        6 => one_of(
            random,
            &[
                "zscore K E",
                "zmscore K E E",
                "zrank K E",
                "zrevrank K E",
                "zrank K E withscore",
                "zrevrank K E withscore",
                "zrank K E bad",
                "zcard K",
                "zrem K E E",
                "zrandmember K",
                "zrandmember K N",
                "zrandmember K N withscores",
                "zscan K 0 count 100 *",
                "zscan K bad",
                "zincrby K S E",
            ],
            &["match *", "match [a-c]", "count 0", "novalues", "bad"],
        ),
        _ => one_of(
            random,
            &["zadd K * S E", "zadd K S E S E S E", "zadd K * S E S E", "zadd K S E"],
            &["nx", "xx", "gt", "lt", "ch", "incr"],
        ),
    }
}

/// The bytes are compared as well: the state is read back with GET. Registers are not made corrupt here: Redis would
/// keep what a command has changed before it finds out.
pub fn hyperloglog(random: &mut StdRng) -> Request {
    match random.random_range(0..6) {
        0 => one_of(
            random,
            &["del K", "set K V", "copy K K replace", "rename K K", "object encoding K", "strlen K"],
            &[],
        ),
        1 => one_of(random, &["pfcount K", "pfcount K K", "pfmerge K", "pfmerge K K", "pfmerge K K K"], &[]),
        2 => one_of(
            random,
            &[
                "pfdebug encoding K",
                "pfdebug todense K",
                "pfdebug decode K",
                "pfdebug bad K",
                "setrange K 4 V",
                "get K",
                "config set hll-sparse-max-bytes 3000",
                "sadd K E",
            ],
            &[],
        ),
        _ => {
            let mut request = expand(random, "pfadd K", &[]);
            let count = [0, 1, 2, 5, 200][random.random_range(0..5)];
            request.extend((0..count).map(|_| random.random_range(0..5000).to_string().into_bytes()));
            request
        }
    }
}
