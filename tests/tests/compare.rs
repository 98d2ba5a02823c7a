//! `leeway compare` as people and pipelines run it: files, windows of a model, the promise of its JSON, the gate.

#[path = "compare/extremes.rs"]
mod extremes;
#[path = "compare/files.rs"]
mod files;
#[path = "compare/gate.rs"]
mod gate;
#[path = "compare/golden.rs"]
mod golden;
#[path = "compare/windows.rs"]
mod windows;
