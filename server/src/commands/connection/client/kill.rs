//! CLIENT KILL.

use super::*;

pub(super) const KILL: Spec = admin(Spec::new("kill", -3, kill))
    .doc(Group::Connection, "2.4.0", "O(N) where N is the number of clients.", "Closes connections.")
    .history(&[
        ("2.8.12", "Options that choose what to close."),
        ("2.8.12", "The option `ID`."),
        ("3.2.0", "The type `master`."),
        ("5.0.0", "The type `replica`, which `slave` is now another name for."),
        ("6.2.0", "The option `LADDR`."),
        ("7.4.0", "The option `MAXAGE`."),
    ])
    .args(&[Arg::one_of(
        "filter",
        &[
            Arg::new("old-format", ArgKind::String).display("ip:port").deprecated_since("2.8.12"),
            Arg::one_of(
                "new-format",
                &[
                    Arg::new("client-id", ArgKind::Integer).token("ID").optional().since("2.8.12"),
                    Arg::one_of(
                        "client-type",
                        &[
                            Arg::flag("normal", "NORMAL"),
                            Arg::flag("master", "MASTER").since("3.2.0"),
                            Arg::flag("slave", "SLAVE"),
                            Arg::flag("replica", "REPLICA").since("5.0.0"),
                            Arg::flag("pubsub", "PUBSUB"),
                        ],
                    )
                    .token("TYPE")
                    .optional()
                    .since("2.8.12"),
                    Arg::new("username", ArgKind::String).token("USER").optional(),
                    Arg::new("addr", ArgKind::String).display("ip:port").token("ADDR").optional(),
                    Arg::new("laddr", ArgKind::String).display("ip:port").token("LADDR").optional().since("6.2.0"),
                    Arg::one_of("skipme", &[Arg::flag("yes", "YES"), Arg::flag("no", "NO")]).token("SKIPME").optional(),
                    Arg::new("maxage", ArgKind::Integer).token("MAXAGE").optional().since("7.4.0"),
                ],
            )
            .multiple(),
        ],
    )]);

/// Whom to close: who fits everything that is given.
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<Kind>,
    user: Option<&'a [u8]>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    max_age: i64,
    skip_me: bool,
}

impl<'a> Filter<'a> {
    const ANYBODY: Filter<'a> =
        Filter { id: None, kind: None, user: None, addr: None, laddr: None, max_age: 0, skip_me: true };

    fn parse(cx: &Context<'a>) -> Result<Filter<'a>, Error> {
        // The old form: just an address, which may be one's own.
        if cx.args.len() == 3 {
            return Ok(Filter { addr: Some(cx.arg(2)), skip_me: false, ..Filter::ANYBODY });
        }
        let mut filter = Filter::ANYBODY;
        for index in (2..cx.args.len()).step_by(2) {
            let Some(value) = cx.args.get(index + 1) else { return Err(Error::SYNTAX) };
            match cx.arg(index).to_ascii_lowercase().as_slice() {
                b"id" => filter.id = Some(client_id(value)?),
                b"type" => filter.kind = Some(Kind::parse(value)?),
                b"user" if cx.server.acl.user(value).is_some() => filter.user = Some(value),
                b"user" => {
                    return Err(Error::quoting("ERR No such user '", value, "'"));
                }
                b"addr" => filter.addr = Some(value),
                b"laddr" => filter.laddr = Some(value),
                b"maxage" => filter.max_age = max_age(value)?,
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.skip_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.skip_me = false,
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(filter)
    }

    fn accepts(&self, client: &Shared, me: u64, now_ms: i64) -> bool {
        self.id.is_none_or(|id| client.id == id)
            && self.kind.is_none_or(|kind| Kind::of(client) == kind)
            && self.user.is_none_or(|user| *client.user.lock() == user)
            && self.addr.is_none_or(|addr| client.peer.addr.as_bytes() == addr)
            && self.laddr.is_none_or(|laddr| client.peer.laddr.as_bytes() == laddr)
            && (self.max_age == 0 || now_ms / 1000 - client.created_ms / 1000 >= self.max_age)
            && !(self.skip_me && client.id == me)
    }
}

fn client_id(text: &[u8]) -> Result<u64, Error> {
    let id = protocol::parse_i64(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or(Error::fixed("ERR client-id should be greater than 0"))
}

fn max_age(text: &[u8]) -> Result<i64, Error> {
    let age = protocol::parse_i64(text).ok_or(Error::fixed("ERR maxage is not an integer or out of range"))?;
    if age > 0 { Ok(age) } else { Err(Error::fixed("ERR maxage should be greater than 0")) }
}

fn kill(cx: &mut Context<'_>) -> CommandResult {
    let filter = Filter::parse(cx)?;
    let mut killed = 0;
    for client in cx.server.clients.all() {
        if !filter.accepts(&client, cx.client.id(), cx.now_ms()) {
            continue;
        }
        killed += 1;
        if client.id == cx.client.id() {
            // This one still gets its reply.
            cx.client.closing = true;
        } else {
            client.kill();
        }
    }
    match (cx.args.len(), killed) {
        (3, 0) => return Err(Error::fixed("ERR No such client")),
        (3, _) => cx.reply.ok(),
        _ => cx.reply.integer(killed),
    }
    Ok(())
}
