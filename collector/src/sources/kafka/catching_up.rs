//! What other collectors stored is remembered when their partitions come to us: its repetitions come to us as well.

use std::time::Instant as Moment;

use tokio::sync::Mutex;

use crate::intake::Intake;

/// Reads what others stored of late, once for all partitions that come to us together.
#[derive(Debug, Default)]
pub struct CatchingUp {
    /// When the last reading began.
    began: Mutex<Option<Moment>>,
}

impl CatchingUp {
    /// Returns when everything that was stored before this call is remembered.
    pub async fn catch_up(&self, intake: &Intake) {
        let called = Moment::now();
        let mut began = self.began.lock().await;
        if began.is_some_and(|began| began >= called) {
            return;
        }
        *began = Some(Moment::now());
        if let Err(error) = intake.remember_stored().await {
            *began = None;
            let error = anyhow::Error::from(error);
            tracing::warn!(
                error = format!("{error:#}"),
                "repetitions of what other collectors stored are taken for new"
            );
        }
    }
}
