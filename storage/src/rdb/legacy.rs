//! Forms in which small collections were stored before the listpack: ziplists and zipmaps.

use crate::listpack::{Item, ListPackBuf};

const END: u8 = 255;

/// Reads a ziplist, showing each element; `None` if it is none.
///
/// ```text
/// [bytes in all: u32] [offset of the last entry: u32] [entries: u16, 65535 for "count them"] entry... [255]
/// entry: [length of the one before: u8, or 254 and u32] [what follows] data
/// ```
pub fn read_ziplist<'a>(bytes: &'a [u8], mut each: impl FnMut(Item<'a>)) -> Option<()> {
    const MANY: usize = u16::MAX as usize;
    let (header, _) = bytes.split_first_chunk::<10>()?;
    let [a, b, c, d, e, f, g, h, low, high] = *header;
    let (total, tail) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    let told = usize::from(u16::from_le_bytes([low, high]));
    let (mut at, mut before, mut last, mut count) = (header.len(), 0, header.len(), 0usize);
    loop {
        let rest = bytes.get(at..)?;
        if *rest.first()? == END {
            break;
        }
        let (item, length) = read_entry(rest, before)?;
        each(item);
        (last, before) = (at, length);
        at += length;
        count += 1;
    }
    let is_whole = at + 1 == bytes.len() && total == bytes.len() && tail == last;
    (is_whole && (told == MANY || told == count)).then_some(())
}

/// The element at the start of some bytes, and the length of its entry; the one before has a length, too.
fn read_entry<'a>(bytes: &'a [u8], before: usize) -> Option<(Item<'a>, usize)> {
    let (told, rest) = match *bytes {
        [254, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        [length, ref rest @ ..] => (usize::from(length), rest),
        [] => return None,
    };
    if told != before {
        return None;
    }
    let text = |rest: &'a [u8], length: usize| {
        let (text, rest) = rest.split_at_checked(length)?;
        Some((Item::Str(text), rest))
    };
    let (item, rest) = match *rest {
        [first @ 0..=0x3f, ref rest @ ..] => text(rest, first.into())?,
        [first @ 0x40..=0x7f, second, ref rest @ ..] => {
            text(rest, usize::from(first & 0x3f) << 8 | usize::from(second))?
        }
        [0x80..=0xbf, a, b, c, d, ref rest @ ..] => text(rest, u32::from_be_bytes([a, b, c, d]) as usize)?,
        [0xc0, a, b, ref rest @ ..] => (Item::Int(i16::from_le_bytes([a, b]).into()), rest),
        [0xd0, a, b, c, d, ref rest @ ..] => (Item::Int(i32::from_le_bytes([a, b, c, d]).into()), rest),
        [0xe0, a, b, c, d, e, f, g, h, ref rest @ ..] => {
            (Item::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h])), rest)
        }
        [0xf0, a, b, c, ref rest @ ..] => (Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()), rest),
        [0xfe, a, ref rest @ ..] => (Item::Int((a as i8).into()), rest),
        [first @ 0xf1..=0xfd, ref rest @ ..] => (Item::Int(i64::from(first & 0x0f) - 1), rest),
        _ => return None,
    };
    Some((item, bytes.len() - rest.len()))
}

/// A ziplist as a listpack; `None` if it is none.
pub fn ziplist_to_listpack(bytes: &[u8]) -> Option<ListPackBuf> {
    let mut pack = ListPackBuf::new();
    read_ziplist(bytes, |item| {
        pack.push_back(match item {
            Item::Str(text) => Item::from_text(text),
            number => number,
        });
    })?;
    Some(pack)
}

/// Reads a zipmap, showing each field and its value; `None` if it is none.
///
/// ```text
/// [pairs: u8, 254 for "count them"] pair... [255]
/// pair: [length] field [length] [unused bytes: u8] value unused
/// length: u8 below 254, or 254 and u32
/// ```
pub fn read_zipmap<'a>(bytes: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    const MANY: u8 = 254;
    let (&told, mut rest) = bytes.split_first()?;
    let mut count = 0usize;
    while rest.first().is_some_and(|first| *first != END) {
        let (length, behind) = zipmap_length(rest)?;
        let (field, behind) = behind.split_at_checked(length)?;
        let (length, behind) = zipmap_length(behind)?;
        let (&unused, behind) = behind.split_first()?;
        let (value, behind) = behind.split_at_checked(length)?;
        rest = behind.get(usize::from(unused)..)?;
        each(field, value);
        count += 1;
    }
    (rest == [END] && (told >= MANY || usize::from(told) == count)).then_some(())
}

fn zipmap_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [254, a, b, c, d, ref rest @ ..] => Some((u32::from_le_bytes([a, b, c, d]) as usize, rest)),
        [length @ 0..254, ref rest @ ..] => Some((usize::from(length), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ziplist(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut items = Vec::new();
        read_ziplist(bytes, |item| items.push(item.to_vec())).map(|()| items)
    }

    #[test]
    fn every_entry_of_a_ziplist() {
        let mut entries: Vec<(Vec<u8>, &[u8])> = vec![
            (b"\x02ab".to_vec(), b"ab"),
            (b"\xc0\x00\x80".to_vec(), b"-32768"),
            (b"\xd0\xff\xff\xff\x7f".to_vec(), b"2147483647"),
            (b"\xe0\0\0\0\0\0\0\0\x80".to_vec(), b"-9223372036854775808"),
            (b"\xf0\x00\x00\x80".to_vec(), b"-8388608"),
            (b"\xfe\xff".to_vec(), b"-1"),
            (b"\xf1".to_vec(), b"0"),
            (b"\xfd".to_vec(), b"12"),
        ];
        let long = [b'x'; 300];
        entries.push(([&b"\x41\x2c"[..], &long].concat(), &long));
        entries.push(([&b"\x80\0\0\x01\x2c"[..], &long].concat(), &long));
        let (mut bytes, mut before, mut last) = (vec![0; 10], 0usize, 0usize);
        for (entry, _) in &entries {
            last = bytes.len();
            match before {
                0..254 => bytes.push(before as u8),
                _ => bytes.extend([&[254][..], &(before as u32).to_le_bytes()].concat()),
            }
            bytes.extend(entry);
            before = bytes.len() - last;
        }
        bytes.push(END);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        bytes[4..8].copy_from_slice(&(last as u32).to_le_bytes());
        bytes[8] = entries.len() as u8;
        let texts: Vec<Vec<u8>> = entries.iter().map(|(_, text)| text.to_vec()).collect();
        assert_eq!(ziplist(&bytes), Some(texts.clone()));
        let pack = ziplist_to_listpack(&bytes).unwrap();
        assert_eq!(pack.as_ref().iter().map(Item::to_vec).collect::<Vec<_>>(), texts);
        // Whatever is left out of it is missed.
        for end in 0..bytes.len() {
            assert!(ziplist(&bytes[..end]).is_none());
        }
        for (place, wrong) in [(0, 1), (4, 11), (8, 3), (10, 1), (11, 0xff)] {
            let mut bytes = bytes.clone();
            bytes[place] = wrong;
            assert!(ziplist(&bytes).is_none(), "{place}");
        }
    }

    #[test]
    fn zipmaps() {
        let read = |bytes: &[u8]| {
            let mut pairs = Vec::new();
            read_zipmap(bytes, |field, value| pairs.push((field.to_vec(), value.to_vec()))).map(|()| pairs)
        };
        let pairs = vec![(b"a".to_vec(), b"bc".to_vec()), (b"".to_vec(), b"d".to_vec())];
        let bytes = b"\x02\x01a\x02\x01bc!\x00\xfe\x01\0\0\0\x00d\xff";
        assert_eq!(read(bytes), Some(pairs));
        assert_eq!(read(b"\x00\xff"), Some(Vec::new()));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_none());
        }
        assert!(read(b"\x01\xff").is_none());
    }
}
