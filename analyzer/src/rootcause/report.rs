//! Puts what was found about an incident together: order, sentences and addresses.

use std::collections::BTreeMap;

use domain::evaluation::Monitor;
use domain::incident::{Finding, Incident};
use domain::signal::segment;
use domain::time::{Instant, Interval};
use domain::why::{Example, Measure, MovedSegment, MovedSignal, NearChange, Why};
use sql::causes::Measured;
use sql::changes::Change;

use super::attribution::Attributed;
use super::cells::{Carried, Carrier};
use super::signals::{Move, Moved};
use crate::stats::normal;
use crate::words;

/// What was found about a signal beside its movement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub changed_at: Option<Instant>,
    /// The watched segment that carries it, with its part.
    pub carrier: Option<(String, f64)>,
}

/// Everything that a report is made of.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    pub incident: &'a Incident,
    pub lead: &'a Finding,
    pub baseline: &'a str,
    pub window: Interval,
    pub events: u64,
    pub prediction_move: Option<Move>,
    pub moved: Vec<Moved>,
    pub about: BTreeMap<String, About>,
    /// When what the incident is about changed itself, by its own counts.
    pub metric_changed_at: Option<Instant>,
    pub measured: Option<(Measured, Option<Carried>)>,
    pub dimensions: &'a [String],
    pub attributed: Vec<Attributed>,
    pub changes: Vec<Change>,
    pub examples: Vec<Example>,
    pub computed_at: Instant,
}

impl Found<'_> {
    pub fn report(self) -> Why {
        let signals = self.signals();
        let segments = self.segments();
        let changes = self.near_changes();
        let sentence = self.headline(&signals, &segments, &changes);
        let subject = &self.lead.subject;
        Why {
            incident: self.incident.id.clone(),
            model: self.incident.model.clone(),
            environment: self.incident.environment.clone(),
            watch: subject.watch.clone(),
            baseline: self.baseline.to_owned(),
            since: self.incident.since,
            window: self.window,
            events: self.events,
            computed_at: self.computed_at,
            sentence,
            link: format!("/incidents/{}", encoded(&self.incident.id)),
            measure: self.measure(),
            signals,
            segments,
            changes,
            examples: self.examples,
        }
    }

    /// The order of [`super::signals`], except that what changed after the metric cannot be its cause.
    fn signals(&self) -> Vec<MovedSignal> {
        let mut all: Vec<MovedSignal> = self.moved.iter().map(|moved| self.signal(moved)).collect();
        all.sort_by_key(|signal| (signal.is_consequence, signal.is_after));
        all
    }

    fn signal(&self, moved: &Moved) -> MovedSignal {
        let about = self.about.get(&moved.signal).cloned().unwrap_or_default();
        let is_metric = moved.signal == self.lead.subject.signal || moved.is_consequence;
        let is_after = !is_metric
            && about.changed_at.zip(self.metric_changed_at).is_some_and(|(own, metric)| own > metric);
        let (segment, segment_part) = about.carrier.clone().unwrap_or_default();
        let total = self.prediction_move.map(Move::total);
        MovedSignal {
            signal: moved.signal.clone(),
            is_consequence: moved.is_consequence,
            psi: finite(moved.psi),
            shift_sd: finite(moved.shift_sd),
            missing_rise: finite(moved.missing_rise()),
            mix: moved.mix.filter(|mix| mix.is_finite()),
            part_of_move: moved.part.filter(|part| part.is_finite()),
            within: total.zip(moved.mix).map(|(total, mix)| total - mix).filter(|within| within.is_finite()),
            changed_at: about.changed_at,
            is_after,
            sentence: self.signal_sentence(moved, &about, is_after),
            link: self.signal_link(&moved.signal, &segment),
            segment,
            segment_part: finite(segment_part),
        }
    }

    fn signal_sentence(&self, moved: &Moved, about: &About, is_after: bool) -> String {
        let name = words::signal(&moved.signal);
        let what = match (moved.missing_rise() > 0.01, moved.means) {
            (true, _) => format!(
                "{name} is null or no number in {} of events ({} before)",
                words::percent(moved.missing[1]),
                words::percent(moved.missing[0])
            ),
            (false, Some([before, now])) => format!(
                "{name} moved as far as a shift of {} standard deviations, mean {} ({} before)",
                words::number(moved.shift_sd),
                words::number(now),
                words::number(before)
            ),
            (false, None) => {
                format!(
                    "{name} moved as far as a shift of {} standard deviations",
                    words::number(moved.shift_sd)
                )
            }
        };
        let part = match moved.part {
            Some(part) if part.abs() >= 0.05 => {
                format!("; that makes {} of the prediction's move", words::percent(part))
            }
            Some(_) => "; the prediction does not mind".to_owned(),
            None => String::new(),
        };
        let place = about.carrier.as_ref().map_or_else(String::new, |(segment, part)| {
            format!("; {} of it{}", words::percent(part.min(1.0)), words::at(segment))
        });
        let when = match (about.changed_at, is_after) {
            (Some(at), true) => {
                format!("; changed at {}, after the prediction did: no cause", words::when(at))
            }
            (Some(at), false) => format!("; changed at {}", words::when(at)),
            (None, _) => String::new(),
        };
        format!("{what}{part}{place}{when}")
    }

    fn measure(&self) -> Option<Measure> {
        let (measured, carried) = self.measured.as_ref()?;
        let sides = carried.as_ref().map(|carried| carried.measure);
        let known = match (sides, self.prediction_move) {
            (Some(sides), _) => Some((sides.baseline, sides.current)),
            (None, Some(moved)) => Some((moved.baseline, moved.current)),
            (None, None) => None,
        };
        let (baseline, current) = known?;
        Some(Measure { name: measure_name(measured), baseline, current, is_split: carried.is_some() })
    }

    fn segments(&self) -> Vec<MovedSegment> {
        let carried =
            self.measured.iter().filter_map(|(measured, carried)| Some((measured, carried.as_ref()?)));
        let of_cells = carried.flat_map(|(measured, carried)| {
            carried.carriers.iter().map(|carrier| self.segment(measured, carrier))
        });
        of_cells.chain(self.attributed.iter().map(|one| self.attributed(one))).collect()
    }

    fn segment(&self, measured: &Measured, carrier: &Carrier) -> MovedSegment {
        let values: BTreeMap<String, String> = carrier
            .values
            .iter()
            .filter_map(|(place, value)| Some((short(self.dimensions.get(*place)?), value.clone())))
            .collect();
        let (within, mix) = (carrier.contribution.within, carrier.contribution.mix);
        let why = if within.abs() >= mix.abs() { "it changed itself" } else { "there is more or less of it" };
        let sentence = format!(
            "{} carries {} of the change of the {}: {} there ({} before), {} of events; {why}",
            said(&values),
            words::percent(carrier.part),
            measure_name(measured),
            value(measured, carrier.means.current),
            value(measured, carrier.means.baseline),
            words::percent(carrier.support),
        );
        MovedSegment {
            link: self.segment_link(&values),
            contribution: finite(carrier.contribution.total()),
            part: finite(carrier.part),
            within: finite(within),
            mix: finite(mix),
            support: finite(carrier.support),
            baseline: finite(carrier.means.baseline),
            current: finite(carrier.means.current),
            z: finite(carrier.z),
            p: finite(carrier.p),
            sentence,
            values,
        }
    }

    fn attributed(&self, one: &Attributed) -> MovedSegment {
        let values = BTreeMap::from([(one.dimension.clone(), one.value.clone())]);
        let is_share = self.lead.subject.monitor == Monitor::Errors;
        let said_as = |value: f64| if is_share { words::percent(value) } else { words::number(value) };
        let z = if is_share { 0.0 } else { (one.now - one.before) / (one.now + one.before).max(1.0).sqrt() };
        MovedSegment {
            sentence: format!(
                "{} explains {} of the change: {} ({} before)",
                said(&values),
                words::percent(one.part),
                said_as(one.now),
                said_as(one.before)
            ),
            link: self.segment_link(&values),
            contribution: finite(one.now - one.before),
            part: finite(one.part),
            within: finite(one.now - one.before),
            mix: 0.0,
            support: finite(one.support),
            baseline: finite(one.before),
            current: finite(one.now),
            z: finite(z),
            p: finite(2.0 * normal::sf(z.abs())),
            values,
        }
    }

    /// Those before the onset come first, the nearest of them at once: what came after it was not the cause.
    fn near_changes(&self) -> Vec<NearChange> {
        let onset = self.incident.since;
        let mut near: Vec<NearChange> = self
            .changes
            .iter()
            .map(|change| NearChange {
                id: change.id.clone(),
                at: change.at,
                kind: change.kind.clone(),
                title: change.title.clone(),
                detail: change.detail.clone(),
                link: change.link.clone(),
                before_s: onset.seconds() - change.at.seconds(),
            })
            .collect();
        near.sort_by_key(|change| (change.before_s < 0, change.before_s.unsigned_abs()));
        near
    }

    fn headline(&self, signals: &[MovedSignal], segments: &[MovedSegment], changes: &[NearChange]) -> String {
        let cause = signals.iter().find(|signal| !signal.is_consequence && !signal.is_after);
        let what = match (cause, segments.first()) {
            (Some(signal), _) => signal.sentence.clone(),
            (None, Some(segment)) => segment.sentence.clone(),
            (None, None) => self.lead.sentence.clone(),
        };
        let change = changes.iter().find(|change| change.before_s >= 0).map_or_else(String::new, |change| {
            let before = words::seconds(change.before_s as f64);
            format!(". {before} before it began: {} ({})", words::cut(&change.title), change.kind)
        });
        format!("{what}{change}")
    }

    fn signal_link(&self, signal: &str, segment: &str) -> String {
        let mut link = format!(
            "/models/{}/{}/signals/{}?{}",
            encoded(&self.incident.model),
            encoded(&self.incident.environment),
            encoded(signal),
            self.range()
        );
        if segment != segment::ALL {
            link.push_str(&format!("&segment={}", encoded(segment)));
        }
        link
    }

    /// A segment is looked at on the page of the signal that the incident is about.
    fn segment_link(&self, values: &BTreeMap<String, String>) -> String {
        let watched = match values.iter().next() {
            Some((dimension, value)) if values.len() == 1 => segment::name(dimension, value),
            _ => String::new(),
        };
        let signal = match (self.lead.subject.signal.as_str(), &self.measured) {
            (_, Some((Measured::Number(signal), _))) => signal.as_str(),
            (signal, _) => signal,
        };
        if signal.is_empty() {
            let (model, environment) = (&self.incident.model, &self.incident.environment);
            return format!("/models/{}/{}?{}", encoded(model), encoded(environment), self.range());
        }
        self.signal_link(signal, &watched)
    }

    /// As much before the onset as since.
    fn range(&self) -> String {
        let length = self.window.length();
        format!("from={}&to={}", self.window.start.saturating_sub(length), self.window.end)
    }
}

/// What a measure is called.
fn measure_name(measured: &Measured) -> String {
    match measured {
        Measured::Number(signal) => format!("mean of {}", words::signal(signal)),
        Measured::Missing(signal) => format!("share of events without {}", words::signal(signal)),
        Measured::Invalid(signal) => format!("share of events with no usable {}", words::signal(signal)),
        Measured::Beyond(signal, limit) => {
            format!("share of events with {} above {}", words::signal(signal), words::number(*limit))
        }
        Measured::Category(signal, level) => {
            format!("share of events with {} {}", words::signal(signal), words::cut(level))
        }
        Measured::Error => "share of errors".to_owned(),
    }
}

fn value(measured: &Measured, value: f64) -> String {
    if matches!(measured, Measured::Number(_)) { words::number(value) } else { words::percent(value) }
}

/// `origin = JFK and carrier = AA`.
fn said(values: &BTreeMap<String, String>) -> String {
    let each = values.iter().map(|(dimension, value)| {
        let value = if value.is_empty() { "nothing" } else { value };
        format!("{} = {}", words::cut(dimension), words::cut(value))
    });
    each.collect::<Vec<_>>().join(" and ")
}

/// A dimension as a contract names it: `origin` for `feature.origin`.
fn short(dimension: &str) -> String {
    dimension.strip_prefix(domain::signal::FEATURE).unwrap_or(dimension).to_owned()
}

/// JSON has no infinities.
fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let mut address = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_plain(byte) {
            true => address.push(char::from(byte)),
            false => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_any_name() {
        assert_eq!(encoded("feature.temp"), "feature.temp");
        assert_eq!(encoded("origin=J F/K"), "origin%3DJ%20F%2FK");
    }

    #[test]
    fn segments_are_said_as_contracts_name_them() {
        let values =
            BTreeMap::from([("origin".to_owned(), "JFK".to_owned()), ("carrier".to_owned(), String::new())]);
        assert_eq!(said(&values), "carrier = nothing and origin = JFK");
        assert_eq!(short("feature.origin"), "origin");
        assert_eq!(short("tag.region"), "tag.region");
    }
}
