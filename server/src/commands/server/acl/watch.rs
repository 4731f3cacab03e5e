//! ACL LOG and DRYRUN: what was denied, and what would be.

use crate::acl;
use crate::command::{CommandResult, Context, Error, dispatch};

pub(super) fn log(cx: &mut Context<'_>) -> CommandResult {
    const USUAL_COUNT: i64 = 10;
    let count = match cx.args.len() {
        2 => USUAL_COUNT,
        3 if cx.arg_is(2, "reset") => {
            cx.server.acl.reset_log();
            cx.reply.ok();
            return Ok(());
        }
        3 => cx.integer(2)?.max(0),
        _ => return Err(Error::unknown_subcommand(cx.args)),
    };
    let entries = cx.server.acl.log(usize::try_from(count).unwrap_or(usize::MAX));
    let now = cx.now_ms();
    let reply = &mut *cx.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        let texts: [(&str, &[u8]); 4] = [
            ("reason", entry.reason.name().as_bytes()),
            ("context", entry.place.name().as_bytes()),
            ("object", &entry.object),
            ("username", &entry.user),
        ];
        for (name, text) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(text);
        }
        reply.bulk(b"age-seconds");
        reply.double((now - entry.updated_ms).max(0) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk(&entry.client);
        let numbers = [
            ("entry-id", entry.id as i64),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ];
        for (name, number) in numbers {
            reply.bulk(name.as_bytes());
            reply.integer(number);
        }
    }
    Ok(())
}

pub(super) fn dryrun(cx: &mut Context<'_>) -> CommandResult {
    let user = cx.server.acl.user(cx.arg(2)).ok_or_else(|| Error::quoting("ERR User '", cx.arg(2), "' not found"))?;
    let call = cx.args.tail(3);
    let command = dispatch::find(&cx.server.commands, call)
        .map_err(|_| Error::quoting("ERR Command '", cx.arg(3), "' not found"))?;
    if !command.spec.accepts(call.len()) {
        return Err(Error::wrong_arity(&command.full_name));
    }
    match acl::check(&user, command, call) {
        Ok(()) => cx.reply.ok(),
        Err(denial) => cx.reply.bulk(&denial.full_message(&user, command, call)),
    }
    Ok(())
}
