//! `POST /dashboard/keys`: a page of SCAN with what is to be known about each key. Looking at them in this way is not a
//! use of them: it counts as no hit or miss, and keeps no key from being evicted.

use hyper::StatusCode;
use protocol::{OwnedArgs, ReplyFrame};
use tokio::task::yield_now;

use super::look::{Look, array, check, facts, look, number};
use crate::http::answer::{Answer, Failure, bad, json};
use crate::http::json::{error_text, write_outcome};
use crate::http::request::Format;
use crate::http::session::Session;

/// So many keys are looked at before others have their turn.
const KEYS_AT_ONCE: usize = 256;
/// Who may ask this about a key may see all that is told here.
const PERMISSION: &str = "memory|usage";

/// Answers with the next cursor and a list for each key: the key, and unless that is not the user's business, its type,
/// bytes of memory, remaining milliseconds (-1 without an expiry), and frequency (`null` unless these are counted).
/// `options` are those of SCAN, the cursor first.
pub async fn keys(session: &mut Session, options: &OwnedArgs, format: Format) -> Result<Answer, Failure> {
    let Format::Json(encoding) = format else { return bad("ERR keys are told in JSON only") };
    let mut scan = OwnedArgs::from_iter(["SCAN"]);
    options.as_args().iter().for_each(|option| scan.push(option));
    // By the command, so that whatever speaks against it speaks against this.
    let scanned = session.ask(&scan).await?;
    if let Some(error) = error_text(&scanned) {
        return bad(error);
    }
    let ReplyFrame::Array { data: scanned, .. } = scanned else { return bad("ERR no page of keys") };
    let [cursor, ReplyFrame::Array { data: names, .. }] = scanned.as_slice() else { return bad("ERR no page of keys") };
    let mut found = Vec::with_capacity(names.len());
    for chunk in names.chunks(KEYS_AT_ONCE) {
        found.extend(chunk.iter().filter_map(|name| told(session, name)));
        yield_now().await;
    }
    let mut out = Vec::new();
    write_outcome(&array(vec![cursor.clone(), array(found)]), encoding, &mut out)?;
    Ok(json(StatusCode::OK, out))
}

/// What is told about a key; nothing if it is not there any more.
fn told(session: &mut Session, name: &ReplyFrame) -> Option<ReplyFrame> {
    let ReplyFrame::BlobString { data: key, .. } = name else { return None };
    let question = OwnedArgs::from_iter([&b"MEMORY"[..], b"USAGE", key]);
    if check(session, PERMISSION, &question).is_err() {
        return Some(array(vec![name.clone()]));
    }
    let access = &session.executor.server.keyspace.access;
    let seen = look(session, key, |entry, now_ms| {
        let [kind, memory, left_ms] = facts(entry, now_ms);
        let counted = access.is_lfu().then(|| access.frequency(entry.access(), now_ms));
        let frequency = counted.map_or(ReplyFrame::Null, |frequency| number(frequency.into()));
        array(vec![name.clone(), kind, memory, left_ms, frequency])
    });
    match seen {
        Look::Seen(told) => Some(told),
        Look::Missing => None,
        Look::Held => Some(array(vec![name.clone()])),
    }
}
