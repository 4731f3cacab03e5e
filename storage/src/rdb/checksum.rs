//! The checksum of payloads and files: a CRC of 64 bits with the polynomial of Jones.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

/// Sixteen tables: sixteen bytes in one step.
type Tables = Table<16>;

static CRC: Crc<u64, Tables> = Crc::<u64, Tables>::new(&CRC_64_REDIS);

/// A checksum of what has been seen so far.
pub struct Checksum(Digest<'static, u64, Tables>);

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> u64 {
        CRC.checksum(bytes)
    }

    /// The checksum of nothing yet.
    pub fn new() -> Checksum {
        Checksum(CRC.digest())
    }

    /// Goes on with more bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes that were added.
    pub fn finish(self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_by_bit() {
        let slow = |bytes: &[u8]| {
            bytes.iter().fold(0u64, |crc, byte| {
                (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
                    (crc >> 1) ^ if crc & 1 == 1 { 0x95ac9329ac4bc9b5 } else { 0 }
                })
            })
        };
        let bytes: Vec<u8> = (0..1000u32).map(|number| ((number * 7) >> 2) as u8).collect();
        for end in [0, 1, 9, 15, 16, 17, 500, 1000] {
            let mut pieces = Checksum::new();
            bytes[..end].chunks(7).for_each(|piece| pieces.add(piece));
            assert_eq!(Checksum::of(&bytes[..end]), slow(&bytes[..end]));
            assert_eq!(pieces.finish(), slow(&bytes[..end]));
        }
    }
}
