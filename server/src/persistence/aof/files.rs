//! The files of the log: where they are, and what happens to them at the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::manifest::Manifest;
use super::{Aof, rewrite};
use crate::config::{Config, replace_file};
use crate::log;
use crate::server::{Server, os_error_text};

/// The folder that the files are in, and how their names begin.
pub struct Folder {
    pub path: PathBuf,
    pub prefix: Arc<str>,
}

impl Folder {
    /// The one of the configuration.
    pub fn of(config: &Config) -> Folder {
        Folder { path: PathBuf::from(&*config.appenddirname()), prefix: config.appendfilename() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn manifest_name(&self) -> String {
        format!("{}.manifest", self.prefix)
    }

    fn manifest(&self) -> PathBuf {
        self.file(&self.manifest_name())
    }

    /// Where a rewrite writes to.
    pub fn temporary_base(&self) -> String {
        format!("temp-{}.base", self.prefix)
    }

    /// Where entries are collected until the first base is complete.
    pub fn temporary_increment(&self) -> String {
        format!("temp-{}.incr", self.prefix)
    }

    /// Makes the folder, unless it is there.
    pub fn create(&self) -> Result<(), String> {
        let created = fs::DirBuilder::new().mode(0o755).create(&self.path);
        match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.path.is_dir() => Ok(()),
            Err(error) => {
                let (path, reason) = (self.path.display(), os_error_text(&error));
                Err(format!("Can't open or create append-only dir {path}: {reason}"))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reads the manifest; an empty one where there is none.
    pub fn read_manifest(&self) -> Result<Manifest, String> {
        let path = self.manifest();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
            Err(error) => {
                let (path, reason) = (path.display(), os_error_text(&error));
                return Err(format!("Fatal error: can't open the AOF manifest file {path} for reading: {reason}"));
            }
        };
        Manifest::read(BufReader::new(file)).map_err(|problem| problem.lines().join(""))
    }

    /// Puts a manifest in force, safe on the disk if that can be had: [`Folder::settle`] tells.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), String> {
        let path = self.manifest();
        let written = manifest.text().map_err(str::to_owned).and_then(|text| {
            let replaced = replace_file(&path, |file| io::Write::write_all(file, text.as_bytes()));
            match replaced {
                // What came after it was in its place has failed: it is in force, though it may not be after a crash.
                Err(error) if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) => {
                    tell_unsettled(&error);
                    Ok(())
                }
                replaced => replaced.map_err(|error| os_error_text(&error)),
            }
        });
        written
            .map_err(|reason| format!("Error trying to write the AOF manifest file {}: {reason}", self.manifest_name()))
    }

    /// Makes sure that the files are found by their names after a crash. Tells whether that could be done.
    pub fn settle(&self) -> bool {
        sync_folder(&self.path).inspect_err(tell_unsettled).is_ok()
    }

    /// Removes a file that nobody needs. That it is still there does no harm.
    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.file(name));
    }

    /// Removes what a rewrite has not finished.
    pub fn remove_temporary(&self) {
        self.remove(&self.temporary_base());
        self.remove(&self.temporary_increment());
    }

    /// Opens a file to append to it; `fresh` leaves nothing of what it may hold.
    pub fn open(&self, name: &str, fresh: bool) -> Result<File, String> {
        let path = self.file(name);
        let opened = (if fresh { File::create(&path).map(drop) } else { Ok(()) })
            .and_then(|()| OpenOptions::new().append(true).create(true).mode(0o644).open(path));
        opened.map_err(|error| format!("Can't open the append-only file {name}: {}", os_error_text(&error)))
    }

    /// The bytes of a file.
    pub fn size(&self, name: &str) -> io::Result<u64> {
        fs::metadata(self.file(name)).map(|metadata| metadata.len()).inspect_err(|error| {
            let reason = os_error_text(error);
            log::warning!("Unable to obtain the AOF file {name} length. stat: {reason}");
        })
    }

    /// Deletes what a rewrite has replaced, and says so in the manifest. What cannot be deleted does no harm.
    pub fn delete_history(&self, manifest: &mut Manifest, config: &Config) {
        // It is history only once the manifest that says so is found after any crash.
        if config.aof_disable_auto_gc() || manifest.history.is_empty() || !self.settle() {
            return;
        }
        for file in std::mem::take(&mut manifest.history) {
            log::notice!("Removing the history file {} in the background", file.name);
            if let Err(error) = fs::remove_file(self.file(&file.name)) {
                log::warning!("Could not remove the history file {}: {}", file.name, os_error_text(&error));
            }
        }
        if let Err(reason) = self.write_manifest(manifest) {
            log::warning!("{reason}");
        }
    }

    /// Removes manifests that were being written when a process ended.
    fn remove_unfinished_manifests(&self) {
        let begin = format!("{}.", self.manifest_name());
        let is_unfinished = |name: &str| {
            let number = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(".tmp"));
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_unfinished) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Takes over the single file that a server before 7.0 has left, if there is one and nothing newer.
    pub fn upgrade(&self, manifest: &mut Manifest) -> Result<(), String> {
        let old = Path::new(&*self.prefix);
        if !old.exists() {
            return Ok(());
        }
        // A crash may have come between the manifest and the move.
        let only_named = manifest.increments.is_empty()
            && manifest.base.as_ref().is_some_and(|base| base.name == *self.prefix)
            && !self.file(&self.prefix).exists();
        if !manifest.is_empty() && !only_named {
            return Ok(());
        }
        self.create()?;
        manifest.adopt(&self.prefix);
        self.write_manifest(manifest)?;
        fs::rename(old, self.file(&self.prefix)).map_err(|error| {
            let (path, reason) = (self.path.display(), os_error_text(&error));
            format!("Error trying to move the old AOF file {} into dir {path}: {reason}", self.prefix)
        })?;
        sync_folder(&self.path).map_err(|error| os_error_text(&error))?;
        log::notice!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            self.prefix,
            self.path.display()
        );
        Ok(())
    }
}

fn tell_unsettled(error: &io::Error) {
    log::warning!("Fail to fsync the append-only dir: {}", os_error_text(error));
}

/// Makes sure that the names in a folder stay.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Finds out which files there are, whether the log is on or not.
pub fn read_manifest(server: &Server) -> Result<(), String> {
    *server.aof.manifest.lock() = Folder::of(&server.config).read_manifest()?;
    Ok(())
}

/// Opens the log of the configuration for writing, once it was read. Without any files, an empty base is written first.
pub fn open_at_start(server: &'static Server) -> Result<(), String> {
    let aof = &server.aof;
    let folder = Folder::of(&server.config);
    folder.create()?;
    // What a crash has left of a rewrite.
    folder.remove_temporary();
    folder.remove_unfinished_manifests();
    let mut manifest = aof.manifest.lock();
    let is_new = manifest.is_empty();
    if is_new {
        let as_snapshot = server.config.aof_use_rdb_preamble();
        let name = manifest.new_base(&folder.prefix, as_snapshot);
        rewrite::write_base(server, &folder.file(&name), as_snapshot)?;
        log::notice!("Creating AOF base file {name} on server start");
    }
    let existing = manifest.increments.last().map(|file| file.name.clone());
    let creates = existing.is_none();
    let name = existing.unwrap_or_else(|| manifest.new_increment(&folder.prefix));
    let file = folder.open(&name, false)?;
    if is_new || creates {
        folder.write_manifest(&manifest)?;
    }
    let size = file.metadata().map_err(|error| os_error_text(&error))?.len();
    if !is_new {
        aof.measure(&folder, &manifest);
    }
    let doing = if creates { "Creating" } else { "Opening" };
    log::notice!("{doing} AOF incr file {name} on server start");
    folder.delete_history(&mut manifest, &server.config);
    aof.begin(server, file, size)
}

impl Aof {
    /// Takes the files that are there for what growth is measured by. Those of an empty log do not count before they are
    /// read or rewritten, as in Redis.
    pub(super) fn measure(&self, folder: &Folder, manifest: &Manifest) {
        let sizes: Vec<u64> = manifest.files().filter_map(|file| folder.size(&file.name).ok()).collect();
        self.size.store(sizes.iter().sum(), Relaxed);
        self.base_size.store(manifest.base.as_ref().and(sizes.first().copied()).unwrap_or_default(), Relaxed);
    }

    /// Goes on behind the end of a file that has so many bytes.
    fn begin(&self, server: &'static Server, file: File, size: u64) -> Result<(), String> {
        self.start_sync(server).map_err(|error| os_error_text(&error))?;
        self.writer.lock().open(Arc::new(file), size);
        self.on.store(true, Release);
        Ok(())
    }

    /// Stops, with all that was appended until now on the disk. What somebody appends who has not heard of it yet is
    /// forgotten.
    pub(super) fn end(&self, server: &Server) {
        if !self.on.swap(false, Relaxed) {
            return;
        }
        self.finish(server);
        let (mut writer, mut pending) = (self.writer.lock(), self.queue.pending.lock());
        pending.clear();
        writer.close();
        self.note_memory(&writer, &pending);
        self.written.store(self.queue.appended.load(Relaxed), Relaxed);
    }
}
