//! INFO.

use crate::command::*;
use crate::set;

pub(super) const INFO: Spec = Spec::new("info", -1, info)
    .doc(Group::Server, "1.0.0", "O(1)", "Tells about the server: what it is, what it holds and what it has done.")
    .flags(set!(Flags: LOADING | STALE))
    .acl(Categories::DANGEROUS)
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
    .history(&[("7.0.0", "Several sections may be asked for.")])
    .args(&[Arg::new("section", ArgKind::String).optional().multiple()]);

fn info(cx: &mut Context<'_>) -> CommandResult {
    let report = crate::info::report(cx.server, cx.db, cx.args.tail(1).iter());
    cx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}
