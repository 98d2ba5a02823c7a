//! The demonstration's configuration: what stands in `data/demo.toml`, and what only a start knows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use domain::contract::{Rfc3339, Watch};
use domain::time::{DAY, Instant, Interval};

use super::MODEL;
use super::state::State;
use crate::config::Config;

const TOML: &str = include_str!("../../data/demo.toml");

/// The year's first midnight lies this long before its last flight, which left at 23:59 on 31 December.
const YEAR: Duration = Duration::from_secs(365 * 86_400 - 60);
const WINTER: Duration = Duration::from_secs(90 * 86_400);
/// Over so many days the live part's baseline is counted.
const RECENT: Duration = Duration::from_secs(28 * 86_400);
/// Windows of the watch `season` are four weeks: the first whole one ends then.
const FIRST_SEASON: Duration = Duration::from_secs(28 * 86_400);

/// Where everything listens, all on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub pages: String,
    pub collector: String,
    pub outbox: String,
    pub analyzer: String,
    pub alerter: String,
    pub smtp: std::net::SocketAddr,
}

impl Addresses {
    /// Five ports in a row from `port` on; mail goes to where the mailbox listens already.
    pub fn from_port(port: u16, smtp: std::net::SocketAddr) -> Self {
        let at = |offset: u16| format!("127.0.0.1:{}", port.saturating_add(offset));
        Self { pages: at(0), collector: at(1), outbox: at(2), analyzer: at(3), alerter: at(4), smtp }
    }
}

/// January to March of the flights, as moved in time.
pub fn winter(state: &State) -> Interval {
    let start = state.end_at.saturating_sub(YEAR);
    Interval { start, end: start.saturating_add(WINTER) }
}

/// The last four weeks of the history.
pub fn recent(state: &State) -> Interval {
    Interval { start: state.end_at.saturating_sub(RECENT), end: state.end_at }
}

/// The whole configuration of a start at `now`.
///
/// # Errors
/// Only if the file in the program is wrong, which a test would have seen.
pub fn config(folder: &Path, addresses: &Addresses, state: &State, now: Instant) -> anyhow::Result<Config> {
    let filled = TOML.to_owned() + &channels(addresses, state);
    let mut config: Config = toml::from_str(&filled).context("the demonstration's own configuration")?;
    config.data_dir = PathBuf::from(folder);
    config.collector.listen = addresses.collector.clone();
    config.analyzer.listen = addresses.analyzer.clone();
    config.alerter.listen = addresses.alerter.clone();
    config.dashboards.listen = addresses.pages.clone();
    let contract = config.models.get_mut(MODEL).context("the demonstration's own model")?;
    contract.watches.iter_mut().for_each(|watch| place_in_time(watch, state, now));
    config.check().map_err(anyhow::Error::msg)?;
    Ok(config)
}

/// History is looked at until it ends; live windows from this start on, so that a pause is no silence.
fn place_in_time(watch: &mut Watch, state: &State, now: Instant) {
    let first = winter(state).start;
    watch.from = Some(Rfc3339(match watch.name.as_str() {
        "days" => first.saturating_add(DAY),
        "season" => first.saturating_add(FIRST_SEASON),
        _ => now,
    }));
    watch.until = watch.history.then_some(Rfc3339(state.end_at));
}

fn channels(addresses: &Addresses, state: &State) -> String {
    let (outbox, smtp, secret) = (&addresses.outbox, addresses.smtp, &state.webhook_secret);
    let pages = &addresses.pages;
    format!(
        r#"
[alerter]
base_url = "http://{pages}"

[alerter.channels.oncall]
kind = "pagerduty"
routing_key = "demonstration"
endpoint = "http://{outbox}/pagerduty"

[alerter.channels.mail]
kind = "email"
from = "leeway@localhost"
to = ["oncall@localhost"]
host = "{host}"
port = {port}
tls = "none"

[alerter.channels.hook]
kind = "webhook"
url = "http://{outbox}/webhook"
secret = "{secret}"
"#,
        host = smtp.ip(),
        port = smtp.port(),
    )
}

#[cfg(test)]
mod tests {
    use domain::evaluation::Monitor;

    use super::super::flights::{CATEGORIES, NUMBERS};
    use super::*;

    fn state() -> State {
        let end_at = "2026-11-21T08:00:00Z".parse().expect("an instant");
        State { end_at, webhook_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned() }
    }

    #[test]
    fn the_configuration_in_the_program_is_in_order() {
        let addresses = Addresses::from_port(4840, ([127, 0, 0, 1], 2525).into());
        let config = config(Path::new("d"), &addresses, &state(), state().end_at).expect("in order");
        let watches = &config.models[MODEL].watches;
        assert_eq!(watches.iter().filter(|watch| watch.history).count(), 2);
        assert!(watches.iter().all(|watch| watch.until.is_some() == watch.history));
    }

    #[test]
    fn the_contract_names_every_feature_and_live_flights_are_looked_at_for_every_fault() {
        let addresses = Addresses::from_port(4840, ([127, 0, 0, 1], 2525).into());
        let config = config(Path::new("d"), &addresses, &state(), state().end_at).expect("in order");
        let contract = &config.models[MODEL];
        let unnamed: Vec<&&str> =
            NUMBERS.iter().chain(&CATEGORIES).filter(|name| !contract.signals.contains_key(**name)).collect();
        assert!(unnamed.is_empty(), "each flight would break the contract for {unnamed:?}");
        let live = contract.watches.iter().find(|watch| watch.name == "live").expect("a live watch");
        let shown = [Monitor::Missing, Monitor::Drift, Monitor::Range, Monitor::Stuck, Monitor::Contract];
        assert!(shown.into_iter().all(|monitor| live.looks_at(monitor)));
    }

    #[test]
    fn winter_is_the_first_quarter_of_the_year_that_ends_now() {
        let (winter, recent) = (winter(&state()), recent(&state()));
        assert_eq!(recent.end, state().end_at);
        assert_eq!(winter.start.to_string(), "2025-11-21T08:01:00Z");
        assert_eq!(winter.end.since(winter.start), WINTER);
    }
}
