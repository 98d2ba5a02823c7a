//! Raw events that typify what happened.

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::Bins;
use domain::signal::segment;
use domain::why::Example;
use sql::Store;
use sql::pages::incident::{ExamplesAsked, Shows};

use super::Case;
use crate::rootcause::report::About;
use crate::rootcause::signals::Moved;

const MOST_EXAMPLES: u32 = 5;

impl Case<'_> {
    /// Events of the segment that carries it, with what the leading signal now has more often.
    pub(super) async fn examples(
        &self,
        store: &Store,
        moved: &[Moved],
        about: &BTreeMap<String, About>,
    ) -> anyhow::Result<Vec<Example>> {
        let lead = moved.iter().find(|moved| !moved.is_consequence);
        let (signal, shows, said) = match (self.lead.subject.monitor, lead) {
            (Monitor::Errors, _) => (String::new(), Shows::Error, "a prediction that failed".to_owned()),
            (_, Some(moved)) => {
                let (shows, said) = self.shows(moved);
                (moved.signal.clone(), shows, said)
            }
            (_, None) => return Ok(Vec::new()),
        };
        let carrier = about.get(&signal).and_then(|about| about.carrier.clone());
        let asked = ExamplesAsked {
            model: self.incident.model.clone(),
            environment: self.incident.environment.clone(),
            interval: self.window,
            signal,
            segment: carrier.map_or_else(String::new, |(segment, _)| segment),
            shows,
            most: MOST_EXAMPLES,
        };
        let found = store.incident_examples(&asked).await?;
        let example = |one: sql::pages::incident::Example| Example {
            id: one.id,
            at: one.at,
            version: one.version,
            // JSON has no infinities; what is not finite is not shown.
            numbers: one.numbers.into_iter().filter(|(_, value)| value.is_finite()).collect(),
            categories: one.categories,
            shows: said.clone(),
        };
        Ok(found.into_iter().map(example).collect())
    }

    /// What became more frequent: no value, an unusable one, or those of the bin that grew most.
    fn shows(&self, moved: &Moved) -> (Shows, String) {
        let key = (segment::ALL.to_owned(), moved.signal.clone());
        let name = crate::words::signal(&moved.signal);
        if moved.missing_rise() > 0.01 {
            let now = self.current.get(&key).map(|now| (now.counts.missing(), now.counts.invalid()));
            return match now {
                Some((missing, invalid)) if invalid > missing => {
                    (Shows::Invalid, format!("{name} is unusable"))
                }
                _ => (Shows::Missing, format!("{name} is missing")),
            };
        }
        self.grown(&key).unwrap_or((Shows::Anything, name))
    }

    fn grown(&self, key: &(String, String)) -> Option<(Shows, String)> {
        let grid = self.grid(&key.1)?;
        let (before, now) = (&self.reference.signals.get(key)?.counts, &self.current.get(key)?.counts);
        let share = |counts: &Counts, bin| (counts.get(bin) as f64 + 0.5) / (counts.total() as f64 + 1.0);
        let says = |bin| (share(now, bin) - share(before, bin)) * (share(now, bin) / share(before, bin)).ln();
        let grown = now
            .iter()
            .map(|(bin, _)| bin)
            .filter(|bin| bin.value_index().is_some() && share(now, *bin) > share(before, *bin))
            .max_by(|one, other| says(*one).total_cmp(&says(*other)))?;
        let label = grid.label(grown);
        let said = format!("{} in {label}", crate::words::signal(&key.1));
        Some(match &grid.bins {
            Bins::Numbers(edges) => {
                let (low, high) = edges.limits(grown.value_index()?);
                (Shows::Number { low, high }, said)
            }
            Bins::Categories(_) => (Shows::Category(vec![label]), said),
        })
    }
}
