//! What no signal shows by itself: two samples of events compared as wholes (METHODS 8, 9).
//!
//! Everything is made of a bounded number of raw events a side, which the store picks by a hash of their ids: counts do not
//! say how values go together. Nothing here raises an alarm: it is asked for (`leeway drift`), and answers.
//!
//! Reading order: [`table`] lays events out in columns; [`correlations`], [`classifier`], [`embeddings`], [`attributions`]
//! and [`parity`] each answer one question; [`report`] holds the answers.

pub mod attributions;
pub mod classifier;
pub mod correlations;
pub mod embeddings;
pub mod parity;
pub mod report;
pub mod table;
