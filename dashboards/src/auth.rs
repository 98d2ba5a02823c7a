//! Who may see the pages and act on them: everybody on this machine, or people who log in.
//!
//! Invariants: pages that other machines can reach are never served without users; a form is taken only with the token
//! of the session that it was written for; nothing here is kept on the server, so a restart or a second process asks
//! nobody to log in again.
//!
//! Reading order: [`password`] hashes and checks passwords; [`session`] signs cookies and forms; [`attempts`] slows down
//! who guesses; [`guard`] stands before every page; [`login`] is the page to log in; [`posted`] reads a form; [`token`]
//! knows programs.

pub mod attempts;
pub mod guard;
pub mod login;
pub mod password;
pub mod posted;
pub mod session;
pub mod token;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use domain::time::Clock;
use service::Secret;
use service::token::{TokenError, Tokens};

use crate::config::Config;
use attempts::Attempts;
use session::Key;

pub use password::hash;

/// People by name, each with the hash of a password as [`hash`] makes it.
pub type Users = BTreeMap<String, Secret>;

/// Passwords are checked by so many threads at most: each check wants 19 MiB and some 20 ms of a core.
const CHECKS_AT_ONCE: usize = 2;

/// A name longer than this is a mistake.
const LONGEST_NAME: usize = 64;

/// Why the pages are not served. Names the key and what would be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error(
        "dashboards.listen is \"{listen}\", which other machines can reach, and dashboards.users is empty: \
         add a user (`[dashboards.users]` with `name = \"$argon2id$…\"`, a hash as `leeway hash-password` prints it), \
         or listen on 127.0.0.1"
    )]
    NobodyCouldLogIn { listen: String },
    #[error(
        "dashboards.users.{name} is no hash of a password: {problem} (`leeway hash-password` prints one)"
    )]
    NotAHash { name: String, problem: String },
    #[error("dashboards.users: \"{name}\" is no name (1 to 64 characters, none of them a control character)")]
    NotAName { name: String },
    #[error("dashboards.tokens: {0}")]
    BadToken(#[from] TokenError),
    #[error("dashboards.tokens: {problem}")]
    NoToken { problem: String },
    #[error("dashboards.session_hours is 0: nobody could stay logged in (the usual value is 12)")]
    NoSession,
}

/// How the pages are kept: for whoever is on this machine, or for people who log in.
#[derive(Debug)]
pub struct Gate {
    users: Users,
    /// Programs that may come with a token.
    tokens: Tokens,
    /// Names under which this machine may be asked for, where nobody logs in.
    hosts: Vec<String>,
    /// Signs the forms of visits without log-in; made anew at each start.
    key: Key,
    session_ms: i64,
    /// Whether people reach the pages by https, so that cookies may say so.
    secure: bool,
    attempts: Mutex<Attempts>,
    checks: tokio::sync::Semaphore,
    clock: Clock,
}

/// Says what is wrong with who may come, without reading any file.
///
/// # Errors
/// Where people could reach the pages and nobody could log in, a user's hash is none, or a token cannot work.
pub fn check(config: &Config) -> Result<(), AccessError> {
    if config.users.is_empty() && !is_loopback(&config.listen) {
        return Err(AccessError::NobodyCouldLogIn { listen: config.listen.clone() });
    }
    if config.session_hours == 0 {
        return Err(AccessError::NoSession);
    }
    for (name, hash) in &config.users {
        check_user(name, hash)?;
    }
    for token in &config.tokens {
        token.check()?;
    }
    Ok(())
}

impl Gate {
    /// # Errors
    /// Those of [`check`]; or where a token's file cannot be read.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, AccessError> {
        check(config)?;
        let tokens = Tokens::read(&config.tokens)
            .map_err(|error| AccessError::NoToken { problem: format!("{error:#}") })?;
        let public = config.public_url();
        Ok(Self {
            users: config.users.clone(),
            tokens,
            hosts: hosts(config),
            key: Key::random(),
            session_ms: i64::from(config.session_hours) * 3_600_000,
            secure: public.starts_with("https://"),
            attempts: Mutex::new(Attempts::default()),
            checks: tokio::sync::Semaphore::new(CHECKS_AT_ONCE),
            clock,
        })
    }

    /// Whether people log in.
    pub fn is_closed(&self) -> bool {
        !self.users.is_empty()
    }

    /// The key of a person's sessions; it changes with the password, which ends them.
    fn key_of(&self, person: &str) -> Option<Key> {
        self.users.get(person).map(|hash| Key::of_hash(hash.expose()))
    }

    /// Whether this machine may be asked for by `host` (with or without a port) where nobody logs in. A name that
    /// somebody else made point here is refused: its pages could read ours.
    fn is_known_host(&self, host: &str) -> bool {
        let name = host_name(host);
        is_loopback_name(name) || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn check_user(name: &str, hash: &Secret) -> Result<(), AccessError> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(AccessError::NotAName { name: crate::text::cut(name, LONGEST_NAME) });
    }
    password::check_hash(hash.expose())
        .map_err(|problem| AccessError::NotAHash { name: name.to_owned(), problem })
}

/// Whether only this machine can reach `listen`.
pub fn is_loopback(listen: &str) -> bool {
    match listen.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => is_loopback_name(host_name(listen)),
    }
}

fn is_loopback_name(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A host without its port: `[::1]` of `[::1]:4840`.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

fn hosts(config: &Config) -> Vec<String> {
    let stated = url::Url::parse(&config.public_url()).ok();
    stated.and_then(|url| url.host_str().map(str::to_owned)).into_iter().collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn gate(users: &[(&str, &str)], listen: &str, clock: Clock) -> Result<Gate, AccessError> {
        let users = users.iter().map(|(name, hash)| ((*name).to_owned(), Secret::new(*hash))).collect();
        Gate::new(&Config { users, listen: listen.to_owned(), ..Config::default() }, clock)
    }

    #[test]
    fn pages_that_others_can_reach_are_not_served_without_users() {
        for listen in ["0.0.0.0:4840", "192.168.1.7:80", "[::]:4840", "leeway.example.com:4840"] {
            let error = gate(&[], listen, Clock::System).expect_err("refused").to_string();
            assert!(error.contains("dashboards.users") && error.contains(listen), "{error}");
        }
        for listen in ["127.0.0.1:4840", "localhost:4840", "[::1]:0", "127.0.0.9:1"] {
            assert!(gate(&[], listen, Clock::System).is_ok(), "{listen}");
        }
    }

    #[test]
    fn what_is_no_hash_is_named_with_its_user_and_not_shown() {
        let error =
            gate(&[("ada", "hunter2")], "127.0.0.1:1", Clock::System).expect_err("no hash").to_string();
        assert!(error.contains("dashboards.users.ada") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_foreign_name_that_points_here_is_not_this_machine() {
        let gate = gate(&[], "127.0.0.1:4840", Clock::System).expect("a gate");
        for known in ["127.0.0.1:4840", "localhost:4840", "LOCALHOST", "[::1]:4840", "127.0.0.1"] {
            assert!(gate.is_known_host(known), "{known}");
        }
        for foreign in ["evil.example:4840", "127.0.0.1.evil.example", "", "[::2]:1"] {
            assert!(!gate.is_known_host(foreign), "{foreign}");
        }
    }
}
