//! Sessions that clients may resume.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// As many sessions as `tls-session-cache-size` allows, for as long as `tls-session-cache-timeout` says. The cache that
/// rustls has knows no time, and takes memory for all its sessions at once.
#[derive(Debug)]
pub(super) struct SessionCache {
    /// 0 is no limit.
    most: usize,
    lifetime: Duration,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<Vec<u8>, Vec<u8>>,
    /// In the order in which they came, with those that are gone.
    ids: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Forgets those that are older than `lifetime`, and of the others the oldest until no more than `most` are left.
    fn forget(&mut self, lifetime: Duration, most: usize) {
        while self.ids.len() > most || self.ids.front().is_some_and(|(since, _)| since.elapsed() >= lifetime) {
            let Some((_, id)) = self.ids.pop_front() else { break };
            self.by_id.remove(&id);
        }
    }
}

impl SessionCache {
    pub(super) fn new(most: usize, lifetime: Duration) -> SessionCache {
        SessionCache { most, lifetime, sessions: Mutex::default() }
    }

    /// The sessions that are not over.
    fn current<T>(&self, look: impl FnOnce(&mut Sessions) -> T) -> T {
        let mut sessions = self.sessions.lock();
        sessions.forget(self.lifetime, usize::MAX);
        look(&mut sessions)
    }
}

impl StoresServerSessions for SessionCache {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        self.current(|sessions| {
            sessions.by_id.insert(id.clone(), session);
            sessions.ids.push_back((Instant::now(), id));
            sessions.forget(self.lifetime, if self.most == 0 { usize::MAX } else { self.most });
        });
        true
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.current(|sessions| sessions.by_id.get(id).cloned())
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.current(|sessions| sessions.by_id.remove(id))
    }

    fn can_cache(&self) -> bool {
        !self.lifetime.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn the_oldest_sessions_go_first() {
        let cache = SessionCache::new(2, LONG);
        for id in 1..=3 {
            assert!(cache.put(vec![id], vec![id, id]));
        }
        assert_eq!([1, 2, 3].map(|id| cache.get(&[id])), [None, Some(vec![2, 2]), Some(vec![3, 3])]);
        assert_eq!(cache.take(&[2]), Some(vec![2, 2]));
        assert_eq!((cache.take(&[2]), cache.get(&[3])), (None, Some(vec![3, 3])));
        assert!(cache.sessions.lock().ids.len() <= 2);
    }

    #[test]
    fn nothing_is_limited_by_a_size_of_0() {
        let cache = SessionCache::new(0, LONG);
        (0..200).for_each(|id| assert!(cache.put(vec![id], vec![])));
        assert!((0..200).all(|id| cache.get(&[id]).is_some()));
    }

    #[test]
    fn sessions_end() {
        let cache = SessionCache::new(10, Duration::ZERO);
        cache.put(vec![1], vec![1]);
        assert_eq!((cache.get(&[1]), cache.can_cache()), (None, false));
        assert!(cache.sessions.lock().by_id.is_empty());
    }
}
