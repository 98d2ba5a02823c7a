//! What a role is given to work with, beside its own configuration and the store.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::contract::Contract;
use domain::time::Clock;
use opentelemetry::metrics::Meter;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// What the owners of models state about them, by model: in the configuration, which wins, and in the store, which may
/// change at any time. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Contracts(Arc<Stated>);

#[derive(Debug, Default)]
struct Stated {
    configured: BTreeMap<String, Contract>,
    /// Both together, as last taken up.
    current: RwLock<Arc<BTreeMap<String, Contract>>>,
}

impl From<BTreeMap<String, Contract>> for Contracts {
    fn from(configured: BTreeMap<String, Contract>) -> Self {
        let current = RwLock::new(Arc::new(configured.clone()));
        Self(Arc::new(Stated { configured, current }))
    }
}

impl Contracts {
    /// All of them as they stand now. The same `Arc` as long as nothing changes.
    pub fn current(&self) -> Arc<BTreeMap<String, Contract>> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn get(&self, model: &str) -> Option<Contract> {
        self.current().get(model).cloned()
    }

    /// Whether the configuration describes the model, so that what the store says of it is not heard.
    pub fn is_configured(&self, model: &str) -> bool {
        self.0.configured.contains_key(model)
    }

    /// Takes up what the store says now, instead of what it said before. Says whether anything changed.
    pub fn take_up(&self, stored: BTreeMap<String, Contract>) -> bool {
        let mut all = stored;
        all.extend(self.0.configured.clone());
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = **current != all;
        if is_new {
            *current = Arc::new(all);
        }
        is_new
    }
}

#[derive(Clone)]
pub struct Context {
    /// Cancelled when the process is to stop: a role then stops its intake, flushes, and returns.
    pub stopper: CancellationToken,
    pub clock: Clock,
    pub meter: Meter,
    pub health: Health,
    pub contracts: Contracts,
}

impl Context {
    /// A context that nobody measures or stops from outside: for tests and for commands that end by themselves.
    pub fn quiet(clock: Clock, contracts: BTreeMap<String, Contract>) -> Self {
        Self {
            stopper: CancellationToken::new(),
            clock,
            meter: opentelemetry::global::meter("leeway"),
            health: Health::default(),
            contracts: contracts.into(),
        }
    }

    /// What is stated about `model`, or the defaults where nobody stated anything.
    pub fn contract(&self, model: &str) -> Contract {
        self.contracts.get(model).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(owner: &str) -> Contract {
        Contract { owner: owner.to_owned(), ..Contract::default() }
    }

    #[test]
    fn the_configuration_wins_over_the_store_and_the_rest_is_taken_up() {
        let contracts = Contracts::from(BTreeMap::from([("a".to_owned(), owned_by("file"))]));
        let shared = contracts.clone();
        let stored = ["a", "b"].map(|model| (model.to_owned(), owned_by("store")));
        assert!(contracts.take_up(BTreeMap::from(stored.clone())));
        let owner = |model: &str| shared.get(model).map(|contract| contract.owner);
        assert_eq!(owner("a").as_deref(), Some("file"));
        assert_eq!(owner("b").as_deref(), Some("store"));
        assert!(shared.is_configured("a") && !shared.is_configured("b"));
        let before = shared.current();
        assert!(!contracts.take_up(BTreeMap::from(stored)));
        assert!(Arc::ptr_eq(&before, &shared.current()));
        assert!(contracts.take_up(BTreeMap::new()));
        assert_eq!(owner("b"), None);
    }
}
