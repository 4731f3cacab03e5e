//! LZF, the compression of strings.
//!
//! ```text
//! 000nnnnn                         n + 1 bytes as they are, which follow
//! lllooooo oooooooo                l + 2 bytes that stood o + 1 bytes before, l from 1 to 6
//! 111ooooo llllllll oooooooo       the same with l + 9 bytes
//! ```

use std::cell::RefCell;

use super::Error;

const MOST_LITERALS: usize = 32;
const MOST_COPIED: usize = 264;
const MOST_BACK: usize = 1 << 13;
/// Shorter repetitions are not worth their mark.
const LEAST_COPIED: usize = 3;

/// Three bytes may become [`MOST_COPIED`].
const MOST_GROWTH: usize = MOST_COPIED / 3;

/// Bits of the largest table of places: of as many as a repetition can be away, and some more.
const MOST_TABLE_BITS: u32 = 14;

thread_local! {
    /// Where three bytes stood last, by their hash, as distances from the start.
    static PLACES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Compresses into no more than `most` bytes, which is less than there are; `None` if they do not fit.
pub fn compress(input: &[u8], most: usize) -> Option<Vec<u8>> {
    if u32::try_from(input.len()).is_err() {
        return None;
    }
    PLACES.with_borrow_mut(|places| {
        let bits = (input.len() | 16).ilog2().min(MOST_TABLE_BITS);
        places.clear();
        places.resize(1 << bits, 0);
        Compressor { input, most, output: Vec::with_capacity(most.min(input.len())), literals: 0 }.run(places, bits)
    })
}

struct Compressor<'a> {
    input: &'a [u8],
    most: usize,
    output: Vec<u8>,
    /// Where what was not written yet begins.
    literals: usize,
}

impl Compressor<'_> {
    fn run(mut self, places: &mut [u32], bits: u32) -> Option<Vec<u8>> {
        let mut at = 0;
        while let Some([a, b, c]) = self.input.get(at..at + LEAST_COPIED) {
            let hash = (u32::from_le_bytes([*a, *b, *c, 0]).wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize;
            let before = std::mem::replace(&mut places[hash], at as u32) as usize;
            let length = self.repeated(before, at);
            if length < LEAST_COPIED {
                at += 1;
                continue;
            }
            self.copy_literals(at)?;
            self.copy_back(at - before - 1, length)?;
            at += length;
            self.literals = at;
        }
        self.copy_literals(self.input.len())?;
        Some(self.output)
    }

    /// How many bytes at a place are those at a place before it; 0 if that is none, or too far away.
    fn repeated(&self, before: usize, at: usize) -> usize {
        if before >= at || at - before > MOST_BACK {
            return 0;
        }
        let most = MOST_COPIED.min(self.input.len() - at);
        let (old, new) = (&self.input[before..before + most], &self.input[at..at + most]);
        old.iter().zip(new).take_while(|(a, b)| a == b).count()
    }

    fn copy_literals(&mut self, end: usize) -> Option<()> {
        for run in self.input[self.literals..end].chunks(MOST_LITERALS) {
            if self.output.len() + 1 + run.len() > self.most {
                return None;
            }
            self.output.push(run.len() as u8 - 1);
            self.output.extend_from_slice(run);
        }
        Some(())
    }

    fn copy_back(&mut self, distance: usize, length: usize) -> Option<()> {
        let (high, low, length) = ((distance >> 8) as u8, distance as u8, length - 2);
        if length < 7 {
            self.output.extend_from_slice(&[(length as u8) << 5 | high, low]);
        } else {
            self.output.extend_from_slice(&[7 << 5 | high, (length - 7) as u8, low]);
        }
        (self.output.len() <= self.most).then_some(())
    }
}

/// Undoes [`compress`]: `length` is how many bytes there were.
pub fn decompress(input: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    const WRONG: Error = Error::Corrupt("Invalid LZF compressed string");
    // No room is made for what cannot be.
    if length > input.len().saturating_mul(MOST_GROWTH) {
        return Err(WRONG);
    }
    let mut output: Vec<u8> = Vec::with_capacity(length);
    let mut rest = input;
    while let Some((&control, behind)) = rest.split_first() {
        let control = usize::from(control);
        if control < MOST_LITERALS {
            let (run, behind) = behind.split_at_checked(control + 1).ok_or(WRONG)?;
            if output.len() + run.len() > length {
                return Err(WRONG);
            }
            output.extend_from_slice(run);
            rest = behind;
            continue;
        }
        let (more, behind) = match (control >> 5, behind) {
            (7, [more, behind @ ..]) => (usize::from(*more), behind),
            (7, []) => return Err(WRONG),
            _ => (0, behind),
        };
        let (&low, behind) = behind.split_first().ok_or(WRONG)?;
        let copied = (control >> 5) + more + 2;
        let distance = ((control & 31) << 8 | usize::from(low)) + 1;
        let from = output.len().checked_sub(distance).ok_or(WRONG)?;
        if output.len() + copied > length {
            return Err(WRONG);
        }
        if distance >= copied {
            output.extend_from_within(from..from + copied);
        } else {
            // It repeats what it is just writing.
            (from..from + copied).for_each(|at| output.push(output[at]));
        }
        rest = behind;
    }
    if output.len() == length { Ok(output) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Redis 7.0 makes of a hundred times `a`.
    #[test]
    fn redis_wrote_this() {
        assert_eq!(decompress(b"\x01aa\xe0\x57\x00\x01aa", 100).as_deref(), Ok(&[b'a'; 100][..]));
        assert_eq!(compress(&[b'a'; 100], 96).map(|bytes| bytes.len()), Some(5));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (bytes, length) in [
            (&b"\x01aa\xe0\x57\x00\x01aa"[..], 99),
            (b"\x01aa\xe0\x57\x00\x01aa", 101),
            (b"\x01aa\xe0\x57\x00\x01a", 100),
            (b"\x01aa\xe0\x57", 96),
            (b"\x01aa\xe0", 96),
            (b"\x01aa\x20\x02", 5),
            (b"\x20\x00", 3),
            (b"", 1),
            (b"\x01aa", usize::MAX),
        ] {
            assert!(decompress(bytes, length).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(pieces in prop::collection::vec((0usize..40, any::<u8>(), 1usize..600), 0..40)) {
            // Runs, new bytes and repetitions of any length at any distance.
            let mut bytes: Vec<u8> = Vec::new();
            for (kind, byte, length) in pieces {
                match kind % 4 {
                    0 => bytes.extend(std::iter::repeat_n(byte, length)),
                    1 => bytes.extend((0..length).map(|at| ((at * usize::from(byte)) >> 3) as u8)),
                    _ => {
                        let from = (kind * 1031).min(bytes.len());
                        let to = (from + length).min(bytes.len());
                        bytes.extend_from_within(from..to);
                    }
                }
            }
            if let Some(packed) = compress(&bytes, bytes.len().saturating_sub(1)) {
                prop_assert!(packed.len() < bytes.len().max(1));
                prop_assert_eq!(decompress(&packed, bytes.len()), Ok(bytes));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60), length in 0usize..3000) {
            if let Ok(output) = decompress(&bytes, length) {
                prop_assert_eq!(output.len(), length);
            }
        }
    }
}
