//! The collector against the real engine: what is answered with 200 is stored and counted, once.

#[path = "collector/answers.rs"]
mod answers;
#[path = "collector/crashes.rs"]
mod crashes;
#[path = "collector/grids.rs"]
mod grids;
#[path = "collector/running.rs"]
mod running;
