//! COMMAND LIST: the names of commands.

use super::subcommand;
use crate::acl;
use crate::command::{Arg, ArgKind, Categories, Command, CommandResult, Context, Error, Group, Spec};
use crate::glob;

pub(super) const LIST: Spec = subcommand(Spec::new("list", -2, list))
    .doc(Group::Server, "7.0.0", "O(N) where N is the number of commands.", "Lists the names of commands.")
    .tips(&["nondeterministic_output_order"])
    .args(&[Arg::one_of(
        "filterby",
        &[
            Arg::new("module-name", ArgKind::String).token("MODULE"),
            Arg::new("category", ArgKind::String).token("ACLCAT"),
            Arg::new("pattern", ArgKind::Pattern).token("PATTERN"),
        ],
    )
    .token("FILTERBY")
    .optional()]);

fn list(cx: &mut Context<'_>) -> CommandResult {
    let filter = match cx.args.len() {
        2 => None,
        5 if cx.arg_is(2, "filterby") => Some(Filter::parse(cx)?),
        _ => return Err(Error::SYNTAX),
    };
    let commands = cx.server.commands.iter();
    let names: Vec<&str> = commands
        .flat_map(|command| std::iter::once(command).chain(command.subcommands.commands()))
        .filter(|command| filter.as_ref().is_none_or(|filter| filter.accepts(command)))
        .map(|command| command.full_name.as_str())
        .collect();
    cx.reply.array(names.len());
    for name in names {
        cx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

enum Filter<'a> {
    /// No command comes from a module.
    Module,
    /// `None` for a category that does not exist.
    Category(Option<Categories>),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(cx: &Context<'a>) -> Result<Filter<'a>, Error> {
        let value = cx.arg(4);
        if cx.arg_is(3, "module") {
            Ok(Filter::Module)
        } else if cx.arg_is(3, "aclcat") {
            Ok(Filter::Category(acl::category_named(value)))
        } else if cx.arg_is(3, "pattern") {
            Ok(Filter::Pattern(value))
        } else {
            Err(Error::SYNTAX)
        }
    }

    fn accepts(&self, command: &Command) -> bool {
        match self {
            Filter::Module => false,
            Filter::Category(category) => {
                category.is_some_and(|category| command.spec.all_categories().contains(category))
            }
            Filter::Pattern(pattern) => glob::matches(pattern, command.full_name.as_bytes(), true),
        }
    }
}
