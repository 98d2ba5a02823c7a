//! E-mail: text and HTML in one message, the messages of an incident in one thread.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use askama::Template;
use domain::incident::{EventKind, Finding};
use domain::signal::{segment, short_name};
use domain::time::{Clock, Instant};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use serde::Deserialize;
use service::Secret;

use super::{Message, Outcome, Problem, secret};
use crate::notice::Notice;
use crate::retry::Failure;

pub const KINDS: &[EventKind] = &[
    EventKind::Opened,
    EventKind::Updated,
    EventKind::Escalated,
    EventKind::Unsilenced,
    EventKind::RetrainingRequested,
    EventKind::Resolved,
];

/// A mail server may take its time to look at a message (RFC 5321 allows minutes); the courier has other work.
const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub from: String,
    pub to: Vec<String>,
    pub host: String,
    /// 587 with STARTTLS, 465 with TLS, 25 with none, where not stated.
    pub port: Option<u16>,
    pub tls: Security,
    /// A certificate (PEM) that is trusted beside the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Empty for no login.
    pub user: String,
    pub password: Secret,
    pub password_file: Option<PathBuf>,
    /// What it hears of; all that it can say where empty.
    pub events: Vec<EventKind>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Begins in the clear and must change to TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// In the clear: for a server on the same machine.
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            from: String::new(),
            to: Vec::new(),
            host: String::new(),
            port: None,
            tls: Security::Starttls,
            ca_file: None,
            user: String::new(),
            password: Secret::default(),
            password_file: None,
            events: Vec::new(),
        }
    }
}

impl Config {
    pub fn check(&self) -> Result<(), Problem> {
        mailbox(&self.from, "from")?;
        if self.to.is_empty() {
            return Err(("to", "names nobody".to_owned()));
        }
        self.to.iter().try_for_each(|to| mailbox(to, "to").map(|_| ()))?;
        match self.host.is_empty() {
            true => Err(("host", "is missing".to_owned())),
            false => Ok(()),
        }
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }

    fn tls(&self) -> Result<Tls, Problem> {
        if self.tls == Security::None {
            return Ok(Tls::None);
        }
        service::http::install_tls();
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(path) = &self.ca_file {
            let wrong =
                |error: &dyn std::fmt::Display| ("ca_file", format!("\"{}\": {error}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.build().map_err(|error| ("tls", error.to_string()))?;
        Ok(if self.tls == Security::Tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
    }
}

fn mailbox(text: &str, key: &'static str) -> Result<Mailbox, Problem> {
    text.parse().map_err(|error| (key, format!("\"{text}\" is no mail address: {error}")))
}

pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    letterhead: Letterhead,
}

impl Email {
    /// Must be called inside of an asynchronous runtime: the connections are kept by a task.
    pub fn open(config: &Config) -> Result<Self, Problem> {
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port())
            .tls(config.tls()?)
            .timeout(Some(TIMEOUT));
        if !config.user.is_empty() {
            let password = secret(&config.password, config.password_file.as_deref(), "password_file")?;
            transport =
                transport.credentials(Credentials::new(config.user.clone(), password.expose().to_owned()));
        }
        Ok(Self { letterhead: Letterhead::of(config)?, transport: transport.build() })
    }

    pub fn target(&self) -> String {
        self.letterhead.target()
    }

    pub async fn send(&self, message: Message<'_>, clock: &Clock) -> Outcome {
        let mail = match self.letterhead.compose(message, clock.now()) {
            Ok(mail) => mail,
            Err(error) => return Outcome::lasting(format!("the mail cannot be written: {error}")),
        };
        match self.transport.send(mail).await {
            Ok(response) => {
                let answer = response.message().collect::<Vec<_>>().join(" ");
                Outcome::delivered(u16::from(response.code()), answer)
            }
            Err(error) => judge(&error),
        }
    }
}

/// What is the same on every mail of a channel.
struct Letterhead {
    from: Mailbox,
    to: Vec<Mailbox>,
    host: String,
}

impl Letterhead {
    fn of(config: &Config) -> Result<Self, Problem> {
        Ok(Self {
            from: mailbox(&config.from, "from")?,
            to: config.to.iter().map(|to| mailbox(to, "to")).collect::<Result<_, _>>()?,
            host: config.host.clone(),
        })
    }

    /// How many are told, by which server: addresses stay out of the records.
    fn target(&self) -> String {
        match self.to.len() {
            1 => format!("1 recipient by {}", self.host),
            n => format!("{n} recipients by {}", self.host),
        }
    }

    fn compose(&self, message: Message<'_>, now: Instant) -> anyhow::Result<Mail> {
        let notice = message.notice;
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
        let thread = format!("<{}@{}>", notice.incident.id, self.from.email.domain());
        let mut mail = Mail::builder()
            .from(self.from.clone())
            .subject(subject(notice))
            .date(date)
            // Programs that answer mail by themselves leave it alone.
            .header(AutoSubmitted);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail = if notice.event.kind == EventKind::Opened {
            mail.message_id(Some(thread))
        } else {
            let own = format!("<{}@{}>", message.delivery, self.from.email.domain());
            mail.message_id(Some(own)).in_reply_to(thread.clone()).references(thread)
        };
        let (text, html) = (Text::of(notice).render()?, Html::of(notice).render()?);
        Ok(mail.multipart(MultiPart::alternative_plain_html(text, html))?)
    }
}

/// Mail from a program (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A server's 5xx is for good; everything else may pass.
fn judge(error: &lettre::transport::smtp::Error) -> Outcome {
    let failure = match error.is_permanent() {
        true => Failure::Lasting,
        false => Failure::Passing { retry_after: None },
    };
    let code = error.status().map_or(0, u16::from);
    Outcome { code, answer: String::new(), failure: Some(failure), error: error.to_string() }
}

fn subject(notice: &Notice) -> String {
    // A category may hold a line break; a subject must not.
    let title: String = notice.title().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("[{}] {title}", notice.label())
}

/// One line of the table.
struct Line {
    what: String,
    place: String,
    sentence: String,
    since: String,
    standing: bool,
}

impl Line {
    fn of(finding: &Finding) -> Self {
        let subject = &finding.subject;
        let place = segment::parts(&subject.segment);
        let signal = short_name(&subject.signal);
        Self {
            what: if signal.is_empty() { subject.monitor.name().to_owned() } else { signal.to_owned() },
            place: place.map_or_else(String::new, |(dimension, value)| format!("{dimension} = {value}")),
            sentence: finding.sentence.clone(),
            since: minute(finding.since),
            standing: finding.standing,
        }
    }
}

/// `2026-11-21 07:42 UTC`.
fn minute(at: Instant) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    notice: &'a Notice,
    lines: Vec<Line>,
    since: String,
}

impl<'a> Text<'a> {
    fn of(notice: &'a Notice) -> Self {
        let lines = notice.findings().into_iter().map(Line::of).collect();
        Self { notice, lines, since: minute(notice.incident.since) }
    }
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    notice: &'a Notice,
    lines: Vec<Line>,
    since: String,
}

impl<'a> Html<'a> {
    fn of(notice: &'a Notice) -> Self {
        let Text { notice, lines, since } = Text::of(notice);
        Self { notice, lines, since }
    }

    /// Red is a page, amber a ticket, green is over; the word beside it says the same.
    fn colour(&self) -> &'static str {
        match self.notice.label() {
            "Page" => "#b42318",
            "Ticket" => "#b54708",
            _ => "#2b7a4b",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;

    fn letterhead() -> Letterhead {
        let config = Config {
            from: "Leeway <leeway@example.com>".to_owned(),
            to: vec!["ml@example.com".to_owned(), "ops@example.com".to_owned()],
            host: "smtp.example.com".to_owned(),
            ..Config::default()
        };
        config.check().expect("in order");
        Letterhead::of(&config).expect("in order")
    }

    fn written(kind: EventKind) -> String {
        let notice = samples::notice(kind);
        let message = Message { delivery: "msg_1", notice: &notice };
        let mail = letterhead().compose(message, samples::at(10)).expect("a mail");
        let text = String::from_utf8(mail.formatted()).expect("ASCII");
        // The boundary between the parts is random.
        let boundary = text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
        text.replace(boundary.expect("parts"), "BOUNDARY").replace("\r\n", "\n")
    }

    #[test]
    fn a_mail_about_an_opened_incident() {
        insta::assert_snapshot!(written(EventKind::Opened));
    }

    #[test]
    fn a_later_mail_belongs_to_the_thread_of_the_first() {
        let (first, later) = (written(EventKind::Opened), written(EventKind::Resolved));
        let header = |mail: &str, name: &str| {
            mail.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
        };
        let thread = header(&first, "Message-ID:");
        assert!(thread.is_some());
        assert_eq!(header(&later, "In-Reply-To:"), thread);
        assert_eq!(header(&later, "References:"), thread);
        assert_eq!(header(&later, "Message-ID:").as_deref(), Some("<msg_1@example.com>"));
    }

    #[test]
    fn hostile_names_are_escaped_and_break_no_header() {
        let mut notice = samples::notice(EventKind::Opened);
        notice.incident.title = "<script> moved\r\nBcc: all@example.com".to_owned();
        let html = Html::of(&notice).render().expect("rendered");
        assert!(!html.contains("<script>"), "{html}");
        assert!(!subject(&notice).contains(['\r', '\n']));
    }

    #[test]
    fn who_is_told_is_no_part_of_the_records() {
        assert_eq!(letterhead().target(), "2 recipients by smtp.example.com");
    }
}
