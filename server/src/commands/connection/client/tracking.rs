//! Client-side caching.

use super::*;
use crate::command::error::shown;
use crate::tracking::{Mode, Options};

pub(super) const TRACKING: Spec = subcommand(Spec::new("tracking", -3, tracking))
    .doc(
        Group::Connection,
        "6.0.0",
        "O(1). Some options may introduce additional complexity.",
        "Turns invalidations of what the client caches on and off.",
    )
    .args(&[
        Arg::one_of("status", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")]),
        Arg::new("client-id", ArgKind::Integer).token("REDIRECT").optional(),
        Arg::new("prefix", ArgKind::String).token("PREFIX").optional().multiple_token(),
        Arg::flag("bcast", "BCAST").optional(),
        Arg::flag("optin", "OPTIN").optional(),
        Arg::flag("optout", "OPTOUT").optional(),
        Arg::flag("noloop", "NOLOOP").optional(),
    ]);

fn tracking(cx: &mut Context<'_>) -> CommandResult {
    let (mode, prefixes) = wanted(cx)?;
    if !on_or_off(cx, 2)? {
        cx.server.tracking.turn_off(cx.client);
    } else {
        check(cx, mode.options, &prefixes)?;
        let every_key = mode.options.contains(Options::BCAST) && prefixes.is_empty();
        let prefixes = if every_key { &[&b""[..]] } else { &prefixes[..] };
        cx.server.tracking.turn_on(&cx.server.keyspace, cx.client, mode, prefixes);
    }
    cx.reply.ok();
    Ok(())
}

/// The options of a request.
fn wanted<'a>(cx: &Context<'a>) -> Result<(Mode, Vec<&'a [u8]>), Error> {
    let (mut options, mut redirect, mut prefixes) = (Options::empty(), 0, Vec::new());
    let mut index = 3;
    while index < cx.args.len() {
        let more = index + 1 < cx.args.len();
        match cx.arg(index).to_ascii_lowercase().as_slice() {
            b"redirect" if more => {
                index += 1;
                if redirect != 0 {
                    return Err(Error::fixed("ERR A client can only redirect to a single other client"));
                }
                let target = u64::try_from(cx.integer(index)?).ok().and_then(|id| cx.server.clients.get(id));
                redirect = target.ok_or(Error::fixed("ERR The client ID you want redirect to does not exist"))?.id;
            }
            b"prefix" if more => {
                index += 1;
                prefixes.push(cx.arg(index));
            }
            b"bcast" => options |= Options::BCAST,
            b"optin" => options |= Options::OPTIN,
            b"optout" => options |= Options::OPTOUT,
            b"noloop" => options |= Options::NOLOOP,
            _ => return Err(Error::SYNTAX),
        }
        index += 1;
    }
    Ok((Mode { options, redirect, broken: false }, prefixes))
}

/// Whether the options go together, and with those that the client has.
fn check(cx: &Context<'_>, wanted: Options, prefixes: &[&[u8]]) -> CommandResult {
    let tracker = cx.client.tracker.as_ref();
    let now = tracker.map_or(Options::empty(), |tracker| tracker.options);
    let (optin, optout) = (wanted.contains(Options::OPTIN), wanted.contains(Options::OPTOUT));
    let text = if !wanted.contains(Options::BCAST) && !prefixes.is_empty() {
        "ERR PREFIX option requires BCAST mode to be enabled"
    } else if tracker.is_some() && (wanted ^ now).contains(Options::BCAST) {
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
         a different mode."
    } else if wanted.contains(Options::BCAST) && (optin || optout) {
        "ERR OPTIN and OPTOUT are not compatible with BCAST"
    } else if optin && optout {
        "ERR You can't specify both OPTIN mode and OPTOUT mode"
    } else if optin && now.contains(Options::OPTOUT) || optout && now.contains(Options::OPTIN) {
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
         a different mode."
    } else {
        return check_prefixes(cx, prefixes);
    };
    Err(Error::fixed(text))
}

/// Two prefixes that a key can begin with would have the client hear of it twice.
fn check_prefixes(cx: &Context<'_>, prefixes: &[&[u8]]) -> CommandResult {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refused = |prefix: &[u8], relation: &[u8], other: &[u8]| {
        let (prefix, other) = (shown(prefix, usize::MAX), shown(other, usize::MAX));
        let end = b"'. Prefixes for a single client must not overlap.";
        Err(Error::new([b"ERR Prefix '", prefix, b"' overlaps with ", relation, b" prefix '", other, end].concat()))
    };
    for (index, prefix) in prefixes.iter().enumerate() {
        let mut existing = cx.client.tracker.iter().flat_map(|tracker| &tracker.prefixes);
        if let Some(other) = existing.find(|other| overlap(prefix, other)) {
            return refused(prefix, b"an existing", other);
        }
        if let Some(other) = prefixes[index + 1..].iter().find(|other| overlap(prefix, other)) {
            return refused(prefix, b"another provided", other);
        }
    }
    Ok(())
}

pub(super) const CACHING: Spec = subcommand(Spec::new("caching", 3, caching))
    .doc(Group::Connection, "6.0.0", "O(1)", "Chooses whether the keys of the next command are tracked.")
    .args(&[Arg::one_of("mode", &[Arg::flag("yes", "YES"), Arg::flag("no", "NO")])]);

fn caching(cx: &mut Context<'_>) -> CommandResult {
    let (yes, no) = (cx.arg_is(2, "yes"), cx.arg_is(2, "no"));
    let tracker = cx.client.tracker.as_mut().ok_or(Error::fixed(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))?;
    if !yes && !no {
        return Err(Error::SYNTAX);
    }
    if yes && !tracker.options.contains(Options::OPTIN) {
        let text = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
        return Err(Error::fixed(text));
    }
    if no && !tracker.options.contains(Options::OPTOUT) {
        return Err(Error::fixed("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."));
    }
    tracker.caching = true;
    cx.reply.ok();
    Ok(())
}

pub(super) const GETREDIR: Spec = subcommand(Spec::new("getredir", 2, getredir)).doc(
    Group::Connection,
    "6.0.0",
    "O(1)",
    "Tells which client gets the invalidations meant for this one.",
);

fn getredir(cx: &mut Context<'_>) -> CommandResult {
    let mode = *cx.client.shared.tracking.lock();
    cx.reply.integer(mode.map_or(-1, |mode| mode.redirect as i64));
    Ok(())
}

pub(super) const TRACKINGINFO: Spec = subcommand(Spec::new("trackinginfo", 2, trackinginfo)).doc(
    Group::Connection,
    "6.2.0",
    "O(1)",
    "Tells how the connection tracks keys.",
);

fn trackinginfo(cx: &mut Context<'_>) -> CommandResult {
    let mode = *cx.client.shared.tracking.lock();
    let tracker = cx.client.tracker.as_ref();
    let (options, caching) = tracker.map_or((Options::empty(), false), |tracker| (tracker.options, tracker.caching));
    let (optin, optout) = (options.contains(Options::OPTIN), options.contains(Options::OPTOUT));
    let flags = [
        ("off", mode.is_none()),
        ("on", mode.is_some()),
        ("bcast", options.contains(Options::BCAST)),
        ("optin", optin),
        ("caching-yes", optin && caching),
        ("optout", optout),
        ("caching-no", optout && caching),
        ("noloop", options.contains(Options::NOLOOP)),
        ("broken_redirect", mode.is_some_and(|mode| mode.broken)),
    ];
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(flags.iter().filter(|(_, set)| *set).count());
    for (flag, _) in flags.iter().filter(|(_, set)| *set) {
        cx.reply.bulk(flag.as_bytes());
    }
    cx.reply.bulk(b"redirect");
    cx.reply.integer(mode.map_or(-1, |mode| mode.redirect as i64));
    cx.reply.bulk(b"prefixes");
    cx.reply.array(tracker.map_or(0, |tracker| tracker.prefixes.len()));
    for prefix in tracker.iter().flat_map(|tracker| &tracker.prefixes) {
        cx.reply.bulk(prefix);
    }
    Ok(())
}
