//! Random commands about streams.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::generate::{Request, expand, fill};

const ODD_IDS: &[&str] = &[
    "0",
    "0-0",
    "-",
    "+",
    "(0",
    "(3-1",
    "(+",
    "(18446744073709551615-18446744073709551615",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615",
    "18446744073709551616",
    "5-*",
    "007-08",
    "5--1",
    "abc",
    "",
    "1-2-3",
];

fn id(random: &mut StdRng) -> String {
    match random.random_range(0..20) {
        0 => ODD_IDS.choose(random).copied().unwrap_or_default().to_string(),
        1..5 => random.random_range(0..30).to_string(),
        _ => format!("{}-{}", random.random_range(0..30), random.random_range(0..3)),
    }
}

/// As [`fill`], where `I` is an ID, `G` a group, `C` a consumer and `A` an ID to be added: they rise, or nearly.
fn stream(random: &mut StdRng, pattern: &str, options: &[&str]) -> Request {
    let filled =
        if random.random_ratio(1, 20) { fill(random, pattern, options) } else { expand(random, pattern, options) };
    let mut one = |argument: Vec<u8>| match argument.as_slice() {
        b"I" | b"i" => id(random).into_bytes(),
        b"A" | b"a" if random.random_ratio(1, 2) => format!("{}-*", random.random_range(0..30)).into_bytes(),
        b"A" | b"a" => id(random).into_bytes(),
        b"G" | b"g" => [b"g1", b"g2", b"g3"].choose(random).map(|name| name.to_vec()).unwrap_or_default(),
        b"C" | b"c" => [b"c1", b"c2", b"c3"].choose(random).map(|name| name.to_vec()).unwrap_or_default(),
        _ => argument,
    };
    filled.into_iter().map(&mut one).collect()
}

pub fn streams(random: &mut StdRng) -> Request {
    const TRIM: &[&str] = &[
        "maxlen N",
        "maxlen = 5",
        "maxlen ~ 3",
        "maxlen ~ 3 limit N",
        "minid I",
        "minid = I",
        "minid ~ I",
        "limit N",
        "nomkstream",
        "bad",
    ];
    const CLAIM: &[&str] = &["justid", "force", "retrycount N", "idle 0", "time 5", "lastid I", "bad", "idle abc"];
    match random.random_range(0..12) {
        0 => one_of(random, ANY, &[]),
        1 | 2 => one_of(random, &["xadd K * A E V", "xadd K A E V E E", "xadd K A E V", "xtrim K *"], TRIM),
        3 | 4 => one_of(random, &["xadd K A a V b E", "xadd K A a V", "xadd K A E V"], &[]),
        5 => one_of(
            random,
            &[
                "xgroup create K G I",
                "xgroup create K G $ *",
                "xgroup create K G 0 *",
                "xgroup setid K G I *",
                "xgroup setid K G $",
                "xgroup destroy K G",
                "xgroup createconsumer K G C",
                "xgroup delconsumer K G C",
                "xgroup bad K G",
            ],
            &["mkstream", "entriesread N", "bad"],
        ),
        6 | 7 => one_of(
            random,
            &[
                "xreadgroup group G C * streams K >",
                "xreadgroup group G C * streams K >",
                "xreadgroup group G C * streams K 0",
                "xreadgroup group G C * streams K I",
                "xreadgroup group G C * streams K K > >",
                "xread * streams K I",
                "xread * streams K K I I",
                "xread * streams K +",
            ],
            &["count N", "count 2", "noack", "block abc", "bad"],
        ),
        8 => one_of(
            random,
            &[
                "xack K G I I",
                "xclaim K G C 0 I I *",
                "xclaim K G C 0 I *",
                "xclaim K G C 100000 I",
                "xautoclaim K G C 0 I *",
                "xautoclaim K G C 0 0 count 2",
                "xautoclaim K G C 100000 -",
                "xautoclaim K G C 0 - justid count N",
            ],
            CLAIM,
        ),
        9 => one_of(
            random,
            &[
                "xpending K G",
                "xpending K G - + 10",
                "xpending K G I I N C",
                "xpending K G idle 0 - + N",
                "xpending K G",
            ],
            &[],
        ),
        10 => one_of(
            random,
            &[
                "xrange K I I",
                "xrange K - + *",
                "xrevrange K I I",
                "xrevrange K + - *",
                "xlen K",
                "xdel K I I",
                "xsetid K I *",
            ],
            &["count N", "count 2", "entriesadded N", "maxdeletedid I", "bad"],
        ),
        _ => one_of(
            random,
            &[
                "xinfo stream K",
                "xinfo stream K full",
                "xinfo stream K full count N",
                "xinfo groups K",
                "xinfo consumers K G",
            ],
            &[],
        ),
    }
}

const ANY: &[&str] =
    &["set K V", "del K", "rename K K", "copy K K replace", "expire K 1000", "object encoding K", "type K", "get K"];

fn one_of(random: &mut StdRng, patterns: &[&str], options: &[&str]) -> Request {
    let pattern = patterns.choose(random).copied().unwrap_or_default();
    stream(random, pattern, options)
}
