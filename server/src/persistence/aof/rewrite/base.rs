//! The base of a log: all data as they were at one moment.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::encode_command;
use storage::View;
use storage::snapshot::{CommandWriter, Form, Snapshot, Target, Written};

use crate::persistence::Pace;
use crate::persistence::aof::pending::annotate_time;
use crate::persistence::file::{Forced, Preface};
use crate::server::{Server, os_error_text, unix_ms};

/// A base in the making.
pub struct Base {
    pub snapshot: Arc<Snapshot>,
    preface: Preface,
    as_snapshot: bool,
}

impl Base {
    /// Begins one of the data as they are now. Needs all shards.
    pub fn begin(server: &Server, view: &mut View<'_>, as_snapshot: bool) -> Base {
        let preface = Preface::gather(server, view, true);
        let form = if as_snapshot { Form::Rdb { compress: preface.compresses() } } else { Form::Commands };
        let snapshot = view.begin_snapshot(form, server.config.maxmemory_policy().is_by_access());
        Base { snapshot, preface, as_snapshot }
    }

    /// Writes it to a new file, safe on the disk.
    pub fn write(&self, server: &'static Server, file: &File) -> Result<(), String> {
        let written = self
            .try_to_write(server, file)
            .map_err(|error| format!("Write error writing append only file on disk: {}", os_error_text(&error)));
        match written? {
            Written::Whole => Ok(()),
            Written::Stopped => Err("it was stopped".into()),
        }
    }

    fn try_to_write(&self, server: &'static Server, file: &File) -> io::Result<Written> {
        let config = &server.config;
        let to = Forced::new(file, config.aof_rewrite_incremental_fsync())?;
        let target: Box<dyn Target> = if self.as_snapshot {
            Box::new(self.preface.begin(to))
        } else {
            let mut writer = CommandWriter::new(to);
            let mut commands = Vec::new();
            if config.aof_timestamp_enabled() {
                annotate_time(&mut commands, unix_ms() / 1000);
            }
            for code in self.preface.libraries() {
                encode_command(&mut commands, [&b"FUNCTION"[..], b"LOAD", code]);
            }
            writer.commands(&commands);
            Box::new(writer)
        };
        let written = self.snapshot.write(&server.keyspace, target, &Pace(server));
        server.aof.rewrites.last_memory.store(self.snapshot.peak_memory() as u64, Relaxed);
        let written = written?;
        file.sync_all()?;
        Ok(written)
    }
}

/// Writes a base of the data as they are now.
pub fn write_base(server: &'static Server, path: &Path, as_snapshot: bool) -> Result<(), String> {
    let base = Base::begin(server, &mut server.keyspace.view_all(0, unix_ms()), as_snapshot);
    let create = File::create(path).map_err(|error| os_error_text(&error));
    base.write(server, &create?)
}
