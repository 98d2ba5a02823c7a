//! The words of Leeway and its time: events, signals, grids, windows, evaluations, incidents.
//!
//! Nothing here does I/O, waits, or asks what time it is. Reading order:
//!
//! 1. [`time`]: instants, half-open intervals, the one clock
//! 2. [`signal`]: what carries a distribution, and how it is named
//! 3. [`grid`]: the bins of a signal, made once and kept for years
//! 4. [`counts`]: how many values fell into each bin
//! 5. [`baseline`]: named counts that later windows are compared with
//! 6. [`window`]: which stretches of time are looked at, and when one is closed
//! 7. [`evaluation`]: what the analyzer found in one window
//! 8. [`incident`]: what becomes of findings: opened, acknowledged, resolved
//! 9. [`action`]: what a person or a program asks to be done about an incident
//! 10. [`delivery`]: an attempt at telling somebody of an incident
//! 11. [`objective`]: how fast an error budget may burn
//! 12. [`contract`]: what the owner of a model states about it
//! 13. [`why`]: why an incident came about

pub mod action;
pub mod baseline;
pub mod contract;
pub mod counts;
pub mod delivery;
pub mod evaluation;
pub mod grid;
pub mod incident;
pub mod objective;
pub mod signal;
pub mod time;
pub mod why;
pub mod window;
