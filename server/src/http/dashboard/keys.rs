//! `POST /dashboard/keys`: a page of SCAN with what is to be known about each key. Looking at them in this way is not a
//! use of them: it counts as no hit or miss, and keeps no key from being evicted.

use hyper::StatusCode;
use protocol::{OwnedArgs, ReplyFrame};
use storage::Scope;
use tokio::task::yield_now;

use crate::http::answer::{Answer, Failure, bad, json};
use crate::http::json::{error_text, write_outcome};
use crate::http::request::Format;
use crate::http::session::Session;

/// So many keys are looked at before others have their turn.
const KEYS_AT_ONCE: usize = 256;
/// Who may ask this about a key may see all that is told here.
const PERMISSION: &[u8] = b"memory|usage";

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
        found.extend(chunk.iter().filter_map(|name| facts(session, name)));
        yield_now().await;
    }
    let mut out = Vec::new();
    write_outcome(&array(vec![cursor.clone(), array(found)]), encoding, &mut out)?;
    Ok(json(StatusCode::OK, out))
}

/// What is told about a key; nothing if it is not there any more.
fn facts(session: &mut Session, name: &ReplyFrame) -> Option<ReplyFrame> {
    let ReplyFrame::BlobString { data: bytes, .. } = name else { return None };
    let (executor, client) = (session.executor, &mut session.client);
    let server = executor.server;
    let question = OwnedArgs::from_iter([&b"MEMORY"[..], b"USAGE", bytes]);
    let permission = server.commands.get_full(PERMISSION);
    if permission.is_none_or(|command| executor.recheck(client, command, question.as_args()).is_err()) {
        return Some(array(vec![name.clone()]));
    }
    let key = server.keyspace.key(bytes);
    let scope = Scope::Shard(key.shard());
    let Some(mut db) = server.keyspace.view_unless_stalled(client.db(), scope, executor.now_ms()) else {
        return Some(array(vec![name.clone()]));
    };
    // Nothing changes by being looked at.
    db.keep_expired();
    let now_ms = db.now_ms();
    let entry = db.peek(&key)?;
    let access = &server.keyspace.access;
    Some(array(vec![
        name.clone(),
        ReplyFrame::BlobString { data: entry.kind().name().into(), attributes: None },
        number(entry.memory() as i64),
        number(entry.expiry().map_or(-1, |deadline| deadline.saturating_sub(now_ms).max(0))),
        if access.is_lfu() { number(access.frequency(entry.access(), now_ms).into()) } else { ReplyFrame::Null },
    ]))
}

fn array(data: Vec<ReplyFrame>) -> ReplyFrame {
    ReplyFrame::Array { data, attributes: None }
}

fn number(data: i64) -> ReplyFrame {
    ReplyFrame::Number { data, attributes: None }
}
