//! HyperLogLogs: how many different elements were seen, estimated from 16384 registers of six bits.
//!
//! They live in strings, in Redis's own form, so that a value made by Redis goes on being counted:
//!
//! ```text
//! "HYLL" [0: dense, 1: sparse] [3 unused bytes] [the last estimate: u64, its highest bit set if it is out of date]
//! [registers: dense, six bits each; or sparse, a run of codes]
//! ```

mod estimate;
mod hash;
mod sparse;

use hash::murmur64;

pub use sparse::Code;

const REGISTERS: usize = 1 << 14;
const INDEX_BITS: u32 = 14;
/// Bits of a hash that are not the register's number.
const PATTERN_BITS: u32 = 64 - INDEX_BITS;
const SEED: u64 = 0xadc8_3b19;

const HEADER: usize = 16;
const ENCODING: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;
const OUT_OF_DATE: u8 = 1 << 7;

/// The string is not what it says it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

/// A HyperLogLog with its registers spelled out.
pub struct Registers([u8; REGISTERS]);

/// Whether a string is a HyperLogLog by its header; its registers may still be corrupt.
pub fn is_valid(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.starts_with(b"HYLL")
        && match bytes[ENCODING] {
            DENSE => bytes.len() == DENSE_LEN,
            encoding => encoding == SPARSE,
        }
}

pub fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(ENCODING) == Some(&DENSE)
}

/// An empty one.
pub fn new() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(b"HYLL");
    bytes[ENCODING] = SPARSE;
    Code::Zeros(REGISTERS).write(&mut bytes);
    bytes
}

/// The last estimate, if it is up to date.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cache = u64::from_le_bytes(bytes.get(8..HEADER)?.try_into().ok()?);
    (cache >> 63 == 0).then_some(cache)
}

pub fn set_cached(bytes: &mut [u8], estimate: u64) {
    bytes[8..HEADER].copy_from_slice(&estimate.to_le_bytes());
}

pub fn forget_cached(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= OUT_OF_DATE;
}

/// The register of an element, and the value that it wants there.
fn place_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur64(element, SEED);
    let pattern = hash >> INDEX_BITS | 1 << PATTERN_BITS;
    ((hash as usize) & (REGISTERS - 1), pattern.trailing_zeros() as u8 + 1)
}

/// Adds an element to a dense one. Tells whether that changed it.
pub fn add_dense(bytes: &mut [u8], element: &[u8]) -> bool {
    let (index, value) = place_of(element);
    raise(bytes, index, value)
}

/// Adds an element. Tells whether that changed it. A sparse one becomes dense when it would be longer than `longest`.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], longest: usize) -> Result<bool, Corrupt> {
    let (index, value) = place_of(element);
    raise_any(bytes, index, value, longest)
}

fn raise_any(bytes: &mut Vec<u8>, index: usize, value: u8, longest: usize) -> Result<bool, Corrupt> {
    if !is_dense(bytes) {
        if let Some(changed) = sparse::raise(bytes, index, value, longest)? {
            return Ok(changed);
        }
        make_dense(bytes)?;
    }
    Ok(raise(bytes, index, value))
}

/// The bytes and the shift that a register of a dense one lies at.
fn spot(index: usize) -> (usize, u32) {
    (HEADER + index * 6 / 8, (index * 6 % 8) as u32)
}

fn register(bytes: &[u8], index: usize) -> u8 {
    let (at, shift) = spot(index);
    let pair = u16::from(bytes[at]) | u16::from(bytes.get(at + 1).copied().unwrap_or(0)) << 8;
    (pair >> shift) as u8 & 63
}

/// Sets a register of a dense one, if that is higher than what is there.
fn raise(bytes: &mut [u8], index: usize, value: u8) -> bool {
    if register(bytes, index) >= value {
        return false;
    }
    let (at, shift) = spot(index);
    let (mask, bits) = (63u16 << shift, u16::from(value) << shift);
    bytes[at] = bytes[at] & !(mask as u8) | bits as u8;
    if let Some(next) = bytes.get_mut(at + 1) {
        *next = *next & !((mask >> 8) as u8) | (bits >> 8) as u8;
    }
    true
}

/// Spells out the registers of a sparse one. Tells whether it was one.
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if is_dense(bytes) {
        return Ok(false);
    }
    let mut registers = Registers::default();
    registers.merge(bytes)?;
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[ENCODING] = DENSE;
    for (index, value) in registers.0.iter().enumerate().filter(|(_, value)| **value > 0) {
        raise(&mut dense, index, *value);
    }
    *bytes = dense;
    Ok(true)
}

/// Raises every register to at least what `registers` has.
pub fn raise_all(bytes: &mut Vec<u8>, registers: &Registers, longest: usize) -> Result<(), Corrupt> {
    for (index, value) in registers.0.iter().enumerate().filter(|(_, value)| **value > 0) {
        raise_any(bytes, index, *value, longest)?;
    }
    Ok(())
}

/// The codes of a sparse one.
pub fn codes(bytes: &[u8]) -> impl Iterator<Item = Code> {
    sparse::codes(bytes.get(HEADER..).unwrap_or_default()).map(|(code, _)| code)
}

impl Default for Registers {
    fn default() -> Registers {
        Registers([0; REGISTERS])
    }
}

impl Registers {
    /// Raises every register to at least what a HyperLogLog has.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        if is_dense(bytes) {
            for (index, value) in self.0.iter_mut().enumerate() {
                *value = register(bytes, index).max(*value);
            }
            return Ok(());
        }
        let mut index = 0;
        for code in codes(bytes) {
            let run = self.0.get_mut(index..index + code.len()).ok_or(Corrupt)?;
            if let Code::Values(value, _) = code {
                run.iter_mut().for_each(|register| *register = value.max(*register));
            }
            index += code.len();
        }
        if index == REGISTERS { Ok(()) } else { Err(Corrupt) }
    }

    pub fn values(&self) -> &[u8] {
        &self.0
    }

    /// How many different elements it has seen, about.
    pub fn estimate(&self) -> u64 {
        let mut counts = [0u32; 64];
        self.0.iter().for_each(|value| counts[usize::from(value & 63)] += 1);
        estimate::from_histogram(&counts)
    }
}
