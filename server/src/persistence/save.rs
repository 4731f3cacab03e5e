//! Writing a snapshot while nobody else touches the data.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use storage::View;
use storage::rdb::file::{FileWriter, Options};

use super::changes;
use crate::config::replace_file;
use crate::server::{Server, os_error_text, unix_ms};
use crate::{log, version};

/// A snapshot could not be written; why was logged.
#[derive(Debug)]
pub struct Failed;

/// Writes all data to the file of the configuration. Takes all shards, and nothing happens meanwhile.
pub fn save(server: &Server, view: &mut View<'_>) -> Result<(), Failed> {
    let config = &server.config;
    let options =
        Options { compress: config.rdbcompression(), checksum: config.rdbchecksum(), timed: view.has_timed() };
    let written = replace_file(Path::new(&*config.dbfilename()), |file| {
        let mut writer = FileWriter::new(file, options);
        writer.aux("redis-ver", version::REDIS);
        writer.aux("redis-bits", "64");
        writer.aux("ctime", &(unix_ms() / 1000).to_string());
        writer.aux("used-mem", &storage::memory::used_memory().to_string());
        writer.aux("aof-base", "0");
        server.scripts.libraries.lock().values().for_each(|library| writer.function(&library.code));
        view.save(&mut writer, config.maxmemory_policy().is_by_access());
        writer.finish().map(drop)
    });
    match written {
        Ok(()) => {
            log::notice!("DB saved on disk");
            // Those of the command that is running are in the file, too, but are not counted yet.
            server.persistence.note_saved(changes(server) + view.effects.dirty);
            Ok(())
        }
        Err(error) => {
            log::warning!("Write error saving DB on disk: {}", os_error_text(&error));
            server.persistence.failed.store(true, Relaxed);
            Err(Failed)
        }
    }
}
