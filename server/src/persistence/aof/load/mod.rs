//! Reading the log at the start, and having its commands carried out anew.
//!
//! One thread reads ([`replay`]) and puts the commands into batches ([`batch`]), which tell what has to keep its order.
//! As many threads as there are workers carry a batch out ([`crew`]) while the next one is read.

mod batch;
mod crew;
mod groups;
mod replay;

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use storage::{Free, View};

use super::Hurry;
use super::files::{Folder, open_at_start};
use crate::log;
use crate::persistence::loading::Begun;
use crate::server::Server;
use crew::Crew;
pub use replay::begins_as_snapshot;

/// Reads all files that the manifest names, in their order, into a server that has no data yet, and opens the log for
/// what comes.
pub fn load_at_start(server: &'static Server) -> Result<(), String> {
    let folder = Folder::of(&server.config);
    folder.upgrade(&mut server.aof.manifest.lock())?;
    let started = Instant::now();
    // Until the log is open: nothing is changed before.
    let mut loading = None;
    if load(server, &folder, None, &mut loading)? {
        log::notice!("DB loaded from append only file: {:.3} seconds", started.elapsed().as_secs_f64());
    }
    open_at_start(server)
}

/// Reads all files anew in the place of all data, which is locked.
pub fn reload(server: &'static Server, view: &mut View<'static>) -> Result<(), String> {
    let aof = &server.aof;
    aof.flush(server, Hurry::Now);
    // What is read is not to be appended again.
    let was_on = aof.on.swap(false, Relaxed);
    view.flush(0..server.keyspace.databases(), Free::Now);
    let folder = Folder::of(&server.config);
    let manifest = folder.read_manifest().map(|mut manifest| {
        folder.delete_history(&mut manifest, &server.config);
        *aof.manifest.lock() = manifest;
    });
    let loaded = manifest.and_then(|()| load(server, &folder, Some(view), &mut None));
    aof.on.store(was_on, Relaxed);
    loaded?;
    aof.measure(&folder, &aof.manifest.lock());
    Ok(())
}

/// Tells whether there was anything; `loading` goes on after that.
fn load(
    server: &'static Server,
    folder: &Folder,
    locked: Option<&mut View<'static>>,
    loading: &mut Option<Begun<'static>>,
) -> Result<bool, String> {
    let manifest = server.aof.manifest.lock();
    let files: Vec<String> = manifest.files().map(|file| file.name.clone()).collect();
    let missing = "Fatal error: a file of the append-only log is missing".to_owned();
    let sizes: io::Result<Vec<u64>> = files.iter().map(|name| folder.size(name)).collect();
    let sizes = sizes.map_err(|_| missing)?;
    let total = sizes.iter().sum();
    if total == 0 {
        return Ok(false);
    }
    *loading = Some(server.persistence.loading.begin(total));
    let base = manifest.base.as_ref().map(|base| base.name.clone());
    let read = |crew: &mut Crew<'_>| {
        for (index, name) in files.iter().enumerate() {
            let begun = Instant::now();
            // Files that a crash has left empty do not count: the end of the log is in front of them.
            let is_last = sizes.iter().skip(index + 1).all(|size| *size == 0);
            replay::file(server, crew, folder, name, is_last)?;
            let kind = if base.as_ref() == Some(name) { "base" } else { "incr" };
            log::notice!("DB loaded from {kind} file {name}: {:.3} seconds", begun.elapsed().as_secs_f64());
        }
        Ok(true)
    };
    match locked {
        Some(view) => read(&mut Crew::here(server, view)),
        None => thread::scope(|scope| read(&mut Crew::start(server, scope)?)),
    }
}
