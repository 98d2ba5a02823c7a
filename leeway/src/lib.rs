//! The one executable of Leeway: a command line over the roles, and the demonstration.
//!
//! Reading order: [`cli`] names the commands; [`config`] is the whole configuration; [`system`] opens the store and runs
//! roles; [`commands`] are those that end by themselves; [`demo`] is `leeway demo`.

pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod system;

pub use cli::main;
