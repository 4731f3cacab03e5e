//! Members at random.

use storage::set::Set;
use storage::{Collection, Event, Free};

use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::{self, Picks, reply_found, reply_item};
use crate::journal;

pub(super) fn spop(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let key = cx.key(1);
    if cx.args.len() == 2 {
        let popped = cx.db.change_existing::<Set, _>(&key, |set, log| {
            log.changed(Event::SPOP, 1);
            set.pop(rand::random)
        })?;
        let popped = popped.flatten();
        if let Some(member) = &popped {
            journal::instead(cx.db, |entries| entries.command([&b"SREM"[..], key.bytes, member]));
        }
        match popped {
            Some(member) => cx.reply.bulk(&member),
            None => cx.reply.null(),
        }
        return Ok(());
    }
    let count = protocol::parse_i64(cx.arg(2)).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(Error::fixed("ERR value is out of range, must be positive"))?;
    let len = match cx.db.peek(&key) {
        Some(entry) => entry.get::<Set>()?.len(),
        None => 0,
    };
    cx.reply.set(count.min(len));
    if count == 0 || len == 0 {
        return Ok(());
    }
    let reply = &mut *cx.reply;
    if count >= len {
        if let Some(entry) = cx.db.peek(&key) {
            entry.get::<Set>()?.iter().for_each(|member| reply_item(reply, member));
        }
        // The removal counts as one change.
        cx.db.change_existing::<Set, _>(&key, |_, log| log.changed(Event::SPOP, len - 1))?;
        cx.db.remove(&key, Free::Later, Event::DEL);
        journal::removal(cx.db, &key, Free::Now);
        return Ok(());
    }
    let chosen = cx.db.change_existing::<Set, _>(&key, |set, log| {
        let chosen = choose(set, count);
        for member in &chosen {
            reply.bulk(member);
            set.remove(member);
        }
        log.changed(Event::SPOP, count);
        chosen
    })?;
    let chosen = chosen.unwrap_or_default();
    journal::instead(cx.db, |entries| {
        let command: Vec<&[u8]> = [b"SREM", key.bytes].into_iter().chain(chosen.iter().map(Vec::as_slice)).collect();
        entries.command(command);
    });
    Ok(())
}

/// So many different members, each with the same chance.
fn choose(set: &Set, count: usize) -> Vec<Vec<u8>> {
    let set = set.as_ref();
    // Where few are wanted, drawing until they differ is quicker than walking over all.
    if count * 8 < set.len() {
        let mut chosen = std::collections::HashSet::with_capacity(count);
        while chosen.len() < count {
            chosen.extend(set.random(rand::random).map(|member| member.to_vec()));
        }
        return chosen.into_iter().collect();
    }
    let mut indices = elements::sample(set.len(), count).into_iter().peekable();
    let members = set.iter().enumerate().filter(|(index, _)| indices.next_if_eq(index).is_some());
    members.map(|(_, member)| member.to_vec()).collect()
}

pub(super) fn srandmember(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let picks = if cx.args.len() == 3 { Some(Picks::parse(cx, 2, false)?) } else { None };
    let (key, most) = (cx.key(1), cx.most_output());
    let Some(entry) = cx.db.read(&key) else {
        match picks {
            Some(_) => cx.reply.array(0),
            None => cx.reply.null(),
        }
        return Ok(());
    };
    let set = entry.get::<Set>()?;
    match picks {
        None => reply_found(cx.reply, set.random(rand::random)),
        Some(Picks::Any(count)) => {
            cx.reply.array(count);
            for member in (0..count).filter_map(|_| set.random(rand::random)) {
                reply_item(cx.reply, member);
                if cx.reply.len() > most {
                    break;
                }
            }
        }
        Some(Picks::Distinct(count)) if count >= set.len() => {
            cx.reply.array(set.len());
            set.iter().for_each(|member| reply_item(cx.reply, member));
        }
        Some(Picks::Distinct(count)) => {
            cx.reply.array(count);
            let mut indices = elements::sample(set.len(), count).into_iter().peekable();
            for (index, member) in set.iter().enumerate() {
                if indices.next_if_eq(&index).is_some() {
                    reply_item(cx.reply, member);
                }
            }
        }
    }
    Ok(())
}
