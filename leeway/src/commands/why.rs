//! `leeway why`: prints why an incident came about.

use std::fmt::Write;

use domain::why::Why;

use crate::config::Config;
use crate::system;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The incident's id, as it stands in its address.
    incident: String,
    /// Everything, as JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The store's; and where nothing is known of the incident, with what to do.
pub async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let opened = system::open(config).await?;
    if opened.is_own_engine() {
        ::sql::migrate::migrate(&opened.store).await?;
    }
    let why = opened.store.causes_of(&args.incident).await;
    opened.close().await?;
    let Some(why) = why? else {
        anyhow::bail!(
            "nothing is known about incident \"{}\": the analyzer works causes out some seconds after an incident opens",
            args.incident
        );
    };
    let text = if args.json { serde_json::to_string_pretty(&why)? } else { told(&why) };
    println!("{}", text.trim_end());
    Ok(())
}

/// The report as a person reads it.
fn told(why: &Why) -> String {
    let mut text = format!("{} ({})\n{}\n", why.model, why.environment, why.sentence);
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n{title}\n");
            for (index, line) in lines.iter().enumerate() {
                let _ = writeln!(text, "  {}. {line}", index + 1);
            }
        }
    };
    part("Signals, the likeliest cause first", why.signals.iter().map(|one| one.sentence.clone()).collect());
    part("Where", why.segments.iter().map(|one| one.sentence.clone()).collect());
    let changes = why.changes.iter().map(|change| {
        let side = if change.before_s >= 0 { "before" } else { "after" };
        let minutes = change.before_s.abs() / 60;
        format!("{} ({}), {minutes} min {side} it began", change.title, change.kind)
    });
    part("What else changed", changes.collect());
    let examples = why.examples.iter().map(|one| format!("{} at {}: {}", one.id, one.at, one.shows));
    part("Events that show it", examples.collect());
    text
}

#[cfg(test)]
mod tests {
    use domain::time::{Instant, Interval};
    use domain::why::NearChange;

    use super::*;

    #[test]
    fn what_is_known_is_told_in_order_and_what_is_not_leaves_no_heading() {
        let why = Why {
            incident: "7f3c".to_owned(),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            watch: "hourly".to_owned(),
            baseline: "initial".to_owned(),
            since: Instant::EPOCH,
            window: Interval::new(Instant::EPOCH, Instant::from_seconds(60)),
            events: 60,
            computed_at: Instant::EPOCH,
            sentence: "temp is null".to_owned(),
            link: "/incidents/7f3c".to_owned(),
            measure: None,
            signals: Vec::new(),
            segments: Vec::new(),
            changes: vec![NearChange {
                id: "c".to_owned(),
                at: Instant::EPOCH,
                kind: "deployment".to_owned(),
                title: "weather-feed 4.2".to_owned(),
                detail: String::new(),
                link: String::new(),
                before_s: 720,
            }],
            examples: Vec::new(),
        };
        let expected = "flights (production)\ntemp is null\n\nWhat else changed\n  1. weather-feed 4.2 (deployment), 12 min before it began\n";
        assert_eq!(told(&why), expected);
    }
}
