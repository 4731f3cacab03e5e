//! Keyspace notifications: which events commands cause, and how they are told.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Connection, Reply, Server, server_under_test};

fn start(events: &str) -> Server {
    let args = ["--enable-debug-command", "yes", "--io-threads", "2", "--notify-keyspace-events", events];
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn send(connection: &mut Connection, command: &str) {
    connection.send(&command.split(' ').collect::<Vec<_>>()).expect("sent");
}

fn call(connection: &mut Connection, command: &str) -> Reply {
    send(connection, command);
    connection.read().expect("a reply")
}

/// Listens to all notifications.
struct Listener {
    connection: Connection,
    marker: Connection,
}

impl Listener {
    fn new(server: &Server) -> Listener {
        let mut connection = connect(server);
        call(&mut connection, "PSUBSCRIBE __key*__:* mark");
        connection.read().expect("a confirmation");
        Listener { connection, marker: connect(server) }
    }

    /// The channels and messages since the last time, without what all channels have in common.
    fn heard(&mut self) -> Vec<(String, String)> {
        call(&mut self.marker, "PUBLISH mark end");
        let text = |reply: &Reply| String::from_utf8_lossy(reply.payload()).into_owned();
        let mut heard = Vec::new();
        loop {
            let message = self.connection.read().expect("a message").elements();
            let channel = text(&message[2]);
            match channel.strip_prefix("__key") {
                Some(rest) => heard.push((rest.replacen("__:", " ", 1), text(&message[3]))),
                None => return heard,
            }
        }
    }

    /// The events since the last time as `key:event`, the number of the database before those that are not of the
    /// first. Each must have been told twice.
    fn events(&mut self) -> String {
        let heard = self.heard();
        let pairs = heard.chunks(2).map(|pair| {
            let [(by_key, event), (by_event, key)] = pair else { panic!("half of a notification: {pair:?}") };
            let db = by_key.strip_prefix("space@").and_then(|rest| rest.split(' ').next()).expect("a key's channel");
            assert_eq!(*by_key, format!("space@{db} {key}"));
            assert_eq!(*by_event, format!("event@{db} {event}"));
            if db == "0" { format!("{key}:{event}") } else { format!("{db}/{key}:{event}") }
        });
        pairs.collect::<Vec<_>>().join(" ")
    }
}

/// Carries out each command and compares its events. Those behind `BLOCK` come from other clients, which wait.
fn check(server: &Server, lines: &[(&str, &str)]) {
    let mut listener = Listener::new(server);
    let mut client = connect(server);
    let mut waiting = Vec::new();
    for (command, expected) in lines {
        if let Some(command) = command.strip_prefix("BLOCK ") {
            waiting.push(connect(server));
            send(waiting.last_mut().expect("just pushed"), command);
            until_blocked(&mut client);
        } else {
            call(&mut client, command);
        }
        assert_eq!(listener.events(), *expected, "{command}");
    }
}

fn until_blocked(observer: &mut Connection) {
    let began = Instant::now();
    while String::from_utf8_lossy(&call(observer, "INFO clients").0).contains("blocked_clients:0\r\n") {
        assert!(began.elapsed() < Duration::from_secs(20), "the command does not wait");
        thread::yield_now();
    }
}

#[test]
fn classes_choose_what_is_told() {
    let server = start("");
    let mut client = connect(&server);
    let mut listener = Listener::new(&server);
    let all = ["SET s 1", "GET none", "LPUSH l a", "EXPIRE s 100", "SET l 1", "RENAME l s", "DEL s"];
    for (classes, expected) in [
        ("", ""),
        ("A", ""),
        ("K", ""),
        ("E", ""),
        (
            "KA",
            "space@0 s:set space@0 l:lpush space@0 s:expire space@0 l:set space@0 l:rename_from space@0 s:rename_to \
             space@0 s:del",
        ),
        ("E$", "event@0 set:s event@0 set:l"),
        ("Kl", "space@0 l:lpush"),
        ("Kg", "space@0 s:expire space@0 l:rename_from space@0 s:rename_to space@0 s:del"),
        ("Em", "event@0 keymiss:none"),
        ("Kn", "space@0 s:new space@0 l:new space@0 s:new"),
        ("Ko", "space@0 l:overwritten space@0 s:overwritten"),
        ("Kc", "space@0 l:type_changed"),
        ("Kxeth", ""),
    ] {
        client.call(&["CONFIG", "SET", "notify-keyspace-events", classes]).expect("a reply");
        all.iter().for_each(|command| drop(call(&mut client, command)));
        let heard: Vec<String> =
            listener.heard().iter().map(|(channel, message)| format!("{channel}:{message}")).collect();
        assert_eq!(heard.join(" "), expected, "{classes:?}");
    }
}

#[test]
fn replacing_is_told_before_the_change_or_after_the_new_name() {
    check(
        &start("KEA$oc"),
        &[
            ("SET a 1", "a:set"),
            ("SET a 2 EX 100", "a:overwritten a:set a:expire"),
            ("APPEND a 3", "a:append"),
            ("RPUSH l 1", "l:rpush"),
            ("SET l 1", "l:overwritten l:type_changed l:set"),
            ("MSET a 1 b 1", "a:overwritten a:set b:set"),
            ("SADD s 1", "s:sadd"),
            ("SUNIONSTORE a s", "a:overwritten a:type_changed a:sunionstore"),
            ("SUNIONSTORE a s", "a:overwritten a:sunionstore"),
            ("RENAME a b", "a:rename_from b:rename_to b:overwritten b:type_changed"),
            ("COPY b s", ""),
            ("COPY b s REPLACE", "s:copy_to s:overwritten"),
            ("GETSET s 1", ""),
            ("BITOP NOT b l", "b:overwritten b:type_changed b:set"),
            ("DEL b", "b:del"),
        ],
    );
}

#[test]
fn what_expires_is_told() {
    let server = start("KEA");
    let mut client = connect(&server);
    call(&mut client, "DEBUG SET-ACTIVE-EXPIRE 0");
    let mut listener = Listener::new(&server);
    for command in ["HSET h a 1 b 2", "HPEXPIRE h 1 FIELDS 1 a", "HSET h2 a 1", "HPEXPIRE h2 1 FIELDS 1 a"] {
        call(&mut client, command);
    }
    assert_eq!(listener.events(), "h:hset h:hexpire h2:hset h2:hexpire");
    thread::sleep(Duration::from_millis(5));
    call(&mut client, "HGET h a");
    call(&mut client, "HGET h2 a");
    assert_eq!(listener.events(), "h:hexpired h2:hexpired h2:del");
    // And without anybody asking.
    call(&mut client, "HPEXPIRE h 1 FIELDS 1 b");
    call(&mut client, "SET k 1 PX 1");
    assert_eq!(listener.events(), "h:hexpire k:set k:expire");
    call(&mut client, "DEBUG SET-ACTIVE-EXPIRE 1");
    let mut events = Vec::new();
    while events.len() < 3 {
        events.extend(listener.events().split_ascii_whitespace().map(String::from));
    }
    events.sort();
    assert_eq!(events, ["h:del", "h:hexpired", "k:expired"]);
}

/// Of two who change one key at the same time, the one who came second is heard of second.
#[test]
fn events_of_a_key_come_in_the_order_of_its_changes() {
    const ROUNDS: usize = 500;
    let server = start("Kl");
    let mut listener = Listener::new(&server);
    thread::scope(|scope| {
        for command in ["LPUSH list x", "RPOP list"] {
            let mut client = connect(&server);
            scope.spawn(move || (0..ROUNDS).for_each(|_| drop(call(&mut client, command))));
        }
    });
    let mut length = 0;
    for (_, event) in listener.heard() {
        length += match event.as_str() {
            "lpush" => 1,
            "rpop" => -1,
            _ => panic!("{event}"),
        };
        assert!(length >= 0, "told of an element's end before its beginning");
    }
    assert_eq!(call(&mut connect(&server), "LLEN list").integer(), Some(length));
}

/// What Redis 8.0.2 tells for each of these, with `AKEnm`.
#[test]
fn commands_cause_the_events_of_redis() {
    check(
        &start("AKEnm"),
        &[
            ("debug set-active-expire 0", ""),
            ("set s a", "s:new s:set"),
            ("set s b", "s:set"),
            ("set s c ex 100", "s:set s:expire"),
            ("set s c keepttl", "s:set"),
            ("set s c px 100000 get", "s:set s:expire"),
            ("set s c nx", ""),
            ("set none c xx", ""),
            ("set s c exat 1", "s:set s:expire"),
            ("set s d pxat 9999999999999", "s:expired s:new s:set s:expire"),
            ("setnx s a", ""),
            ("setnx s2 a", "s2:new s2:set"),
            ("setex s 100 a", "s:set s:expire"),
            ("psetex s 100000 a", "s:set s:expire"),
            ("getset s b", "s:set"),
            ("getset s3 b", "s3:keymiss s3:new s3:set"),
            ("getdel s", "s:del"),
            ("getdel s", "s:keymiss"),
            ("getex s2", ""),
            ("getex s2 ex 100", "s2:expire"),
            ("getex s2 persist", "s2:persist"),
            ("getex s2 persist", ""),
            ("getex s2 exat 1", "s2:del"),
            ("getex nokey ex 5", "nokey:keymiss"),
            ("append s a", "s:new s:append"),
            ("append s b", "s:append"),
            ("setrange s 3 xyz", "s:setrange"),
            ("setrange newr 3 x", "newr:new newr:setrange"),
            ("get s", ""),
            ("get none", "none:keymiss"),
            ("mget s none s2", "none:keymiss s2:keymiss"),
            ("mset a 1 b 2 a 3", "a:new a:set b:new b:set a:set"),
            ("msetnx a 1 c 2", ""),
            ("msetnx d 1 e 2", "d:new d:set e:new e:set"),
            ("incr n", "n:new n:incrby"),
            ("incrby n 5", "n:incrby"),
            ("decr n", "n:incrby"),
            ("decrby n 3", "n:incrby"),
            ("incrbyfloat n 1.5", "n:incrbyfloat"),
            ("incrbyfloat nf 1.5", "nf:new nf:incrbyfloat"),
            ("setbit bit 7 1", "bit:new bit:setbit"),
            ("setbit bit 7 1", ""),
            ("setbit bit2 7 0", "bit2:new bit2:setbit"),
            ("bitfield bf set u8 0 255 get u8 0 incrby u8 0 1", "bf:new bf:setbit"),
            ("bitfield bf get u8 0", ""),
            ("bitfield bf overflow fail incrby u8 0 300", ""),
            ("bitfield nobf get u8 0", "nobf:keymiss"),
            ("bitop and bdst bit bf", "bdst:new bdst:set"),
            ("bitop and bdst none1 none2", "none1:keymiss none2:keymiss bdst:del"),
            ("bitop or bdst2 none1 none2", "none1:keymiss none2:keymiss"),
            ("bitop not bdst3 bit", "bdst3:new bdst3:set"),
            ("bitcount none", "none:keymiss"),
            ("bitpos none 1", "none:keymiss"),
            ("strlen none", "none:keymiss"),
            ("getrange none 0 1", "none:keymiss"),
            ("substr none 0 1", "none:keymiss"),
            ("lcs s none", "none:keymiss"),
            ("getbit none 1", "none:keymiss"),
            ("del a b nothing", "a:del b:del"),
            ("unlink c d", "d:del"),
            ("exists none", "none:keymiss"),
            ("exists s none", "none:keymiss"),
            ("touch s none", "none:keymiss"),
            ("type none", "none:keymiss"),
            ("ttl none", "none:keymiss"),
            ("pttl none", "none:keymiss"),
            ("expiretime none", "none:keymiss"),
            ("persist none", ""),
            ("expire none 10", ""),
            ("set x 1", "x:new x:set"),
            ("expire x 100", "x:expire"),
            ("expire x 100 nx", ""),
            ("pexpire x 100000", "x:expire"),
            ("expireat x 9999999999", "x:expire"),
            ("pexpireat x 9999999999999", "x:expire"),
            ("persist x", "x:persist"),
            ("persist x", ""),
            ("expire x -1", "x:del"),
            ("set x 1", "x:new x:set"),
            ("pexpireat x 1", "x:del"),
            ("set x 1", "x:new x:set"),
            ("rename x y", "y:new x:rename_from y:rename_to"),
            ("rename y y", ""),
            ("set x 2", "x:new x:set"),
            ("rename x y", "y:new x:rename_from y:rename_to"),
            ("renamenx y z", "z:new y:rename_from z:rename_to"),
            ("set y 1", "y:new y:set"),
            ("renamenx z y", ""),
            ("rename nokey foo", ""),
            ("copy z zc", "zc:new zc:copy_to"),
            ("copy z zc", ""),
            ("copy z zc replace", "zc:new zc:copy_to"),
            ("copy none zd", "none:keymiss"),
            ("copy z zc db 1 replace", "1/zc:new 1/zc:copy_to"),
            ("copy z zdb1 db 1", "1/zdb1:new 1/zdb1:copy_to"),
            ("move z 1", "1/z:new z:move_from 1/z:move_to"),
            ("move none 1", ""),
            ("move y 1", "1/y:new y:move_from 1/y:move_to"),
            ("select 1", ""),
            ("move z 0", "z:new 1/z:move_from z:move_to"),
            ("set z0 a", "1/z0:new 1/z0:set"),
            ("move z0 0", "z0:new 1/z0:move_from z0:move_to"),
            ("select 0", ""),
            ("object encoding none", ""),
            ("object freq none", ""),
            ("object idletime none", ""),
            ("object refcount none", ""),
            ("sort none", "none:keymiss"),
            ("sort none store sdst", "none:keymiss"),
            ("rpush l 3 1 2", "l:new l:rpush"),
            ("sort l", ""),
            ("sort l store sdst", "sdst:new sdst:sortstore"),
            ("sort none store sdst", "none:keymiss sdst:del"),
            ("lpush l a b", "l:lpush"),
            ("lpush l2 a", "l2:new l2:lpush"),
            ("rpush l c", "l:rpush"),
            ("lpushx l d", "l:lpush"),
            ("lpushx none d", ""),
            ("rpushx l e", "l:rpush"),
            ("rpushx none e", ""),
            ("lpop l", "l:lpop"),
            ("rpop l", "l:rpop"),
            ("lpop l 2", "l:lpop"),
            ("lpop none", ""),
            ("lpop none 2", ""),
            ("rpop l2", "l2:rpop l2:del"),
            ("lset l 0 zz", "l:lset"),
            ("lset l -1 zz", "l:lset"),
            ("linsert l before zz yy", "l:linsert"),
            ("linsert l before nope yy", ""),
            ("linsert none before a b", ""),
            ("lrem l 0 zz", "l:lrem"),
            ("lrem l 0 nope", ""),
            ("lrem none 0 a", ""),
            ("rpush lt a b c", "lt:new lt:rpush"),
            ("ltrim lt 0 1", "lt:ltrim"),
            ("ltrim lt 0 1", "lt:ltrim"),
            ("ltrim lt 5 6", "lt:ltrim lt:del"),
            ("ltrim none 0 1", ""),
            ("llen none", "none:keymiss"),
            ("lrange none 0 -1", "none:keymiss"),
            ("lindex none 0", "none:keymiss"),
            ("lpos none a", "none:keymiss"),
            ("rpush src a b", "src:new src:rpush"),
            ("rpoplpush src dst", "dst:new dst:lpush src:rpop"),
            ("rpoplpush src dst", "dst:lpush src:rpop src:del"),
            ("rpoplpush src dst", ""),
            ("lmove dst src left right", "src:new src:rpush dst:lpop"),
            ("lmove dst src right left", "src:lpush dst:rpop dst:del"),
            ("lmove src src left right", "src:rpush src:lpop"),
            ("lmove none src left right", ""),
            ("lmpop 2 none src left", "src:lpop"),
            ("lmpop 1 src right count 5", "src:rpop src:del"),
            ("lmpop 1 none left", ""),
            ("blpop src none 0.01", ""),
            ("rpush src a", "src:new src:rpush"),
            ("blpop none src 1", "src:lpop src:del"),
            ("rpush src a b", "src:new src:rpush"),
            ("brpop src 1", "src:rpop"),
            ("brpoplpush src dst2 1", "dst2:new dst2:lpush src:rpop src:del"),
            ("blmove dst2 src left left 1", "src:new src:lpush dst2:lpop dst2:del"),
            ("blmpop 1 1 src left", "src:lpop src:del"),
            ("BLOCK blpop bk 0", ""),
            ("lpush bk 1 2", "bk:new bk:lpush bk:lpop"),
            ("BLOCK brpop bk2 bk3 0", ""),
            ("rpush bk3 x", "bk3:new bk3:rpush bk3:rpop bk3:del"),
            ("BLOCK blmove bs bd left right 0", ""),
            ("rpush bs y", "bs:new bs:rpush bd:new bd:rpush bs:lpop bs:del"),
            ("BLOCK bzpopmin bz 0", ""),
            ("zadd bz 1 a", "bz:new bz:zadd bz:zpopmin bz:del"),
            ("BLOCK bzmpop 0 1 bz max", ""),
            ("zadd bz 1 a 2 b", "bz:new bz:zadd bz:zpopmax"),
            ("BLOCK brpoplpush bs bd 0", ""),
            ("rpush bs z", "bs:new bs:rpush bd:lpush bs:rpop bs:del"),
            ("BLOCK blmpop 0 1 bs left count 2", ""),
            ("rpush bs z y x", "bs:new bs:rpush bs:lpop"),
            ("sadd s1 a b c", "s1:new s1:sadd"),
            ("sadd s1 a", ""),
            ("sadd s1 d", "s1:sadd"),
            ("srem s1 d", "s1:srem"),
            ("srem s1 nope", ""),
            ("srem none a", ""),
            ("sismember none a", "none:keymiss"),
            ("smismember none a", "none:keymiss"),
            ("smembers none", "none:keymiss"),
            ("scard none", "none:keymiss"),
            ("srandmember none", "none:keymiss"),
            ("srandmember none 2", "none:keymiss"),
            ("spop none", ""),
            ("spop none 2", ""),
            ("sadd sp a b c d e", "sp:new sp:sadd"),
            ("spop sp", "sp:spop"),
            ("spop sp 2", "sp:spop"),
            ("spop sp 10", "sp:spop sp:del"),
            ("sadd sp1 a", "sp1:new sp1:sadd"),
            ("spop sp1", "sp1:spop sp1:del"),
            ("sadd s5 b c", "s5:new s5:sadd"),
            ("smove s1 s5 a", "s1:srem s5:sadd"),
            ("smove s1 s5 nope", ""),
            ("smove s1 s5 b", "s1:srem"),
            ("smove s5 s6 a", "s5:srem s6:new s6:sadd"),
            ("smove none s6 a", ""),
            ("sinter none s1", "none:keymiss"),
            ("sinterstore sd s1 s5", "sd:new sd:sinterstore"),
            ("sinterstore sd s1 none", "none:keymiss sd:del"),
            ("sinterstore sd none s1", "none:keymiss"),
            ("sunionstore sd s1 s5", "sd:new sd:sunionstore"),
            ("sunionstore sd none none2", "none:keymiss none2:keymiss sd:del"),
            ("sdiffstore sd s5 s1", "sd:new sd:sdiffstore"),
            ("sdiffstore sd s1 s1", "sd:del"),
            ("sintercard 2 s1 none", "none:keymiss"),
            ("sunion none s1", "none:keymiss"),
            ("sdiff none s1", "none:keymiss"),
            ("sscan none 0", "none:keymiss"),
            ("hset h a 1", "h:new h:hset"),
            ("hset h a 2 b 3", "h:hset"),
            ("hmset h c 3", "h:hset"),
            ("hsetnx h c 4", ""),
            ("hsetnx h d 4", "h:hset"),
            ("hget h none", ""),
            ("hget none a", "none:keymiss"),
            ("hmget none a b", "none:keymiss"),
            ("hgetall none", "none:keymiss"),
            ("hkeys none", "none:keymiss"),
            ("hvals none", "none:keymiss"),
            ("hlen none", "none:keymiss"),
            ("hexists none a", "none:keymiss"),
            ("hstrlen none a", "none:keymiss"),
            ("hrandfield none", "none:keymiss"),
            ("hscan none 0", "none:keymiss"),
            ("hincrby h n 1", "h:hincrby"),
            ("hincrby newh n 1", "newh:new newh:hincrby"),
            ("hincrbyfloat h f 1.5", "h:hincrbyfloat"),
            ("hincrbyfloat newh2 f 1.5", "newh2:new newh2:hincrbyfloat"),
            ("hdel h a", "h:hdel"),
            ("hdel h nope", ""),
            ("hdel none a", ""),
            ("hdel newh n", "newh:hdel newh:del"),
            ("hset h2 a 1 b 2 c 3 d 4", "h2:new h2:hset"),
            ("hexpire h2 100 fields 1 a", "h2:hexpire"),
            ("hexpire h2 100 nx fields 1 a", ""),
            ("hexpire none 100 fields 1 a", ""),
            ("hpexpire h2 100000 fields 2 a b", "h2:hexpire"),
            ("hexpireat h2 9999999999 fields 1 a", "h2:hexpire"),
            ("hpersist h2 fields 1 a", "h2:hpersist"),
            ("hpersist h2 fields 1 a", ""),
            ("hpersist none fields 1 a", ""),
            ("hexpire h2 0 fields 1 c", "h2:hdel"),
            ("hexpireat h2 1 fields 1 d", "h2:hdel"),
            ("httl none fields 1 a", "none:keymiss"),
            ("hexpiretime h2 fields 1 a", ""),
            ("hgetex h2 fields 1 a", ""),
            ("hgetex h2 ex 100 fields 1 a", "h2:hexpire"),
            ("hgetex h2 persist fields 1 a", "h2:hpersist"),
            ("hgetex h2 exat 1 fields 1 a", "h2:hdel"),
            ("hgetex none ex 10 fields 1 a", ""),
            ("hsetex h2 fields 1 z 1", "h2:hset"),
            ("hsetex h2 ex 100 fields 1 y 1", "h2:hset h2:hexpire"),
            ("hsetex h2 fnx fields 1 y 1", ""),
            ("hsetex h2 keepttl fields 1 y 1", "h2:hset"),
            ("hsetex h2 exat 1 fields 1 y 1", "h2:hset h2:hdel"),
            ("hsetex newhse px 100000 fields 2 a 1 b 2", "newhse:new newhse:hset newhse:hexpire"),
            ("hsetex newhsx pxat 1 fields 1 a 1", "newhsx:new newhsx:hset newhsx:hdel newhsx:del"),
            ("hgetdel h2 fields 1 z", "h2:hdel"),
            ("hgetdel h2 fields 1 z", ""),
            ("hgetdel none fields 1 z", ""),
            ("hgetdel h2 fields 1 b", "h2:hdel h2:del"),
            ("hset h3 a 1", "h3:new h3:hset"),
            ("hexpire h3 0 fields 1 a", "h3:hdel h3:del"),
            ("del z", "z:del"),
            ("select 0", ""),
            ("zadd z 1 a 2 b 3 c", "z:new z:zadd"),
            ("zadd z 1 a", ""),
            ("zadd z 2 a", "z:zadd"),
            ("zadd z xx 2 nope", ""),
            ("zadd z incr 1 a", "z:zincr"),
            ("zadd z nx incr 1 a", ""),
            ("zadd znone xx 1 a", ""),
            ("zincrby z 1 a", "z:zincr"),
            ("zincrby z 0 a", ""),
            ("zincrby znew 1 a", "znew:new znew:zincr"),
            ("zrem z a", "z:zrem"),
            ("zrem z nope", ""),
            ("zrem none a", ""),
            ("zrem znew a", "znew:zrem znew:del"),
            ("zadd z 1 a 2 b 3 c 4 d 5 e", "z:zadd"),
            ("zpopmin z", "z:zpopmin"),
            ("zpopmax z", "z:zpopmax"),
            ("zpopmin z 0", ""),
            ("zpopmin none", ""),
            ("zpopmax z 10", "z:zpopmax z:del"),
            ("zadd z 1 a 2 b 3 c 4 d 5 e", "z:new z:zadd"),
            ("zmpop 2 none z min", "z:zpopmin"),
            ("zmpop 1 z max count 10", "z:zpopmax z:del"),
            ("zmpop 1 none min", ""),
            ("zadd z 1 a 2 b 3 c 4 d 5 e", "z:new z:zadd"),
            ("bzpopmin none z 1", "z:zpopmin"),
            ("bzpopmax z 1", "z:zpopmax"),
            ("bzmpop 1 1 z min", "z:zpopmin"),
            ("zremrangebyrank z 0 0", "z:zremrangebyrank"),
            ("zremrangebyscore z 100 200", ""),
            ("zremrangebyscore z 0 3", ""),
            ("zadd z 0 a 0 b", "z:zadd"),
            ("zremrangebylex z [a [a", "z:zremrangebylex"),
            ("zremrangebyrank z 0 -1", "z:zremrangebyrank z:del"),
            ("zremrangebyrank none 0 -1", ""),
            ("zadd za 1 a 2 b", "za:new za:zadd"),
            ("zadd zb 2 b 3 c", "zb:new zb:zadd"),
            ("zunionstore zd 2 za zb", "zd:new zd:zunionstore"),
            ("zinterstore zd 2 za zb", "zd:zinterstore"),
            ("zinterstore zd 2 za none", "none:keymiss zd:del"),
            ("zdiffstore zd 2 za zb", "zd:new zd:zdiffstore"),
            ("zdiffstore zd 2 za za", "zd:del"),
            ("zrangestore zd za 0 -1", "zd:new zd:zrangestore"),
            ("zrangestore zd za 5 6", "zd:del"),
            ("zrangestore zd none 0 -1", "none:keymiss"),
            ("zunion 2 none za", "none:keymiss"),
            ("zinter 2 za none", "none:keymiss"),
            ("zdiff 2 none za", "none:keymiss"),
            ("zintercard 2 za none", "none:keymiss"),
            ("zcard none", "none:keymiss"),
            ("zscore none a", "none:keymiss"),
            ("zmscore none a", "none:keymiss"),
            ("zrank none a", "none:keymiss"),
            ("zrange none 0 -1", "none:keymiss"),
            ("zrangebyscore none 0 1", "none:keymiss"),
            ("zcount none 0 1", "none:keymiss"),
            ("zlexcount none - +", "none:keymiss"),
            ("zrandmember none", "none:keymiss"),
            ("zscan none 0", "none:keymiss"),
            ("geoadd g 13 38 p 15 37 c", "g:new g:zadd"),
            ("geoadd g 13 38 p", ""),
            ("geoadd g ch 14 38 p", "g:zadd"),
            ("geoadd g xx 14 38 nope", ""),
            ("geosearchstore gd g fromlonlat 15 37 byradius 2000 km", "gd:new gd:geosearchstore"),
            ("geosearchstore gd g fromlonlat 15 37 byradius 2000 km storedist", "gd:geosearchstore"),
            ("geosearchstore gd none fromlonlat 15 37 byradius 2000 km", "none:keymiss gd:del"),
            ("georadius g 15 37 2000 km store gd2", "gd2:new gd2:georadiusstore"),
            ("georadius g 15 37 2000 km storedist gd2", "gd2:georadiusstore"),
            ("georadius g 1 1 1 m store gd2", "gd2:del"),
            ("georadiusbymember g p 2000 km store gd3", "gd3:new gd3:georadiusstore"),
            ("geopos none a", "none:keymiss"),
            ("geodist none a b", "none:keymiss"),
            ("geohash none a", "none:keymiss"),
            ("geosearch none fromlonlat 15 37 byradius 2000 km", "none:keymiss"),
            ("pfadd hll a b c", "hll:new hll:pfadd"),
            ("pfadd hll a", ""),
            ("pfadd hll2", "hll2:new hll2:pfadd"),
            ("pfadd hll2", ""),
            ("pfcount hll", ""),
            ("pfcount none", "none:keymiss"),
            ("pfcount none hll", "none:keymiss"),
            ("pfmerge hll3 hll hll2", "hll3:keymiss hll3:new hll3:pfadd"),
            ("pfmerge hll3 none", "none:keymiss hll3:pfadd"),
            ("pfmerge hll4", "hll4:keymiss hll4:new hll4:pfadd"),
            ("pfmerge hll4 none", "none:keymiss hll4:pfadd"),
            ("set type a", "type:new type:set"),
            ("lpush typel a", "typel:new typel:lpush"),
            ("set typel a", "typel:set"),
            ("sadd types a", "types:new types:sadd"),
            ("sunionstore type types", "type:sunionstore"),
            ("set type2 v", "type2:new type2:set"),
            ("rename types type2", "type2:new types:rename_from type2:rename_to"),
            ("zadd tz 1 a", "tz:new tz:zadd"),
            ("copy tz type2 replace", "type2:new type2:copy_to"),
            ("mset type2 a type b", "type2:set type:set"),
            ("xlen none", "none:keymiss"),
            ("xadd st 1-1 a b", "st:new st:xadd"),
            ("xadd st 1-2 a b", "st:xadd"),
            ("xadd none nomkstream * a b", ""),
            ("xadd st maxlen 1 1-3 a b", "st:xadd st:xtrim"),
            ("xadd st2 maxlen 0 1-1 a b", "st2:new st2:xadd st2:xtrim"),
            ("xrange none - +", "none:keymiss"),
            ("xread count 1 streams st 0", ""),
            ("xtrim st maxlen 0", "st:xtrim"),
            ("xtrim st maxlen 0", ""),
            ("xtrim none maxlen 0", ""),
            ("xadd st 2-1 a b", "st:xadd"),
            ("xadd st 2-2 a b", "st:xadd"),
            ("xadd st 2-3 a b", "st:xadd"),
            ("xadd st 2-4 a b", "st:xadd"),
            ("xdel st 2-1", "st:xdel"),
            ("xdel st 9-9", ""),
            ("xdel none 1-1", ""),
            ("xsetid st 9-9", "st:xsetid"),
            ("xsetid none 9-9", ""),
            ("xgroup create st g 0", "st:xgroup-create"),
            ("xgroup create stnew g $ mkstream", "stnew:new stnew:xgroup-create"),
            ("xgroup setid st g 0", "st:xgroup-setid"),
            ("xgroup createconsumer st g c", "st:xgroup-createconsumer"),
            ("xgroup createconsumer st g c", ""),
            ("xreadgroup group g c count 1 streams st >", ""),
            ("xreadgroup group g newc count 1 streams st >", "st:xgroup-createconsumer"),
            ("xreadgroup group g newc noack count 1 streams st >", ""),
            ("xreadgroup group g newc2 streams st 0", "st:xgroup-createconsumer"),
            ("xack st g 2-2", ""),
            ("xclaim st g c 0 2-3", ""),
            ("xclaim st g brandnew 0 2-3", "st:xgroup-createconsumer"),
            ("xautoclaim st g brandnew2 0 0", "st:xgroup-createconsumer"),
            ("xpending st g", ""),
            ("xinfo stream none", "none:keymiss"),
            ("xinfo stream st", ""),
            ("xgroup delconsumer st g c", "st:xgroup-delconsumer"),
            ("xgroup delconsumer st g nope", ""),
            ("xgroup destroy st g", "st:xgroup-destroy"),
            ("xgroup destroy st nope", ""),
            ("xadd bst 1-1 a b", "bst:new bst:xadd"),
            ("xgroup create bst g $", "bst:xgroup-create"),
            ("BLOCK xreadgroup group g bc block 0 streams bst >", "bst:xgroup-createconsumer"),
            ("xadd bst 2-1 a b", "bst:xadd"),
            ("BLOCK xreadgroup group g bc2 block 0 streams bst >", "bst:xgroup-createconsumer"),
            ("xadd bst 4-1 a b", "bst:xadd"),
            ("copy bst bst2", "bst2:new bst2:copy_to"),
            ("del bst", "bst:del"),
            ("set gone a pxat 1", "gone:new gone:set gone:expire"),
            ("get gone", "gone:expired gone:keymiss"),
            ("set gone a pxat 1", "gone:new gone:set gone:expire"),
            ("exists gone", "gone:expired gone:keymiss"),
            ("set gone a pxat 1", "gone:new gone:set gone:expire"),
            ("set gone b pxat 1", "gone:expired gone:new gone:set gone:expire"),
            ("lpush gone b", "gone:expired gone:new gone:lpush"),
            ("del gone", "gone:del"),
            ("flushdb", ""),
            ("set a b", "a:new a:set"),
            ("flushall", ""),
            ("set a b", "a:new a:set"),
            ("swapdb 0 1", ""),
            ("select 1", ""),
            ("get a", ""),
            ("select 0", ""),
            ("get a", "a:keymiss"),
        ],
    );
}
