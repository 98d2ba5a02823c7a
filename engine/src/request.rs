//! What a request asks, besides its body: who asks, the statement in the URL, its parameters and settings.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use subtle::ConstantTimeEq;

use crate::exception::Exception;

/// URL parameters of ClickHouse's interface that change nothing here: progress headers and buffers of its server.
const IGNORED: [&str; 4] = ["buffer_size", "quota_key", "send_progress_in_http_headers", "stacktrace"];

/// How long an unused session is kept, as in ClickHouse.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest time a client may ask for, as in ClickHouse.
const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Who may ask.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// A session a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionWish {
    pub id: String,
    pub timeout: Duration,
    pub must_exist: bool,
}

/// One request's wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub query: String,
    pub database: Option<String>,
    pub default_format: Option<String>,
    pub params: Vec<(String, String)>,
    pub settings: Vec<(String, String)>,
    pub query_id: Option<String>,
    pub session: Option<SessionWish>,
    pub wait_end: bool,
    user: Option<String>,
    password: Option<String>,
}

impl Wishes {
    /// Reads the URL's parameters and the headers that stand for some of them.
    pub fn read(url_query: &str, headers: &HeaderMap) -> Result<Self, Exception> {
        let mut wishes = Self::default();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        wishes.database = text("x-clickhouse-database");
        wishes.default_format = text("x-clickhouse-format");
        (wishes.user, wishes.password) = (text("x-clickhouse-user"), text("x-clickhouse-key"));
        if let Some((user, password)) = text(header::AUTHORIZATION.as_str()).as_deref().and_then(basic) {
            (wishes.user, wishes.password) = (Some(user), Some(password));
        }
        for (name, value) in url::form_urlencoded::parse(url_query.as_bytes()) {
            wishes.take(&name, value.into_owned())?;
        }
        Ok(wishes)
    }

    /// Takes one parameter, of the URL or of a form.
    pub fn take(&mut self, name: &str, value: String) -> Result<(), Exception> {
        match name {
            "query" => self.query = value,
            "database" => self.database = Some(value),
            "default_format" => self.default_format = Some(value),
            "query_id" => self.query_id = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "wait_end_of_query" => self.wait_end = flag(name, &value)?,
            "session_id" | "session_timeout" | "session_check" => self.take_session(name, value)?,
            "compress" | "decompress" | "enable_http_compression" if flag(name, &value)? => {
                return Err(Exception::new(
                    48,
                    "NOT_IMPLEMENTED",
                    format!(
                        "{name}=1 is not supported by the embedded engine, which serves loopback only; ask without compression"
                    ),
                ));
            }
            "compress" | "decompress" | "enable_http_compression" => {}
            "role" => {
                return Err(Exception::new(
                    511,
                    "UNKNOWN_ROLE",
                    format!("there is no role `{value}` in the embedded engine"),
                ));
            }
            "client_protocol_version" if value != "0" => {
                return Err(Exception::new(
                    48,
                    "NOT_IMPLEMENTED",
                    "client_protocol_version is not supported by the embedded engine",
                ));
            }
            "client_protocol_version" => {}
            _ if IGNORED.contains(&name) => {}
            _ => match name.strip_prefix("param_") {
                Some(param) => self.params.push((param.to_owned(), value)),
                None => self.settings.push((setting_name(name)?, value)),
            },
        }
        Ok(())
    }

    fn take_session(&mut self, name: &str, value: String) -> Result<(), Exception> {
        let session = self.session.get_or_insert(SessionWish {
            id: String::new(),
            timeout: SESSION_TIMEOUT,
            must_exist: false,
        });
        match name {
            "session_id" => session.id = value,
            "session_check" => session.must_exist = flag(name, &value)?,
            _ => {
                let seconds = value.parse().map_err(|_| bad(name, &value))?;
                session.timeout = Duration::from_secs(seconds).min(SESSION_TIMEOUT_MAX);
            }
        }
        Ok(())
    }

    /// The session, if one is named.
    pub fn session(&self) -> Option<&SessionWish> {
        self.session.as_ref().filter(|session| !session.id.is_empty())
    }

    /// Whether the one allowed user asks. Both comparisons take the same time wherever they differ.
    pub fn check(&self, allowed: &Credentials) -> Result<(), Exception> {
        let Some(user) = &self.user else {
            return Err(Exception::new(
                194,
                "REQUIRED_PASSWORD",
                "This engine asks for a user and a password",
            ));
        };
        let password = self.password.as_deref().unwrap_or_default();
        let user_fits = user.as_bytes().ct_eq(allowed.user.as_bytes());
        if bool::from(user_fits & password.as_bytes().ct_eq(allowed.password.as_bytes())) {
            return Ok(());
        }
        let message = format!(
            "{user}: Authentication failed: password is incorrect, or there is no user with such name"
        );
        Err(Exception::new(516, "AUTHENTICATION_FAILED", message))
    }
}

/// `SET` with these settings.
pub fn set_statement<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let list: Vec<String> = settings.map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
    (!list.is_empty()).then(|| format!("SET {}", list.join(", ")))
}

/// A text as a string literal of ClickHouse.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name as a quoted identifier of ClickHouse.
pub fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// The name goes into `SET`, so nothing but a name may be in it.
fn setting_name(name: &str) -> Result<String, Exception> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match !name.is_empty() && name.bytes().all(is_name) {
        true => Ok(name.to_owned()),
        false => Err(Exception::new(115, "UNKNOWN_SETTING", format!("Unknown setting '{name}'"))),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, Exception> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(bad(name, value)),
    }
}

fn bad(name: &str, value: &str) -> Exception {
    Exception::new(36, "BAD_ARGUMENTS", format!("the URL parameter {name} cannot be '{value}'"))
}

fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
