//! The stretch of time that a page is about: chosen in the head, kept in the URL, the same for everything on the page.
//!
//! Invariant: a relative range (`from=-6h`) stays relative in every link until it is pinned; what is not understood is an
//! error that says what would be.

use std::time::Duration;

use domain::time::{DAY, HOUR, Instant, Interval};
use jiff::tz::TimeZone;

use crate::text::{Markup, escape};

/// What a page shows when neither its URL nor any watch says what would be usual.
pub const USUAL: Duration = Duration::from_secs(6 * 3_600);

/// No picture is drawn over more than this; longer ranges are refused.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// One end of a range, as the URL states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This long before now.
    Ago(Duration),
    At(Instant),
}

#[derive(Clone, Debug)]
pub struct TimeRange {
    from: Bound,
    to: Bound,
    zone: TimeZone,
    zone_name: String,
    now: Instant,
    /// Whether the range came from the page itself, not from its URL.
    by_page: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error(
        "\"{value}\" is no time for \"{key}\" (known: an age such as -6h, -30m, -7d, or 2026-11-20T18:00:00Z)"
    )]
    Time { key: &'static str, value: String },
    #[error("\"{0}\" is no time zone (known: names such as Europe/Berlin or UTC)")]
    Zone(String),
    #[error("the range ends before it begins")]
    Backwards,
    #[error("the range is longer than 400 days")]
    TooLong,
}

/// The ranges offered in the head.
const OFFERED: [(&str, &str, u64); 6] = [
    ("1 h", "-1h", 3_600),
    ("6 h", "-6h", 21_600),
    ("24 h", "-24h", 86_400),
    ("7 d", "-7d", 604_800),
    ("30 d", "-30d", 2_592_000),
    ("1 y", "-365d", 31_536_000),
];

/// The range that shows about seventy steps of a watch: the offered one that comes nearest.
pub fn usual_for(step: Duration) -> Duration {
    let wanted = (step.as_secs() * 72).max(1) as f64;
    let distance = |seconds: u64| (seconds as f64 / wanted).ln().abs();
    OFFERED
        .iter()
        .map(|(_, _, seconds)| *seconds)
        .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
        .map_or(USUAL, Duration::from_secs)
}

/// A choice of range, as a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub label: &'static str,
    pub query: String,
    pub current: bool,
}

/// What a URL says about time, as text.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub tz: Option<&'a str>,
    /// How far back a page looks whose URL names no range.
    pub usual: Duration,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self { from: None, to: None, tz: None, usual: USUAL }
    }
}

impl TimeRange {
    pub fn parse(asked: Asked<'_>, now: Instant) -> Result<Self, RangeError> {
        let filled =
            |value: Option<&'_ str>| value.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let bound = |key, value: Option<&str>, usual| {
            filled(value)
                .map_or(Ok(usual), |text| parse_bound(&text).ok_or(RangeError::Time { key, value: text }))
        };
        let zone_name = filled(asked.tz).unwrap_or_else(|| "UTC".to_owned());
        let zone = TimeZone::get(&zone_name).map_err(|_| RangeError::Zone(zone_name.clone()))?;
        let range = Self {
            from: bound("from", asked.from, Bound::Ago(asked.usual))?,
            to: bound("to", asked.to, Bound::Ago(Duration::ZERO))?,
            zone,
            zone_name,
            now,
            by_page: filled(asked.from).is_none() && filled(asked.to).is_none(),
        };
        let interval = range.interval();
        match () {
            () if resolve(range.from, now) >= resolve(range.to, now) => Err(RangeError::Backwards),
            () if interval.length() > LONGEST => Err(RangeError::TooLong),
            () => Ok(range),
        }
    }

    /// The same zone and now, over a range that the page chose because the URL named none.
    pub fn chosen_by_page(&self, interval: Interval) -> Self {
        let to = if interval.end >= self.now { Bound::Ago(Duration::ZERO) } else { Bound::At(interval.end) };
        Self { from: Bound::At(interval.start), to, by_page: true, ..self.clone() }
    }

    /// Whether the URL named no range, so that a page may choose its own.
    pub fn is_by_page(&self) -> bool {
        self.by_page
    }

    pub fn interval(&self) -> Interval {
        Interval::new(resolve(self.from, self.now), resolve(self.to, self.now))
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// Whether the range ends now and so goes on.
    pub fn is_live(&self) -> bool {
        matches!(self.to, Bound::Ago(age) if age.is_zero())
    }

    pub fn is_relative(&self) -> bool {
        matches!((self.from, self.to), (Bound::Ago(_), Bound::Ago(_)))
    }

    /// The range as a query string for links, relative where it was relative; empty where the URL named none.
    pub fn query(&self) -> String {
        let mut parts = Vec::new();
        if !self.by_page {
            parts.push(format!("from={}", written(self.from)));
            if !self.is_live() {
                parts.push(format!("to={}", written(self.to)));
            }
        }
        parts.extend(self.zone_query());
        parts.join("&")
    }

    /// The range with fixed ends.
    pub fn pinned_query(&self) -> String {
        let Interval { start, end } = self.interval();
        let ends = format!("from={start}&to={end}");
        [Some(ends), self.zone_query()].into_iter().flatten().collect::<Vec<_>>().join("&")
    }

    fn zone_query(&self) -> Option<String> {
        (self.zone_name != "UTC").then(|| format!("tz={}", crate::text::path_part(&self.zone_name)))
    }

    pub fn offers(&self) -> Vec<Offer> {
        OFFERED
            .into_iter()
            .map(|(label, from, seconds)| {
                let query = [Some(format!("from={from}")), self.zone_query()];
                Offer {
                    label,
                    query: query.into_iter().flatten().collect::<Vec<_>>().join("&"),
                    current: self.is_live() && self.from == Bound::Ago(Duration::from_secs(seconds)),
                }
            })
            .collect()
    }

    /// The zones offered: UTC, and the page's own where it is another; with the range and whether it is the page's.
    pub fn zones(&self) -> Vec<(String, String, bool)> {
        let mut names = vec!["UTC".to_owned()];
        if self.zone_name != "UTC" {
            names.push(self.zone_name.clone());
        }
        names
            .into_iter()
            .map(|name| {
                let zone = TimeZone::get(&name).unwrap_or(TimeZone::UTC);
                let query = Self { zone, zone_name: name.clone(), ..self.clone() }.query();
                let current = name == self.zone_name;
                (name, query, current)
            })
            .collect()
    }

    /// The range in words: `the last 6 h`, or from when to when.
    pub fn in_words(&self) -> String {
        match (self.from, self.is_live()) {
            (Bound::Ago(age), true) => format!("the last {}", crate::text::duration(age)),
            _ => {
                let Interval { start, end } = self.interval();
                format!("{} to {}", self.written(start), self.written(end))
            }
        }
    }

    /// An instant as this page says it: the time of day today, with the day before.
    pub fn written(&self, instant: Instant) -> String {
        let Some(zoned) = zoned(instant, &self.zone) else { return instant.to_string() };
        let today = zoned_date(self.now, &self.zone);
        let form = match today {
            Some(today) if today == zoned.date() => "%H:%M",
            Some(today) if today.year() == zoned.date().year() => "%-d %b %H:%M",
            _ => "%-d %b %Y %H:%M",
        };
        zoned.strftime(form).to_string()
    }

    /// The same as an element that says UTC when pointed at.
    pub fn time(&self, instant: Instant) -> Markup {
        Markup(format!(
            "<time datetime=\"{instant}\" title=\"{}\">{}</time>",
            escape(&utc(instant)),
            escape(&self.written(instant))
        ))
    }

    /// The clock of the head: hours, minutes and seconds with the zone.
    pub fn clock(&self) -> String {
        match zoned(self.now, &self.zone) {
            Some(zoned) => zoned.strftime("%H:%M:%S %Z").to_string(),
            None => self.now.to_string(),
        }
    }
}

pub fn zoned(instant: Instant, zone: &TimeZone) -> Option<jiff::Zoned> {
    jiff::Timestamp::from_millisecond(instant.millis()).ok().map(|at| at.to_zoned(zone.clone()))
}

fn zoned_date(instant: Instant, zone: &TimeZone) -> Option<jiff::civil::Date> {
    zoned(instant, zone).map(|zoned| zoned.date())
}

/// An instant in UTC, to the second.
pub fn utc(instant: Instant) -> String {
    zoned(instant, &TimeZone::UTC)
        .map_or_else(|| instant.to_string(), |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn resolve(bound: Bound, now: Instant) -> Instant {
    match bound {
        Bound::Ago(age) => now.saturating_sub(age),
        Bound::At(instant) => instant,
    }
}

fn written(bound: Bound) -> String {
    match bound {
        Bound::At(instant) => instant.to_string(),
        Bound::Ago(age) if age.is_zero() => "now".to_owned(),
        Bound::Ago(age) => {
            let seconds = age.as_secs();
            match seconds {
                _ if seconds.is_multiple_of(DAY.as_secs()) && seconds > DAY.as_secs() => {
                    format!("-{}d", seconds / DAY.as_secs())
                }
                _ if seconds.is_multiple_of(HOUR.as_secs()) => format!("-{}h", seconds / HOUR.as_secs()),
                _ if seconds.is_multiple_of(60) => format!("-{}m", seconds / 60),
                _ => format!("-{seconds}s"),
            }
        }
    }
}

fn parse_bound(text: &str) -> Option<Bound> {
    if text == "now" {
        return Some(Bound::Ago(Duration::ZERO));
    }
    if let Some(age) = text.strip_prefix('-') {
        let unit = age.chars().last()?;
        let amount: u64 = age.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        return amount.checked_mul(seconds).map(|seconds| Bound::Ago(Duration::from_secs(seconds)));
    }
    // A form's `+` for a space and a bare `2026-11-20T18:00` both mean UTC.
    let text = text.replace(' ', "T");
    let instant =
        text.parse().or_else(|_| format!("{text}Z").parse()).or_else(|_| format!("{text}:00Z").parse());
    instant.ok().map(Bound::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        "2026-11-20T14:43:10Z".parse().expect("a literal instant")
    }

    fn parse(from: &str, to: &str, tz: &str) -> Result<TimeRange, RangeError> {
        TimeRange::parse(Asked { from: Some(from), to: Some(to), tz: Some(tz), ..Asked::default() }, now())
    }

    #[test]
    fn a_relative_range_stays_relative_until_it_is_pinned() {
        let range = parse("-6h", "", "Europe/Berlin").expect("a range");
        assert!(range.is_live() && range.is_relative());
        assert_eq!(range.query(), "from=-6h&tz=Europe%2FBerlin");
        assert_eq!(
            range.pinned_query(),
            "from=2026-11-20T08:43:10Z&to=2026-11-20T14:43:10Z&tz=Europe%2FBerlin"
        );
        assert_eq!(range.written(now()), "15:43");
        assert_eq!(range.clock(), "15:43:10 CET");
        assert_eq!(range.in_words(), "the last 6\u{a0}h");
    }

    #[test]
    fn a_fixed_range_reads_back_what_it_writes() {
        let range = parse("2026-11-19", "2026-11-20T08:00", "").expect("a range");
        assert!(!range.is_live());
        assert_eq!(range.query(), "from=2026-11-19T00:00:00Z&to=2026-11-20T08:00:00Z");
        assert_eq!(range.interval().length(), HOUR * 32);
    }

    #[test]
    fn without_a_range_the_last_six_hours_are_shown_and_links_stay_bare() {
        let range = TimeRange::parse(Asked::default(), now()).expect("a range");
        assert_eq!(range.interval().length(), USUAL);
        assert_eq!(range.query(), "");
        assert!(range.offers()[1].current);
    }

    #[test]
    fn a_watch_in_minutes_is_shown_over_an_hour_and_one_in_days_over_a_month() {
        assert_eq!(usual_for(Duration::from_secs(60)), HOUR);
        assert_eq!(usual_for(Duration::from_secs(300)), USUAL);
        assert_eq!(usual_for(DAY), DAY * 30);
    }

    #[test]
    fn what_is_no_range_is_named() {
        assert_eq!(parse("-6h", "-7h", "").expect_err("backwards"), RangeError::Backwards);
        assert!(matches!(parse("yesterday", "", ""), Err(RangeError::Time { key: "from", .. })));
        assert_eq!(parse("-6h", "", "Mars").expect_err("no zone"), RangeError::Zone("Mars".to_owned()));
        assert_eq!(parse("-500d", "", "").expect_err("too long"), RangeError::TooLong);
        assert!(parse("-99999999999999999999h", "", "").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(from in ".{0,40}", to in ".{0,40}", tz in ".{0,20}") {
            let _ = parse(&from, &to, &tz);
        }
    }
}
