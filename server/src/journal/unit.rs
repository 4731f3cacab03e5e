//! What happened at one instant, while it is put together.

use protocol::encode_command;

use crate::persistence::aof::Aof;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
/// The buffer is kept for the next unit, unless it has become larger than this.
const KEPT: usize = 1 << 20;

pub struct Unit {
    /// MULTI, which goes out only if it is needed, and what was added.
    bytes: Vec<u8>,
    commands: usize,
    /// The databases of the first command and of the last one.
    home: usize,
    db: usize,
    /// What commands change is not to be written down.
    pub muted: bool,
    /// What others are told of it, when it is written down.
    pub news: Vec<News>,
}

pub type News = Box<dyn FnOnce()>;

impl Unit {
    pub fn new() -> Unit {
        Unit { bytes: MULTI.to_vec(), commands: 0, home: 0, db: 0, muted: false, news: Vec::new() }
    }

    /// Where commands that are about a database are added.
    pub fn entries(&mut self, db: usize) -> Entries<'_> {
        Entries { unit: self, db }
    }

    /// Adds a command that is about a database.
    pub fn add<I>(&mut self, db: usize, command: I)
    where
        I: IntoIterator<Item: AsRef<[u8]>, IntoIter: ExactSizeIterator>,
    {
        if self.commands == 0 {
            self.home = db;
        } else if self.db != db {
            self.select(db);
        }
        self.db = db;
        self.commands += 1;
        encode_command(&mut self.bytes, command);
    }

    #[cold]
    fn select(&mut self, db: usize) {
        encode_command(&mut self.bytes, [&b"SELECT"[..], itoa::Buffer::new().format(db).as_bytes()]);
    }

    /// Hands everything to the log, and is empty again.
    pub fn hand_over(&mut self, log: &Aof) {
        if log.is_on()
            && let Some((db, bytes)) = self.finish()
        {
            log.append(db, bytes);
        }
        self.clear();
    }

    /// What is to be written, and the database that it begins and ends with.
    fn finish(&mut self) -> Option<(usize, &[u8])> {
        match self.commands {
            0 => None,
            1 => Some((self.home, &self.bytes[MULTI.len()..])),
            _ => {
                if self.db != self.home {
                    // The log takes the unit to be about one database.
                    self.select(self.home);
                }
                self.bytes.extend_from_slice(EXEC);
                Some((self.home, &self.bytes))
            }
        }
    }

    fn clear(&mut self) {
        self.bytes.truncate(MULTI.len());
        self.bytes.shrink_to(KEPT);
        self.commands = 0;
    }
}

/// Takes commands that are about one database.
pub struct Entries<'u> {
    unit: &'u mut Unit,
    db: usize,
}

impl Entries<'_> {
    /// Adds a command, unless what commands change is not to be written down.
    #[inline]
    pub fn command<I>(&mut self, command: I)
    where
        I: IntoIterator<Item: AsRef<[u8]>, IntoIter: ExactSizeIterator>,
    {
        if !self.unit.muted {
            self.unit.add(self.db, command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(unit: &mut Unit) -> Option<(usize, String)> {
        let finished = unit.finish().map(|(db, bytes)| (db, bytes.escape_ascii().to_string()));
        unit.clear();
        finished
    }

    #[test]
    fn only_several_commands_are_a_transaction() {
        let mut unit = Unit::new();
        assert_eq!(finished(&mut unit), None);
        unit.add(3, ["a", "bc"]);
        assert_eq!(finished(&mut unit), Some((3, r"*2\r\n$1\r\na\r\n$2\r\nbc\r\n".to_owned())));
        unit.entries(2).command(["a"]);
        unit.entries(2).command(["b"]);
        let text = r"*1\r\n$5\r\nMULTI\r\n*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
        assert_eq!(finished(&mut unit), Some((2, text.to_owned())));
    }

    #[test]
    fn a_transaction_ends_with_the_database_that_it_began_with() {
        let mut unit = Unit::new();
        for (db, command) in [(1, "a"), (1, "b"), (0, "c")] {
            unit.add(db, [command]);
        }
        let text = finished(&mut unit).map(|(db, text)| (db, text.replace(r"\r\n", " "))).unwrap_or_default();
        let expected = "*1 $5 MULTI *1 $1 a *1 $1 b *2 $6 SELECT $1 0 *1 $1 c *2 $6 SELECT $1 1 *1 $4 EXEC ";
        assert_eq!(text, (1, expected.to_owned()));
    }

    #[test]
    fn what_is_muted_is_not_added_but_what_expires_is() {
        let mut unit = Unit { muted: true, ..Unit::new() };
        unit.entries(0).command(["a"]);
        assert_eq!(unit.commands, 0);
        unit.add(0, ["DEL", "b"]);
        assert_eq!(unit.commands, 1);
    }
}
