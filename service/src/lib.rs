//! What every role does before and after its work: configuration, start, health, telemetry, HTTP, shutdown.
//!
//! Reading order: [`context`] is what a role is given; [`config`] reads layers into its typed struct; [`telemetry`],
//! [`health`] and [`http`] make it visible; [`stop`] ends it; [`backoff`] says when to try again; [`secret`] keeps
//! secrets out of logs; [`token`] knows programs by their tokens.

pub mod backoff;
pub mod config;
pub mod context;
pub mod health;
pub mod http;
pub mod memory;
pub mod secret;
pub mod stop;
pub mod telemetry;
pub mod token;

pub use context::Context;
pub use health::Health;
pub use secret::Secret;
