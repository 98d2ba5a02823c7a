//! Where the pages are served, and the addresses that they name.

use serde::{Deserialize, Serialize};
use service::token::Token;

use crate::auth::Users;

/// The section `[dashboards]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the pages.
    pub listen: String,
    /// Where people reach the pages, such as `https://leeway.example.com`; empty for `http://` and `listen`.
    pub base_url: String,
    /// Where events are sent to, as the page of a new installation writes it.
    pub collector_url: String,
    /// People who may log in: names, each with the hash of a password as `leeway hash-password` prints it. Without any,
    /// the pages are for this machine alone, and `listen` must be on loopback.
    pub users: Users,
    /// Programs that come with a bearer token: `read` to look, `act` to act. Where there are any, `/v1/` is for them (and
    /// for people who log in).
    pub tokens: Vec<Token>,
    /// How long a person stays logged in without opening a page.
    pub session_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4840".to_owned(),
            base_url: String::new(),
            collector_url: "http://127.0.0.1:4841".to_owned(),
            users: Users::new(),
            tokens: Vec::new(),
            session_hours: 12,
        }
    }
}

impl Config {
    /// Where people reach the pages, without a slash at the end.
    pub fn public_url(&self) -> String {
        match self.base_url.trim_end_matches('/') {
            "" => format!("http://{}", self.listen),
            stated => stated.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_is_the_stated_one_or_where_it_listens() {
        assert_eq!(Config::default().public_url(), "http://127.0.0.1:4840");
        let stated = Config { base_url: "https://leeway.example.com/".to_owned(), ..Config::default() };
        assert_eq!(stated.public_url(), "https://leeway.example.com");
    }
}
