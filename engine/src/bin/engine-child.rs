//! The engine's two processes by themselves, for the tests of this crate; in Leeway they are `leeway up` and `leeway engine`.

use std::io::Write as _;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("engine") => engine::serve_child(),
        Some("hold") => hold(std::env::args().nth(2).unwrap_or_default()),
        _ => anyhow::bail!("engine, or hold DIRECTORY"),
    }
}

/// Starts an engine as a parent does and holds it until somebody kills this process.
#[tokio::main]
async fn hold(data_dir: String) -> anyhow::Result<()> {
    let engine = engine::Engine::start(engine::EngineConfig::at(data_dir)).await?;
    println!("{}", engine.url());
    std::io::stdout().flush()?;
    std::future::pending().await
}
