//! Whether groups of people are selected alike, once an hour by the raw events of the window: no outcome is waited for.

use domain::evaluation::Monitor;
use domain::time::Interval;
use sql::predicted::SelectedAsked;

use super::Work;
use super::watch::{Identity, WatchRun};
use crate::finding::Finding;
use crate::performance::{Decision, Kind, selection};
use crate::reference::Reference;

impl WatchRun {
    /// One question for each dimension that the contract wants treated alike; none where the prediction is known to be
    /// something else than a yes or no.
    pub(super) async fn selection_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
    ) -> anyhow::Result<Vec<Finding>> {
        let fairness = &self.contract.fairness;
        let is_other = self.known_task().is_some_and(|known| known.task.kind != Kind::Binary);
        let Some(prediction) = reference.prediction.as_ref().filter(|_| !is_other) else {
            return Ok(Vec::new());
        };
        let Identity { model, environment, .. } = &self.identity;
        let versions = self.own_versions();
        let mut findings = Vec::new();
        for dimension in fairness.dimensions.iter().filter(|_| self.watch.looks_at(Monitor::Selection)) {
            let asked = SelectedAsked {
                model,
                environment,
                interval: window,
                versions: &versions,
                prediction,
                threshold: Decision::of(&self.contract).threshold,
                dimension,
            };
            let parts = work.store.selected(&asked).await?;
            findings.extend(selection::findings(prediction, dimension, &parts, fairness, &reference.limits));
        }
        Ok(findings)
    }
}
