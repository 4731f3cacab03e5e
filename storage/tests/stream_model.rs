//! Streams against sorted vectors of entries and maps of what is pending, under long random sequences of changes.

mod seed;

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::SmallRng;
use seed::Seed;
use storage::Collection;
use storage::stream::{ConsumerAt, Deletion, Entry, Keep, References, Stream, StreamId, StreamLimits, Trim};

type Fields = Vec<Vec<u8>>;

#[derive(Default)]
struct ModelGroup {
    last_id: StreamId,
    /// Owner, time, deliveries.
    pending: BTreeMap<StreamId, (Option<Vec<u8>>, i64, i64)>,
    consumers: BTreeMap<Vec<u8>, ConsumerAt>,
}

#[derive(Default)]
struct Model {
    entries: Vec<(StreamId, Fields)>,
    last_id: StreamId,
    max_deleted: StreamId,
    added: u64,
    groups: BTreeMap<Vec<u8>, ModelGroup>,
}

impl Model {
    fn is_done_with(&self, id: StreamId) -> bool {
        self.groups.values().all(|group| id <= group.last_id && !group.pending.contains_key(&id))
    }

    fn forget(&mut self, id: StreamId) {
        self.groups.values_mut().for_each(|group| {
            group.pending.remove(&id);
        });
    }
}

fn text(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..20) {
        0 => vec![b'x'; random.random_range(0..600)],
        1..8 => random.random_range(-200..200_000i64).to_string().into_bytes(),
        _ => (0..random.random_range(0..12)).map(|_| random.random()).collect(),
    }
}

fn fields(random: &mut SmallRng) -> Fields {
    let mut fields = Vec::new();
    // Mostly the same names as the ones before.
    for name in 0..random.random_range(1..5).max(2) {
        fields.push(if random.random_ratio(1, 12) { text(random) } else { format!("name{name}").into_bytes() });
        fields.push(text(random));
    }
    fields
}

fn owned(entry: Entry<'_>) -> (StreamId, Fields) {
    let fields: Fields = entry.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect();
    assert_eq!(fields.len(), 2 * entry.len());
    (entry.id, fields)
}

fn check(stream: &Stream, model: &Model, random: &mut SmallRng) {
    let entries = stream.entries();
    assert_eq!(stream.len(), model.entries.len());
    assert!(entries.iter().map(owned).eq(model.entries.iter().cloned()));
    let back = entries.range_back(StreamId::MIN, StreamId::MAX).map(owned);
    assert!(back.eq(model.entries.iter().rev().cloned()));
    assert_eq!(entries.last().map(|entry| entry.id), model.entries.last().map(|(id, _)| *id));
    assert_eq!(entries.first_id(), model.entries.first().map_or(StreamId::MIN, |(id, _)| *id));
    assert_eq!((entries.last_id(), entries.max_deleted_id()), (model.last_id, model.max_deleted));
    assert_eq!(entries.added(), model.added);
    for _ in 0..4 {
        let (from, to) = (some_id(model, random), some_id(model, random));
        let within = || model.entries.iter().filter(|(id, _)| (from..=to).contains(id)).map(|(id, _)| *id);
        assert!(entries.range(from, to).map(|entry| entry.id).eq(within()));
        let mut within: Vec<StreamId> = within().collect();
        within.reverse();
        assert!(entries.range_back(from, to).map(|entry| entry.id).eq(within));
        let expected = model.entries.iter().find(|(id, _)| *id == from).cloned();
        assert_eq!(entries.get(from).map(owned), expected);
    }
    let mut copy = Stream::new();
    assert!(entries.node_bytes().all(|(first, bytes)| copy.append_node(first, bytes.to_vec())));
    assert!(copy.entries().iter().map(owned).eq(model.entries.iter().cloned()));
    assert_eq!((copy.len(), copy.entries().first_id()), (stream.len(), entries.first_id()));
    assert!(stream.groups().map(|(name, _)| name).eq(model.groups.keys().map(Vec::as_slice)));
    for (name, expected) in &model.groups {
        let group = stream.group(name).expect("the group");
        assert_eq!((group.last_id, group.pending_len()), (expected.last_id, expected.pending.len()));
        let all = group.pending_range(StreamId::MIN..=StreamId::MAX).map(|(id, pending)| {
            let owner = group.owner(pending).map(|owner| owner.name().to_vec());
            (id, (owner, pending.delivered_ms, pending.deliveries))
        });
        assert!(all.eq(expected.pending.iter().map(|(id, pending)| (*id, pending.clone()))));
        let released = expected.pending.values().filter(|(owner, ..)| owner.is_none()).count();
        assert_eq!(group.released_len(), released);
        assert_eq!(group.oldest_delivery(), expected.pending.values().map(|pending| pending.1).min());
        assert!(group.consumers().map(|one| one.name()).eq(expected.consumers.keys().map(Vec::as_slice)));
        for consumer in group.consumers() {
            let own = expected.pending.iter().filter(|(_, pending)| pending.0.as_deref() == Some(consumer.name()));
            assert!(consumer.pending().iter().eq(own.map(|(id, _)| id)));
        }
    }
}

/// An entry's ID, one near it, or any.
fn some_id(model: &Model, random: &mut SmallRng) -> StreamId {
    let near = |id: StreamId, choice: u8| match choice {
        0 => id.next().unwrap_or(id),
        1 => id.previous().unwrap_or(id),
        _ => id,
    };
    match model.entries.len() {
        0 => StreamId::new(random.random_range(0..5), random.random_range(0..5)),
        len => near(model.entries[random.random_range(0..len)].0, random.random_range(0..6)),
    }
}

fn trim(stream: &mut Stream, model: &mut Model, random: &mut SmallRng) {
    let len = model.entries.len();
    let keep = match random.random() {
        true => Keep::Last(random.random_range(len / 2..=len + 1)),
        false => Keep::From(some_id(model, random)),
    };
    let references = [References::Keep, References::Delete, References::Acknowledged][random.random_range(0..3usize)];
    let limit = if random.random_ratio(1, 4) { random.random_range(1..30) } else { 0 };
    let approximate = random.random();
    let removed = stream.trim(Trim { keep, approximate, limit, references });
    let left: Vec<StreamId> = stream.entries().iter().map(|entry| entry.id).collect();
    assert_eq!(removed, len - left.len());
    // What an exact trim removes, in order. An approximate or limited one removes the first of these.
    let mut most = match keep {
        Keep::Last(count) => len.saturating_sub(count),
        Keep::From(_) => len,
    };
    let doomed = model.entries.iter().map(|(id, _)| *id).filter(|id| {
        let goes = match keep {
            Keep::Last(_) => most > 0,
            Keep::From(least) => *id < least,
        };
        let goes =
            goes && (references != References::Acknowledged || model.groups.is_empty() || model.is_done_with(*id));
        most -= usize::from(goes);
        goes
    });
    let doomed: Vec<StreamId> = doomed.collect();
    if approximate || limit > 0 {
        assert!(removed <= doomed.len() && (limit == 0 || removed <= limit));
    } else {
        assert_eq!(removed, doomed.len());
    }
    for id in &doomed[..removed] {
        model.entries.retain(|(other, _)| other != id);
        if references == References::Delete {
            model.forget(*id);
        }
    }
    // What was deleted one by one before may be referred to still: whether that goes depends on the nodes.
    if references == References::Delete {
        for (name, group) in &mut model.groups {
            let real = stream.group(name).expect("the group");
            let from = left.first().copied().unwrap_or(StreamId::MAX);
            group.pending.retain(|id, _| *id >= from || real.pending(*id).is_some());
        }
    }
}

fn in_groups(stream: &mut Stream, model: &mut Model, random: &mut SmallRng, now_ms: i64) {
    let name = format!("group{}", random.random_range(0..3)).into_bytes();
    let who = format!("consumer{}", random.random_range(0..4)).into_bytes();
    let id = some_id(model, random);
    if !model.groups.contains_key(&name) {
        let last_id = if random.random() { StreamId::MIN } else { model.last_id };
        assert!(stream.add_group(&name, last_id, None) && !stream.add_group(&name, last_id, None));
        model.groups.insert(name, ModelGroup { last_id, ..ModelGroup::default() });
        return;
    }
    if random.random_ratio(1, 60) {
        assert!(stream.remove_group(&name) && !stream.remove_group(&name));
        model.groups.remove(&name);
        return;
    }
    let group = model.groups.get_mut(&name).expect("checked above");
    let (entries, real) = stream.group_mut(&name).expect("the group");
    let (at, made) = real.find_or_add(&who, now_ms);
    assert_eq!(made, group.consumers.insert(who.clone(), at).is_none());
    match random.random_range(0..12) {
        0..5 => {
            let (count, keep) = (random.random_range(1..20), random.random_ratio(7, 8));
            let new: Vec<(StreamId, Fields)> =
                model.entries.iter().filter(|(id, _)| *id > group.last_id).take(count).cloned().collect();
            let mut shown = Vec::new();
            let delivered = real.deliver(entries, at, count, keep, now_ms, |entry| shown.push(owned(entry)));
            assert_eq!((delivered, &shown), (new.len(), &new));
            for (id, _) in new {
                group.last_id = id;
                if keep {
                    group.pending.insert(id, (Some(who.clone()), now_ms, 1));
                }
            }
        }
        5..7 => assert_eq!(real.acknowledge(id), group.pending.remove(&id).is_some()),
        7 => {
            real.assign(id, at, now_ms, 5);
            group.pending.insert(id, (Some(who), now_ms, 5));
        }
        8 => {
            real.release(id, 2);
            group.pending.insert(id, (None, 0, 2));
        }
        9 => {
            let mut shown = Vec::new();
            real.deliver_again(entries, at, id, 5, now_ms, |id, entry| shown.push((id, entry.map(owned))));
            let mut expected = Vec::new();
            let own = group.pending.iter_mut().filter(|(_, pending)| pending.0.as_ref() == Some(&who));
            for (pending_id, pending) in own.filter(|(other, _)| **other > id).take(5) {
                let entry = model.entries.iter().find(|(other, _)| other == pending_id).cloned();
                if entry.is_some() {
                    (pending.1, pending.2) = (now_ms, pending.2 + 1);
                }
                expected.push((*pending_id, entry));
            }
            assert_eq!(shown, expected);
        }
        10 => {
            let mut order: Vec<(i64, StreamId)> = group.pending.iter().map(|(id, pending)| (pending.1, *id)).collect();
            order.sort();
            let until = now_ms - random.random_range(0..50);
            let idle = order.iter().filter(|(delivered, _)| *delivered <= until).map(|(_, id)| *id);
            assert!(real.idle_since(until).eq(idle));
        }
        _ => {
            let own = group.pending.values().filter(|pending| pending.0.as_ref() == Some(&who)).count();
            assert_eq!(real.remove_consumer(&who), Some(own));
            assert_eq!(real.remove_consumer(&who), None);
            group.pending.retain(|_, pending| pending.0.as_ref() != Some(&who));
            group.consumers.remove(&who);
        }
    }
}

#[test]
fn behaves_as_the_model() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for (bytes, entries) in [(4096, 100), (0, 5), (0, 1), (300, 0), (1, 100), (0, 300)] {
        let limits = StreamLimits { bytes, entries };
        let (mut stream, mut model) = (Stream::new(), Model::default());
        for step in 0..1200 {
            match random.random_range(0..if step < 700 { 12 } else { 16 }) {
                0..5 => {
                    let id = match random.random_range(0..4) {
                        0 => StreamId::new(model.last_id.ms + random.random_range(0..100_000), 0),
                        1 => model.last_id.next().expect("not the last one"),
                        _ => StreamId::new(model.last_id.ms + 1, random.random_range(0..3)),
                    };
                    let fields = fields(&mut random);
                    let texts: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
                    let above = id > model.last_id;
                    assert_eq!(stream.append(id, &texts, limits), above);
                    if above {
                        model.entries.push((id, fields));
                        (model.last_id, model.added) = (id, model.added + 1);
                    }
                }
                5..9 => in_groups(&mut stream, &mut model, &mut random, 1000 + step),
                9 => {
                    let id = some_id(&model, &mut random);
                    let before = model.entries.len();
                    model.entries.retain(|(other, _)| *other != id);
                    let removed = model.entries.len() < before;
                    assert_eq!(stream.remove(id), removed);
                    model.max_deleted = model.max_deleted.max(if removed { id } else { StreamId::MIN });
                }
                10 => {
                    let id = some_id(&model, &mut random);
                    let there = model.entries.iter().any(|(other, _)| *other == id);
                    let acknowledged = !model.groups.is_empty() && model.is_done_with(id);
                    let references = if random.random() { References::Delete } else { References::Acknowledged };
                    let expected = match references {
                        _ if !there => Deletion::NotFound,
                        References::Acknowledged if !acknowledged => Deletion::Needed,
                        _ => Deletion::Deleted,
                    };
                    assert_eq!(stream.remove_with(id, references), expected);
                    if references == References::Delete {
                        model.forget(id);
                    }
                    if expected == Deletion::Deleted {
                        model.entries.retain(|(other, _)| *other != id);
                        model.max_deleted = model.max_deleted.max(id);
                    }
                }
                _ if random.random_ratio(1, 3) => trim(&mut stream, &mut model, &mut random),
                _ => {}
            }
            if step % 10 == 0 || step > 1150 {
                check(&stream, &model, &mut random);
            }
        }
        check(&stream.clone(), &model, &mut random);
        assert!(stream.memory() > 0 && stream.free_effort() > 0);
    }
}

/// The distance and the lag against counting, where they are told at all.
#[test]
fn lags_are_right_where_they_are_known() {
    let seed = Seed::pick();
    let mut random = seed.rng();
    for _ in 0..200 {
        let mut stream = Stream::new();
        stream.add_group(b"g", StreamId::MIN, None);
        for ms in 1..30 {
            match random.random_range(0..5) {
                0 => {
                    let (entries, group) = stream.group_mut(b"g").expect("the group");
                    let (at, _) = group.find_or_add(b"c", 0);
                    group.deliver(entries, at, random.random_range(1..4), true, 0, |_| {});
                }
                1 if random.random_ratio(1, 3) => {
                    stream.remove(StreamId::new(random.random_range(0..=ms), 1));
                }
                _ => {
                    let limits = StreamLimits { bytes: 4096, entries: 5 };
                    stream.append(StreamId::new(ms, 1), &[b"a", b"b"], limits);
                }
            }
            let group = stream.group(b"g").expect("the group");
            let behind = stream.entries().iter().filter(|entry| entry.id > group.last_id).count();
            if let Some(lag) = group.lag(stream.entries()) {
                assert_eq!(lag, behind as i64);
            }
        }
    }
}
