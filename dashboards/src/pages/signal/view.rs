//! What a signal's page says.

use askama::Template;
use domain::evaluation::{Evaluation, Monitor, Verdict};
use domain::signal::{Role, role, segment as segments};

use super::pictures::{Chart, charts};
use super::{Compared, Data, Dimension, Sides};
use crate::charts::strip::Mark;
use crate::charts::{contribution, histogram, segments as segment_bars};
use crate::layout::Layout;
use crate::text::{self, Markup, name, number, percent};
use crate::visit::{Visit, model_path};

#[derive(Template)]
#[template(path = "signal.html")]
pub struct Signal {
    layout: Layout,
    model: Markup,
    model_link: String,
    environment: String,
    signal: Markup,
    about: String,
    state: Standing,
    picks: Vec<Pick>,
    kept: Vec<(String, String)>,
    stats: Vec<Stat>,
    window_words: String,
    histogram: Option<Markup>,
    contributions: Option<Markup>,
    contribution_words: String,
    baseline_words: String,
    charts: Vec<Chart>,
    dimensions: Vec<DimensionView>,
    json: String,
    sql: String,
}

pub struct Standing {
    pub class: &'static str,
    pub chip: &'static str,
    pub sentence: String,
}

/// A choice among several.
pub struct Pick {
    pub key: &'static str,
    pub label: &'static str,
    pub options: Vec<Choice>,
}

pub struct Choice {
    pub value: String,
    pub label: String,
    pub current: bool,
}

pub struct Stat {
    pub label: &'static str,
    pub value: String,
    pub class: &'static str,
    pub note: String,
}

pub struct DimensionView {
    pub name: String,
    pub parts: Vec<PartView>,
}

pub struct PartView {
    pub name: Markup,
    pub link: String,
    pub bar: Markup,
    pub shift: String,
    pub traffic: String,
}

impl Signal {
    pub fn new(layout: Layout, visit: &Visit, data: &Data) -> Self {
        let compared = data.compared.as_ref();
        let has_baseline = compared.is_some_and(|it| it.events_baseline > 0);
        Self {
            model: name(&data.model, 60),
            model_link: visit.to(&model_path(&data.model, &data.environment)),
            environment: text::cut(&data.environment, 40),
            signal: name(&data.signal, 80),
            about: about(data),
            state: standing(data, visit),
            picks: picks(data),
            kept: visit
                .hidden(&["segment", "baseline", "watch", "page", "format"])
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            stats: stats(data),
            window_words: window_words(data, visit),
            histogram: compared.map(|it| {
                histogram::draw(&it.bars, &format!("{}: baseline and now", text::cut(&data.signal, 80)))
                    .render()
            }),
            contributions: compared
                .filter(|it| !it.contributions.is_empty())
                .map(|it| contribution::draw(&it.contributions, &it.bars).render()),
            contribution_words: if data.numeric {
                "by the baseline's deciles; blue is more than the baseline, grey is less".to_owned()
            } else {
                "by category; blue is more than the baseline, grey is less".to_owned()
            },
            baseline_words: if has_baseline { String::new() } else { no_baseline(data) },
            charts: charts(data, visit),
            dimensions: data.parts.iter().map(|it| dimension(it, visit)).collect(),
            json: visit.as_form("json"),
            sql: visit.as_form("sql"),
            layout,
        }
    }
}

fn about(data: &Data) -> String {
    let kind = match role(&data.signal) {
        Role::Prediction => "output of the model",
        Role::Outcome => "outcome",
        Role::Feature => "feature",
        Role::Attribution => "attribution",
        Role::Latency => "duration of a prediction",
        Role::Age => "age of a feature at prediction time, in seconds",
        Role::Other => "signal",
    };
    let values = match &data.compared {
        None => "",
        Some(_) if data.numeric => "numbers",
        Some(_) => "categories",
    };
    let made = if data.made_from.is_empty() {
        String::new()
    } else {
        format!("bins made from {}", text::cut(&data.made_from, 80))
    };
    [kind, values, &made].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn worst(data: &Data) -> Option<&Evaluation> {
    data.judged
        .iter()
        .max_by_key(|it| (Mark::of(it.verdict, it.severity), it.subject.monitor == Monitor::Drift))
}

fn standing(data: &Data, visit: &Visit) -> Standing {
    let Some(worst) = worst(data) else {
        return Standing {
            class: "quiet",
            chip: "Not judged",
            sentence: "no window of this range was judged here; the numbers compare as they are".to_owned(),
        };
    };
    let sentence = text::cut(&worst.sentence, 240);
    let (class, chip) = match Mark::of(worst.verdict, worst.severity) {
        Mark::Page => ("page", "Off course"),
        Mark::Ticket => ("ticket", "Drifting"),
        Mark::Recovering => ("ticket", "Recovering"),
        Mark::Suspect => ("quiet", "Beyond once"),
        Mark::OnCourse => ("ok", "On course"),
        Mark::TooLittle => ("quiet", "Too little data"),
    };
    let ended = format!("window to {}", visit.range.written(worst.window.end));
    Standing { class, chip, sentence: format!("{sentence} ({ended})") }
}

fn picks(data: &Data) -> Vec<Pick> {
    let mut picks = Vec::new();
    if data.segments.iter().any(|seen| seen.segment != segments::ALL) || data.segment != segments::ALL {
        let mut options: Vec<Choice> = data
            .segments
            .iter()
            .map(|seen| Choice {
                value: seen.segment.clone(),
                label: segment_words(&seen.segment),
                current: seen.segment == data.segment,
            })
            .collect();
        if !options.iter().any(|option| option.current) {
            options.push(Choice {
                value: data.segment.clone(),
                label: segment_words(&data.segment),
                current: true,
            });
        }
        picks.push(Pick { key: "segment", label: "Segment", options });
    }
    if data.baselines.len() > 1 {
        let option = |baseline: &domain::baseline::Baseline| Choice {
            value: baseline.name.clone(),
            label: text::cut(&baseline.name, 40),
            current: baseline.name == data.baseline,
        };
        let options = data.baselines.iter().take(50).map(option).collect();
        picks.push(Pick { key: "baseline", label: "against", options });
    }
    if data.watches.len() > 1 {
        let option = |seen: &sql::pages::signal::WatchSeen| Choice {
            value: seen.watch.clone(),
            label: text::cut(&seen.watch, 40),
            current: seen.watch == data.watch.name,
        };
        picks.push(Pick {
            key: "watch",
            label: "as watched by",
            options: data.watches.iter().map(option).collect(),
        });
    }
    picks
}

fn segment_words(segment: &str) -> String {
    match segments::parts(segment) {
        None => "all events".to_owned(),
        Some((dimension, value)) => format!("{} = {}", text::cut(dimension, 30), text::cut(value, 40)),
    }
}

/// The drift evaluation of the window.
fn drift(data: &Data) -> Option<&Evaluation> {
    data.judged.iter().find(|it| it.subject.monitor == Monitor::Drift)
}

fn stats(data: &Data) -> Vec<Stat> {
    let Some(compared) = &data.compared else { return Vec::new() };
    let drift = drift(data);
    let of = |key: &str| drift.and_then(|it| it.numbers.get(key).copied());
    let mut stats = vec![psi_stat(compared, drift)];
    if let (Some(low), high) = (of("ks_low"), of("ks_high")) {
        let note = match high {
            Some(high) if high - low > 5e-4 => format!("{} … {}", number(low), number(high)),
            _ => "exact".to_owned(),
        };
        stats.push(Stat { label: "KS", value: number(low), class: "", note });
    }
    if let Some(distance) = of("wasserstein_sd") {
        let note = of("wasserstein").map(|it| format!("{} in its own unit", number(it))).unwrap_or_default();
        stats.push(Stat { label: "Wasserstein", value: format!("{} sd", number(distance)), class: "", note });
    }
    let mean = Sides {
        baseline: of("mean_baseline").or(compared.mean.baseline),
        now: of("mean_current").or(compared.mean.now),
    };
    if data.numeric && mean.now.is_some() {
        stats.push(Stat {
            label: "mean",
            value: both(mean, number),
            class: "",
            note: "baseline → now".to_owned(),
        });
    }
    stats.push(share_stat("missing", compared.missing, judged_by(data, Monitor::Missing)));
    if compared.invalid.now.unwrap_or(0.0) > 0.0 || compared.invalid.baseline.unwrap_or(0.0) > 0.0 {
        stats.push(share_stat("invalid", compared.invalid, judged_by(data, Monitor::Invalid)));
    }
    match (data.numeric, compared.outside) {
        (true, Some(outside)) => stats.push(Stat {
            label: "outside the range",
            value: percent(outside),
            class: "",
            note: "of the baseline".to_owned(),
        }),
        (false, _) => {
            stats.push(share_stat("other or unseen", compared.other, judged_by(data, Monitor::Unseen)))
        }
        _ => {}
    }
    stats
}

fn judged_by(data: &Data, monitor: Monitor) -> Option<&Evaluation> {
    data.judged.iter().find(|it| it.subject.monitor == monitor)
}

fn psi_stat(compared: &Compared, drift: Option<&Evaluation>) -> Stat {
    match drift {
        Some(it) => Stat {
            label: "PSI",
            value: number(it.value),
            class: verdict_class(it),
            note: match it.verdict {
                Verdict::TooLittleData => "too little data for a verdict".to_owned(),
                _ => format!("limit {}", number(it.threshold)),
            },
        },
        None if compared.events_baseline == 0 => {
            Stat { label: "PSI", value: "–".to_owned(), class: "quiet", note: "no baseline".to_owned() }
        }
        None => Stat { label: "PSI", value: number(compared.psi), class: "", note: "not judged".to_owned() },
    }
}

fn verdict_class(evaluation: &Evaluation) -> &'static str {
    match Mark::of(evaluation.verdict, evaluation.severity) {
        Mark::Page => "page",
        Mark::Ticket | Mark::Recovering => "ticket",
        Mark::TooLittle => "quiet",
        Mark::Suspect | Mark::OnCourse => "",
    }
}

fn both(sides: Sides, write: fn(f64) -> String) -> String {
    let now = sides.now.map_or_else(|| "–".to_owned(), write);
    match sides.baseline {
        Some(baseline) => format!("{} → {now}", write(baseline)),
        None => now,
    }
}

fn share_stat(label: &'static str, sides: Sides, judged: Option<&Evaluation>) -> Stat {
    let before = sides.baseline.map(|share| format!("{} in the baseline", percent(share)));
    let limit = judged
        .filter(|it| it.verdict != Verdict::TooLittleData)
        .map(|it| format!("limit {}", percent(it.threshold)));
    Stat {
        label,
        value: sides.now.map_or_else(|| "–".to_owned(), percent),
        class: judged.map_or("", verdict_class),
        note: [limit, before].into_iter().flatten().collect::<Vec<_>>().join(", "),
    }
}

fn window_words(data: &Data, visit: &Visit) -> String {
    let events = data.compared.as_ref().map_or(0, |it| it.events_now);
    let against = data.compared.as_ref().filter(|it| it.events_baseline > 0).map(|it| {
        format!(
            " against {} of the baseline {}",
            text::counted(it.events_baseline, "event"),
            text::cut(&data.baseline, 40)
        )
    });
    format!(
        "{} to {}, {}{}",
        visit.range.written(data.window.start),
        visit.range.written(data.window.end),
        text::counted(events, "event"),
        against.unwrap_or_default()
    )
}

fn no_baseline(data: &Data) -> String {
    match &data.compared {
        None => "No event of this window carries the signal in this segment.".to_owned(),
        Some(_) if data.baselines.is_empty() => {
            "There is no baseline yet: one is made by itself from the model's first values.".to_owned()
        }
        Some(_) => format!(
            "The baseline {} has no values of this signal in this segment on these bins.",
            text::cut(&data.baseline, 40)
        ),
    }
}

fn dimension(dimension: &Dimension, visit: &Visit) -> DimensionView {
    const MOST: usize = 12;
    DimensionView {
        name: text::cut(&dimension.dimension, 40),
        parts: dimension
            .parts
            .iter()
            .take(MOST)
            .enumerate()
            .map(|(index, part)| PartView {
                name: name(&segment_words(&part.segment), 60),
                link: visit.with("segment", &part.segment),
                bar: segment_bars::draw(part, index == 0),
                shift: percent(part.shift),
                traffic: percent(part.traffic),
            })
            .collect(),
    }
}
