//! Bytes from outside as a stream's node: what is accepted behaves as a sorted vector of entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::Collection;
use storage::listpack::{Item, ListPackBuf};
use storage::stream::{Keep, References, Stream, StreamId, StreamLimits, Trim};

type Entries = Vec<(StreamId, Vec<Vec<u8>>)>;

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, split, ms, seq], rest)) = input.split_first_chunk() else { return };
    let (bytes, operations) = rest.split_at(rest.len().min(split.into()));
    let first = StreamId::new(u64::from(ms) << (shape >> 2 & 56), seq.into());
    let mut stream = <Stream as Collection>::new();
    if !stream.append_node(first, node_of(shape, first, bytes)) {
        return;
    }
    stream.add_group(b"group", StreamId::MIN, None);
    let mut model = entries(&stream);
    check(&stream, &model);
    for operation in operations.chunks(4) {
        let [kind, low, high, text] = *operation else { break };
        let number = u64::from(u16::from_le_bytes([low, high]));
        let id = match model.get(usize::from(low) % (model.len() + 1)) {
            Some((id, _)) => *id,
            None => StreamId::new(number, text.into()),
        };
        match kind % 8 {
            0 | 1 => {
                let fields = [&[text][..], b"value", b"name", &[low, high]];
                let fields = &fields[..if kind & 8 == 0 { 2 } else { 4 }];
                let limits = StreamLimits { bytes: 4096, entries: usize::from(kind >> 4) };
                let last = stream.entries().last_id();
                let id = StreamId::new(last.ms.saturating_add(number & 3), u64::from(text));
                assert_eq!(stream.append(id, fields, limits), id > last);
                if id > last {
                    model.push((id, fields.iter().map(|text| text.to_vec()).collect()));
                }
            }
            2 | 3 => {
                let before = model.len();
                model.retain(|(other, _)| *other != id);
                assert_eq!(stream.remove(id), model.len() < before);
            }
            4 => {
                let trim = Trim {
                    keep: Keep::From(id),
                    approximate: false,
                    limit: 0,
                    references: if kind & 8 == 0 { References::Keep } else { References::Delete },
                };
                let before = model.len();
                model.retain(|(other, _)| *other >= id);
                assert_eq!(stream.trim(trim), before - model.len());
            }
            5 => {
                let keep = usize::from(text) % 16;
                let trim = Trim {
                    keep: Keep::Last(keep),
                    approximate: kind & 8 != 0,
                    limit: usize::from(kind >> 4),
                    references: References::Keep,
                };
                let removed = stream.trim(trim);
                assert!(removed <= model.len().saturating_sub(keep));
                model.drain(..removed);
            }
            6 => {
                let (entries, group) = stream.group_mut(b"group").expect("the group");
                let (consumer, _) = group.find_or_add(b"consumer", 0);
                group.deliver(entries, consumer, usize::from(text), kind & 8 == 0, 1, |_| {});
                group.acknowledge(id);
                group.lag(entries);
            }
            _ => {
                let within = model.iter().filter(|(other, _)| *other >= id).map(|(other, _)| *other);
                assert!(stream.entries().range(id, StreamId::MAX).map(|entry| entry.id).eq(within));
                assert_eq!(stream.entries().get(id).is_some(), model.iter().any(|(other, _)| *other == id));
            }
        }
        check(&stream, &model);
    }
    let mut copy = <Stream as Collection>::new();
    assert!(stream.entries().node_bytes().all(|(first, bytes)| copy.append_node(first, bytes.to_vec())));
    assert_eq!(entries(&copy), model);
});

/// Bytes as they are; items chosen by them; or the node of a real stream with a few bytes changed.
fn node_of(shape: u8, first: StreamId, bytes: &[u8]) -> Vec<u8> {
    match shape & 3 {
        0 => bytes.to_vec(),
        1 => {
            let mut pack = ListPackBuf::new();
            for byte in bytes {
                match byte {
                    0xf0.. => pack.push_back(Item::Str(&b"name of a field"[..usize::from(byte & 15)])),
                    0xe0.. => pack.push_back(Item::Int(-i64::from(byte & 15))),
                    _ => pack.push_back(Item::Int((*byte).into())),
                }
            }
            pack.into_vec()
        }
        form => {
            let mut stream = <Stream as Collection>::new();
            let (entries, changes) = bytes.split_at(bytes.len() / 2);
            let mut id = first;
            for entry in entries {
                let fields = [&b"name"[..], &[*entry], b"other", b"300"];
                let fields = &fields[if entry & 1 == 0 { 0 } else { 2 }..];
                stream.append(id, fields, StreamLimits { bytes: 0, entries: 0 });
                if entry & 6 == 6 {
                    stream.remove(id);
                }
                id = StreamId::new(id.ms.saturating_add(u64::from(entry & 1)), id.seq.wrapping_add(u64::from(*entry)));
            }
            let mut node = stream.entries().node_bytes().next().map_or(Vec::new(), |(_, bytes)| bytes.to_vec());
            if form == 3 {
                for change in changes.chunks_exact(2) {
                    let at = usize::from(change[0]);
                    node.get_mut(at).into_iter().for_each(|byte| *byte = change[1]);
                }
            }
            node
        }
    }
}

fn entries(stream: &Stream) -> Entries {
    let fields = |entry: storage::stream::Entry<'_>| {
        entry.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect::<Vec<_>>()
    };
    stream.entries().iter().map(|entry| (entry.id, fields(entry))).collect()
}

fn check(stream: &Stream, model: &Entries) {
    assert_eq!(entries(stream), *model);
    assert_eq!(stream.len(), model.len());
    let back = stream.entries().range_back(StreamId::MIN, StreamId::MAX).map(|entry| (entry.id, entry.len() * 2));
    assert!(back.eq(model.iter().rev().map(|(id, fields)| (*id, fields.len()))));
    assert!(model.is_sorted_by(|(a, _), (b, _)| a < b));
    assert_eq!(stream.entries().first_id(), model.first().map_or(StreamId::MIN, |(id, _)| *id));
    stream.entries().radix_nodes();
}
