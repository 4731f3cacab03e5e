//! Compressed strings: any bytes are read or refused, and what is compressed comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::rdb::{Cursor, save_value};
use storage::{StrRef, Value};

fuzz_target!(|input: &[u8]| {
    let Some((&length, bytes)) = input.split_first_chunk::<2>() else { return };
    let mut claimed = vec![0xc3, 0x80];
    claimed.extend((bytes.len() as u32).to_be_bytes());
    claimed.push(0x80);
    claimed.extend([0, 0, length[0], length[1]]);
    claimed.extend(bytes);
    if let Ok(text) = Cursor::new(&claimed).string() {
        assert_eq!(text.len(), usize::from(u16::from_be_bytes(length)));
    }
    let mut written = Vec::new();
    save_value(&mut written, Value::Str(StrRef::Bytes(bytes)), true);
    assert!(written.len() <= bytes.len() + 9);
    assert_eq!(Cursor::new(&written).string().as_deref(), Ok(bytes));
});
