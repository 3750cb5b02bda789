//! Who may connect: the users file, and the door that asks for the password.
//!
//! The file has one `name:secret` a line; empty lines and lines beginning with `#` are skipped. The
//! name says the role (see `rules`). The secret is an argon2 hash in PHC form (`$argon2id$...`, as
//! the `argon2` tool prints with `-e`) or the password itself; the file must not be readable by
//! others then. A hash costs some 30 ms of processor at a client's first login after a start; with
//! many displays prefer long random passwords, which need no slow hash.
//!
//! A client's id must be its user name or begin with it and a dash, or be left to the broker: else
//! one display could take over the session of another, or of the daemon, by using its id.

use super::BrokerError;
use super::rules::Role;
use mqtt5::broker::{AuthProvider, AuthResult, PasswordAuthProvider};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The daemon's own user at the embedded broker.
const OWN_USER: &str = "daemon-embedded";
/// What a wrong password costs.
const WRONG_PASSWORD_PAUSE: Duration = Duration::from_millis(500);
/// Slow hashes computed at once.
const HASHING: usize = 2;

#[derive(Clone)]
enum Secret {
    Plain(blake3::Hash),
    Argon2(String),
}

/// The users file, checked.
pub(super) struct Users {
    secrets: BTreeMap<String, Secret>,
}

/// A fast hash for comparing in constant time; nothing of it is kept beyond the process.
fn digest(password: &[u8]) -> blake3::Hash {
    blake3::hash(password)
}

impl Users {
    /// Reads the file, or says all that is wrong with it.
    pub(super) fn load(path: &Path) -> Result<Users, BrokerError> {
        let wrong = |problem: String| BrokerError::Users { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        let users = Users::parse(&text).map_err(|mistakes| wrong(mistakes.join("; ")))?;
        let mode = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?.permissions().mode();
        let plain = users.secrets.values().any(|s| matches!(s, Secret::Plain(_)));
        if plain && mode & 0o007 != 0 {
            return Err(wrong(format!(
                "it holds passwords and every user of this machine may read it (mode {:03o}): chmod 600, or use \
                 argon2 hashes",
                mode & 0o777
            )));
        }
        Ok(users)
    }

    /// Reads the text of a users file; all mistakes at once, with their lines, without secrets.
    fn parse(text: &str) -> Result<Users, Vec<String>> {
        let (mut secrets, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (n, line) in (1..).zip(text.lines()) {
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, secret)) = line.split_once(':') else {
                mistakes.push(format!("line {n}: expected name:password"));
                continue;
            };
            let short = |name: &str| name.chars().take(40).collect::<String>().escape_debug().to_string();
            if Role::of(name).is_none() {
                mistakes.push(format!(
                    "line {n}: \"{}\" is no role: use display-<display>, pos, office, monitor, home or daemon, each but \
                     the first alone or with -<name>",
                    short(name)
                ));
            } else if secret.is_empty() {
                mistakes.push(format!("line {n}: \"{}\" has no password", short(name)));
            } else if secrets.contains_key(name) {
                mistakes.push(format!("line {n}: \"{}\" was there before", short(name)));
            } else if secret.starts_with("$argon2") {
                if secret.split('$').count() == 6 {
                    secrets.insert(name.to_owned(), Secret::Argon2(secret.to_owned()));
                } else {
                    mistakes.push(format!("line {n}: \"{}\" has a broken argon2 hash", short(name)));
                }
            } else {
                secrets.insert(name.to_owned(), Secret::Plain(digest(secret.as_bytes())));
            }
        }
        if mistakes.is_empty() { Ok(Users { secrets }) } else { Err(mistakes) }
    }
}

/// Asks for passwords, and knows the roles. Without users it lets everybody do everything.
pub(super) struct Door {
    users: Option<RwLock<Users>>,
    own_password: String,
    /// Passwords that passed a slow hash in this run, by user.
    passed: RwLock<BTreeMap<String, (String, blake3::Hash)>>,
    hashing: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(users: Option<Users>) -> Self {
        Self {
            users: users.map(RwLock::new),
            own_password: format!("{:032x}", rand::random::<u128>()),
            passed: RwLock::default(),
            hashing: Arc::new(Semaphore::new(HASHING)),
        }
    }

    pub(super) fn own_login(&self) -> Option<(String, String)> {
        self.users.as_ref().map(|_| (OWN_USER.to_owned(), self.own_password.clone()))
    }

    pub(super) fn replace(&self, users: Users) {
        if let Some(present) = &self.users {
            *present.write().unwrap_or_else(|e| e.into_inner()) = users;
        }
    }

    async fn knows(&self, user: &str, password: &[u8]) -> bool {
        let given = digest(password);
        if user == OWN_USER {
            return given == digest(self.own_password.as_bytes());
        }
        let secret = match &self.users {
            Some(users) => users.read().unwrap_or_else(|e| e.into_inner()).secrets.get(user).cloned(),
            None => return true,
        };
        let hash = match secret {
            None => return false,
            Some(Secret::Plain(expected)) => return given == expected,
            Some(Secret::Argon2(hash)) => hash,
        };
        {
            let passed = self.passed.read().unwrap_or_else(|e| e.into_inner());
            if passed.get(user).is_some_and(|(of, before)| *of == hash && *before == given) {
                return true;
            }
        }
        let Ok(_place) = self.hashing.acquire().await else { return false };
        let (password, compared) = (String::from_utf8_lossy(password).into_owned(), hash.clone());
        let right =
            tokio::task::spawn_blocking(move || PasswordAuthProvider::verify_password(&password, &compared));
        let right = right.await.unwrap_or(false);
        if right {
            self.passed.write().unwrap_or_else(|e| e.into_inner()).insert(user.to_owned(), (hash, given));
        }
        right
    }

    async fn admit(&self, connect: &ConnectPacket) -> AuthResult {
        if self.users.is_none() {
            return AuthResult::success();
        }
        let (Some(user), Some(password)) = (&connect.username, &connect.password) else {
            return AuthResult::fail(ReasonCode::BadUsernameOrPassword);
        };
        if !self.knows(user, password).await {
            tokio::time::sleep(WRONG_PASSWORD_PAUSE).await;
            tracing::warn!(
                id = "broker-client-login",
                "a client gave a wrong user name or password to the embedded broker"
            );
            return AuthResult::fail(ReasonCode::BadUsernameOrPassword);
        }
        let id = connect.client_id.as_str();
        let own_id =
            id.strip_prefix(user.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if !own_id && !id.starts_with("auto-") && Role::of(user) != Some(Role::Daemon) {
            tracing::warn!(id = "broker-client-id", %user, "a client was refused: its client id must be its user name, or begin with it and a dash");
            return AuthResult::fail(ReasonCode::ClientIdentifierNotValid);
        }
        AuthResult::success_with_user(user.clone())
    }

    fn may(&self, user: Option<&str>, allowed: impl FnOnce(&Role) -> bool) -> bool {
        self.users.is_none() || user.and_then(Role::of).is_some_and(|role| allowed(&role))
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AuthProvider for Door {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _address: SocketAddr,
    ) -> Answer<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move { Ok(self.admit(connect).await) })
    }

    fn authorize_publish<'a>(&'a self, _id: &str, user: Option<&'a str>, topic: &'a str) -> Answer<'a, bool> {
        Box::pin(async move { self.may(user, |role| role.may_publish(topic)) })
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _id: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(async move { self.may(user, |role| role.may_read(filter)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_mistakes_are_named_with_their_lines_and_without_secrets() {
        let text = "# users\npos:s3cret\nbob:s3cret\nno colon s3cret\n\noffice:\npos:s3cret\ndaemon:$argon2id$s3cret\n";
        let mistakes = Users::parse(text).err().unwrap();
        for (mistake, line) in mistakes.iter().zip(["line 3", "line 4", "line 6", "line 7", "line 8"]) {
            assert!(mistake.starts_with(line) && !mistake.contains("s3cret"), "{mistake}");
        }
        assert_eq!(mistakes.len(), 5);
    }

    #[test]
    fn passwords_that_everybody_may_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, "pos:x\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Users::load(&path).err().unwrap().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Users::load(&path).is_ok());
    }

    fn connect(user: &str, password: &str, id: &str) -> ConnectPacket {
        let mut connect = ConnectPacket::new(mqtt5::ConnectOptions::new(id).protocol_options);
        connect.username = Some(user.into());
        connect.password = Some(password.into());
        connect
    }

    #[tokio::test]
    async fn a_user_needs_its_password_and_an_id_of_its_own() {
        let hash = PasswordAuthProvider::hash_password("slow").unwrap();
        let users = Users::parse(&format!("pos:fast:colon\ndisplay-tea:{hash}\n")).ok().unwrap();
        let door = Door::new(Some(users));
        let (own, own_password) = door.own_login().unwrap();
        let cases = [
            ("pos", "fast:colon", "pos-1", true),
            ("pos", "fast", "pos-1", false),
            ("pos", "fast:colon", "display-tea", false),
            ("pos", "fast:colon", "post", false),
            ("display-tea", "slow", "display-tea", true),
            ("display-tea", "slow", "display-tea", true),
            ("display-tea", "fast:colon", "display-tea", false),
            ("nobody", "", "nobody", false),
            (own.as_str(), own_password.as_str(), "shopguide-s", true),
            (own.as_str(), "guess", "shopguide-s", false),
        ];
        for (user, password, id, expected) in cases {
            let result = door.admit(&connect(user, password, id)).await;
            assert_eq!(result.authenticated, expected, "{user} {password} {id}");
        }
    }

    proptest! {
        #[test]
        fn any_users_file_is_read_without_a_panic(text in "((display-|pos|office|#)?[ -~ü]{0,12}:?[ -~]{0,12}\n){0,6}") {
            if let Ok(users) = Users::parse(&text) {
                prop_assert!(users.secrets.keys().all(|name| Role::of(name).is_some()));
            }
        }
    }
}
