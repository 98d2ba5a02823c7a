//! Whom to tell, how, and how soon: the section `[alerter]`, checked as a whole, so that an unknown channel cannot exist.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::channels;
use crate::incidents::correlate::Correlation;
use crate::retry::Retries;
use crate::routes::{Route, Routes};

/// The checked configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Config {
    /// Where `/healthz`, `/readyz` and `/metrics` are served; empty for nowhere.
    pub listen: String,
    /// Where the pages are, for the links in messages; empty for no links.
    pub base_url: String,
    /// How often it is looked for new evaluations and actions.
    pub poll: Duration,
    /// Nobody is told of what happened longer ago than this.
    pub notify_within: Duration,
    /// An analyzer that says nothing for so long has stalled.
    pub stalled_after: Duration,
    pub correlation: Correlation,
    pub retries: Retries,
    /// How many messages a channel may have under way at a time, of different incidents.
    pub in_flight: usize,
    pub channels: BTreeMap<String, channels::Config>,
    pub routes: Routes,
}

impl Default for Config {
    fn default() -> Self {
        Self::try_from(Raw::default()).expect("the defaults are in order, as a test holds")
    }
}

/// As it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    listen: String,
    base_url: String,
    poll_ms: u64,
    notify_within_s: u64,
    stalled_after_s: u64,
    correlation: Correlation,
    retries: Retries,
    in_flight: usize,
    channels: BTreeMap<String, channels::Config>,
    routes: Vec<Route>,
    /// Channels that hear of what no route matches; where it is not stated, all of them but the retraining ones.
    default_channels: Option<Vec<String>>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4844".to_owned(),
            base_url: String::new(),
            poll_ms: 1_000,
            notify_within_s: 6 * 3_600,
            stalled_after_s: 300,
            correlation: Correlation::default(),
            retries: Retries::default(),
            in_flight: 4,
            channels: BTreeMap::new(),
            routes: Vec::new(),
            default_channels: None,
        }
    }
}

/// What is wrong, by the key that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("alerter.{key}: {problem}")]
pub struct ConfigError {
    pub key: String,
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl TryFrom<Raw> for Config {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        raw.check_numbers()?;
        raw.check_names()?;
        for (name, channel) in &raw.channels {
            channel
                .check()
                .map_err(|(key, problem)| ConfigError::new(format!("channels.{name}.{key}"), problem))?;
        }
        let default = raw.default_channels.unwrap_or_else(|| {
            let told = raw.channels.iter().filter(|(_, channel)| channel.is_default());
            told.map(|(name, _)| name.clone()).collect()
        });
        Ok(Self {
            listen: raw.listen,
            base_url: raw.base_url,
            poll: Duration::from_millis(raw.poll_ms),
            notify_within: Duration::from_secs(raw.notify_within_s),
            stalled_after: Duration::from_secs(raw.stalled_after_s),
            correlation: raw.correlation,
            retries: raw.retries,
            in_flight: raw.in_flight,
            channels: raw.channels,
            routes: Routes { routes: raw.routes, default },
        })
    }
}

impl Raw {
    fn check_numbers(&self) -> Result<(), ConfigError> {
        let rules = [
            (self.poll_ms > 0, "poll_ms"),
            (self.stalled_after_s > 0, "stalled_after_s"),
            (self.in_flight > 0, "in_flight"),
            (self.retries.first_ms > 0, "retries.first_ms"),
            (self.correlation.windows > 0, "correlation.windows"),
            (self.correlation.long_windows > 0, "correlation.long_windows"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, key)) => Err(ConfigError::new(*key, "must be at least 1")),
            None if !self.base_url.is_empty() && url::Url::parse(&self.base_url).is_err() => {
                Err(ConfigError::new("base_url", "is no address (such as https://leeway.example.com)"))
            }
            None => Ok(()),
        }
    }

    /// Every channel that is named exists.
    fn check_names(&self) -> Result<(), ConfigError> {
        let known = || self.channels.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let check = |key: &str, names: &[String]| match names
            .iter()
            .find(|name| !self.channels.contains_key(*name))
        {
            None => Ok(()),
            Some(name) => {
                Err(ConfigError::new(key, format!("channel \"{name}\" does not exist (known: {})", known())))
            }
        };
        for (index, route) in self.routes.iter().enumerate() {
            let key = format!("routes[{index}].channels");
            if route.channels.is_empty() {
                return Err(ConfigError::new(key, "names no channel"));
            }
            check(&key, &route.channels)?;
        }
        check("default_channels", self.default_channels.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    const SAMPLE: &str = r#"
        base_url = "https://leeway.example.com"

        [channels.oncall]
        kind = "pagerduty"
        routing_key = "0123456789abcdef0123456789abcdef"

        [channels.mail]
        kind = "email"
        from = "Leeway <leeway@example.com>"
        to = ["ml@example.com"]
        host = "smtp.example.com"

        [channels.train]
        kind = "retraining"
        url = "https://train.example.com/jobs"
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

        [[routes]]
        severities = ["page"]
        models = ["fraud*"]
        channels = ["oncall", "mail"]
    "#;

    #[test]
    fn a_sample_is_read_and_the_default_is_every_channel_that_tells_people() {
        let config = read(SAMPLE).expect("in order");
        assert_eq!(config.routes.routes[0].channels, ["oncall", "mail"]);
        assert_eq!(config.routes.default, ["mail", "oncall"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let cases = [
            (
                "[[routes]]\nchannels = [\"oncal\"]",
                "alerter.routes[0].channels: channel \"oncal\" does not exist (known: mail, oncall, train)",
            ),
            ("[[routes]]\nmodels = [\"a\"]", "alerter.routes[1].channels: names no channel"),
            ("[retries]\nfirst_ms = 0", "alerter.retries.first_ms: must be at least 1"),
            (
                "[channels.hook]\nkind = \"webhook\"\nurl = \"hooks\"\nsecret = \"whsec_x\"",
                "alerter.channels.hook.url",
            ),
            (
                "[channels.hook]\nkind = \"webhook\"\nurl = \"https://a.example\"\nsecret = \"swordfish\"",
                "alerter.channels.hook.secret",
            ),
            ("[channels.x]\nkind = \"pigeon\"", "pigeon"),
            ("[channels.x]\nkind = \"pagerduty\"\nrouting_kee = \"\"", "routing_kee"),
        ];
        for (addition, expected) in cases {
            // A route that is added to the sample's own comes second.
            let text = match addition.contains("oncal\"") {
                true => SAMPLE.replace("[[routes]]", &format!("{addition}\n[[routes]]")),
                false => format!("{SAMPLE}\n{addition}"),
            };
            let error = read(&text).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_printed_configuration_shows_no_secret() {
        let printed = format!("{:?}", read(SAMPLE).expect("in order"));
        assert!(!printed.contains("0123456789abcdef") && !printed.contains("MfKQ9r8G"), "{printed}");
    }

    #[test]
    fn the_defaults_are_in_order() {
        assert!(Config::default().channels.is_empty());
    }
}
