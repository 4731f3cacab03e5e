//! What structures keep beside their data for a snapshot that is being written.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Snapshot;

/// A place for what a structure keeps while a snapshot of it is written. A copy of the structure keeps nothing.
pub(crate) struct Aside<T>(Option<Box<T>>);

impl<T> Aside<T> {
    pub(crate) fn put(&mut self, kept: T) {
        self.0 = Some(Box::new(kept));
    }

    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T> Default for Aside<T> {
    fn default() -> Aside<T> {
        Aside(None)
    }
}

impl<T> Clone for Aside<T> {
    fn clone(&self) -> Aside<T> {
        Aside(None)
    }
}

impl<T> Deref for Aside<T> {
    type Target = Option<Box<T>>;

    #[inline]
    fn deref(&self) -> &Option<Box<T>> {
        &self.0
    }
}

impl<T> DerefMut for Aside<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Option<Box<T>> {
        &mut self.0
    }
}

/// Bytes that are held for a snapshot, which reports them as long as they are.
pub(crate) struct Held {
    snapshot: Arc<Snapshot>,
    bytes: usize,
}

impl Held {
    pub(super) fn new(snapshot: &Arc<Snapshot>) -> Held {
        Held { snapshot: Arc::clone(snapshot), bytes: 0 }
    }

    pub(crate) fn more(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.snapshot.was_queued(bytes);
    }

    pub(crate) fn less(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.snapshot.was_written(bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.less(self.bytes);
    }
}

/// Bytes that a snapshot takes to know what was handed over, which it reports as long as they are there.
pub(super) struct Beside {
    snapshot: Arc<Snapshot>,
    bytes: usize,
}

impl Beside {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Beside {
        Beside { snapshot, bytes: 0 }
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(super) fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.snapshot.beside_changed(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.set(0);
    }
}
