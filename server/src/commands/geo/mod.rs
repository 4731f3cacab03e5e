//! The commands about places on the globe, which are the elements of sorted sets.

mod area;
mod cell;
mod points;
mod search;

use crate::command::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("geoadd", -5, points::geoadd)
        .doc(Group::Geo, "3.2.0", "O(log(N)) for each place, where N is the number of elements in the sorted set", "Adds places with names to a sorted set, or moves them.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .history(&[("6.2.0", "The options `CH`, `NX` and `XX`.")])
        .args(&[Arg::key("key", 0), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]).optional().since("6.2.0"), Arg::flag("change", "CH").optional().since("6.2.0"), Arg::block("data", &[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double), Arg::new("member", ArgKind::String)]).multiple()]),
    Spec::new("geodist", -4, points::geodist)
        .doc(Group::Geo, "3.2.0", "O(1)", "Tells the distance between two places.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member1", ArgKind::String), Arg::new("member2", ArgKind::String), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")]).optional()]),
    Spec::new("geohash", -2, points::geohash)
        .doc(Group::Geo, "3.2.0", "O(1) for each member", "Tells the geohash strings of places.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).optional().multiple()]),
    Spec::new("geopos", -2, points::geopos)
        .doc(Group::Geo, "3.2.0", "O(1) for each member", "Tells the longitude and latitude of places.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).optional().multiple()]),
    Spec::new("georadius", -6, search::georadius)
        .doc(Group::Geo, "3.2.0", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Lists the places within a distance from a point, or stores them.")
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS)), KeySpec::behind("STORE", 6, set!(KeyFlags: OW | UPDATE)), KeySpec::behind("STOREDIST", 6, set!(KeyFlags: OW | UPDATE))])
        .find_keys(search::find_keys)
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .history(&[("6.2.0", "The option `ANY` of `COUNT`."), ("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("key", 0), Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double), Arg::new("radius", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")]), Arg::flag("withcoord", "WITHCOORD").optional(), Arg::flag("withdist", "WITHDIST").optional(), Arg::flag("withhash", "WITHHASH").optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional().since("6.2.0")]).optional(), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional(), Arg::one_of("store", &[Arg::key("storekey", 1).token("STORE"), Arg::key("storedistkey", 2).token("STOREDIST")]).optional()]),
    Spec::new("georadius_ro", -6, search::georadius_ro)
        .doc(Group::Geo, "3.2.10", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Lists the places within a distance from a point.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .history(&[("6.2.0", "The option `ANY` of `COUNT`."), ("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("key", 0), Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double), Arg::new("radius", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")]), Arg::flag("withcoord", "WITHCOORD").optional(), Arg::flag("withdist", "WITHDIST").optional(), Arg::flag("withhash", "WITHHASH").optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional().since("6.2.0")]).optional(), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional()]),
    Spec::new("georadiusbymember", -5, search::georadiusbymember)
        .doc(Group::Geo, "3.2.0", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Lists the places within a distance from one of them, or stores them.")
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS)), KeySpec::behind("STORE", 5, set!(KeyFlags: OW | UPDATE)), KeySpec::behind("STOREDIST", 5, set!(KeyFlags: OW | UPDATE))])
        .find_keys(search::find_keys)
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .history(&[("6.2.0", "The option `ANY` of `COUNT`."), ("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String), Arg::new("radius", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")]), Arg::flag("withcoord", "WITHCOORD").optional(), Arg::flag("withdist", "WITHDIST").optional(), Arg::flag("withhash", "WITHHASH").optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional()]).optional(), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional(), Arg::one_of("store", &[Arg::key("storekey", 1).token("STORE"), Arg::key("storedistkey", 2).token("STOREDIST")]).optional()]),
    Spec::new("georadiusbymember_ro", -5, search::georadiusbymember_ro)
        .doc(Group::Geo, "3.2.10", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Lists the places within a distance from one of them.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .history(&[("6.2.0", "The option `ANY` of `COUNT`."), ("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String), Arg::new("radius", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")]), Arg::flag("withcoord", "WITHCOORD").optional(), Arg::flag("withdist", "WITHDIST").optional(), Arg::flag("withhash", "WITHHASH").optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional()]).optional(), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional()]),
    Spec::new("geosearch", -7, search::geosearch)
        .doc(Group::Geo, "6.2.0", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Lists the places inside a circle or a box.")
        .flags(Flags::READONLY)
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("key", 0), Arg::one_of("from", &[Arg::new("member", ArgKind::String).token("FROMMEMBER"), Arg::block("fromlonlat", &[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)]).token("FROMLONLAT")]), Arg::one_of("by", &[Arg::block("circle", &[Arg::new("radius", ArgKind::Double).token("BYRADIUS"), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")])]), Arg::block("box", &[Arg::new("width", ArgKind::Double).token("BYBOX"), Arg::new("height", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")])])]), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional()]).optional(), Arg::flag("withcoord", "WITHCOORD").optional(), Arg::flag("withdist", "WITHDIST").optional(), Arg::flag("withhash", "WITHHASH").optional()]),
    Spec::new("geosearchstore", -8, search::geosearchstore)
        .doc(Group::Geo, "6.2.0", "O(N+log(M)) where N is the number of places in the cells around the area and M the number of elements in the sorted set", "Stores the places inside a circle or a box.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::GEO)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::at(2, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.0.0", "Units in capital letters.")])
        .args(&[Arg::key("destination", 0), Arg::key("source", 1), Arg::one_of("from", &[Arg::new("member", ArgKind::String).token("FROMMEMBER"), Arg::block("fromlonlat", &[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)]).token("FROMLONLAT")]), Arg::one_of("by", &[Arg::block("circle", &[Arg::new("radius", ArgKind::Double).token("BYRADIUS"), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")])]), Arg::block("box", &[Arg::new("width", ArgKind::Double).token("BYBOX"), Arg::new("height", ArgKind::Double), Arg::one_of("unit", &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")])])]), Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional(), Arg::block("count-block", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::flag("any", "ANY").optional()]).optional(), Arg::flag("storedist", "STOREDIST").optional()]),
];
