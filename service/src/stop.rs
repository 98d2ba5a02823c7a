//! How a process ends: one token, one deadline. The first SIGTERM or Ctrl-C asks everything to finish; a second one
//! ends at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long a stopping process may take to flush and deliver. Kubernetes kills after 30 s by default.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Cancels `stopper` when the process is asked to stop.
///
/// # Errors
/// Where the operating system refuses to tell of signals.
pub fn on_signals(stopper: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop (SIGTERM)"),
            _ = interrupt.recv() => tracing::info!("asked to stop (Ctrl-C); once more ends at once"),
        }
        stopper.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("asked again: ending at once");
        std::process::exit(130);
    });
    Ok(())
}
