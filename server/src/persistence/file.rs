//! The file of a snapshot: what stands in it before the keys, and how it comes into the place of the former one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use storage::View;
use storage::rdb::file::{FileWriter, Options};

use crate::server::{Server, os_error_text, unix_ms};
use crate::{log, version};

/// So many bytes are written before they are forced to the disk, so that there is never much to be forced at once.
const FORCE_EVERY: usize = 4 << 20;

/// What stands in a file before the keys, as it is at one moment.
pub struct Preface {
    options: Options,
    about: Vec<(&'static str, String)>,
    libraries: Vec<Vec<u8>>,
}

impl Preface {
    /// Needs all shards. `is_base` says that the file is the beginning of an append-only log.
    pub fn gather(server: &Server, view: &View<'_>, is_base: bool) -> Preface {
        let config = &server.config;
        let about = vec![
            ("redis-ver", version::REDIS.to_string()),
            ("redis-bits", "64".to_string()),
            ("ctime", (unix_ms() / 1000).to_string()),
            ("used-mem", storage::memory::used_memory().to_string()),
            ("aof-base", u8::from(is_base).to_string()),
        ];
        let options =
            Options { compress: config.rdbcompression(), checksum: config.rdbchecksum(), timed: view.has_timed() };
        let libraries = server.scripts.libraries.lock().values().map(|library| library.code.clone()).collect();
        Preface { options, about, libraries }
    }

    /// Whether strings are compressed where that makes them shorter.
    pub fn compresses(&self) -> bool {
        self.options.compress
    }

    /// The code of all libraries of functions.
    pub fn libraries(&self) -> impl Iterator<Item = &[u8]> {
        self.libraries.iter().map(Vec::as_slice)
    }

    /// Begins a file with it.
    pub fn begin<W: Write>(&self, to: W) -> FileWriter<W> {
        let mut writer = FileWriter::new(to, self.options);
        self.about.iter().for_each(|(name, value)| writer.aux(name, value));
        self.libraries.iter().for_each(|code| writer.function(code));
        writer
    }
}

/// A snapshot's file before it has its name. Where the files are is settled when it is begun, whatever is configured
/// meanwhile.
pub struct Draft {
    folder: PathBuf,
    temporary: PathBuf,
    name: PathBuf,
}

impl Draft {
    /// To be called by its name once it is whole. Touches no file yet.
    pub fn new(server: &Server) -> Draft {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let temporary = folder.join(format!("temp-{}.rdb", std::process::id()));
        let name = folder.join(&*server.config.dbfilename());
        Draft { folder, temporary, name }
    }

    /// Makes the file. What goes wrong is logged, here as in what follows.
    pub fn create(&self) -> io::Result<File> {
        let created = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&self.temporary);
        created.inspect_err(|error| {
            log::warning!(
                "Failed opening the temp RDB file {} (in server root dir {}) for saving: {}",
                base(&self.temporary),
                self.folder.display(),
                os_error_text(error)
            );
        })
    }

    /// Puts the file, which is on the disk, into the place of the former one.
    pub fn rename(&self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.name).inspect_err(|error| {
            log::warning!(
                "Error moving temp DB file {} on the final destination {} (in server root dir {}): {}",
                base(&self.temporary),
                base(&self.name),
                self.folder.display(),
                os_error_text(error)
            );
            self.remove();
        })
    }

    /// Makes sure that the file is found by its name after a crash.
    pub fn settle(&self) -> io::Result<()> {
        File::open(&self.folder).and_then(|folder| folder.sync_all()).inspect_err(|error| tell(error, "fsyncFileDir"))
    }

    /// Removes what is there of the file.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Logs that a file could not be written.
pub fn tell(error: &io::Error, step: &str) {
    log::warning!("Write error while saving DB to the disk({step}): {}", os_error_text(error));
}

fn base(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// A file that is forced to the disk bit by bit.
pub struct Forced {
    file: File,
    /// Bytes that may not be on the disk; `None` where nobody cares before the end.
    pending: Option<usize>,
}

impl Forced {
    pub fn new(file: &File, bit_by_bit: bool) -> io::Result<Forced> {
        Ok(Forced { file: file.try_clone()?, pending: bit_by_bit.then_some(0) })
    }
}

impl Write for Forced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(pending) = &mut self.pending {
            *pending += written;
            if *pending >= FORCE_EVERY {
                *pending = 0;
                self.file.sync_data()?;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
