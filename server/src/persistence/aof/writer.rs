//! Writing what was appended to the file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pending::{Cut, Pending};
use crate::log;
use crate::server::os_error_text;

/// A buffer that has grown beyond this is given back.
const BUFFER_KEPT: usize = 1 << 20;
/// Errors that go on are logged no more often.
const ERRORS_LOGGED_EVERY: Duration = Duration::from_secs(30);
/// So long entries may wait for the disk to be done with those before.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file that is being written, and what is about to be.
#[derive(Default)]
pub struct Writer {
    file: Option<Arc<File>>,
    /// Files that were written to their ends and are not known to be on the disk.
    finished: Vec<Arc<File>>,
    /// Bytes in the file.
    size: u64,
    /// Taken over from where entries are appended; those before `done` are written.
    chunk: Vec<u8>,
    done: usize,
    /// Where the chunk goes on in other files, in their order.
    cuts: VecDeque<Cut>,
    error_logged: Option<Instant>,
    /// Since when entries wait for the disk.
    postponed: Option<Instant>,
}

/// What is to be forced to the disk.
pub struct Unsynced {
    pub finished: Vec<Arc<File>>,
    pub file: Option<Arc<File>>,
}

impl Writer {
    /// Goes on behind the end of a file, which has so many bytes.
    pub fn open(&mut self, file: Arc<File>, size: u64) {
        *self = Writer { file: Some(file), size, ..Writer::default() };
    }

    /// Lets go of the file.
    pub fn close(&mut self) {
        *self = Writer::default();
    }

    /// Bytes in the file, as far as they were written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether all that was taken over is written.
    pub fn is_done(&self) -> bool {
        self.done == self.chunk.len() && self.cuts.is_empty()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.chunk.capacity()
    }

    /// Takes over what was appended. All that was taken before must be done.
    pub fn take(&mut self, pending: &mut Pending) {
        debug_assert!(self.is_done());
        self.clear();
        let empty = std::mem::take(&mut self.chunk);
        let cuts;
        (self.chunk, cuts) = pending.take(empty);
        self.cuts = cuts.into();
    }

    /// Forgets what was taken over, all of which is done.
    fn clear(&mut self) {
        self.chunk.clear();
        self.chunk.shrink_to(BUFFER_KEPT);
        self.done = 0;
    }

    /// Goes on behind the last cut, if it has not come there yet: what is in front of it is in a base, and no file before is
    /// of any use. Answers how many bytes were left out.
    pub fn skip_to_last_cut(&mut self, pending: &mut Pending) -> u64 {
        self.finished.clear();
        let mut skipped = 0;
        if pending.has_cuts() {
            skipped = self.chunk.len() - self.done;
            self.done = self.chunk.len();
            self.cuts.clear();
            self.take(pending);
        }
        if let Some(Cut { at, file }) = self.cuts.pop_back() {
            self.cuts.clear();
            skipped += at - self.done;
            self.done = at;
            self.file = Some(file);
            self.size = 0;
        }
        skipped as u64
    }

    /// Whether entries may wait a little longer for the disk.
    pub fn may_wait(&mut self) -> bool {
        self.postponed.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }

    /// Writes what was taken over. Answers how many bytes were written, and the first error.
    pub fn write(&mut self) -> (u64, io::Result<()>) {
        self.postponed = None;
        let mut written = 0;
        loop {
            let until = self.cuts.front().map_or(self.chunk.len(), |cut| cut.at);
            let (count, outcome) = self.write_until(until);
            written += count;
            if outcome.is_err() {
                return (written, outcome);
            }
            let Some(cut) = self.cuts.pop_front() else {
                self.clear();
                return (written, Ok(()));
            };
            self.finished.extend(self.file.replace(cut.file));
            self.size = 0;
        }
    }

    fn write_until(&mut self, until: usize) -> (u64, io::Result<()>) {
        let mut rest = self.chunk.get(self.done..until).unwrap_or_default();
        let expected = rest.len();
        let Some(file) = self.file.as_ref().filter(|_| expected > 0) else { return (0, Ok(())) };
        let outcome = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match (&mut &**file).write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let mut written = expected - rest.len();
        let Err(mut error) = outcome else {
            self.size += written as u64;
            self.done += written;
            return (written as u64, Ok(()));
        };
        let tells = self.error_logged.is_none_or(|when| when.elapsed() > ERRORS_LOGGED_EVERY);
        if tells {
            self.error_logged = Some(Instant::now());
        }
        if written == 0 {
            if tells {
                log::warning!("Error writing to the AOF file: {}", os_error_text(&error));
            }
        } else {
            if tells {
                log::warning!("Short write while writing to the AOF file: (nwritten={written}, expected={expected})");
            }
            // Nobody could read what stands behind half an entry.
            match file.set_len(self.size) {
                Ok(()) => written = 0,
                Err(error) if tells => log::warning!(
                    "Could not remove short write from the append-only file.  The server may refuse to load the AOF the \
                     next time it starts.  ftruncate: {}",
                    os_error_text(&error)
                ),
                Err(_) => {}
            }
            error = io::Error::from_raw_os_error(libc::ENOSPC);
        }
        self.size += written as u64;
        self.done += written;
        (written as u64, Err(error))
    }

    /// What has to be forced to the disk so that all that is written stays.
    pub fn unsynced(&self) -> Unsynced {
        Unsynced { finished: self.finished.clone(), file: self.file.clone() }
    }

    /// Forgets the files that were forced to the disk, to which nothing is added any more.
    pub fn forget_finished(&mut self, synced: &Unsynced) {
        self.finished.retain(|file| !synced.finished.iter().any(|it| Arc::ptr_eq(it, file)));
    }
}

impl Unsynced {
    /// Forces everything to the disk, in the order in which it was written.
    pub fn sync(&self) -> io::Result<()> {
        self.finished.iter().chain(&self.file).try_for_each(|file| file.sync_data())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;
    use crate::persistence::aof::pending::Pending;

    fn content(mut file: &File) -> String {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("it can be read");
        text
    }

    #[test]
    fn what_comes_behind_a_cut_goes_to_the_next_file() {
        let files = [(); 2].map(|()| Arc::new(tempfile::tempfile().expect("there is room for one")));
        let mut writer = Writer::default();
        writer.open(Arc::clone(&files[0]), 0);
        let mut pending = Pending::default();
        pending.append(0, b"a", false);
        pending.cut(Arc::clone(&files[1]));
        pending.append(0, b"b", false);
        writer.take(&mut pending);
        let (written, outcome) = writer.write();
        assert!(outcome.is_ok() && writer.is_done());
        let (first, second) = (content(&files[0]), content(&files[1]));
        assert_eq!(written as usize, first.len() + second.len());
        assert!(first.ends_with("\r\na") && second.ends_with("\r\nb"), "{first} {second}");
        assert_eq!(writer.size(), second.len() as u64);
        let unsynced = writer.unsynced();
        assert_eq!(unsynced.finished.len(), 1);
        assert!(unsynced.sync().is_ok());
        writer.forget_finished(&unsynced);
        assert!(writer.unsynced().finished.is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_kept() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the system has it");
        let mut writer = Writer::default();
        writer.open(Arc::new(full), 0);
        let mut pending = Pending::default();
        pending.append(0, b"entry", false);
        writer.take(&mut pending);
        let (written, outcome) = writer.write();
        assert_eq!((written, outcome.map_err(|error| error.raw_os_error())), (0, Err(Some(libc::ENOSPC))));
        assert!(!writer.is_done());
    }

    /// Entries that wait for a disk that is full, with cuts between them; the first so many were taken over already. Once
    /// a base has what is in front of the last cut, only the last one is written.
    fn leave_out_what_a_base_has(taken: usize) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the system has it");
        let files = [(); 3].map(|()| Arc::new(tempfile::tempfile().expect("there is room for one")));
        let (mut writer, mut pending) = (Writer::default(), Pending::default());
        writer.open(Arc::new(full), 0);
        let mut lengths = Vec::new();
        for (number, file) in files.iter().enumerate() {
            lengths.push(pending.append(0, b"entry", false));
            pending.cut(Arc::clone(file));
            if number + 1 == taken {
                writer.take(&mut pending);
                assert!(writer.write().1.is_err());
            }
        }
        let last = pending.append(0, b"last", false);
        if taken == 0 {
            writer.take(&mut pending);
            assert!(writer.write().1.is_err());
        }
        assert_eq!(writer.skip_to_last_cut(&mut pending), lengths.iter().sum::<u64>());
        assert_eq!(writer.skip_to_last_cut(&mut pending), 0);
        if !pending.is_empty() {
            writer.take(&mut pending);
        }
        assert!(matches!(writer.write(), (written, Ok(())) if written == last));
        assert!(writer.is_done() && writer.unsynced().finished.is_empty());
        let contents = files.each_ref().map(|file| content(file));
        assert!(
            matches!(&contents, [a, b, c] if a.is_empty() && b.is_empty() && c.ends_with("\r\nlast")),
            "{contents:?}"
        );
        assert_eq!(writer.size(), last);
    }

    #[test]
    fn what_a_base_has_is_left_out() {
        (0..=3).for_each(leave_out_what_a_base_has);
    }
}
