//! What changed at the model and before it that nobody had to record: versions that appeared, and features that became old.

use std::collections::BTreeMap;

use domain::incident::Incident;
use domain::signal::{Role, role, short_name};
use domain::time::{Instant, Interval};
use sql::causes::VersionFirst;
use sql::changes::Change;

use crate::rootcause::report::About;
use crate::rootcause::signals::Moved;
use crate::words;

/// A feature is told to have become old where it is so many times older than usual on average.
const OLDER: f64 = 2.0;

/// Versions of which the first event lies near. The first version of all is no change.
pub(super) fn versions(incident: &Incident, known: &[VersionFirst], near: Interval) -> Vec<Change> {
    let later = known.iter().skip(1).filter(|first| near.contains(first.at));
    let change = |first: &VersionFirst| {
        let title = format!("version {} appeared", first.version);
        told(incident, "version", &first.version, first.at, title, "its first event")
    };
    later.map(change).collect()
}

/// Features whose age when they were used rose, since when it did.
pub(super) fn aged(incident: &Incident, moved: &[Moved], about: &BTreeMap<String, About>) -> Vec<Change> {
    let ages = moved.iter().filter(|moved| role(&moved.signal) == Role::Age);
    let change = |moved: &Moved| {
        let [before, now] = moved.means.filter(|[before, now]| *now > OLDER * before)?;
        let at = about.get(&moved.signal)?.changed_at?;
        let feature = short_name(&moved.signal);
        let title = format!("{feature} became older");
        let detail =
            format!("{} old when it is used, usually {}", words::seconds(now), words::seconds(before));
        Some(told(incident, "freshness", feature, at, title, &detail))
    };
    ages.filter_map(change).collect()
}

fn told(incident: &Incident, kind: &str, name: &str, at: Instant, title: String, detail: &str) -> Change {
    Change {
        id: format!("{kind}/{}/{}/{name}", incident.model, incident.environment),
        at,
        model: incident.model.clone(),
        environment: incident.environment.clone(),
        kind: kind.to_owned(),
        title,
        detail: detail.to_owned(),
        actor: "leeway".to_owned(),
        link: String::new(),
    }
}
