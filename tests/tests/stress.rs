//! Many clients at once on several workers: what must be one instant is one instant.

use std::thread;

use harness::{Connection, Server, server_under_test};

const CLIENTS: usize = 8;
const ROUNDS: usize = 400;

fn server() -> Server {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    Server::start(binary, &["--io-threads", "4"]).expect("the server starts")
}

/// Runs `work` in as many threads as there are clients, each with a connection and its number.
fn with_clients(server: &Server, work: impl Fn(&mut Connection, usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut connection = server.connect().expect("a connection");
            let work = &work;
            scope.spawn(move || work(&mut connection, number));
        }
    });
}

fn call(connection: &mut Connection, words: &[&str]) -> harness::Reply {
    connection.call(words).expect("a reply")
}

#[test]
fn increments_add_up() {
    let server = server();
    with_clients(&server, |connection, _| {
        for round in 0..ROUNDS {
            for key in 0..10 {
                connection.send(&["INCRBY", &format!("counter{key}"), &round.to_string()]).expect("sent");
            }
            (0..10).for_each(|_| drop(connection.read().expect("a reply")));
        }
    });
    let expected = (CLIENTS * (0..ROUNDS).sum::<usize>()).to_string();
    let mut connection = server.connect().expect("a connection");
    for key in 0..10 {
        assert_eq!(call(&mut connection, &["GET", &format!("counter{key}")]).payload(), expected.as_bytes());
    }
}

#[test]
fn pairs_are_never_torn() {
    let server = server();
    with_clients(&server, |connection, number| {
        for round in 0..ROUNDS {
            if number % 2 == 0 {
                let value = format!("{number}-{round}");
                call(connection, &["MSET", "left", &value, "middle", &value, "right", &value]);
            } else {
                let values = call(connection, &["MGET", "right", "left", "middle"]).elements();
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            }
        }
    });
}

#[test]
fn msetnx_has_one_winner_and_sets_all() {
    let server = server();
    let wins = std::sync::Mutex::new(vec![0; ROUNDS]);
    with_clients(&server, |connection, number| {
        for round in 0..ROUNDS {
            // The same keys in a different order for every client.
            let name = number.to_string();
            let keys: Vec<String> = (0..4).map(|key| format!("round{round}-{}", (key + number) % 4)).collect();
            let words: Vec<&str> = keys.iter().flat_map(|key| [key.as_str(), &name]).collect();
            let reply = call(connection, &[&["MSETNX"][..], &words].concat());
            if reply.integer() == Some(1) {
                wins.lock().expect("no thread has panicked")[round] += 1;
            }
            let owners = call(connection, &["MGET", &keys[0], &keys[1], &keys[2], &keys[3]]).elements();
            assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
        }
    });
    assert!(wins.into_inner().expect("no thread has panicked").iter().all(|wins| *wins == 1));
}

/// Transfers between accounts, some watched and some not: whoever looks at all accounts at once sees the same sum.
#[test]
fn transfers_keep_the_sum() {
    const ACCOUNTS: usize = 12;
    let server = server();
    let names: Vec<String> = (0..ACCOUNTS).map(|number| format!("account{number}")).collect();
    let setup: Vec<&str> = names.iter().flat_map(|name| [name.as_str(), "1000"]).collect();
    call(&mut server.connect().expect("a connection"), &[&["MSET"][..], &setup].concat());
    let read_all: Vec<&str> = ["MGET"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let number_of = |reply: &harness::Reply| String::from_utf8_lossy(reply.payload()).parse::<i64>().expect("a number");
    with_clients(&server, |connection, number| {
        for round in 0..ROUNDS {
            let (from, to) = (&names[(round * 5 + number) % ACCOUNTS], &names[(round * 7 + 3) % ACCOUNTS]);
            match number % 3 {
                // A sum that is worked out by the client, if nobody comes in between.
                0 if from != to => {
                    call(connection, &["WATCH", from, to]);
                    let balances = call(connection, &["MGET", from, to]).elements();
                    let (from_balance, to_balance) = (number_of(&balances[0]), number_of(&balances[1]));
                    call(connection, &["MULTI"]);
                    call(connection, &["SET", from, &(from_balance - 1).to_string()]);
                    call(connection, &["SET", to, &(to_balance + 1).to_string()]);
                    call(connection, &["EXEC"]);
                }
                1 => {
                    call(connection, &["MULTI"]);
                    call(connection, &["DECRBY", from, "3"]);
                    call(connection, &["INCRBY", to, "3"]);
                    call(connection, &["EXEC"]);
                }
                _ => {
                    let balances = call(connection, &read_all).elements();
                    assert_eq!(balances.iter().map(number_of).sum::<i64>(), 1000 * ACCOUNTS as i64);
                }
            }
        }
    });
}

#[test]
fn a_renamed_value_is_always_somewhere() {
    let server = server();
    call(&mut server.connect().expect("a connection"), &["SET", "here", "value"]);
    with_clients(&server, |connection, number| {
        for _ in 0..ROUNDS {
            match number % 4 {
                0 => drop(call(connection, &["RENAME", "here", "there"])),
                1 => drop(call(connection, &["RENAME", "there", "here"])),
                _ => {
                    let found = call(connection, &["EXISTS", "here", "there"]).integer();
                    assert_eq!(found, Some(1));
                }
            }
        }
    });
}

#[test]
fn commands_about_everything_do_not_deadlock_with_the_others() {
    let server = server();
    with_clients(&server, |connection, number| {
        for round in 0..ROUNDS {
            let (a, b) = (format!("key{}", round % 50), format!("key{}", (round * 7 + number) % 50));
            match (number + round) % 7 {
                0 => drop(call(connection, &["SWAPDB", "0", "1"])),
                1 => drop(call(connection, &["FLUSHDB"])),
                2 => drop(call(connection, &["KEYS", "*"])),
                3 => drop(call(connection, &["COPY", &a, &b, "DB", "1", "REPLACE"])),
                4 => drop(call(connection, &["MSET", &a, "1", &b, "2"])),
                5 => drop(call(connection, &["APPEND", &a, "x"])),
                _ => drop(call(connection, &["SET", &b, "short", "PX", "1"])),
            }
        }
    });
    assert_eq!(call(&mut server.connect().expect("a connection"), &["PING"]).payload(), b"PONG");
}

#[test]
fn expired_keys_go_without_being_touched() {
    let server = server();
    with_clients(&server, |connection, number| {
        for round in 0..ROUNDS {
            connection.send(&["SET", &format!("key{number}-{round}"), "value", "PX", "20"]).expect("sent");
        }
        (0..ROUNDS).for_each(|_| drop(connection.read().expect("a reply")));
    });
    let mut connection = server.connect().expect("a connection");
    // No key is read: only the active cycle can bring the count down. A server that does not makes the read time out.
    while call(&mut connection, &["DBSIZE"]).integer() != Some(0) {
        thread::yield_now();
    }
    assert!(call(&mut connection, &["RANDOMKEY"]).0.starts_with(b"$-1"));
}
