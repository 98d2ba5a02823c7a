//! How numbers, durations and names are written on a page.
//!
//! Invariant: whatever came from outside reaches a page through [`escape`]; [`Markup`] is the only text that templates
//! do not escape, and only this crate makes it.

use std::fmt;
use std::time::Duration;

use domain::evaluation::Cause;

/// Text that is HTML already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(pub(crate) String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::FastWritable for Markup {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(dest.write_str(&self.0)?)
    }
}

impl askama::filters::HtmlSafe for Markup {}

impl Markup {
    pub fn escaped(text: &str) -> Self {
        Self(escape(text))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The most characters of a name that a title holds: names are hostile, and a page has a size.
const MOST_IN_TITLE: usize = 4_096;

/// The first `most` characters; an ellipsis stands for what was cut.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// A name from outside: its direction cannot leak into what stands beside it, and what was cut is in the title.
pub fn name(text: &str, most: usize) -> Markup {
    let short = cut(text, most);
    if short == text {
        return Markup(format!("<bdi>{}</bdi>", escape(text)));
    }
    let whole = cut(text, MOST_IN_TITLE);
    Markup(format!("<bdi title=\"{}\">{}</bdi>", escape(&whole), escape(&short)))
}

/// A part of a path: everything but letters, digits and `-._~` is percent-encoded.
pub fn path_part(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Whole numbers with thousands separated: `12,460`.
pub fn count(n: impl TryInto<i128>) -> String {
    let n: i128 = n.try_into().unwrap_or(0);
    let digits = n.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        grouped.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 event`, `2 events`.
pub fn counted(n: impl TryInto<i128>, one: &str) -> String {
    let n: i128 = n.try_into().unwrap_or(0);
    let plural = if n == 1 { "" } else { "s" };
    format!("{}\u{a0}{one}{plural}", count(n))
}

/// Three significant digits, as short as they can be said.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        _ if size >= 1e6 => scientific_or_millions(size),
        _ if size >= 1_000.0 => count(size.round() as i64),
        _ if size >= 100.0 => trimmed(format!("{size:.1}")),
        _ if size >= 0.995 => trimmed(format!("{size:.2}")),
        _ if size >= 0.001 => trimmed(format!("{size:.3}")),
        _ => format!("{size:.1e}"),
    };
    if value < 0.0 && text != "0" { format!("−{text}") } else { text }
}

fn scientific_or_millions(size: f64) -> String {
    match size {
        _ if size >= 1e15 => format!("{size:.2e}"),
        _ if size >= 1e9 => format!("{}\u{a0}bn", trimmed(format!("{:.2}", size / 1e9))),
        _ => format!("{}\u{a0}M", trimmed(format!("{:.2}", size / 1e6))),
    }
}

fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as a percentage: `35 %`, `0.02 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".to_owned();
    }
    let value = share * 100.0;
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        // Close to everything, what is missing counts: 99.9 %.
        size if size > 99.0 && size < 100.0 => trimmed(format!("{value:.2}")),
        size if size >= 10.0 => format!("{value:.0}"),
        size if size >= 1.0 => trimmed(format!("{value:.1}")),
        size if size >= 0.01 => trimmed(format!("{value:.2}")),
        _ => "< 0.01".to_owned(),
    };
    format!("{}\u{a0}%", text.replace('-', "−"))
}

pub fn milliseconds(ms: f64) -> String {
    match ms {
        _ if !ms.is_finite() => "–".to_owned(),
        _ if ms >= 60_000.0 => duration(Duration::from_secs_f64((ms / 1_000.0).min(1e9))),
        _ if ms >= 1_000.0 => format!("{}\u{a0}s", number(ms / 1_000.0)),
        _ => format!("{}\u{a0}ms", if ms >= 10.0 { format!("{ms:.0}") } else { number(ms) }),
    }
}

/// One unit, or two while the second still matters: `12 s`, `65 min`, `3 h 20 min`, `22 d`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}\u{a0}s"),
        60..7_200 => format!("{minutes}\u{a0}min"),
        7_200..43_200 if minutes % 60 > 0 => format!("{hours}\u{a0}h {}\u{a0}min", minutes % 60),
        7_200..172_800 => format!("{hours}\u{a0}h"),
        _ => format!("{}\u{a0}d", count(days)),
    }
}

/// `1st`, `2nd`, `3rd`, `14th`.
pub fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// What a cause is called in a sentence.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Data => "data moved",
        Cause::Traffic => "traffic",
        Cause::Staleness => "stale features",
        Cause::Service => "errors or latency",
        Cause::Performance => "performance",
        Cause::Trend => "slow change",
        Cause::Leeway => "Leeway itself",
    }
}

/// What a statistic is called on a page.
pub fn statistic(name: &str) -> String {
    match name {
        "psi" => "PSI".to_owned(),
        "ks" => "KS".to_owned(),
        "wasserstein" | "wasserstein_sd" => "Wasserstein".to_owned(),
        "auc" => "AUC".to_owned(),
        "r2" => "R²".to_owned(),
        "mae" | "rmse" | "mape" | "ndcg" | "mse" => name.to_uppercase(),
        other => other.replace('_', " "),
    }
}

/// Upper case for the first letter, for the beginning of a sentence.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_separated_thousands() {
        assert_eq!(count(12_460_i64), "12,460");
        assert_eq!(count(-1_000_i64), "−1,000");
        assert_eq!(number(1.691), "1.69");
        assert_eq!(number(0.1), "0.1");
        assert_eq!(number(296_802.4), "296,802");
        assert_eq!(number(3.3e6), "3.3\u{a0}M");
        assert_eq!(number(f64::NAN), "–");
        assert_eq!(number(-0.25), "−0.25");
    }

    #[test]
    fn shares_and_durations_keep_what_matters() {
        assert_eq!(percent(0.35), "35\u{a0}%");
        assert_eq!(percent(0.0002), "0.02\u{a0}%");
        assert_eq!(percent(0.999), "99.9\u{a0}%");
        assert_eq!(percent(0.000_001), "< 0.01\u{a0}%");
        assert_eq!(duration(Duration::from_secs(12)), "12\u{a0}s");
        assert_eq!(duration(Duration::from_secs(65 * 60)), "65\u{a0}min");
        assert_eq!(duration(Duration::from_secs(12_000)), "3\u{a0}h 20\u{a0}min");
        assert_eq!(duration(Duration::from_secs(22 * 86_400)), "22\u{a0}d");
        assert_eq!(milliseconds(11.2), "11\u{a0}ms");
        assert_eq!(ordinal(3), "3rd");
        assert_eq!(ordinal(112), "112th");
    }

    #[test]
    fn a_hostile_name_is_escaped_cut_and_kept_from_its_neighbours() {
        let markup = name("<script>alert(1)</script>", 10).0;
        assert!(markup.starts_with("<bdi title=\"&lt;script&gt;"), "{markup}");
        assert!(!markup.contains("<script"), "{markup}");
        assert!(name(&"x".repeat(9_000), 40).0.len() < 4_300);
        assert_eq!(name("JFK", 40).0, "<bdi>JFK</bdi>");
        assert_eq!(path_part("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
    }
}
