//! Leeway's embedded ClickHouse: a supervised child process that loads libchdb and answers ClickHouse's HTTP interface on
//! loopback, so that one client and one SQL serve the laptop and the cluster.
//!
//! [`Engine::start`] runs one for as long as the value lives; [`running`] finds the one that serves a data directory already.
//! The child's whole program is [`serve_child`].

mod config;
mod error;

// The parent's side.
mod fetch;
mod library;
mod lock;
mod running;
mod supervisor;

// The child's side, from the socket to the C interface.
mod body;
mod exception;
mod execute;
mod ffi;
mod framing;
mod log_file;
mod multipart;
mod process;
mod request;
mod response;
mod server;
mod session;
mod statement;
mod tokens;

pub use config::EngineConfig;
pub use error::EngineError;
pub use process::serve_child;
pub use running::{Running, running};
pub use supervisor::{Engine, Health};
