//! Entries that were appended and that nobody has taken yet to write them.

use protocol::encode_command;

/// See the module's description.
#[derive(Default)]
pub struct Pending {
    buffer: Vec<u8>,
    /// The database that the next entry is for unless it says otherwise.
    db: Option<usize>,
}

impl Pending {
    /// Adds an entry for a database. Answers how many bytes were added.
    pub fn append(&mut self, db: usize, commands: &[u8]) -> u64 {
        let before = self.buffer.len();
        if self.db != Some(db) {
            self.select(db);
        }
        self.buffer.extend_from_slice(commands);
        (self.buffer.len() - before) as u64
    }

    #[cold]
    fn select(&mut self, db: usize) {
        self.db = Some(db);
        encode_command(&mut self.buffer, [&b"SELECT"[..], db.to_string().as_bytes()]);
    }
}
