//! What the analyzer says beyond drift, on the real engine: objectives and their budgets, how events arrive, the quality
//! of data, and why an incident came about.

#[allow(dead_code, reason = "each test binary uses a part of the world")]
#[path = "analyzer/world.rs"]
mod world;

#[allow(dead_code, reason = "each test binary uses a part of the system")]
#[path = "import/system.rs"]
mod system;

#[path = "causes/april.rs"]
mod april;
#[path = "causes/arrivals.rs"]
mod arrivals;
#[path = "causes/objectives.rs"]
mod objectives;
#[path = "causes/quality.rs"]
mod quality;
#[path = "causes/root_cause.rs"]
mod root_cause;
