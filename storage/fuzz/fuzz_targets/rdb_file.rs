//! Bytes from outside as a file: what can be read of it is stored, and saved again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::list::NodeLimit;
use storage::rdb::Limits;
use storage::rdb::file::{FileError, FileReader, FileWriter, Options};
use storage::set::SetLimits;
use storage::{Keyspace, PackLimits};

const DATABASES: usize = 3;

fuzz_target!(|input: &[u8]| {
    let packed = PackLimits { entries: 16, value: 32 };
    let limits =
        Limits { list: NodeLimit::new(-2), set: SetLimits { ints: 16, packed }, zset: packed, hash: packed };
    let keyspace = Keyspace::new(DATABASES);
    let file = [b"REDIS0012", input].concat();
    let mut keys = 0;
    let mut load = || -> Result<(), FileError> {
        let mut reader = FileReader::new(file.as_slice(), DATABASES)?;
        while let Some(batch) = reader.next_batch()? {
            let mut view = keyspace.view_all(0, 0);
            for entry in batch.entries() {
                let entry = entry?;
                let Some(value) = entry.load(&limits)? else { continue };
                view.select(entry.attributes.db);
                let key = keyspace.key(&entry.key);
                let expiry = entry.attributes.expiry.filter(|when| *when >= 0);
                keys += usize::from(view.load(&key, value, expiry, entry.attributes.usage, false));
            }
        }
        Ok(())
    };
    // Keys before the damage are there.
    let _ = load();
    let mut view = keyspace.view_all(0, 0);
    assert_eq!(view.total_keys(), keys);
    let mut writer = FileWriter::new(Vec::new(), Options { compress: true, checksum: true, timed: view.has_timed() });
    view.save(&mut writer, false);
    let saved = writer.finish().expect("memory takes everything");
    let mut reader = FileReader::new(saved.as_slice(), DATABASES).expect("it was just written");
    let mut again = 0;
    while let Some(batch) = reader.next_batch().expect("it was just written") {
        again += batch.entries().count();
    }
    assert_eq!(again, keys);
});
