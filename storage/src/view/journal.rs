//! Writing down what makes the changes of a view anew.

use super::View;
use crate::journal::Lapse;
use crate::keyspace::Key;

impl View<'_> {
    /// Whether changes are to be written down. Whoever asks does so if they are.
    #[inline]
    pub fn writes_down(&mut self) -> bool {
        let wanted = self.keyspace.journal().is_some();
        self.incomplete |= wanted;
        wanted
    }

    /// Whether nothing was written down that has not been said to be complete.
    #[inline]
    pub fn is_complete(&self) -> bool {
        !self.incomplete
    }

    /// What was written down so far happened at one instant, which is over.
    #[inline]
    pub fn complete(&mut self) {
        if std::mem::take(&mut self.incomplete) {
            self.keyspace.complete_journal();
        }
    }

    /// A key, or something in it, has gone although no command has asked for that.
    pub(super) fn lapsed(&mut self, key: &Key<'_>, lapse: Lapse<'_>) {
        if let Some(journal) = self.keyspace.journal() {
            self.incomplete = true;
            journal.lapsed(self.db, key.bytes, lapse);
        }
    }
}

impl Drop for View<'_> {
    /// The locks go only after this.
    #[inline]
    fn drop(&mut self) {
        self.complete();
    }
}
