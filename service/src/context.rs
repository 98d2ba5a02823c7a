//! What a role is given to work with, beside its own configuration and the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::contract::Contract;
use domain::time::Clock;
use opentelemetry::metrics::Meter;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// What the owners of models state about them, by model.
pub type Contracts = Arc<BTreeMap<String, Contract>>;

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
            contracts: Arc::new(contracts),
        }
    }

    /// What is stated about `model`, or the defaults where nobody stated anything.
    pub fn contract(&self, model: &str) -> Contract {
        self.contracts.get(model).cloned().unwrap_or_default()
    }
}
