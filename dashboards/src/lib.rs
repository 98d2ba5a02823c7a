//! The pages: what goes off course, since when, why, who was told, and what to do. Rendered on the server, readable
//! without scripts, every view a permalink.
//!
//! Reading order: [`config`]; [`run`] serves; [`pages`] lists the pages, one file each with its template beside it in
//! `templates/`; [`visit`] is what a request asks for, [`time_range`] the stretch of time it is about, [`layout`] the
//! shell around every page, [`error`] what a page says when it cannot be shown; [`figures`] is the arithmetic of the
//! pictures, [`charts`] draws them, [`text`] writes numbers and names; [`assets`] is the style sheet and the script;
//! [`auth`] says who may see the pages and act on them, [`actions`] takes
//! what they ask for.

pub mod actions;
pub mod assets;
pub mod auth;
pub mod charts;
pub mod config;
pub mod error;
pub mod figures;
pub mod layout;
pub mod pages;
pub mod run;
pub mod text;
pub mod time_range;
pub mod visit;

pub use config::Config;
pub use run::run;
