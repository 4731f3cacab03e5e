//! Files: what is written is read again, whatever pieces it comes in, and damage is noticed.

mod samples;
mod seed;

use std::io::{self, Read};

use rand::RngExt;
use rand::rngs::SmallRng;
use storage::Keyspace;
use storage::rdb::file::{FileError, FileReader, FileWriter, Note, Options};

use samples::{DATABASES, NOW_MS, contents, limits, loaded, store};

fn filled(random: &mut SmallRng, keys: usize) -> Keyspace {
    let keyspace = Keyspace::new(DATABASES);
    let mut view = keyspace.view_all(0, NOW_MS);
    for number in 0..keys {
        view.select(random.random_range(0..DATABASES));
        store(&mut view, format!("key:{number}").as_bytes(), random);
    }
    drop(view);
    keyspace
}

fn saved(keyspace: &Keyspace, compress: bool, checksum: bool) -> Vec<u8> {
    let mut view = keyspace.view_all(0, NOW_MS);
    let mut writer = FileWriter::new(Vec::new(), Options { compress, checksum, timed: view.has_timed() });
    writer.aux("name", "value");
    writer.function(b"code");
    view.save(&mut writer, true);
    writer.finish().expect("memory takes everything")
}

/// Gives a few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    most: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

#[test]
fn what_is_written_is_read_again() {
    let seed = seed::Seed::pick();
    let mut random = seed.rng();
    for round in 0..30 {
        let keyspace = filled(&mut random, [0, 1, 40, 400][round % 4]);
        let (compress, checksum) = (random.random(), random.random());
        let file = saved(&keyspace, compress, checksum);
        let input = Trickle { bytes: &file, most: random.random_range(1..100_000) };
        let (copy, notes) = loaded(input).expect("it is whole");
        assert_eq!(notes[..2], [Note::Aux(b"name".to_vec(), b"value".to_vec()), Note::Function(b"code".to_vec())]);
        assert_eq!(notes.contains(&Note::NoChecksum), !checksum);
        let (before, after) = (contents(&keyspace), contents(&copy));
        assert_eq!(after.len(), before.len());
        for ((name, before), (other, after)) in before.iter().zip(&after) {
            assert_eq!((name, before), (other, after));
        }
    }
}

/// Reads everything, and tells whether that could be done.
fn is_whole(input: &[u8]) -> bool {
    let read = || -> Result<(), FileError> {
        let mut reader = FileReader::new(input, DATABASES)?;
        while let Some(batch) = reader.next_batch()? {
            batch.entries().try_for_each(|entry| entry?.load(&limits()).map(drop))?;
        }
        Ok(())
    };
    read().is_ok()
}

#[test]
fn every_damage_is_noticed() {
    let seed = seed::Seed::pick();
    let mut random = seed.rng();
    let keyspace = filled(&mut random, 12);
    let file = saved(&keyspace, true, true);
    assert!(is_whole(&file));
    for end in (0..file.len()).filter(|end| end % 7 == 0 || file.len() - end < 20) {
        assert!(!is_whole(&file[..end]), "cut off at {end}");
    }
    for _ in 0..1000 {
        let mut damaged = file.clone();
        damaged[random.random_range(0..file.len())] ^= 1 << random.random_range(0..8);
        assert!(!is_whole(&damaged));
    }
    // Without a checksum it may be noticed or not, but does no harm.
    let file = saved(&keyspace, true, false);
    for _ in 0..1000 {
        let mut damaged = file.clone();
        damaged[random.random_range(0..file.len())] = random.random();
        is_whole(&damaged);
    }
}
