//! Places on the globe.

use harness::{Connection, Server, call, converse, server_under_test};

fn start() -> (Server, Connection) {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let connection = server.connect().unwrap();
    (server, connection)
}

const SICILY: &str = "GEOADD sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1";

#[test]
fn places_are_found_and_measured() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            (SICILY, r":3\r\n"),
            ("GEODIST sicily Palermo Catania", r"$11\r\n166274.1516\r\n"),
            ("GEODIST sicily Palermo Catania mi", r"$8\r\n103.3182\r\n"),
            ("GEODIST sicily Palermo Nowhere", r"$-1\r\n"),
            ("GEODIST sicily Palermo Catania parsec", r"-ERR unsupported unit provided. please use M, KM, FT, MI\r\n"),
            ("GEOHASH sicily Palermo Nowhere", r"*2\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n"),
            (
                "GEOPOS sicily Palermo Nowhere",
                r"*2\r\n*2\r\n$18\r\n13.361389338970184\r\n$16\r\n38.1155563954963\r\n*-1\r\n",
            ),
            (
                "GEOSEARCH sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST",
                r"*2\r\n*2\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n*2\r\n$7\r\nPalermo\r\n$8\r\n190.4424\r\n",
            ),
            (
                "GEOSEARCH sicily FROMMEMBER Palermo BYBOX 200 200 km DESC WITHHASH COUNT 1",
                r"*1\r\n*2\r\n$5\r\nedge1\r\n:3479273021651468\r\n",
            ),
            ("GEORADIUS sicily 15 37 200 km COUNT 1", r"*1\r\n$7\r\nCatania\r\n"),
            ("GEORADIUSBYMEMBER_RO sicily Palermo 1 m", r"*1\r\n$7\r\nPalermo\r\n"),
            ("GEORADIUS_RO sicily 15 37 200 km STORE near", r"-ERR syntax error\r\n"),
            ("GEOADD sicily 181 0 far", r"-ERR invalid longitude,latitude pair 181.000000,0.000000\r\n"),
        ],
    );
    connection.call(&["HELLO", "3"]).unwrap();
    converse(
        &mut connection,
        &[
            ("GEOPOS sicily Catania Nowhere", r"*2\r\n*2\r\n,15.087267458438873\r\n,37.50266842333162\r\n_\r\n"),
            ("GEODIST sicily Palermo Catania", r"$11\r\n166274.1516\r\n"),
        ],
    );
}

#[test]
fn results_are_stored_where_the_last_of_several_destinations_says() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            (SICILY, r":3\r\n"),
            ("GEORADIUS sicily 15 37 200 km STORE one STOREDIST two", r":2\r\n"),
            ("EXISTS one two", r":1\r\n"),
            ("ZRANGE two 0 0", r"*1\r\n$7\r\nCatania\r\n"),
            ("GEORADIUS sicily 15 37 200 km STORE one STORE three", r":2\r\n"),
            ("EXISTS one three", r":1\r\n"),
            ("GEORADIUS sicily 15 37 200 km STORE STOREDIST STORE three", r":2\r\n"),
            ("GEOSEARCHSTORE two sicily FROMLONLAT 0 0 BYRADIUS 1 km", r":0\r\n"),
            ("EXISTS two", r":0\r\n"),
            ("GEOSEARCHSTORE three missing FROMMEMBER x BYRADIUS 1 km", r":0\r\n"),
            ("EXISTS three", r":0\r\n"),
        ],
    );
}

#[test]
fn scores_that_are_no_places_are_harmless() {
    let (_server, mut connection) = start();
    call(&mut connection, "ZADD odd -inf a -1 b 1e300 c inf d 9007199254740993 e 0.5 f");
    for member in ["a", "b", "c", "d", "e", "f"] {
        for command in ["GEOPOS", "GEOHASH"] {
            assert!(call(&mut connection, &format!("{command} odd {member}")).starts_with("*1"));
        }
        let search = format!("GEOSEARCH odd FROMMEMBER {member} BYRADIUS 1e300 km WITHDIST WITHCOORD WITHHASH");
        assert!(call(&mut connection, &search).starts_with('*'), "{search}");
    }
    assert_eq!(call(&mut connection, "PING"), r"+PONG\r\n");
}
