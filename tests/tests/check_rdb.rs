//! The tool that checks snapshots: what it says, and how it ends. The texts are those of redis-check-rdb 8.0.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use harness::server_under_test;

/// Two keys, one of which has expired, and a hash with a field that expires; no checksum.
const FILE: &[u8] = b"REDIS0012\
    \xfa\x09redis-ver\x058.0.2\
    \xfe\x03\xfb\x03\x01\
    \x00\x03key\x05value\
    \xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00\x03old\xc0\x07\
    \x18\x04hash\x00\x00\x00\x00\x00\x03\x00\x00\x01\x01\x05field\x05value\
    \xff\x00\x00\x00\x00\x00\x00\x00\x00";

/// What is printed behind the first line, and whether the file is in order.
fn check(bytes: &[u8]) -> (String, bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dump.rdb");
    fs::write(&path, bytes).expect("written");
    check_file(&path, None)
}

fn check_file(path: &Path, name: Option<&str>) -> (String, bool) {
    let mut command = Command::new(server_under_test(env!("CARGO_BIN_EXE_server-under-test")));
    match name {
        Some(name) => command.arg0(name),
        None => command.arg("--check-rdb"),
    };
    let output = command.arg(path).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = format!("[offset 0] Checking RDB file {}\n", path.display());
    (text.strip_prefix(&first).expect("the first line").to_owned(), output.status.success())
}

fn figures(keys: u64, expires: u64, expired: u64, timed: u64) -> String {
    format!(
        "[info] {keys} keys read\n[info] {expires} expires\n[info] {expired} already expired\n[info] {timed} subexpires\n"
    )
}

const BEGINNING: &str = "[offset 26] AUX FIELD redis-ver = '8.0.2'\n[offset 28] Selecting DB ID 3\n";

#[test]
fn what_is_in_order_is_counted() {
    let end = FILE.len();
    let expected = format!(
        "{BEGINNING}[offset {end}] RDB file was saved with checksum disabled: no check performed.\n\
         [offset {end}] \\o/ RDB looks OK! \\o/\n{}",
        figures(3, 1, 1, 1)
    );
    assert_eq!(check(FILE), (expected.clone(), true));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dump.rdb");
    fs::write(&path, FILE).expect("written");
    assert_eq!(check_file(&path, Some("/usr/bin/redis-check-rdb")), (expected, true));
    assert_eq!(check_file(&dir.path().join("missing"), None), (String::new(), false));
}

#[test]
fn what_never_expires_is_not_counted_as_expiring() {
    // An expiry of -1 is none, for Redis as well, and the fields of the hash have none; blanks are zeros.
    let file = b"REDIS  12\
        \xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x03key\x05value\
        \x18\x04hash\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x05field\x05value\
        \x16\x05early\x01\x00\x05field\x05value\
        \xff\x00\x00\x00\x00\x00\x00\x00\x00";
    let (told, is_whole) = check(file);
    assert!(is_whole && told.ends_with(&figures(3, 0, 0, 0)), "{told}");
}

#[test]
fn damage_is_told_with_its_place() {
    let error = |text: &str, info: &str, figures: String| {
        (format!("--- RDB ERROR DETECTED ---\n{text}\n[additional info] While doing: {info}\n{figures}"), false)
    };
    let none = || figures(0, 0, 0, 0);
    let wrong = "[offset 9] Wrong signature trying to load DB from file";
    assert_eq!(check(b"something else"), error(wrong, "start", none()));
    let later = "[offset 9] Can't handle RDB format version 99";
    assert_eq!(check(b"REDIS0099\xff"), error(later, "start", none()));
    let negative = "[offset 9] Can't handle RDB format version -12";
    assert_eq!(check(b"REDIS -12\xff"), error(negative, "start", none()));
    let early = "[offset 0] Unexpected EOF reading RDB file";
    assert_eq!(check(b"REDIS"), error(early, "start", none()));

    let within = |text: &str, info: &str, figures: String| {
        let (text, ok) = error(text, info, figures);
        (format!("{BEGINNING}{text}"), ok)
    };
    // Within the value of the first key, and in front of the second.
    let place = "[offset 37] Unexpected EOF reading RDB file";
    let info = "read-object-value\n[additional info] Reading key 'key'\n[additional info] Reading type 0 (string)";
    assert_eq!(check(&FILE[..39]), within(place, info, figures(1, 0, 0, 0)));
    let place = "[offset 43] Unexpected EOF reading RDB file";
    assert_eq!(check(&FILE[..45]), within(place, "read-expire", figures(1, 0, 0, 0)));
    let mut unknown = FILE.to_vec();
    unknown[42] = 200;
    assert_eq!(check(&unknown), within("[offset 43] Invalid object type: 200", "read-type", figures(1, 0, 0, 0)));
    let mut summed = FILE.to_vec();
    *summed.last_mut().expect("a byte") = 1;
    let place = format!("[offset {}] RDB CRC error", FILE.len());
    assert_eq!(check(&summed), within(&place, "check-sum", figures(3, 1, 1, 1)));
}
