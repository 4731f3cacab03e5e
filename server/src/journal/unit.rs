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
}

impl Unit {
    pub fn new() -> Unit {
        Unit { bytes: MULTI.to_vec(), commands: 0, home: 0, db: 0, muted: false }
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
        if self.commands == 0 || !log.is_on() {
            return self.clear();
        }
        if self.commands == 1 {
            log.append(self.home, &self.bytes[MULTI.len()..]);
        } else {
            if self.db != self.home {
                // The log takes the unit to be about one database.
                self.select(self.home);
            }
            self.bytes.extend_from_slice(EXEC);
            log.append(self.home, &self.bytes);
        }
        self.clear();
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
