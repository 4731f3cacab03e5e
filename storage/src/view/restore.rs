//! Values that come from outside as they were serialized.

use bytes::Bytes;

use super::View;
use crate::access::Usage;
use crate::effects::Event;
use crate::entry::{MAX_INLINE, NewValue, Slot};
use crate::keyspace::Key;
use crate::listpack::parse_canonical;
use crate::rdb::Loaded;
use crate::table::Position;

impl View<'_> {
    /// Stores a value that was serialized under a key, whatever was there.
    pub fn restore(&mut self, key: &Key<'_>, value: Loaded, expiry: Option<i64>, usage: Option<Usage>) {
        let old = self.vacate(key);
        let handle = self.bring(key, value, expiry, usage);
        self.tell(key, Event::NEW);
        self.changed(key, Event::RESTORE);
        self.tell_replaced(key, handle, old);
    }

    /// Puts a value that comes from outside into the table, in which its key is not.
    pub(super) fn bring(
        &mut self,
        key: &Key<'_>,
        value: Loaded,
        expiry: Option<i64>,
        usage: Option<Usage>,
    ) -> Position {
        let access = self.keyspace.access.brought(usage, self.now_ms);
        let slot = with_new_value(value, |value| Slot::new(key.bytes, expiry, value, access));
        self.adopt(key, slot)
    }
}

/// Passes a value on as it is best stored.
fn with_new_value<R>(value: Loaded, put: impl FnOnce(NewValue<'_>) -> R) -> R {
    match value {
        Loaded::Collection(collection) => collection.with_new_value(put),
        Loaded::Str(text) if text.len() > MAX_INLINE => put(NewValue::Shared(Bytes::from(text))),
        Loaded::Str(text) => put(match parse_canonical(&text) {
            Some(number) => NewValue::Int(number),
            None => NewValue::Str(&text),
        }),
    }
}
