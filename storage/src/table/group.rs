//! Comparing many tags at once, and prefetching.

/// How many tags one comparison looks at. Most pages have no more, and one comparison of all tags costs less than
/// several of few: in which of these a tag is found is not to be predicted.
pub(super) const GROUP: usize = 64;

/// What one instruction compares.
const LANES: usize = 16;

/// A bit for each of the bytes of a group, from `tags` on, that equals `tag`.
///
/// # Safety
/// `GROUP` initialised bytes must be readable from `tags` on.
#[inline(always)]
pub(super) unsafe fn match_tags(tags: *const u8, tag: u8) -> u64 {
    let mut matches = 0;
    for start in (0..GROUP).step_by(LANES) {
        // SAFETY: the lanes are within the group.
        matches |= u64::from(unsafe { match_lanes(tags.add(start), tag) }) << start;
    }
    matches
}

/// A bit for each of the sixteen bytes that equals `tag`.
///
/// # Safety
/// Sixteen initialised bytes must be readable from `tags` on.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn match_lanes(tags: *const u8, tag: u8) -> u16 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
    // SAFETY: SSE2 belongs to every x86_64, the load asks for no alignment, and the caller vouches for the bytes.
    unsafe {
        let lanes = _mm_loadu_si128(tags.cast());
        _mm_movemask_epi8(_mm_cmpeq_epi8(lanes, _mm_set1_epi8(tag as i8))) as u16
    }
}

/// A bit for each of the sixteen bytes that equals `tag`.
///
/// # Safety
/// Sixteen initialised bytes must be readable from `tags` on.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn match_lanes(tags: *const u8, tag: u8) -> u16 {
    // SAFETY: the caller vouches for the bytes; an array of bytes asks for no alignment.
    match_bytes(unsafe { *tags.cast::<[u8; LANES]>() }, tag)
}

/// The same by arithmetic on two words, for processors without SSE2.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn match_bytes(lanes: [u8; LANES], tag: u8) -> u16 {
    let lanes = u128::from_le_bytes(lanes);
    match_word(lanes as u64, tag) | match_word((lanes >> 64) as u64, tag) << 8
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn match_word(word: u64, tag: u8) -> u16 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The bytes that match are zero now, and end up with their top bit alone set.
    let differs = word ^ (ONES * u64::from(tag));
    let zeros = !(((differs & LOW_SEVEN) + LOW_SEVEN) | differs | LOW_SEVEN);
    // The multiplication moves each byte's bit into the top byte, every one to a place of its own.
    ((zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
}

/// Asks the processor to bring the cache line at `address` closer. Any address will do; nothing is read.
#[inline(always)]
pub fn prefetch<P>(address: *const P) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it reads nothing that the program could see and faults on no address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_match_find_every_byte_and_no_other() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Few different values, so that matches are common and stand side by side.
            let group: [u8; GROUP] =
                std::array::from_fn(|i| [0, 1, 0x7f, 0x80, 0x81, 0xff][(state >> (i / 2)) as usize % 6]);
            for tag in [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff] {
                let expected = (0..GROUP).filter(|&i| group[i] == tag).fold(0, |bits, i| bits | 1 << i);
                // SAFETY: the array is a group.
                assert_eq!(unsafe { match_tags(group.as_ptr(), tag) }, expected, "{group:?} {tag}");
                let lanes = group.as_chunks::<LANES>().0.iter().rev();
                let portable = lanes.fold(0, |bits, lanes| bits << LANES | u64::from(match_bytes(*lanes, tag)));
                assert_eq!(portable, expected, "{group:?} {tag}");
            }
        }
    }
}
