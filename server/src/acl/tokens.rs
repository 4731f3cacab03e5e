//! Whom those act for who have shown a token of HTTP instead of a password.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use super::{Acl, DEFAULT_USER, Session, User};

/// May look at all keys, and at what the server tells of itself, but at neither its configuration nor its users.
static READER: LazyLock<Arc<User>> = LazyLock::new(|| {
    const RULES: &str = "on resetkeys %R~* &* +@read -@dangerous +@transaction +select +ping +echo +time +info \
                         +command +eval_ro +evalsha_ro +fcall_ro +subscribe +psubscribe +ssubscribe +slowlog|get \
                         +slowlog|len +latency|latest +latency|histogram +memory|stats +acl|whoami";
    let mut user = User::new(b"http-readonly", User::BUILT_IN, false);
    for rule in RULES.split_ascii_whitespace() {
        // These are right.
        let _ = user.apply(rule.as_bytes(), false);
    }
    Arc::new(user)
});

impl Acl {
    /// Somebody acts for the default user without its password, unless that user is switched off.
    pub fn vouched_for(&self) -> Option<Session> {
        let seen = self.generation.load(Ordering::Acquire);
        let user = self.user(DEFAULT_USER).filter(|user| user.enabled())?;
        Some(Session::of(user, seen))
    }

    /// Somebody who may only read.
    pub fn reader(&self) -> Session {
        Session::of(Arc::clone(&READER), self.generation.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_made_by_rules_that_are_right_and_outlives_changes() {
        let described = String::from_utf8(READER.describe()).unwrap();
        for part in ["on", "%R~*", "&*", "+@read", "-@dangerous", "+acl|whoami", "+slowlog|len"] {
            assert!(described.split(' ').any(|word| word == part), "{part} in {described}");
        }
        let acl = Acl::new();
        let mut session = acl.reader();
        acl.delete_user(b"somebody");
        assert_eq!(acl.refresh(&mut session), Ok(()));
        assert!(!acl.is_free(&session) && !session.needs_login());
    }
}
