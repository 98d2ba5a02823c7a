//! The executable that tests start: Leeway itself, built beside them. It is also the engine of the test harness.

fn main() -> std::process::ExitCode {
    // While the whole is being joined, only the engine.
    match std::env::args().nth(1).as_deref() {
        Some("engine") => match engine::serve_child() {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(_) => std::process::ExitCode::FAILURE,
        },
        _ => std::process::ExitCode::FAILURE,
    }
}
