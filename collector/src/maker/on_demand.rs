//! Grids that a command asks for: made of raw events at once, and counted back before the command goes on. The running
//! collectors hear of them like of any other grid.

use domain::time::Interval;

use super::Maker;
use super::initial::Owed;
use super::pending::Due;

impl Maker {
    /// Makes and announces grids for those of `signals` that have values in `interval`, however few.
    pub async fn make_now(
        &self,
        model: &str,
        signals: Vec<String>,
        interval: Interval,
    ) -> Result<(), sql::Error> {
        let made = self.made_of(&Due { model: model.to_owned(), interval, signals }).await?;
        self.announce(made).await?;
        self.grids.refresh().await.map(|_| ())
    }

    /// Counts by every grid that has settled what came before it held. Harmless where a running collector does the same.
    pub async fn catch_up(&self) -> Result<(), sql::Error> {
        self.grids.refresh().await?;
        // What waits for a comparison is owed by a collector: that compares, and this process ends.
        self.count_what_came_before(&mut Owed::default()).await
    }
}
