//! The ways to tell somebody: one file a channel. A channel sends one message once and says how that went; when it is
//! sent, and sent again, is decided elsewhere ([`crate::courier`], [`crate::retry`]).
//!
//! A new channel is a file here, a variant of [`Config`] and of [`Channel`], and nothing else: the compiler then lists
//! the places that must know it.

pub mod email;
pub mod pagerduty;
pub mod post;
pub mod retraining;
pub mod signature;
pub mod webhook;

use std::path::{Path, PathBuf};

use domain::incident::EventKind;
use domain::time::Clock;
use serde::Deserialize;
use service::Secret;

use crate::notice::Notice;
use crate::notify::Hearing;
use crate::retry::Failure;

/// A channel as it is written, told apart by `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Config {
    Webhook(webhook::Config),
    Email(email::Config),
    Pagerduty(pagerduty::Config),
    Retraining(retraining::Config),
}

const NONE: &[EventKind] = &[];

/// A key and what is wrong with it.
pub type Problem = (&'static str, String);

impl Config {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Pagerduty(_) => "pagerduty",
            Self::Retraining(_) => "retraining",
        }
    }

    pub fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Webhook(config) => config.check(),
            Self::Email(config) => config.check(),
            Self::Pagerduty(config) => config.check(),
            Self::Retraining(config) => config.check(),
        }
    }

    /// Whether it hears of what no route matches, where nothing else is said. A retraining is asked for only where
    /// somebody said so.
    pub fn is_default(&self) -> bool {
        !matches!(self, Self::Retraining(_))
    }

    /// What the channel hears of: as stated in `events`, as far as its kind can say it; else what is usual for its kind.
    pub fn hearing(&self) -> Hearing {
        let (can, usual, quietens, stated): (_, _, _, &[EventKind]) = match self {
            Self::Webhook(config) => {
                (EventKind::ALL.as_slice(), EventKind::ALL.as_slice(), NONE, &config.events)
            }
            Self::Email(config) => (email::KINDS, email::KINDS, NONE, &config.events),
            Self::Pagerduty(config) => {
                (pagerduty::KINDS, pagerduty::USUAL, pagerduty::QUIETENS, &config.events)
            }
            Self::Retraining(_) => (retraining::KINDS, retraining::KINDS, retraining::KINDS, NONE),
        };
        let wanted = if stated.is_empty() { usual } else { stated };
        let kinds = wanted.iter().filter(|kind| can.contains(kind)).copied().collect();
        Hearing { kinds, quietens: quietens.to_vec(), follows: matches!(self, Self::Webhook(_)) }
    }

    /// Reads secrets that stand in files of their own, and makes the channel ready to send.
    ///
    /// # Errors
    /// Names the key and the file.
    pub fn open(&self) -> Result<Channel, Problem> {
        Ok(match self {
            Self::Webhook(config) => Channel::Webhook(webhook::Webhook::open(config)?),
            Self::Email(config) => Channel::Email(Box::new(email::Email::open(config)?)),
            Self::Pagerduty(config) => Channel::Pagerduty(pagerduty::Pagerduty::open(config)?),
            Self::Retraining(config) => Channel::Retraining(retraining::Retraining::open(config)?),
        })
    }
}

/// A channel that is ready to send.
pub enum Channel {
    Webhook(webhook::Webhook),
    Email(Box<email::Email>),
    Pagerduty(pagerduty::Pagerduty),
    Retraining(retraining::Retraining),
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Constant over attempts, so that the other side can tell a repetition.
    pub delivery: &'a str,
    pub notice: &'a Notice,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The other side's code; 0 where it gave none.
    pub code: u16,
    /// What the other side said, cut.
    pub answer: String,
    pub failure: Option<Failure>,
    /// What went wrong, in words; empty where nothing did.
    pub error: String,
}

impl Outcome {
    pub fn delivered(code: u16, answer: impl Into<String>) -> Self {
        Self { code, answer: answer.into(), failure: None, error: String::new() }
    }

    /// Failed in a way that may pass, without an answer.
    pub fn passing(error: impl Into<String>) -> Self {
        let failure = Some(Failure::Passing { retry_after: None });
        Self { code: 0, answer: String::new(), failure, error: error.into() }
    }

    /// Failed for good, without an answer.
    pub fn lasting(error: impl Into<String>) -> Self {
        Self { code: 0, answer: String::new(), failure: Some(Failure::Lasting), error: error.into() }
    }
}

impl Channel {
    /// Where it sends to, without secrets and addresses.
    pub fn target(&self) -> String {
        match self {
            Self::Webhook(channel) => channel.target(),
            Self::Email(channel) => channel.target(),
            Self::Pagerduty(channel) => channel.target(),
            Self::Retraining(channel) => channel.target(),
        }
    }

    /// Sends once.
    pub async fn send(&self, message: Message<'_>, clock: &Clock) -> Outcome {
        match self {
            Self::Webhook(channel) => channel.send(message, clock).await,
            Self::Email(channel) => channel.send(message, clock).await,
            Self::Pagerduty(channel) => channel.send(message, clock).await,
            Self::Retraining(channel) => channel.send(message, clock).await,
        }
    }
}

/// A secret as stated, or from its file; the file wins.
fn secret(stated: &Secret, file: Option<&Path>, key: &'static str) -> Result<Secret, Problem> {
    let Some(path) = file else { return Ok(stated.clone()) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(error) => Err((key, format!("the file \"{}\" cannot be read: {error}", path.display()))),
    }
}

/// A secret must be stated, here or in a file.
fn stated(secret: &Secret, file: &Option<PathBuf>, key: &'static str) -> Result<(), Problem> {
    match secret.is_empty() && file.is_none() {
        true => Err((key, format!("is missing (or {key}_file, a file that holds it)"))),
        false => Ok(()),
    }
}

/// An address that messages are posted to.
fn http_url(text: &str, key: &'static str) -> Result<url::Url, Problem> {
    let wrong = || (key, format!("\"{text}\" is no address (such as https://hooks.example.com/leeway)"));
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if usable { Ok(url) } else { Err(wrong()) }
}
