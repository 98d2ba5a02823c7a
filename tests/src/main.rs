//! The executable that tests start: Leeway itself, built beside them. It is also the engine of the test harness, and only that
//! where the tests are built for one program.

#[cfg(feature = "leeway")]
fn main() -> std::process::ExitCode {
    leeway::main()
}

#[cfg(not(feature = "leeway"))]
fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("engine") => engine::serve_child(),
        _ => anyhow::bail!("built without the feature `leeway`, this is the engine only"),
    }
}
