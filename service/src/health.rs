//! Whether a role is ready, and if not, what it waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Named checks of one process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Option<String>>>>);

impl Health {
    /// Says that `check` is in order.
    pub fn ready(&self, check: &str) {
        self.set(check, None);
    }

    /// Says that `check` is not in order, and why.
    pub fn not_ready(&self, check: &str, reason: impl Into<String>) {
        self.set(check, Some(reason.into()));
    }

    fn set(&self, check: &str, problem: Option<String>) {
        self.0.lock().expect("no thread panics while it holds this lock").insert(check.to_owned(), problem);
    }

    /// The checks that are not in order, each with its reason; empty when the process is ready.
    pub fn problems(&self) -> BTreeMap<String, String> {
        let checks = self.0.lock().expect("no thread panics while it holds this lock");
        checks.iter().filter_map(|(check, problem)| Some((check.clone(), problem.clone()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stands_until_it_is_taken_back() {
        let health = Health::default();
        health.not_ready("store", "cannot be reached");
        assert_eq!(health.problems().get("store").map(String::as_str), Some("cannot be reached"));
        health.ready("store");
        assert!(health.problems().is_empty());
    }
}
