//! What people and programs ask for: carried out once, with who and why, and passed on to whom it concerns.

use std::time::Duration;

use domain::action::ActionKind;
use domain::delivery::State;
use domain::evaluation::{Monitor, Verdict};
use domain::incident::EventKind;
use domain::time::Clock;
use tests::{PASSWORD, eventually};

use crate::post::{Harbour, is_signed, received, subject, temp};

#[tokio::test]
async fn an_acknowledgement_reaches_pagerduty_once() {
    let harbour = Harbour::open().await;
    let first = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let opened = harbour.event(EventKind::Opened).await;
    let action = harbour.ask(&opened.incident, ActionKind::Acknowledge).await;
    let event = harbour.event(EventKind::Acknowledged).await;
    assert_eq!((event.actor.as_str(), event.reason.as_str()), ("ann", "I look at it"));
    assert_eq!(event.action, action.id);
    harbour.delivery("oncall", EventKind::Acknowledged, State::Delivered).await;
    first.stop().await;

    let second = harbour.start();
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    harbour.delivery("oncall", EventKind::Resolved, State::Delivered).await;
    second.stop().await;
    let pages: Vec<_> = harbour.pagerduty.received().iter().map(|page| page.json()).collect();
    let actions: Vec<_> = pages.iter().map(|page| page["event_action"].as_str().unwrap_or("")).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!(pages.iter().all(|page| page["dedup_key"] == pages[0]["dedup_key"]));
}

#[tokio::test]
async fn in_a_silence_it_is_recorded_that_nobody_was_told() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let opened = harbour.event(EventKind::Opened).await;
    harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    harbour.ask(&opened.incident, ActionKind::Silence).await;
    harbour.event(EventKind::Silenced).await;
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    let held = harbour.delivery("mail", EventKind::Resolved, State::HeldBack).await;
    assert_eq!((held.attempt, held.error.as_str()), (0, "the incident is silenced"));
    harbour.delivery("oncall", EventKind::Resolved, State::Delivered).await;
    alerter.stop().await;
    assert_eq!(harbour.mail.mails().len(), 1);
}

#[tokio::test]
async fn a_false_alarm_is_closed_and_stays_closed() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 3).await;
    let opened = harbour.event(EventKind::Opened).await;
    harbour.ask(&opened.incident, ActionKind::MarkFalse).await;
    harbour.event(EventKind::Resolved).await;
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.ask(&opened.incident, ActionKind::RetrainingReport).await;
    harbour.delivery("mail", EventKind::Resolved, State::Delivered).await;
    alerter.stop().await;
    // The next process reads the same evaluations again, and comes to nothing new.
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 1).await;
    harbour.ask(&opened.incident, ActionKind::Retrain).await;
    harbour.event(EventKind::RetrainingRequested).await;
    alerter.stop().await;
    let kinds = harbour.kinds().await;
    assert_eq!(
        kinds,
        [EventKind::Opened, EventKind::MarkedFalse, EventKind::Resolved, EventKind::RetrainingRequested]
    );
    assert!(harbour.mails(2).await[1].header("Subject").starts_with("[False alarm]"));
}

#[tokio::test]
async fn a_retraining_is_asked_for_once_a_cool_down() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let opened = harbour.event(EventKind::Opened).await;
    harbour.ask(&opened.incident, ActionKind::Retrain).await;
    let requested = harbour.event(EventKind::RetrainingRequested).await;
    let jobs = received(&harbour.training, 1).await;
    assert!(is_signed(&jobs[0]));
    assert_eq!(jobs[0].header("idempotency-key"), format!("{}-{}", opened.incident, requested.sequence));
    assert_eq!(jobs[0].json()["data"]["requested_by"], "ann");

    harbour.ask(&opened.incident, ActionKind::Retrain).await;
    let held = harbour.event(EventKind::RetrainingHeldBack).await;
    assert!(held.reason.starts_with("the last one was asked for at"), "{}", held.reason);

    let report = serde_json::json!({"status": "failed", "detail": "out of memory"}).to_string();
    harbour.ask_with(&opened.incident, ActionKind::RetrainingReport, report).await;
    harbour.event(EventKind::RetrainingReported).await;
    harbour.ask(&opened.incident, ActionKind::Retrain).await;
    eventually("one that failed does not count", async || harbour.training.received().len() == 2).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_job_reports_back_by_the_callback_of_its_request() {
    let harbour = Harbour::open().await;
    let pages = pages(&harbour).await;
    let alerter = harbour.start_with(&harbour.config().replace("https://leeway.example.com", &pages));
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let opened = harbour.event(EventKind::Opened).await;
    harbour.ask(&opened.incident, ActionKind::Retrain).await;
    let job = received(&harbour.training, 1).await[0].json();
    let callback = job["data"]["callback_url"].as_str().expect("an address");
    let report = r#"{"kind":"retraining_report","status":"succeeded","detail":"version 2026-11-21"}"#;
    let answer = service::http::client(Duration::from_secs(30))
        .post(callback)
        .basic_auth("airflow", Some(PASSWORD))
        .header("content-type", "application/json")
        .body(report)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
    let reported = harbour.event(EventKind::RetrainingReported).await;
    assert_eq!((reported.incident, reported.actor.as_str()), (opened.incident, "airflow"));
    assert!(reported.reason.contains("version 2026-11-21"), "{}", reported.reason);
    alerter.stop().await;
}

/// The pages on a port of their own; their address.
async fn pages(harbour: &Harbour) -> String {
    let hash = dashboards::auth::hash(PASSWORD).expect("a hash");
    let users = [("airflow".to_owned(), service::Secret::new(hash))].into();
    let config = dashboards::Config { users, ..dashboards::Config::default() };
    let context = service::Context::quiet(Clock::System, Default::default());
    let router = dashboards::run::router(config, context.clone(), harbour.store.clone()).expect("pages");
    let listener = service::http::listen("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(service::http::serve(listener, router, context.stopper));
    format!("http://{address}")
}

#[tokio::test]
async fn lost_performance_asks_for_a_retraining_by_itself_once_over_restarts() {
    let harbour = Harbour::open().await;
    let first = harbour.start();
    harbour.evaluate(subject(Monitor::Performance, "", ""), Verdict::OffCourse, 3).await;
    let jobs = received(&harbour.training, 1).await;
    assert!(is_signed(&jobs[0]));
    assert_eq!(jobs[0].json()["type"], "leeway.retraining.requested");
    harbour.delivery("train", EventKind::RetrainingRequested, State::Delivered).await;
    first.stop().await;

    let second = harbour.start();
    harbour.evaluate(subject(Monitor::Performance, "", ""), Verdict::OnCourse, 1).await;
    harbour.delivery("hook", EventKind::Resolved, State::Delivered).await;
    second.stop().await;
    assert_eq!(harbour.training.received().len(), 1);
}
