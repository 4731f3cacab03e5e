//! CLIENT LIST, INFO and ID.

use super::*;

pub(super) const ID: Spec =
    subcommand(Spec::new("id", 2, id)).doc(Group::Connection, "5.0.0", "O(1)", "Tells the connection's id.");

fn id(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.client.id() as i64);
    Ok(())
}

pub(super) const INFO: Spec = subcommand(Spec::new("info", 2, info))
    .doc(Group::Connection, "6.2.0", "O(1)", "Tells all about the connection.")
    .tips(&["nondeterministic_output"]);

fn info(cx: &mut Context<'_>) -> CommandResult {
    let mut text = Vec::new();
    write_line(&mut text, &cx.client.shared, cx.server, cx.now_ms());
    cx.reply.verbatim("txt", &text);
    Ok(())
}

pub(super) const LIST: Spec = admin(Spec::new("list", -2, list))
    .doc(Group::Connection, "2.4.0", "O(N) where N is the number of clients.", "Tells all about the connections.")
    .tips(&["nondeterministic_output"])
    .history(&[
        ("2.8.12", "The field `id`."),
        ("5.0.0", "The option `TYPE`."),
        ("6.0.0", "The field `user`."),
        ("6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and the option `ID`."),
        ("7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "The field `ssub`."),
        ("7.2.0", "The fields `lib-name` and `lib-ver`."),
        ("7.4.0", "The field `watch`."),
        ("8.0.0", "The field `io-thread`."),
    ])
    .args(&[
        Arg::one_of(
            "client-type",
            &[
                Arg::flag("normal", "NORMAL"),
                Arg::flag("master", "MASTER"),
                Arg::flag("replica", "REPLICA"),
                Arg::flag("pubsub", "PUBSUB"),
            ],
        )
        .token("TYPE")
        .optional()
        .since("5.0.0"),
        Arg::new("client-id", ArgKind::Integer).token("ID").optional().multiple().since("6.2.0"),
    ]);

fn list(cx: &mut Context<'_>) -> CommandResult {
    let registry = &cx.server.clients;
    let clients = if cx.args.len() == 4 && cx.arg_is(2, "type") {
        let kind = Kind::parse(cx.arg(3))?;
        let mut clients = registry.all();
        clients.retain(|client| Kind::of(client) == kind);
        clients
    } else if cx.args.len() > 3 && cx.arg_is(2, "id") {
        let mut clients = Vec::new();
        for id in cx.args.tail(3) {
            let id = protocol::parse_i64(id).ok_or(Error::fixed("ERR Invalid client ID"))?;
            clients.extend(u64::try_from(id).ok().and_then(|id| registry.get(id)));
        }
        clients
    } else if cx.args.len() == 2 {
        registry.all()
    } else {
        return Err(Error::SYNTAX);
    };
    let mut text = Vec::new();
    for client in clients {
        write_line(&mut text, &client, cx.server, cx.now_ms());
    }
    cx.reply.verbatim("txt", &text);
    Ok(())
}
