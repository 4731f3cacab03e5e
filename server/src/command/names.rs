//! Commands by their names. Every request is looked for here, in whatever case its client writes.

use hashbrown::HashTable;

use crate::command::table::Command;

/// Commands by names of which the case does not matter.
#[derive(Clone, Debug, Default)]
pub struct Names(HashTable<Named>);

#[derive(Clone, Debug)]
struct Named {
    name: Box<[u8]>,
    command: &'static Command,
}

impl Names {
    /// The command of a name.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&'static Command> {
        let found = self.0.find(hash(name), |other| other.name.eq_ignore_ascii_case(name));
        found.map(|named| named.command)
    }

    /// Gives a command a name, and answers the one that had it.
    pub fn insert(&mut self, name: &[u8], command: &'static Command) -> Option<&'static Command> {
        let former = self.remove(name);
        let named = Named { name: name.to_ascii_lowercase().into(), command };
        self.0.insert_unique(hash(name), named, |other| hash(&other.name));
        former
    }

    /// Takes a name away from its command.
    pub fn remove(&mut self, name: &[u8]) -> Option<&'static Command> {
        let found = self.0.find_entry(hash(name), |other| other.name.eq_ignore_ascii_case(name)).ok()?;
        Some(found.remove().0.command)
    }

    /// All commands, in no particular order.
    pub fn commands(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.0.iter().map(|named| named.command)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A few instructions are enough for names that are known beforehand: both ends of the name, without the bit in which
/// upper and lower case differ.
#[inline]
fn hash(name: &[u8]) -> u64 {
    const CASE: u64 = 0x2020_2020_2020_2020;
    let (first, last) = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
            _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed =
        ((first | CASE) ^ (last | CASE).rotate_left(23) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::hash;
    use crate::command::table::CommandTable;

    #[test]
    fn all_commands_are_found_in_any_case_and_few_share_a_hash() {
        let table = CommandTable::declared();
        for command in table.iter() {
            for name in [command.full_name.to_ascii_uppercase(), command.full_name.to_ascii_lowercase()] {
                assert_eq!(table.get(name.as_bytes()).map(|found| found.id), Some(command.id), "{name}");
            }
            assert!(table.get(&command.full_name.as_bytes()[1..]).is_none_or(|other| other.id != command.id));
        }
        let hashes: HashSet<u64> = table.iter().map(|command| hash(command.full_name.as_bytes())).collect();
        assert!(table.len() - hashes.len() < 4);
        for name in [&b""[..], b"g", b"ge", b"\xff\xff\xff", b"getgetgetgetgetgetget", b"gets", b"get\0"] {
            assert!(table.get(name).is_none());
        }
    }
}
