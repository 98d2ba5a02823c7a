//! What moves, said: each signal with its sentence, its picture and how many times its limit it is.

use domain::evaluation::{Evaluation, Subject, Verdict};

use super::{Data, Mover, movers};
use crate::charts::strip::Mark;
use crate::charts::{histogram, meter};
use crate::text::{self, Markup, name, number};
use crate::visit::{Visit, signal_path};

/// A signal that moves, ranked.
pub struct Cause {
    pub rank: usize,
    pub class: &'static str,
    pub name: Markup,
    pub link: String,
    pub sentence: String,
    pub detail: String,
    pub picture: Markup,
    pub times: String,
    pub meter: Markup,
}

pub fn causes(data: &Data, visit: &Visit) -> Vec<Cause> {
    let most = data
        .movers
        .iter()
        .map(|mover| movers::times_limit(&mover.evaluation))
        .filter(|it| it.is_finite())
        .fold(1.0, f64::max);
    data.movers.iter().enumerate().map(|(index, mover)| cause(index, mover, most, visit)).collect()
}

fn cause(index: usize, mover: &Mover, most: f64, visit: &Visit) -> Cause {
    let evaluation = &mover.evaluation;
    let subject = &evaluation.subject;
    let times = movers::times_limit(evaluation);
    let class = match Mark::of(evaluation.verdict, evaluation.severity) {
        Mark::Page => "off",
        Mark::Ticket | Mark::Recovering => "moved",
        _ => "",
    };
    let shown = if subject.signal.is_empty() { subject.monitor.name() } else { &subject.signal };
    let words = if times.is_finite() { format!("{times:.1}×") } else { "beyond".to_owned() };
    Cause {
        rank: index + 1,
        class,
        name: name(shown, 60),
        link: match subject.signal.as_str() {
            "" => String::new(),
            signal => subject_link(visit, subject, signal),
        },
        sentence: text::cut(&evaluation.sentence, 220),
        detail: cause_detail(evaluation, visit),
        picture: mover
            .bars
            .as_ref()
            .map(|bars| histogram::small(bars, &format!("{}, baseline and now", text::cut(shown, 60))))
            .unwrap_or_default(),
        meter: meter::draw(
            times / most,
            if class == "off" { "fill first" } else { "fill" },
            &format!("{words} its limit"),
        ),
        times: words,
    }
}

fn subject_link(visit: &Visit, subject: &Subject, signal: &str) -> String {
    let path = signal_path(&subject.model, &subject.environment, signal);
    let mut link = visit.to(&path);
    for (key, value) in [("segment", &subject.segment), ("watch", &subject.watch)] {
        if !value.is_empty() {
            link.push_str(if link.contains('?') { "&" } else { "?" });
            link.push_str(&format!("{key}={}", text::path_part(value)));
        }
    }
    link
}

fn cause_detail(evaluation: &Evaluation, visit: &Visit) -> String {
    let subject = &evaluation.subject;
    let mut parts = vec![format!(
        "{} {}, limit {}",
        text::statistic(&evaluation.statistic),
        number(evaluation.value),
        number(evaluation.threshold)
    )];
    if !subject.segment.is_empty() {
        parts.push(text::cut(&subject.segment, 60));
    }
    parts.push(text::counted(evaluation.n_current, "event"));
    if evaluation.verdict.is_alarm() {
        parts.push(format!("since {}", visit.range.written(evaluation.since)));
    }
    if evaluation.verdict == Verdict::Recovering {
        parts.push("recovering".to_owned());
    }
    parts.join(" · ")
}
