//! Random commands about places.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::generate::{Request, expand, fill};

const ODD_COORDINATES: &[&str] =
    &["180", "-180", "85.05112878", "-85.05112878", "0", "-0", "85.06", "181", "inf", "nan", "abc", "1e-320", "90"];

const LENGTHS: &[&str] =
    &["0", "1", "100", "7.5", "2500", "20000", "1e6", "1e7", "25000000", "1e300", "inf", "-1", "nan", "abc"];

const UNITS: &[&str] = &["m", "km", "KM", "ft", "mi", "mile"];

fn coordinate(random: &mut StdRng, end: f64) -> Vec<u8> {
    let text = match random.random_range(0..40) {
        0 => ODD_COORDINATES.choose(random).copied().unwrap_or_default().to_string(),
        // Some that are at the same place.
        1..10 => random.random_range(-2..3).to_string(),
        10..20 => format!("{:.3}", random.random_range(-3.0..3.0)),
        20..30 => format!("{:.3}", end * random.random_range(0.99..1.0)),
        _ => format!("{}", random.random_range(-end..end)),
    };
    text.into_bytes()
}

/// As [`fill`], where `P` is a pair of coordinates, `L` a length and `U` a unit of length.
fn places(random: &mut StdRng, pattern: &str, options: &[&str]) -> Request {
    let mut request = Request::new();
    let filled =
        if random.random_ratio(1, 20) { fill(random, pattern, options) } else { expand(random, pattern, options) };
    for argument in filled {
        match argument.as_slice() {
            b"P" | b"p" => request.extend([coordinate(random, 180.0), coordinate(random, 85.0)]),
            b"L" | b"l" => request.push(LENGTHS.choose(random).copied().unwrap_or_default().into()),
            b"U" | b"u" => request.push(UNITS.choose(random).copied().unwrap_or_default().into()),
            _ => request.push(argument),
        }
    }
    request
}

pub fn geo(random: &mut StdRng) -> Request {
    // A count without ANY is only compared where it takes in all: which of several places at one distance come first is
    // another matter in Redis.
    const OPTIONS: &[&str] = &[
        "withdist",
        "withhash",
        "withcoord",
        "asc",
        "desc",
        "count 100",
        "count 3 any",
        "count N any",
        "count 0",
        "count abc",
        "any",
        "bad",
    ];
    const STORE: &[&str] = &["store K", "storedist K", "count 100", "count 3 any", "asc", "desc", "withdist", "store"];
    const SHAPES: &[&str] = &[
        "fromlonlat P byradius L U",
        "fromlonlat P bybox L L U",
        "frommember E byradius L U",
        "frommember E bybox L L U",
        "byradius L U frommember E",
        "bybox L L U fromlonlat P",
        "fromlonlat P",
        "frommember E",
        "byradius L U",
        "bybox L L U",
        "frommember E fromlonlat P byradius L U",
        "frommember E byradius L U bybox L L U",
    ];
    let shape = SHAPES.choose(random).copied().unwrap_or_default();
    match random.random_range(0..20) {
        0 => fill(random, "del K", &[]),
        1 => {
            let odd = ["set K V", "zadd K S E", "zadd K 4503599627370497 E", "rename K K", "zrem K E", "sadd K E"];
            let odd = odd.choose(random).copied().unwrap_or_default();
            fill(random, odd, &[])
        }
        2..7 => places(random, "geoadd K * P E P E", &["nx", "xx", "ch", "incr"]),
        7 => places(random, "geoadd K P E", &[]),
        8 => places(random, "geopos K E E E", &[]),
        9 => places(random, "geohash K E E E", &[]),
        10 => places(random, "geodist K E E", &[]),
        11 => places(random, "geodist K E E U", &[]),
        12 => places(random, "georadius K P L U *", &[OPTIONS, STORE].concat()),
        13 => places(random, "georadius_ro K P L U *", OPTIONS),
        14 => places(random, "georadiusbymember K E L U *", &[OPTIONS, STORE].concat()),
        15 => places(random, "georadiusbymember_ro K E L U *", OPTIONS),
        16 => {
            places(random, &format!("geosearchstore K K {shape} *"), &["storedist", "count 100", "count 3 any", "desc"])
        }
        17 => places(random, &format!("geosearch K {shape} *"), &[OPTIONS, STORE].concat()),
        _ => places(random, &format!("geosearch K {shape} *"), OPTIONS),
    }
}
