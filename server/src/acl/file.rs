//! Users in files: `user` lines of the configuration, and the file that `aclfile` names.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::rules::{RuleError, has_blanks, join_selectors};
use super::user::User;
use super::{Acl, Change, DEFAULT_USER, Users};
use crate::config::{Config, Failure, replace_file};
use crate::log;
use crate::server::os_error_text;

/// Checks the `user` lines of the configuration, before anything is started. Commands that do not exist are left for
/// [`Acl::load_at_start`], as in Redis.
pub fn check_declarations(config: &Config) -> Result<(), Failure> {
    for line in &config.users {
        let rules = line.words.iter().skip(1).map(Vec::as_slice);
        let failure = |word: &[u8], reason: &str| {
            line.failure(format!("Error in user declaration '{}': {reason}", String::from_utf8_lossy(word)))
        };
        let joined = join_selectors(rules.clone())
            .map_err(|open| failure(rules.clone().nth(open).unwrap_or_default(), "Unmatched parenthesis"))?;
        let mut user = User::new(b"", 0, config.opens_channels());
        for rule in joined {
            match user.apply(&rule, config.opens_channels()) {
                Ok(()) | Err(RuleError::Unknown) => {}
                Err(error) => return Err(failure(&rule, error.text())),
            }
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Acl {
    /// Takes over what the configuration says about users: `requirepass`, `user` lines, `aclfile`.
    pub fn load_at_start(&self, config: &Config) -> Result<(), String> {
        if !config.requirepass().is_empty() {
            self.set_default_password(&config.requirepass());
        }
        if !config.aclfile().is_empty() && !config.users.is_empty() {
            return Err("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path \
                        is invalid. Define them in one of the two, not in both."
                .into());
        }
        for line in &config.users {
            let Some((name, rules)) = line.words.split_first() else { continue };
            self.declare(name, rules, config).map_err(|reason| {
                log::warning!("{reason}");
                "Critical error while loading ACLs. Exiting."
            })?;
        }
        if !config.aclfile().is_empty() {
            let loaded = self.load_file(config);
            loaded.map_err(|errors| format!("Aborting Redis startup because of ACL errors: {}", text(&errors)))?;
        }
        Ok(())
    }

    /// Makes the user of a `user` line.
    fn declare(&self, name: &[u8], rules: &[Vec<u8>], config: &Config) -> Result<(), String> {
        if has_blanks(name) {
            return Err("Spaces not allowed in ACL usernames".into());
        }
        let open_channels = config.opens_channels();
        let mut user = User::new(name, self.serial(), open_channels);
        // That no parenthesis is left open was checked before.
        for rule in join_selectors(rules.iter().map(Vec::as_slice)).unwrap_or_default() {
            user.apply(&rule, open_channels).map_err(|error| {
                let (rule, name) = (text(&rule), text(name));
                format!("Error loading ACL rule '{rule}' for the user named '{name}': {}", error.text())
            })?;
        }
        if !user.enabled() {
            log::notice!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not \
                 a configuration error.",
                text(name)
            );
        }
        self.users.lock().insert(name.to_vec(), Arc::new(user));
        self.note_change();
        Ok(())
    }

    /// ACL LOAD: the users of `aclfile` take the place of all, if nothing is wrong with any. Returns the changes; the
    /// error is a reply without its code.
    pub fn load_file(&self, config: &Config) -> Result<Vec<Change>, Vec<u8>> {
        let path = config.aclfile();
        let content = std::fs::read(&*path).map_err(|error| {
            format!("Error loading ACLs, opening file '{path}': {}", os_error_text(&error)).into_bytes()
        })?;
        let mut errors = Vec::new();
        let mut loaded = Users::new();
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let at = format!("{path}:{}", index + 1);
            self.load_line(line, &at, index + 1, config, &mut loaded, &mut errors);
        }
        if !errors.is_empty() {
            errors.extend_from_slice(
                b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
            );
            return Err(errors);
        }
        let mut users = self.users.lock();
        loaded.entry(DEFAULT_USER.to_vec()).or_insert_with(|| Arc::new(self.almighty()));
        for (name, user) in &mut loaded {
            // Clients stay who they are if there is somebody of that name.
            if let Some(old) = users.get(name) {
                Arc::make_mut(user).set_serial(old.serial());
            }
        }
        let mut before = std::mem::replace(&mut *users, loaded);
        self.note_change();
        let changes = users.iter().map(|(name, now)| Change { before: before.remove(name), now: Arc::clone(now) });
        Ok(changes.collect())
    }

    fn load_line(
        &self,
        line: &[u8],
        at: &str,
        number: usize,
        config: &Config,
        users: &mut Users,
        errors: &mut Vec<u8>,
    ) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let mut complain = |parts: &[&[u8]]| errors.extend(parts.concat());
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(b"user"), Some(name)) = (words.next(), words.next()) else {
            complain(&[at.as_bytes(), b" should start with user keyword followed by the username. "]);
            return;
        };
        if has_blanks(name) {
            complain(&[b"'", at.as_bytes(), b": username '", name, b"' contains invalid characters. "]);
            return;
        }
        if users.contains_key(name) {
            let number = number.to_string();
            complain(&[b"WARNING: Duplicate user '", name, b"' found on line ", number.as_bytes(), b". "]);
            return;
        }
        let open_channels = config.opens_channels();
        let mut user = User::new(name, self.serial(), open_channels);
        let Ok(rules) = join_selectors(words) else {
            complain(&[at.as_bytes(), b": Unmatched parenthesis in selector definition."]);
            return;
        };
        let mut failed = false;
        for rule in rules {
            let rule = rule.trim_ascii();
            match user.apply(rule, open_channels) {
                Ok(()) => {}
                Err(error @ RuleError::Unknown) => {
                    let what = [at.as_bytes(), b": Error in applying operation '", rule, b"': "].concat();
                    complain(&[&what, error.text().as_bytes(), b". "]);
                }
                // One other error is enough: it may be the cause of the next ones.
                Err(error) if !failed => {
                    complain(&[at.as_bytes(), b": ", error.text().as_bytes(), b". "]);
                    failed = true;
                }
                Err(_) => {}
            }
        }
        users.insert(name.to_vec(), Arc::new(user));
    }

    /// ACL SAVE: writes all users to `aclfile`, as a whole or not at all.
    pub fn save_file(&self, config: &Config) -> std::io::Result<()> {
        let lines: Vec<Vec<u8>> =
            self.users().iter().map(|user| [b"user ", user.declaration().as_slice(), b"\n"].concat()).collect();
        replace_file(Path::new(&*config.aclfile()), |file| file.write_all(&lines.concat())).inspect_err(|error| {
            log::warning!("Writing the ACL file for ACL SAVE: {}", os_error_text(error));
        })
    }
}
