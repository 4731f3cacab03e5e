//! Access control: users, what they may do, and who is who.
//!
//! Users are immutable and shared. Each connection holds the one it acts for in its [`Session`], and learns from a
//! generation number, which grows with every change of any user, when to look again. For users who may do everything
//! that comparison is all that a request costs.

mod channels;
mod check;
mod file;
mod log;
mod rules;
mod selector;
mod tokens;
mod user;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use protocol::Args;

pub use channels::ChannelUse;
pub use check::{Denial, Reason, check, may_use_any_key, may_use_channel};
pub use file::check_declarations;
pub use log::{LogEntry, Place};
pub use rules::has_blanks;
pub use selector::{Access, Selector, category_named};
pub use user::{User, same_secret};

use log::{AclLog, Event};
use rules::join_selectors;

use crate::client::Shared;
use crate::command::Command;
use crate::commands::write_client_line as write_line;
use crate::config::Config;
use crate::server::{Server, unix_ms};

/// The user that clients are before they log in.
pub const DEFAULT_USER: &[u8] = b"default";

type Users = BTreeMap<Vec<u8>, Arc<User>>;

/// Is on no list, and cannot be logged in as.
static SERVER: LazyLock<Arc<User>> = LazyLock::new(|| {
    let mut user = User::new(b"server", User::BUILT_IN, true);
    for rule in ["on", "allkeys", "allcommands"] {
        // These are right.
        let _ = user.apply(rule.as_bytes(), true);
    }
    Arc::new(user)
});

/// All users.
pub struct Acl {
    users: Mutex<Users>,
    /// Grows after every change of users. Never 0.
    generation: AtomicU64,
    next_serial: AtomicU64,
    log: Mutex<AclLog>,
    denied: [AtomicU64; 4],
}

/// Whom a connection acts for.
#[derive(Clone)]
pub struct Session {
    user: Arc<User>,
    /// Whether the client has logged in, or did not have to when it came.
    authenticated: bool,
    /// Whether the default user needs no login, as of `seen`.
    open: bool,
    /// The generation of users that the rest is from.
    seen: u64,
    /// The same where everything is allowed, else 0.
    free_at: u64,
}

impl Session {
    /// Of a user who has logged in, as it was in a generation of users.
    fn of(user: Arc<User>, seen: u64) -> Session {
        let mut session = Session { user, authenticated: true, open: false, seen, free_at: 0 };
        session.settle();
        session
    }

    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    pub fn authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether the client has to log in before anything else.
    pub fn needs_login(&self) -> bool {
        !self.authenticated && !self.open
    }

    fn settle(&mut self) {
        let free = self.user.is_unrestricted() && !self.needs_login();
        self.free_at = if free { self.seen } else { 0 };
    }
}

/// What became of a user.
#[derive(PartialEq, Eq, Debug)]
pub struct Change {
    before: Option<Arc<User>>,
    now: Arc<User>,
}

impl Change {
    /// The user, if it has lost channels that clients may be listening to.
    pub fn loser_of_channels(&self) -> Option<&User> {
        let before = self.before.as_ref()?;
        (!check::keeps_channels(before, &self.now)).then_some(&*self.now)
    }
}

/// The user whom a session acts for is gone.
#[derive(PartialEq, Eq, Debug)]
pub struct UserGone;

impl Acl {
    /// The default user alone, who may do everything and needs no password.
    pub fn new() -> Acl {
        let acl = Acl {
            users: Mutex::default(),
            generation: AtomicU64::new(1),
            next_serial: AtomicU64::new(0),
            log: Mutex::default(),
            denied: Default::default(),
        };
        let user = acl.almighty();
        acl.users.lock().insert(DEFAULT_USER.to_vec(), Arc::new(user));
        acl
    }

    /// A default user who may do everything and needs no password.
    fn almighty(&self) -> User {
        let mut user = User::new(DEFAULT_USER, self.serial(), false);
        for rule in ["on", "nopass", "~*", "&*", "+@all"] {
            // These are right.
            let _ = user.apply(rule.as_bytes(), false);
        }
        user
    }

    fn serial(&self) -> u64 {
        self.next_serial.fetch_add(1, Ordering::Relaxed)
    }

    /// To be called after users were changed, while they are still locked.
    fn note_change(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub fn user(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.lock().get(name).cloned()
    }

    /// All users by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.users.lock().values().cloned().collect()
    }

    /// Whether strangers need no password: what protected mode asks.
    pub fn takes_any_password(&self) -> bool {
        self.user(DEFAULT_USER).is_some_and(|user| user.takes_any_password())
    }

    /// The server itself, which may do everything.
    pub fn server_itself(&self) -> Session {
        Session::of(Arc::clone(&SERVER), self.generation.load(Ordering::Acquire))
    }

    /// The session of a client that has just come, or has been reset.
    pub fn newcomer(&self) -> Session {
        let users = self.users.lock();
        let seen = self.generation.load(Ordering::Acquire);
        let user = default_of(&users).unwrap_or_else(|| Arc::new(User::new(DEFAULT_USER, self.serial(), false)));
        let open = user.needs_no_login();
        let mut session = Session { user, authenticated: open, open, seen, free_at: 0 };
        session.settle();
        session
    }

    /// Whether the session's user may do everything, without further questions.
    #[inline]
    pub fn is_free(&self, session: &Session) -> bool {
        session.free_at == self.generation.load(Ordering::Acquire)
    }

    /// Brings a session up to date with the changes of users.
    pub fn refresh(&self, session: &mut Session) -> Result<(), UserGone> {
        if session.seen == self.generation.load(Ordering::Acquire) {
            return Ok(());
        }
        let users = self.users.lock();
        session.seen = self.generation.load(Ordering::Acquire);
        if session.user.serial() == User::BUILT_IN {
            return Ok(());
        }
        let same = users.get(session.user.name()).filter(|user| user.serial() == session.user.serial());
        session.user = Arc::clone(same.ok_or(UserGone)?);
        session.open = default_of(&users).is_some_and(|user| user.needs_no_login());
        session.settle();
        Ok(())
    }

    /// Whether a call that was allowed to a session still is.
    pub fn recheck(&self, session: &Session, command: &Command, args: Args<'_>) -> Result<(), Denial> {
        if session.seen == self.generation.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut session = session.clone();
        match self.refresh(&mut session) {
            Ok(()) => check(&session.user, command, args),
            Err(UserGone) => Err(Denial { reason: Reason::Command, index: 0 }),
        }
    }

    /// The session of a client that logs in, unless the password is wrong or the user may not.
    pub fn log_in(&self, name: &[u8], password: &[u8]) -> Option<Session> {
        let seen = self.generation.load(Ordering::Acquire);
        let user = self.user(name).filter(|user| user.accepts(password))?;
        Some(Session::of(user, seen))
    }

    /// ACL SETUSER: makes a user or changes it, by all rules or none. Returns the change; the error is a reply without
    /// its code.
    pub fn set_user(&self, name: &[u8], rules: &[&[u8]], config: &Config) -> Result<Change, Vec<u8>> {
        let joined = join_selectors(rules.iter().copied()).map_err(|open| {
            let start = rules.get(open).copied().unwrap_or_default();
            [b"Unmatched parenthesis in acl selector starting at '", visible(start), b"'."].concat()
        })?;
        let open_channels = config.opens_channels();
        let mut users = self.users.lock();
        let before = users.get(name).cloned();
        let mut user = match &before {
            Some(user) => User::clone(user),
            None => User::new(name, self.serial(), open_channels),
        };
        for rule in joined {
            user.apply(&rule, open_channels).map_err(|error| {
                [b"Error in ACL SETUSER modifier '", visible(&rule), b"': ", error.text().as_bytes()].concat()
            })?;
        }
        let now = Arc::new(user);
        users.insert(name.to_vec(), Arc::clone(&now));
        self.note_change();
        Ok(Change { before, now })
    }

    /// ACL DELUSER. Returns whether there was such a user; its clients have to be disconnected.
    pub fn delete_user(&self, name: &[u8]) -> bool {
        let mut users = self.users.lock();
        let found = users.remove(name).is_some();
        self.note_change();
        found
    }

    /// `requirepass`: the only password of the default user, who needs none where it is empty.
    pub fn set_default_password(&self, password: &[u8]) {
        let mut users = self.users.lock();
        let Some(mut user) = users.get(DEFAULT_USER).map(|user| User::clone(user)) else { return };
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        for rule in [b"resetpass".as_slice(), &rule] {
            // These are right.
            let _ = user.apply(rule, false);
        }
        users.insert(DEFAULT_USER.to_vec(), Arc::new(user));
        self.note_change();
    }

    /// How often something was denied.
    pub fn denied(&self, reason: Reason) -> u64 {
        self.denied[reason as usize].load(Ordering::Relaxed)
    }

    /// So many of the latest entries of ACL LOG.
    pub fn log(&self, count: usize) -> Vec<LogEntry> {
        self.log.lock().latest(count)
    }

    /// ACL LOG RESET.
    pub fn reset_log(&self) {
        self.log.lock().truncate(0);
    }
}

impl Server {
    /// Counts and logs that a request was denied.
    pub fn note_denial(
        &self,
        client: &Shared,
        user: &User,
        denial: Denial,
        place: Place,
        command: &Command,
        args: Args<'_>,
    ) {
        let event = Event { reason: denial.reason, place, object: denial.object(command, args) };
        self.note_event(client, event, user.name());
    }

    /// Counts and logs that somebody could not log in as a user.
    pub fn note_failed_login(&self, client: &Shared, place: Place, user: &[u8], args: Args<'_>) {
        self.note_event(client, Event { reason: Reason::Auth, place, object: args.get(0).unwrap_or_default() }, user);
    }

    fn note_event(&self, client: &Shared, event: Event<'_>, user: &[u8]) {
        self.acl.denied[event.reason as usize].fetch_add(1, Ordering::Relaxed);
        let max_len = usize::try_from(self.config.acllog_max_len()).unwrap_or(usize::MAX);
        let now = unix_ms();
        let mut info = Vec::new();
        if max_len > 0 {
            write_line(&mut info, client, self, now);
            info.pop();
        }
        let mut log = self.acl.log.lock();
        if max_len > 0 {
            log.add(event, user, info, now);
        }
        log.truncate(max_len);
    }
}

impl Default for Acl {
    fn default() -> Acl {
        Acl::new()
    }
}

fn default_of(users: &Users) -> Option<Arc<User>> {
    users.get(DEFAULT_USER).cloned()
}

/// What messages show of a client's bytes.
fn visible(bytes: &[u8]) -> &[u8] {
    crate::command::error::shown(bytes, usize::MAX)
}

#[cfg(test)]
mod tests;
