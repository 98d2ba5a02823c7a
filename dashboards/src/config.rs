//! Where the pages are served, and the addresses that they name.

use serde::{Deserialize, Serialize};

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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4840".to_owned(),
            base_url: String::new(),
            collector_url: "http://127.0.0.1:4800".to_owned(),
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
