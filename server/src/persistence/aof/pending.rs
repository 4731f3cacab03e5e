//! Entries that were appended and that nobody has taken yet to write them.

use std::fs::File;
use std::sync::Arc;

use protocol::encode_command;

use crate::server::unix_ms;

/// See the module's description.
#[derive(Default)]
pub struct Pending {
    buffer: Vec<u8>,
    /// The database that the next entry is for unless it says otherwise.
    db: Option<usize>,
    /// The second that the last annotation told of.
    told_s: i64,
    cuts: Vec<Cut>,
}

/// Where the log goes on in another file.
pub struct Cut {
    /// So many bytes in front belong to the file before.
    pub at: usize,
    pub file: Arc<File>,
}

impl Pending {
    /// Adds an entry for a database, and an annotation if time is to be told. Answers how many bytes were added.
    #[inline]
    pub fn append(&mut self, db: usize, commands: &[u8], timed: bool) -> u64 {
        let before = self.buffer.len();
        if timed {
            self.tell_time();
        }
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

    fn tell_time(&mut self) {
        let now_s = unix_ms() / 1000;
        if now_s > self.told_s {
            self.told_s = now_s;
            annotate_time(&mut self.buffer, now_s);
        }
    }

    /// What is appended from now on goes to another file. There may be cuts already that nobody has come by yet, where what
    /// is in front of them cannot be written.
    pub fn cut(&mut self, file: Arc<File>) {
        self.cuts.push(Cut { at: self.buffer.len(), file });
        self.db = None;
    }

    pub fn has_cuts(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Whether there is anything to be written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.cuts.is_empty()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Hands everything over, in exchange for an empty buffer.
    pub fn take(&mut self, empty: Vec<u8>) -> (Vec<u8>, Vec<Cut>) {
        (std::mem::replace(&mut self.buffer, empty), std::mem::take(&mut self.cuts))
    }

    /// Forgets everything: nobody will write it.
    pub fn clear(&mut self) {
        *self = Pending::default();
    }
}

/// Says when what follows happened.
pub fn annotate_time(out: &mut Vec<u8>, now_s: i64) {
    out.extend_from_slice(format!("#TS:{now_s}\r\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(db: usize) -> String {
        format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{db}\r\n", db.to_string().len())
    }

    fn taken(pending: &mut Pending) -> String {
        String::from_utf8(pending.take(Vec::new()).0).expect("ASCII")
    }

    #[test]
    fn databases_are_selected_where_they_change() {
        let mut pending = Pending::default();
        assert_eq!(pending.append(0, b"a", false), 1 + select(0).len() as u64);
        assert_eq!(pending.append(0, b"bc", false), 2);
        pending.append(11, b"d", false);
        pending.append(0, b"e", false);
        assert_eq!(taken(&mut pending), format!("{}abc{}d{}e", select(0), select(11), select(0)));
        pending.append(0, b"f", false);
        assert_eq!(taken(&mut pending), "f");
    }

    #[test]
    fn another_file_begins_with_its_database() {
        let mut pending = Pending::default();
        pending.append(3, b"a", false);
        let file = tempfile::tempfile().expect("there is room for one");
        pending.cut(Arc::new(file));
        pending.append(3, b"b", false);
        let (bytes, cuts) = pending.take(Vec::new());
        assert_eq!(cuts.iter().map(|cut| cut.at).collect::<Vec<_>>(), [1 + select(3).len()]);
        assert_eq!(bytes, format!("{}a{}b", select(3), select(3)).into_bytes());
    }

    #[test]
    fn time_is_told_once_a_second() {
        let mut pending = Pending { told_s: unix_ms() / 1000 + 10, db: Some(0), ..Pending::default() };
        pending.append(0, b"a", true);
        assert_eq!(taken(&mut pending), "a");
        pending.told_s = 7;
        pending.append(0, b"b", true);
        let text = taken(&mut pending);
        assert!(text.starts_with("#TS:") && text.ends_with("\r\nb"), "{text}");
    }
}
