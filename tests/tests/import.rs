//! `leeway import`, `baseline` and `recount` against the real engine, on a year of real flights.

#[path = "import/baselines.rs"]
mod baselines;
#[path = "import/command.rs"]
mod command;
#[path = "import/directories.rs"]
mod directories;
#[path = "import/files.rs"]
mod files;
#[path = "import/flights.rs"]
mod flights;
#[path = "import/recounts.rs"]
mod recounts;
#[path = "import/system.rs"]
mod system;
