//! The commands about lists.

mod ends;
mod inside;
mod multi;
mod transfer;

use storage::list::End;

use crate::command::{Arg, ArgKind, Categories, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("blmove", 6, transfer::blmove)
        .doc(Group::List, "6.2.0", "O(1)", "Moves an element to another list; waits for one.")
        .flags(set!(Flags: WRITE | DENYOOM | BLOCKING))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("blmovem", -6, transfer::blmovem)
        .doc(Group::List, "8.10.0", "O(N) where N is the number of elements moved", "Moves several elements to another list; waits for them.")
        .flags(set!(Flags: WRITE | DENYOOM | BLOCKING))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::new("timeout", ArgKind::Double), Arg::block("how-many", &[Arg::one_of("selector", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::new("exactly", ArgKind::Integer).token("EXACTLY")]), Arg::one_of("ordering", &[Arg::flag("obo", "OBO"), Arg::flag("bulk", "BULK")])]).optional()]),
    Spec::new("blmpop", -5, multi::blmpop)
        .doc(Group::List, "7.0.0", "O(N+M) where N is the number of provided keys and M is the number of elements returned", "Takes elements from the first of several lists that has any; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING | MOVABLE_KEYS))
        .acl(Categories::LIST)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::new("timeout", ArgKind::Double), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::one_of("where", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("blpop", -3, multi::blpop)
        .doc(Group::List, "2.0.0", "O(N) where N is the number of provided keys", "Takes the first element of a list; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING))
        .acl(Categories::LIST)
        .keys(&[KeySpec::range(1, -2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .args(&[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("brpop", -3, multi::brpop)
        .doc(Group::List, "2.0.0", "O(N) where N is the number of provided keys", "Takes the last element of a list; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING))
        .acl(Categories::LIST)
        .keys(&[KeySpec::range(1, -2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .args(&[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("brpoplpush", 4, transfer::brpoplpush)
        .doc(Group::List, "2.2.0", "O(1)", "Moves the last element of a list to the head of another; waits for one.")
        .flags(set!(Flags: WRITE | DENYOOM | BLOCKING))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("lindex", 3, inside::lindex)
        .doc(Group::List, "1.0.0", "O(N) where N is the number of elements to traverse to get to the element at index", "Reads the element at an index.")
        .flags(Flags::READONLY)
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("index", ArgKind::Integer)]),
    Spec::new("linsert", 5, inside::linsert)
        .doc(Group::List, "2.2.0", "O(N) where N is the number of elements to traverse before seeing the value pivot", "Inserts an element beside another one.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("key", 0), Arg::one_of("where", &[Arg::flag("before", "BEFORE"), Arg::flag("after", "AFTER")]), Arg::new("pivot", ArgKind::String), Arg::new("element", ArgKind::String)]),
    Spec::new("llen", 2, inside::llen)
        .doc(Group::List, "1.0.0", "O(1)", "Counts the elements of a list.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("lmove", 5, transfer::lmove)
        .doc(Group::List, "6.2.0", "O(1)", "Moves an element to another list.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])]),
    Spec::new("lmovem", -5, transfer::lmovem)
        .doc(Group::List, "8.10.0", "O(N) where N is the number of elements moved", "Moves several elements to another list.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::block("how-many", &[Arg::one_of("selector", &[Arg::new("count", ArgKind::Integer).token("COUNT"), Arg::new("exactly", ArgKind::Integer).token("EXACTLY")]), Arg::one_of("ordering", &[Arg::flag("obo", "OBO"), Arg::flag("bulk", "BULK")])]).optional()]),
    Spec::new("lmpop", -4, multi::lmpop)
        .doc(Group::List, "7.0.0", "O(N+M) where N is the number of provided keys and M is the number of elements returned", "Takes elements from the first of several lists that has any.")
        .flags(set!(Flags: WRITE | MOVABLE_KEYS))
        .acl(Categories::LIST)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::one_of("where", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("lpop", -2, ends::lpop)
        .doc(Group::List, "1.0.0", "O(N) where N is the number of elements returned", "Takes elements from the head of a list.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.2.0", "The count.")])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("6.2.0")]),
    Spec::new("lpos", -3, inside::lpos)
        .doc(Group::List, "6.0.6", "O(N) where N is the number of elements in the list, for the average case", "Finds an element in a list.")
        .flags(Flags::READONLY)
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String), Arg::new("rank", ArgKind::Integer).token("RANK").optional(), Arg::new("num-matches", ArgKind::Integer).token("COUNT").optional(), Arg::new("len", ArgKind::Integer).token("MAXLEN").optional()]),
    Spec::new("lpush", -3, ends::lpush)
        .doc(Group::List, "1.0.0", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments", "Puts elements before the head of a list.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .history(&[("2.4.0", "Several elements.")])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String).multiple()]),
    Spec::new("lpushx", -3, ends::lpushx)
        .doc(Group::List, "2.2.0", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments", "Puts elements before the head of a list that exists.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .history(&[("4.0.0", "Several elements.")])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String).multiple()]),
    Spec::new("lrange", 4, inside::lrange)
        .doc(Group::List, "1.0.0", "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range", "Reads a range of elements.")
        .flags(Flags::READONLY)
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)]),
    Spec::new("lrem", 4, inside::lrem)
        .doc(Group::List, "1.0.0", "O(N+M) where N is the length of the list and M is the number of elements removed", "Removes elements with a value.")
        .flags(Flags::WRITE)
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer), Arg::new("element", ArgKind::String)]),
    Spec::new("lset", 4, inside::lset)
        .doc(Group::List, "1.0.0", "O(N) where N is the length of the list", "Replaces the element at an index.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("index", ArgKind::Integer), Arg::new("element", ArgKind::String)]),
    Spec::new("ltrim", 4, inside::ltrim)
        .doc(Group::List, "1.0.0", "O(N) where N is the number of elements to be removed by the operation", "Keeps a range of elements and removes the others.")
        .flags(Flags::WRITE)
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)]),
    Spec::new("rpop", -2, ends::rpop)
        .doc(Group::List, "1.0.0", "O(N) where N is the number of elements returned", "Takes elements from the tail of a list.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.2.0", "The count.")])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("6.2.0")]),
    Spec::new("rpoplpush", 3, transfer::rpoplpush)
        .doc(Group::List, "1.2.0", "O(1)", "Moves the last element of a list to the head of another.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .args(&[Arg::key("source", 0), Arg::key("destination", 1)]),
    Spec::new("rpush", -3, ends::rpush)
        .doc(Group::List, "1.0.0", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments", "Puts elements behind the tail of a list.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .history(&[("2.4.0", "Several elements.")])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String).multiple()]),
    Spec::new("rpushx", -3, ends::rpushx)
        .doc(Group::List, "2.2.0", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments", "Puts elements behind the tail of a list that exists.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::LIST)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .history(&[("4.0.0", "Several elements.")])
        .args(&[Arg::key("key", 0), Arg::new("element", ArgKind::String).multiple()]),
];

/// The end that the argument at `index` names.
fn end_at(cx: &Context<'_>, index: usize) -> Result<End, Error> {
    if cx.arg_is(index, "left") {
        Ok(End::Head)
    } else if cx.arg_is(index, "right") {
        Ok(End::Tail)
    } else {
        Err(Error::SYNTAX)
    }
}
