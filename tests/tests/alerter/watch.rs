//! What the alerter watches beside models: the analyzer; and of what it tells nobody: history.

use domain::delivery::State;
use domain::evaluation::{Cause, Monitor, Verdict};
use domain::incident::EventKind;
use domain::time::HOUR;
use tests::eventually;

use crate::post::{Harbour, subject, temp};

#[tokio::test]
async fn an_analyzer_that_says_nothing_is_an_incident_until_it_is_back() {
    let harbour = Harbour::open().await;
    let config = format!("stalled_after_s = 1\ndefault_channels = [\"oncall\"]\n{}", harbour.config());
    let alerter = harbour.start_with(&config);
    let opened = harbour.event(EventKind::Opened).await;
    assert_eq!((opened.model.as_str(), opened.cause), ("leeway", Cause::Leeway));
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;

    // Any evaluation is a sign of life.
    harbour.evaluate(temp(), Verdict::OnCourse, 0).await;
    harbour.delivery("oncall", EventKind::Resolved, State::Delivered).await;
    alerter.stop().await;
    let first: Vec<EventKind> = harbour.kinds().await.into_iter().take(2).collect();
    assert_eq!(first, [EventKind::Opened, EventKind::Resolved]);
}

#[tokio::test]
async fn history_makes_incidents_on_its_own_clock_and_tells_nobody() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    let mut past = subject(Monitor::Drift, "feature.temp", "");
    past.watch = "days".to_owned();
    harbour.evaluate(past.clone(), Verdict::OffCourse, 3).await;
    harbour.evaluate(past, Verdict::OnCourse, 2).await;
    // A watch of the present that catches up with what was long ago.
    let late = |verdict, minutes| {
        let mut evaluation = harbour.evaluation(temp(), verdict, minutes);
        evaluation.window.start = evaluation.window.start.saturating_sub(48 * HOUR);
        evaluation.window.end = evaluation.window.end.saturating_sub(48 * HOUR);
        evaluation.since = evaluation.window.start;
        evaluation
    };
    harbour.store.write_evaluations(&[late(Verdict::OffCourse, 3)], "a").await.expect("stored");
    harbour.store.write_evaluations(&[late(Verdict::OnCourse, 2)], "b").await.expect("stored");
    eventually("both are opened and resolved", async || harbour.kinds().await.len() == 4).await;
    alerter.stop().await;
    let events = harbour.events().await;
    assert!(
        events
            .iter()
            .any(|event| event.at == harbour.now.saturating_sub(48 * HOUR + domain::time::MINUTE * 3))
    );
    assert_eq!(harbour.attempts().await, []);
    assert!(harbour.hook.received().is_empty());
}

#[tokio::test]
async fn evaluations_that_arrive_in_parts_and_again_make_one_incident() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    let wind = subject(Monitor::Missing, "feature.wind_speed", "");
    let window = [
        harbour.evaluation(temp(), Verdict::OffCourse, 2),
        harbour.evaluation(wind.clone(), Verdict::OffCourse, 2),
    ];
    harbour.store.write_evaluations(&window[..1], "a").await.expect("stored");
    harbour.event(EventKind::Opened).await;
    harbour.store.write_evaluations(&window, "b").await.expect("stored");
    harbour.store.write_evaluations(&window, "c").await.expect("stored");
    let over =
        [harbour.evaluation(temp(), Verdict::OnCourse, 1), harbour.evaluation(wind, Verdict::OnCourse, 1)];
    harbour.store.write_evaluations(&over, "d").await.expect("stored");
    let resolved = harbour.event(EventKind::Resolved).await;
    alerter.stop().await;
    assert_eq!(resolved.findings.len(), 2, "the late one belongs to it");
    assert_eq!(harbour.kinds().await, [EventKind::Opened, EventKind::Resolved]);
}
