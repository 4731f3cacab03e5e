//! Adding entries, and removing the oldest ones.

use protocol::Args;
use smallvec::SmallVec;
use storage::Event;
use storage::stream::{Keep, References, Stream, StreamId, StreamLimits, Trim};

use super::id::{self, NewId, reply_id};
use crate::command::{CommandResult, Context, Error};
use crate::journal;

/// What stands between the key and the fields.
struct Options {
    trim: Option<Trim>,
    only_existing: bool,
    /// `None` is `*`.
    id: Option<NewId>,
    /// Where the options end.
    next: usize,
    /// Where the bound of the trimming stands, and a limit of the work.
    bound_at: usize,
    limits_at: SmallVec<[usize; 1]>,
}

pub(super) fn xadd(cx: &mut Context<'_>) -> CommandResult {
    let options = parse(cx, true)?;
    let first_field = options.next + 1;
    let fields = cx.args.len().saturating_sub(first_field);
    if fields < 2 || fields % 2 == 1 {
        return Err(Error::wrong_arity(&cx.command.full_name));
    }
    if matches!(options.id, Some(NewId::Given(StreamId::MIN))) {
        return Err(Error::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = cx.key(1);
    if options.only_existing && cx.db.peek(&key).is_none() {
        cx.reply.null();
        return Ok(());
    }
    let (now_ms, limits) = (cx.now_ms(), limits(cx));
    let args = cx.args;
    let (added, bound) = cx.db.change::<Stream, _>(&key, |stream, log| {
        let last = stream.entries().last_id();
        if last == StreamId::MAX {
            return Err(Error::fixed("ERR The stream has exhausted the last possible ID, unable to add more items"));
        }
        let id = next_id(last, options.id, now_ms)
            .filter(|id| *id > last)
            .ok_or(Error::fixed("ERR The ID specified in XADD is equal or smaller than the target stream top item"))?;
        let fields: SmallVec<[&[u8]; 32]> = (first_field..args.len()).filter_map(|index| args.get(index)).collect();
        if !StreamLimits::can_store(fields.iter().map(|text| text.len()).sum()) {
            return Err(Error::TOO_LARGE);
        }
        stream.append(id, &fields, limits);
        log.changed(Event::XADD, 1);
        if let Some(trim) = options.trim
            && stream.trim(trim) > 0
        {
            log.changed(Event::XTRIM, 0);
        }
        Ok((id, Bound::of(stream)))
    })??;
    let id_at = options.next;
    let wants_id = !matches!(options.id, Some(NewId::Given(_)));
    options.write_down(cx, wants_id.then_some((id_at, added)), bound);
    reply_id(cx.reply, added);
    Ok(())
}

/// What trimming has left.
struct Bound {
    len: usize,
    first: Option<StreamId>,
}

impl Bound {
    fn of(stream: &Stream) -> Bound {
        let first = (!stream.is_empty()).then(|| stream.entries().first_id());
        Bound { len: stream.len(), first }
    }
}

impl Options {
    /// Has the request written down with what came of it: the ID that was chosen, and what was left where it was trimmed
    /// only about as far as it says.
    fn write_down(&self, cx: &mut Context<'_>, id: Option<(usize, StreamId)>, left: Bound) {
        let trim = self.trim.filter(|trim| trim.approximate);
        if id.is_none() && trim.is_none() {
            return;
        }
        let args = cx.args;
        journal::instead(cx.db, |entries| {
            let (mut digits, id_text, first) =
                (itoa::Buffer::new(), id.map(|(at, id)| (at, id::text(id))), left.first.map(id::text));
            let mut changes: SmallVec<[journal::Change<'_>; 8]> = SmallVec::new();
            if let Some((at, text)) = &id_text {
                changes.push((*at, Some(text)));
            }
            if let Some(trim) = trim {
                changes.push((self.bound_at - 1, Some(b"=")));
                for at in &self.limits_at {
                    changes.extend([(*at, None), (*at + 1, None)]);
                }
                match (&first, trim.keep, trim.references) {
                    (Some(first), Keep::From(_), References::Keep | References::Delete) => {
                        changes.push((self.bound_at, Some(first)));
                    }
                    // What is still needed may stand in front of what had to go: only its number tells.
                    _ => {
                        changes.push((self.bound_at - 2, Some(b"MAXLEN")));
                        changes.push((self.bound_at, Some(digits.format(left.len).as_bytes())));
                    }
                }
            }
            entries.command(journal::changed(args, &changes));
        });
    }
}

/// The ID of a new entry.
fn next_id(last: StreamId, wanted: Option<NewId>, now_ms: i64) -> Option<StreamId> {
    match wanted {
        None => StreamId::generate(last, now_ms),
        Some(NewId::Given(id)) => Some(id),
        Some(NewId::At(ms)) if ms == last.ms => Some(StreamId::new(ms, last.seq.checked_add(1)?)),
        Some(NewId::At(ms)) => Some(StreamId::new(ms, 0)),
    }
}

pub(super) fn xtrim(cx: &mut Context<'_>) -> CommandResult {
    let options = parse(cx, false)?;
    let key = cx.key(1);
    let removed = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let removed = options.trim.map_or(0, |trim| stream.trim(trim));
        if removed > 0 {
            log.changed(Event::XTRIM, removed);
        }
        (removed, Bound::of(stream))
    })?;
    let removed = removed.map_or(0, |(removed, bound)| {
        if removed > 0 {
            options.write_down(cx, None, bound);
        }
        removed
    });
    cx.reply.integer(removed as i64);
    Ok(())
}

pub(super) fn limits(cx: &Context<'_>) -> StreamLimits {
    let config = &cx.server.config;
    let size = |value: i64| usize::try_from(value).unwrap_or(0);
    StreamLimits { bytes: size(config.stream_node_max_bytes()), entries: size(config.stream_node_max_entries()) }
}

fn parse(cx: &Context<'_>, adding: bool) -> Result<Options, Error> {
    let (args, mut index) = (cx.args, 2);
    let (mut keep, mut approximate, mut limit, mut references) = (None, false, None, None);
    let mut options = Options {
        trim: None,
        only_existing: false,
        id: None,
        next: args.len(),
        bound_at: 0,
        limits_at: SmallVec::new(),
    };
    while index < args.len() {
        let more = args.len() - 1 - index;
        let trims_by_len = cx.arg_is(index, "maxlen");
        if adding && cx.arg(index) == b"*" {
            options.next = index;
            break;
        } else if (trims_by_len || cx.arg_is(index, "minid")) && more > 0 {
            if keep.is_some() {
                let text = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
                return Err(Error::fixed(text));
            }
            approximate = false;
            if more >= 2 && matches!(cx.arg(index + 1), b"~" | b"=") {
                approximate = cx.arg(index + 1) == b"~";
                index += 1;
            }
            keep = Some(if trims_by_len {
                Keep::Last(not_negative(cx, index + 1, "MAXLEN")?)
            } else {
                Keep::From(id::parse_strict(cx, index + 1)?)
            });
            index += 1;
            options.bound_at = index;
        } else if cx.arg_is(index, "limit") && more > 0 {
            options.limits_at.push(index);
            limit = Some(not_negative(cx, index + 1, "LIMIT")?);
            index += 1;
        } else if references.is_none()
            && let Some(named) = named_references(args, index)
        {
            references = Some(named);
        } else if adding && cx.arg_is(index, "nomkstream") {
            options.only_existing = true;
        } else if adding {
            options.id = Some(id::parse_new(cx, index)?);
            options.next = index;
            break;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    let Some(keep) = keep else {
        if limit.is_some_and(|limit| limit > 0) {
            let text = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
            return Err(Error::fixed(text));
        }
        if !adding {
            return Err(Error::fixed("ERR syntax error, XTRIM must be called with a trimming strategy"));
        }
        if limit.is_some() {
            return Err(Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option"));
        }
        return Ok(options);
    };
    let limit = match limit {
        // Redis leaves the limit there when it writes down what was left.
        _ if cx.db.keeps_all() => 0,
        Some(_) if !approximate => {
            return Err(Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option"));
        }
        Some(limit) => limit,
        None if approximate => default_limit(cx),
        None => 0,
    };
    let references = references.unwrap_or_default();
    options.trim = Some(Trim { keep, approximate, limit, references });
    Ok(options)
}

/// What the argument at `index` says about references, if it does.
pub(super) fn named_references(args: Args<'_>, index: usize) -> Option<References> {
    let word = args.get(index)?;
    let words = [("keepref", References::Keep), ("delref", References::Delete), ("acked", References::Acknowledged)];
    words.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, references)| *references)
}

fn not_negative(cx: &Context<'_>, index: usize, option: &str) -> Result<usize, Error> {
    usize::try_from(cx.integer(index)?).map_err(|_| Error::new(format!("ERR The {option} argument must be >= 0.")))
}

/// Without a limit, trimming that is approximate removes a hundred nodes at most.
fn default_limit(cx: &Context<'_>) -> usize {
    match limits(cx).entries.saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}
