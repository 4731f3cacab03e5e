//! Commands by their names, in any case.
//!
//! Every request looks one up, so this is no general map: nothing is copied into lower case, and the hash is a few
//! instructions over both ends of a name. (A `HashMap` took a seventh of all instructions of a GET.)

use super::table::Command;

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// A power of two of places, at most half of them taken. Who finds his place taken goes to the next one.
    places: Box<[Option<Entry>]>,
    len: usize,
}

type Entry = (Box<[u8]>, &'static Command);

impl Names {
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&'static Command> {
        let mask = self.places.len().checked_sub(1)?;
        let mut place = hash(name) & mask;
        while let Some((other, command)) = &self.places[place] {
            if other.eq_ignore_ascii_case(name) {
                return Some(command);
            }
            place = (place + 1) & mask;
        }
        None
    }

    /// Names a command, which must not have that name yet.
    pub fn insert(&mut self, name: &[u8], command: &'static Command) {
        if self.places.len() <= self.len * 2 {
            let places = vec![None; (self.len * 4).max(8).next_power_of_two()].into();
            let old = std::mem::replace(self, Names { places, len: 0 });
            old.places.into_iter().flatten().for_each(|entry| self.place(entry));
        }
        self.place((name.into(), command));
    }

    fn place(&mut self, entry: Entry) {
        let mask = self.places.len() - 1;
        let mut place = hash(&entry.0) & mask;
        while self.places[place].is_some() {
            place = (place + 1) & mask;
        }
        self.places[place] = Some(entry);
        self.len += 1;
    }

    /// Takes a name away. Returns the command that had it.
    pub fn remove(&mut self, name: &[u8]) -> Option<&'static Command> {
        let command = self.get(name)?;
        for (other, command) in std::mem::take(self).places.into_iter().flatten() {
            if !other.eq_ignore_ascii_case(name) {
                self.insert(&other, command);
            }
        }
        Some(command)
    }

    /// All commands, in no particular order.
    pub fn commands(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.places.iter().flatten().map(|(_, command)| *command)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<'a> FromIterator<(&'a [u8], &'static Command)> for Names {
    fn from_iter<I: IntoIterator<Item = (&'a [u8], &'static Command)>>(entries: I) -> Names {
        let mut names = Names::default();
        entries.into_iter().for_each(|(name, command)| names.insert(name, command));
        names
    }
}

/// The same for a name in any case: a capital differs from its letter in a bit that is set here.
#[inline]
fn hash(name: &[u8]) -> usize {
    let ends = match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)),
        _ => name.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
    };
    let ends = (ends | 0x2020_2020_2020_2020) ^ name.len() as u64;
    (ends.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::super::table::CommandTable;

    #[test]
    fn names_are_found_in_any_case_and_only_those() {
        let table = CommandTable::declared();
        for command in table.iter() {
            let name = command.spec.name;
            assert!(table.get(name.as_bytes()).is_some_and(|found| found.id == command.id), "{name}");
            assert!(table.get(name.to_uppercase().as_bytes()).is_some_and(|found| found.id == command.id), "{name}");
            assert!(table.get(&name.as_bytes()[1..]).is_none_or(|found| found.id != command.id), "{name}");
        }
        for name in ["", " ", "ge", "getx", "xget", "g\0t", "ping ", "\x7fping", "zrange_", "zrangebyscor"] {
            assert!(table.get(name.as_bytes()).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_renamed_command_has_its_new_name_only() {
        let mut table = CommandTable::new();
        table.rename(b"Flushall", b"Really-Flush-Everything").unwrap();
        assert!(table.get(b"flushall").is_none());
        assert_eq!(table.get(b"REALLY-flush-everything").unwrap().spec.name, "flushall");
        assert!(table.rename(b"get", b"SET").is_err());
        table.rename(b"keys", b"").unwrap();
        assert!(table.get(b"keys").is_none());
    }
}
