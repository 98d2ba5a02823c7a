//! The executable that tests start: Leeway itself, built beside them. It is also the engine of the test harness.

fn main() -> std::process::ExitCode {
    leeway::main()
}
