//! An example of every type of reply, for tests of clients.

use protocol::Resp;

use crate::command::{CommandResult, Context, Error};

/// The example of a double: just a number, not an attempt at pi.
#[expect(clippy::approx_constant)]
const DOUBLE: f64 = 3.141;

/// DEBUG PROTOCOL.
pub(super) fn example(cx: &mut Context<'_>) -> CommandResult {
    let reply = &mut *cx.reply;
    match cx.args.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk_str("Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(DOUBLE),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk_str("key-popularity");
                reply.array(2);
                reply.bulk_str("key:123");
                reply.integer(90);
            }
            reply.bulk_str("Some real reply following the attribute");
        }
        b"push" => {
            if reply.resp() == Resp::V2 {
                return Err(Error::fixed("ERR RESP2 is not supported by this command"));
            }
            // What is pushed while a command runs goes out behind the command's own reply.
            reply.bulk_str("Some real reply following the push reply");
            reply.push(2);
            reply.bulk_str("server-cpu-usage");
            reply.integer(42);
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(Error::fixed(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
