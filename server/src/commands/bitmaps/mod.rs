//! Strings as rows of bits. The first bit is the highest of the first byte.

mod combine;
mod field;
mod search;

use storage::Event;

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::commands::strings::string_of;
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("bitcount", -2, search::bitcount)
        .doc(Group::Bitmap, "2.6.0", "O(N)", "Counts the bits that are set.")
        .flags(Flags::READONLY)
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.0.0", "`BYTE` and `BIT`.")])
        .args(&[
            Arg::key("key", 0),
            Arg::block(
                "range",
                &[
                    Arg::new("start", ArgKind::Integer),
                    Arg::new("end", ArgKind::Integer),
                    Arg::one_of("unit", &[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")])
                        .optional()
                        .since("7.0.0"),
                ],
            )
            .optional(),
        ]),
    Spec::new("bitfield", -2, field::bitfield)
        .doc(
            Group::Bitmap,
            "3.2.0",
            "O(1) for each subcommand specified",
            "Reads and writes integers of any width at any bit of a string.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE | VARIABLE_FLAGS))
            .note("This command allows both access and modification of the key")])
        .key_flags(field::key_flags)
        .args(&[
            Arg::key("key", 0),
            Arg::one_of(
                "operation",
                &[
                    Arg::block(
                        "get-block",
                        &[Arg::new("encoding", ArgKind::String), Arg::new("offset", ArgKind::Integer)],
                    )
                    .token("GET"),
                    Arg::block(
                        "write",
                        &[
                            Arg::one_of(
                                "overflow-block",
                                &[Arg::flag("wrap", "WRAP"), Arg::flag("sat", "SAT"), Arg::flag("fail", "FAIL")],
                            )
                            .token("OVERFLOW")
                            .optional(),
                            Arg::one_of(
                                "write-operation",
                                &[
                                    Arg::block(
                                        "set-block",
                                        &[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Integer),
                                            Arg::new("value", ArgKind::Integer),
                                        ],
                                    )
                                    .token("SET"),
                                    Arg::block(
                                        "incrby-block",
                                        &[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Integer),
                                            Arg::new("increment", ArgKind::Integer),
                                        ],
                                    )
                                    .token("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .optional()
            .multiple(),
        ]),
    Spec::new("bitfield_ro", -2, field::bitfield_ro)
        .doc(
            Group::Bitmap,
            "6.0.0",
            "O(1) for each subcommand specified",
            "Reads integers of any width at any bit of a string.",
        )
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::key("key", 0),
            Arg::block("get-block", &[Arg::new("encoding", ArgKind::String), Arg::new("offset", ArgKind::Integer)])
                .token("GET")
                .optional()
                .multiple_token(),
        ]),
    Spec::new("bitop", -4, combine::bitop)
        .doc(Group::Bitmap, "2.6.0", "O(N)", "Combines strings bit by bit and stores the outcome.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(2, set!(KeyFlags: OW | UPDATE)), KeySpec::range(3, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::one_of(
                "operation",
                &[
                    Arg::flag("and", "AND"),
                    Arg::flag("or", "OR"),
                    Arg::flag("xor", "XOR"),
                    Arg::flag("not", "NOT"),
                    Arg::flag("diff", "DIFF").since("8.2.0"),
                    Arg::flag("diff1", "DIFF1").since("8.2.0"),
                    Arg::flag("andor", "ANDOR").since("8.2.0"),
                    Arg::flag("one", "ONE").since("8.2.0"),
                ],
            ),
            Arg::key("destkey", 0),
            Arg::key("key", 1).multiple(),
        ]),
    Spec::new("bitpos", -3, search::bitpos)
        .doc(Group::Bitmap, "2.8.7", "O(N)", "Finds the first bit with a value.")
        .flags(Flags::READONLY)
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.0.0", "`BYTE` and `BIT`.")])
        .args(&[
            Arg::key("key", 0),
            Arg::new("bit", ArgKind::Integer),
            Arg::block(
                "range",
                &[
                    Arg::new("start", ArgKind::Integer),
                    Arg::block(
                        "end-unit-block",
                        &[
                            Arg::new("end", ArgKind::Integer),
                            Arg::one_of("unit", &[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")])
                                .optional()
                                .since("7.0.0"),
                        ],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ]),
    Spec::new("getbit", 3, getbit)
        .doc(Group::Bitmap, "2.2.0", "O(1)", "Reads a bit.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer)]),
    Spec::new("setbit", 4, setbit)
        .doc(Group::Bitmap, "2.2.0", "O(1)", "Writes a bit and returns the old one.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::BITMAP)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::Integer)]),
];

const BAD_OFFSET: Error = Error::fixed("ERR bit offset is not an integer or out of range");
const BAD_BIT: Error = Error::fixed("ERR bit is not an integer or out of range");

/// A place in a string, in bits. With a width, `#n` counts in integers of that width.
fn bit_offset(cx: &Context<'_>, index: usize, width: Option<u32>) -> Result<u64, Error> {
    let text = cx.arg(index);
    let (digits, factor) = match (text.strip_prefix(b"#"), width) {
        (Some(digits), Some(width)) => (digits, i64::from(width)),
        _ => (text, 1),
    };
    let offset = protocol::parse_i64(digits).and_then(|number| number.checked_mul(factor)).ok_or(BAD_OFFSET)?;
    if offset < 0 || offset >> 3 >= cx.server.config.proto_max_bulk_len() {
        return Err(BAD_OFFSET);
    }
    Ok(offset as u64)
}

/// The bytes of the string under a key, for reading; empty without one.
fn bytes_of(cx: &mut Context<'_>, index: usize) -> Result<Option<Vec<u8>>, Error> {
    with_bytes(cx, index, |bytes| bytes.map(<[u8]>::to_vec))
}

/// Lets `read` look at the bytes of the string under a key, if there is one.
fn with_bytes<R>(cx: &mut Context<'_>, index: usize, read: impl FnOnce(Option<&[u8]>) -> R) -> Result<R, Error> {
    let key = cx.key(index);
    let entry = cx.db.read(&key);
    let mut digits = itoa::Buffer::new();
    Ok(match &entry {
        None => read(None),
        Some(entry) => read(Some(string_of(entry)?.bytes(&mut digits))),
    })
}

fn getbit(cx: &mut Context<'_>) -> CommandResult {
    let offset = bit_offset(cx, 2, None)?;
    let bit = with_bytes(cx, 1, |bytes| {
        let byte = bytes.and_then(|bytes| bytes.get((offset >> 3) as usize)).copied().unwrap_or(0);
        byte >> (7 - (offset & 7)) & 1
    })?;
    cx.reply.integer(bit.into());
    Ok(())
}

fn setbit(cx: &mut Context<'_>) -> CommandResult {
    let offset = bit_offset(cx, 2, None)?;
    let on = match protocol::parse_i64(cx.arg(3)) {
        Some(bit @ (0 | 1)) => bit as u8,
        _ => return Err(BAD_BIT),
    };
    let key = cx.key(1);
    if let Some(entry) = cx.db.peek(&key) {
        string_of(&entry)?;
    }
    let (byte, shift) = ((offset >> 3) as usize, 7 - (offset & 7));
    let old = cx.db.edit(&key, byte + 1, Event::SETBIT, |bytes| {
        let old = bytes[byte] >> shift & 1;
        bytes[byte] = bytes[byte] & !(1 << shift) | on << shift;
        (old, old != on)
    });
    cx.reply.integer(old?.into());
    Ok(())
}
