//! Writing a snapshot while nobody else touches the data.

use std::io;

use storage::View;

use super::changes_until_now;
use super::file::{Draft, Forced, Preface, tell};
use crate::log;
use crate::server::Server;

/// A snapshot could not be written; why was logged.
#[derive(Debug)]
pub struct Failed;

/// Writes all data to the file of the configuration. Takes all shards, and nothing happens meanwhile.
pub fn save(server: &Server, view: &mut View<'_>) -> Result<(), Failed> {
    // What is being written beside this will be older than it, and must not take its place.
    server.persistence.background.stop();
    let draft = Draft::new(server);
    write(server, view, &draft).map_err(|_| Failed)?;
    log::notice!("DB saved on disk");
    server.persistence.note_saved(changes_until_now(server, view));
    Ok(())
}

fn write(server: &Server, view: &mut View<'_>, draft: &Draft) -> io::Result<()> {
    let file = draft.create()?;
    let mut keys = || {
        let to = Forced::new(&file, server.config.rdb_save_incremental_fsync())?;
        let mut writer = Preface::gather(server, view, false).begin(to);
        view.save(&mut writer, server.config.maxmemory_policy().is_by_access());
        writer.finish().map(drop)
    };
    let written = keys().inspect_err(|error| tell(error, "rdbSaveRio"));
    let forced = written.and_then(|()| file.sync_all().inspect_err(|error| tell(error, "fsync")));
    forced.inspect_err(|_| draft.remove())?;
    draft.rename()?;
    draft.settle()
}
