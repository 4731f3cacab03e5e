//! What ACL LOG shows: who was denied what, the latest first.

use std::collections::VecDeque;

use super::check::Reason;

/// Where the request stood that was denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Toplevel,
    Multi,
    Script,
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Place::Toplevel => "toplevel",
            Place::Multi => "multi",
            Place::Script => "lua",
        }
    }
}

/// Something that was denied.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub reason: Reason,
    pub place: Place,
    pub object: &'a [u8],
}

/// One or more events of the same kind.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub id: u64,
    pub count: u64,
    pub reason: Reason,
    pub place: Place,
    pub object: Vec<u8>,
    pub user: Vec<u8>,
    /// The client of the last event, as in CLIENT LIST.
    pub client: Vec<u8>,
    /// Unix milliseconds of the first and the last event.
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// Entries by time, without end but for `acllog-max-len`.
#[derive(Default)]
pub struct AclLog {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

/// Events so close in time are counted together.
const SAME_WITHIN_MS: i64 = 60_000;
/// Among so many entries an earlier event of the same kind is looked for.
const LOOKED_AT: usize = 10;

impl AclLog {
    /// Adds an event: to the entry of one like it, if that is recent.
    pub fn add(&mut self, event: Event<'_>, user: &[u8], client: Vec<u8>, now_ms: i64) {
        let Event { reason, place, object } = event;
        let same = |entry: &LogEntry| {
            (entry.reason, entry.place) == (reason, place)
                && (now_ms - entry.updated_ms) <= SAME_WITHIN_MS
                && (&*entry.object, &*entry.user) == (object, user)
        };
        let found = self.entries.iter().take(LOOKED_AT).position(same);
        let entry = match found.and_then(|index| self.entries.remove(index)) {
            Some(entry) => LogEntry { count: entry.count + 1, client, updated_ms: now_ms, ..entry },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                let (object, user) = (object.to_vec(), user.to_vec());
                let (created_ms, updated_ms) = (now_ms, now_ms);
                LogEntry { id, count: 1, reason, place, object, user, client, created_ms, updated_ms }
            }
        };
        self.entries.push_front(entry);
    }

    /// Forgets the oldest entries beyond so many.
    pub fn truncate(&mut self, len: usize) {
        self.entries.truncate(len);
    }

    /// So many entries, the latest first.
    pub fn latest(&self, count: usize) -> Vec<LogEntry> {
        self.entries.iter().take(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_same_kind_are_counted_together() {
        let mut log = AclLog::default();
        let mut add = |object: &str, now_ms| {
            let event = Event { reason: Reason::Key, place: Place::Toplevel, object: object.as_bytes() };
            log.add(event, b"bob", Vec::new(), now_ms);
        };
        add("a", 0);
        add("b", 1);
        add("a", 60_000);
        add("b", 60_002);
        let seen: Vec<_> = log.latest(10).iter().map(|entry| (entry.id, entry.count, entry.created_ms)).collect();
        assert_eq!(seen, [(2, 1, 60_002), (0, 2, 0), (1, 1, 1)]);
        log.truncate(1);
        assert_eq!(log.latest(10).len(), 1);
    }
}
