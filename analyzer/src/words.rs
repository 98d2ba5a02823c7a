//! Numbers, shares and times as a person would say them.

use domain::signal::{Role, role, segment, short_name};
use domain::time::Instant;

/// `2,744`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `2,744 events`.
pub fn events(n: u64) -> String {
    if n == 1 { "1 event".to_owned() } else { format!("{} events", count(n)) }
}

/// `1 prediction`, `2,744 predictions`.
pub fn predictions(n: u64) -> String {
    if n == 1 { "1 prediction".to_owned() } else { format!("{} predictions", count(n)) }
}

/// Three significant digits, `10.4`, `0.0031`, `1,250,000`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e12).contains(&size) {
        return format!("{value:.2e}");
    }
    if size >= 1_000.0 {
        let sign = if value < 0.0 { "−" } else { "" };
        return format!("{sign}{}", count(size.round() as u64));
    }
    let decimals = usize::try_from(2 - size.log10().floor() as i32).unwrap_or(0);
    let text = format!("{value:.decimals$}").replace('-', "−");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A statistic on a scale of its own, such as PSI: two decimals, more where it is small.
pub fn statistic(value: f64) -> String {
    if value == 0.0 || value.abs() >= 0.01 { format!("{value:.2}") } else { number(value) }
}

/// `96 %`, `1.2 %`, `0.03 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent.abs() {
        size if size >= 10.0 => format!("{percent:.0}"),
        size if size >= 0.1 || size == 0.0 => format!("{percent:.1}"),
        _ => number(percent),
    };
    let text = if text.ends_with(".0") { text.trim_end_matches(".0") } else { &text };
    format!("{text} %")
}

/// `40 s`, `12 min`, `3 h 20 min`, `4 days`.
pub fn seconds(length: f64) -> String {
    let whole = length.max(0.0).round() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7_200 => format!("{} min", whole / 60),
        7_200..172_800 => match (whole / 3_600, whole % 3_600 / 60) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        },
        _ => format!("{} days", whole / 86_400),
    }
}

/// `2025-11-20 18:00 UTC`.
pub fn when(instant: Instant) -> String {
    let text = instant.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// What a metric of performance is called.
pub fn metric(name: &str) -> &str {
    match name {
        "auc" => "AUC",
        "brier" => "Brier score",
        "mae" => "mean absolute error",
        "rmse" => "root mean squared error",
        "r2" => "R²",
        "mape" => "mean relative error",
        "ndcg" => "NDCG",
        "hit_rate" => "hit rate",
        "f1_macro" => "macro F1",
        other => other,
    }
}

/// A name as long as a sentence bears it: a category may have 4,000 characters.
pub fn cut(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// What a person calls a signal: `temp`, `prediction score`, `latency`.
pub fn signal(name: &str) -> String {
    match role(name) {
        Role::Prediction => format!("prediction {}", short_name(name)),
        Role::Outcome => format!("outcome {}", short_name(name)),
        Role::Attribution => format!("attribution of {}", short_name(name)),
        Role::Age => format!("age of {}", short_name(name)),
        Role::Latency => "latency".to_owned(),
        Role::Feature | Role::Other => short_name(name).to_owned(),
    }
}

/// ` at origin=JFK`, or nothing for all events.
pub fn at(segment: &str) -> String {
    if segment == segment::ALL { String::new() } else { format!(" at {}", cut(segment)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_a_person_would() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(812), "812");
        let said = [10.43, 16.0, 0.003_14, 1_250_000.0, -2.5, 0.0, 1e-9].map(number);
        assert_eq!(said, ["10.4", "16", "0.00314", "1,250,000", "−2.5", "0", "1.00e-9"]);
        let said = [0.96, 0.012, 0.001, 1.0, 0.0, 0.000_3].map(percent);
        assert_eq!(said, ["96 %", "1.2 %", "0.1 %", "100 %", "0 %", "0.03 %"]);
        let said = [40.0, 720.0, 12_000.0, 7_200.0, 345_600.0].map(seconds);
        assert_eq!(said, ["40 s", "12 min", "3 h 20 min", "2 h", "4 days"]);
        assert_eq!(when(Instant::from_seconds(1_763_661_600)), "2025-11-20 18:00 UTC");
    }

    #[test]
    fn signals_and_segments_have_plain_names() {
        assert_eq!(signal("feature.temp"), "temp");
        assert_eq!(signal("prediction.score"), "prediction score");
        assert_eq!(at(""), "");
        assert_eq!(at("origin=JFK"), " at origin=JFK");
    }
}
