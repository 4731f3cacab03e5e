//! Any bytes behind the header of a HyperLogLog, as SETRANGE can make them: PFADD, PFCOUNT and PFMERGE on them answer
//! or call them corrupt, and agree with the registers that the bytes stand for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::hyperloglog::{self as hll, Corrupt, Registers};

const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + 12_288;

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, split, low, high], rest)) = input.split_first_chunk() else { return };
    let (body, elements) = rest.split_at(rest.len().min(split.into()));
    let mut bytes = value_of(shape, body);
    if !hll::is_valid(&bytes) {
        return;
    }
    let longest = usize::from(u16::from_le_bytes([low, high]));
    let mut registers = Registers::default();
    let whole = registers.merge(&bytes);
    registers.estimate();
    hll::codes(bytes.get(..HEADER * 2).unwrap_or_default()).count();

    if let Some(estimate) = hll::cached(&bytes) {
        hll::set_cached(&mut bytes, estimate);
    }
    for element in elements.chunks(3) {
        let before = bytes.clone();
        let added = hll::add(&mut bytes, element, longest);
        hll::forget_cached(&mut bytes);
        assert!(hll::is_valid(&bytes) && hll::cached(&bytes).is_none());
        if whole.is_ok() {
            let (mut old, mut new) = (Registers::default(), Registers::default());
            assert_eq!((old.merge(&before), new.merge(&bytes)), (Ok(()), Ok(())));
            let raised = old.values().iter().zip(new.values()).filter(|(old, new)| new > old).count();
            assert!(old.values().iter().zip(new.values()).all(|(old, new)| new >= old));
            assert_eq!(added, Ok(raised == 1));
            assert_eq!(hll::add(&mut bytes, element, longest), Ok(false));
        }
    }

    // A merge into it, and it into others.
    let mut sparse = hll::new();
    elements.chunks(2).for_each(|element| _ = hll::add(&mut sparse, element, usize::MAX));
    let mut both = Registers::default();
    assert_eq!(both.merge(&sparse), Ok(()));
    let merged = both.merge(&bytes);
    assert!(whole.is_err() || merged.is_ok());
    let raised = hll::raise_all(&mut bytes, &both, longest);
    if merged.is_ok() {
        assert_eq!(raised, Ok(()));
        let mut again = Registers::default();
        assert_eq!(again.merge(&bytes), Ok(()));
        assert!(again.values() == both.values());
        assert_eq!(again.estimate(), both.estimate());
    }
    match hll::make_dense(&mut bytes) {
        Ok(_) => assert!(hll::is_dense(&bytes) && bytes.len() == DENSE_LEN),
        Err(Corrupt) => assert!(merged.is_err()),
    }
});

/// Bytes as they are; behind the header of a sparse one, with the registers that they lack; or as part of a dense one.
fn value_of(shape: u8, body: &[u8]) -> Vec<u8> {
    if shape & 3 == 0 {
        return body.to_vec();
    }
    let mut bytes = b"HYLL".to_vec();
    bytes.resize(HEADER, 0);
    bytes[4] = u8::from(shape & 3 != 3);
    bytes[HEADER - 1] = shape & 0x80;
    bytes.extend_from_slice(body);
    match shape & 3 {
        1 => {
            let covered: usize = hll::codes(&bytes).map(hll::Code::len).sum();
            if let Some(missing @ 1..) = 16_384usize.checked_sub(covered) {
                bytes.extend_from_slice(&[0x40 | ((missing - 1) >> 8) as u8, (missing - 1) as u8]);
            }
        }
        2 => {}
        _ => bytes.resize(DENSE_LEN, shape),
    }
    bytes
}
