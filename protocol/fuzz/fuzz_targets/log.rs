//! Any bytes as an append-only log: the same items as from the whole however they are read, and what was read is found
//! again when it is written anew.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use protocol::OwnedArgs;
use protocol::log::{Item, LogReader, Problem};

/// Hands out no more than so many bytes at once.
struct Piecemeal<'a>(&'a [u8], usize);

impl Read for Piecemeal<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

/// The items, where each ends, and what was wrong behind them.
fn read(log: impl Read) -> (Vec<(Vec<Vec<u8>>, u64)>, String) {
    let mut reader = LogReader::new(log, 0);
    let (mut items, mut args, mut end) = (Vec::new(), OwnedArgs::new(), 0);
    loop {
        let item = match reader.next(&mut args) {
            Ok(None) => return (items, "end".into()),
            Ok(Some(Item::Command)) => args.as_args().iter().map(<[u8]>::to_vec).collect(),
            Ok(Some(Item::Annotation(line))) => vec![line],
            Err(Problem::Io(error)) => panic!("nothing fails here: {error}"),
            Err(problem) => return (items, format!("{problem:?}")),
        };
        assert!(reader.position() > end);
        end = reader.position();
        items.push((item, end));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, log)) = data.split_first() else { return };
    let whole = read(log);
    assert_eq!(read(Piecemeal(log, usize::from(piece) + 1)), whole);
    let (items, problem) = whole;
    let end = items.last().map_or(0, |(_, end)| *end as usize);
    assert!(end <= log.len() && (problem != "end" || end == log.len()));
    // What stands in front of the damage can be read without it.
    assert_eq!(read(&log[..end]), (items, "end".into()));
});
