//! `POST /dashboard/value`: what a key holds, as much of it as people can read. Commands reply with whole elements,
//! however long these are; here they are cut where they lie, so that a look costs next to nothing.

use hyper::StatusCode;
use hyper::body::Bytes;
use protocol::{DoubleText, OwnedArgs, ReplyFrame};
use storage::listpack::Item;
use storage::stream::{Entry as StreamEntry, StreamId};
use storage::{Entry, Value};

use super::look::{Look, array, check, facts, look, number, text};
use crate::http::answer::{Answer, Failure, bad, json};
use crate::http::json::{error_text, write_outcome};
use crate::http::request::Format;
use crate::http::session::Session;

/// So many bytes of a string are shown.
const STRING: usize = 64 * 1024;
/// So many elements of a collection are shown,
const ELEMENTS: usize = 100;
/// so many fields of each entry of a stream,
const FIELDS: usize = 50;
/// so many bytes of each of these,
const PART: usize = 4 * 1024;
/// and no further element once so many bytes are there.
const TOTAL: usize = 512 * 1024;

/// Answers about the key that is the body, whatever bytes it is made of, with a list: type, memory and remaining time
/// ([`facts`]), encoding, length, and the elements. For a key that is not there the answer is `null`.
///
/// An element is a list of parts:
/// - of a list or a set, and of a string, which is one element: itself;
/// - of a hash: the field and its value;
/// - of a sorted set, the highest first: the member and its score;
/// - of a stream, the newest first: the ID, the number of fields, and fields and values in turn.
///
/// A part that was cut is a list of its beginning and its length.
pub async fn value(session: &mut Session, key: &Bytes, format: Format) -> Result<Answer, Failure> {
    let Format::Json(encoding) = format else { return bad("ERR values are told in JSON only") };
    // By a command, so that whatever speaks against it speaks against this.
    let asked = session.ask(&OwnedArgs::from_iter([&b"MEMORY"[..], b"USAGE", key])).await?;
    if let Some(error) = error_text(&asked) {
        return bad(error);
    }
    // Who may have all of it may have a part.
    check(session, "dump", &OwnedArgs::from_iter([&b"DUMP"[..], key])).or_else(bad)?;
    let shown = match look(session, key, describe) {
        Look::Seen(shown) => shown,
        Look::Missing => ReplyFrame::Null,
        Look::Held => return bad(session.executor.server.scripts.busy_error()),
    };
    let mut out = Vec::new();
    write_outcome(&shown, encoding, &mut out)?;
    Ok(json(StatusCode::OK, out))
}

fn describe(entry: Entry<'_>, now_ms: i64) -> ReplyFrame {
    let (length, elements) = elements(entry.value(), now_ms);
    let mut shown = facts(entry, now_ms).to_vec();
    shown.extend([text(entry.encoding().as_bytes()), number(length as i64), array(elements)]);
    array(shown)
}

/// How many elements there are (of a string: bytes), and what is shown of them.
fn elements(value: Value<'_>, now_ms: i64) -> (usize, Vec<ReplyFrame>) {
    let mut page = Page::default();
    let length = match value {
        Value::Str(string) => {
            let digits = &mut itoa::Buffer::new();
            let bytes = string.bytes(digits);
            page.elements.push(array(vec![beginning(bytes, STRING)]));
            bytes.len()
        }
        Value::List(list) => {
            page.fill(list.iter(), |page, element| vec![page.part(element)]);
            list.len()
        }
        Value::Set(set) => {
            page.fill(set.iter(), |page, member| vec![page.part(member)]);
            set.len()
        }
        Value::Hash(hash) => {
            let alive = hash.iter().filter(|(_, _, expiry)| expiry.is_none_or(|deadline| deadline > now_ms));
            page.fill(alive, |page, (field, value, _)| vec![page.part(field), page.part(value)]);
            hash.len()
        }
        Value::Zset(zset) => {
            let highest_first = zset.iter_back_from(zset.len().saturating_sub(1));
            page.fill(highest_first, |page, (member, score)| {
                vec![page.part(member), text(DoubleText::new(score).as_bytes())]
            });
            zset.len()
        }
        Value::Stream(stream) => {
            let newest_first = stream.entries().range_back(StreamId::MIN, StreamId::MAX);
            page.fill(newest_first, stream_entry);
            stream.len()
        }
    };
    (length, page.elements)
}

fn stream_entry(page: &mut Page, entry: StreamEntry<'_>) -> Vec<ReplyFrame> {
    let mut parts = vec![text(entry.id.to_string().as_bytes()), number(entry.len() as i64)];
    for (field, value) in entry.fields().take(FIELDS) {
        parts.extend([page.part(field), page.part(value)]);
    }
    parts
}

/// The elements that are shown.
#[derive(Default)]
struct Page {
    elements: Vec<ReplyFrame>,
    bytes: usize,
}

impl Page {
    /// Adds elements until there are enough.
    fn fill<T>(&mut self, from: impl Iterator<Item = T>, parts: impl Fn(&mut Page, T) -> Vec<ReplyFrame>) {
        for element in from.take(ELEMENTS) {
            if self.bytes >= TOTAL {
                break;
            }
            let parts = parts(self, element);
            self.elements.push(array(parts));
        }
    }

    fn part(&mut self, item: Item<'_>) -> ReplyFrame {
        let digits = &mut itoa::Buffer::new();
        let bytes = item.bytes(digits);
        self.bytes += bytes.len().min(PART);
        beginning(bytes, PART)
    }
}

/// Bytes, as many as may be; of a text, whole characters.
fn beginning(bytes: &[u8], most: usize) -> ReplyFrame {
    if bytes.len() <= most {
        return text(bytes);
    }
    let goes_on = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (most.saturating_sub(3)..=most).rev().find(|end| !goes_on(*end)).unwrap_or(most);
    array(vec![text(bytes.get(..end).unwrap_or_default()), number(bytes.len() as i64)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_end_between_characters() {
        let shown = |bytes: &[u8], most| match beginning(bytes, most) {
            ReplyFrame::BlobString { data, .. } => (data.to_vec(), bytes.len()),
            ReplyFrame::Array { data, .. } => match data.as_slice() {
                [ReplyFrame::BlobString { data, .. }, ReplyFrame::Number { data: length, .. }] => {
                    (data.to_vec(), *length as usize)
                }
                _ => unreachable!(),
            },
            _ => unreachable!(),
        };
        let text = "aé€😀b".as_bytes();
        for (most, end) in [(1, 1), (2, 1), (3, 3), (5, 3), (6, 6), (7, 6), (9, 6), (10, 10), (11, 11), (99, 11)] {
            assert_eq!(shown(text, most), (text[..end].to_vec(), 11), "{most}");
        }
        assert_eq!(shown(&[0x80; 20], 10), (vec![0x80; 10], 20));
    }
}
