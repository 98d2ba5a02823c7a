//! The read-only questions of the pages, one module a page. Each is bounded: by its stretch of time, and by a limit on
//! the rows it answers with.
//!
//! Invariant: a page can show the very text of every question it asked ([`Asked`]), ready to be asked again by anybody.

mod ask;
pub mod deliveries;
pub mod incident;
pub mod model;
pub mod overview;
pub mod signal;

pub use ask::{Ask, Asked};
pub use overview::OpenIncidents;
