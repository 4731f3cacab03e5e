//! ACL GENPASS.

use crate::command::{CommandResult, Context, Error};
use crate::server::random_hex;

const MAX_BITS: i64 = 4096;

pub(super) fn genpass(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::unknown_subcommand(cx.args));
    }
    let bits = if cx.args.len() == 3 { cx.integer(2)? } else { 256 };
    if !(1..=MAX_BITS).contains(&bits) {
        return Err(Error::new(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {MAX_BITS}"
        )));
    }
    let digits = usize::try_from(bits).unwrap_or_default().div_ceil(4);
    let mut password = random_hex(digits.div_ceil(2));
    password.truncate(digits);
    cx.reply.bulk(password.as_bytes());
    Ok(())
}
