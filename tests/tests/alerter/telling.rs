//! From an evaluation to whoever is told: at once, when a channel is busy, and over restarts.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::State;
use domain::evaluation::{Monitor, Verdict};
use domain::incident::EventKind;
use tests::{Answer, OwnEngine, eventually};

use crate::post::{Harbour, SECRET, is_signed, received, subject, temp};

#[tokio::test]
async fn an_alarm_is_an_incident_of_which_every_channel_hears_the_beginning_and_the_end() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let opened = harbour.event(EventKind::Opened).await;
    assert!(opened.title.starts_with("temp is missing at origin = JFK since"), "{}", opened.title);
    for channel in ["hook", "oncall", "mail"] {
        harbour.delivery(channel, EventKind::Opened, State::Delivered).await;
    }
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    for channel in ["hook", "oncall", "mail"] {
        harbour.delivery(channel, EventKind::Resolved, State::Delivered).await;
    }
    alerter.stop().await;

    let hooks = harbour.hook.received();
    assert!(hooks.iter().all(is_signed), "each webhook is signed");
    let types: Vec<String> =
        hooks.iter().map(|hook| hook.json()["type"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(types, ["leeway.incident.opened", "leeway.incident.resolved"]);
    let incident = &hooks[0].json()["data"]["incident"];
    assert_eq!(incident["url"], format!("https://leeway.example.com/incidents/{}", opened.incident));
    assert_eq!(incident["owner"], "ops");
    assert_eq!(hooks[0].header("content-type"), "application/cloudevents+json; charset=utf-8");

    let pages: Vec<_> =
        harbour.pagerduty.received().iter().map(|page| (page.path.clone(), page.json())).collect();
    assert!(pages.iter().all(|(path, _)| path == "/v2/enqueue"));
    let actions: Vec<_> = pages.iter().map(|(_, page)| page["event_action"].as_str().unwrap_or("")).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(pages[0].1["dedup_key"], pages[1].1["dedup_key"]);
    assert_eq!(pages[0].1["payload"]["severity"], "critical");

    let mails = harbour.mail.mails();
    let subjects: Vec<String> = mails.iter().map(|mail| mail.header("Subject")).collect();
    assert!(subjects[0].starts_with("[Page] flights: temp is missing at origin = JFK since"), "{subjects:?}");
    assert!(subjects[1].starts_with("[Resolved] flights: temp"), "{subjects:?}");
    assert_eq!(mails[1].header("In-Reply-To"), mails[0].header("Message-ID"));
    assert_eq!(mails[0].to, ["ml@example.com", "ops@example.com"]);
    assert!(harbour.training.received().is_empty(), "nobody asked for a retraining");
}

#[tokio::test]
async fn a_busy_channel_is_tried_again_when_it_asks_and_holds_up_no_other() {
    let harbour = Harbour::open().await;
    harbour.hook.answer([Answer { status: 503, retry_after: Some("2") }]);
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let waiting = harbour.delivery("hook", EventKind::Opened, State::Retrying).await;
    assert!(waiting.next_attempt_at.is_some());
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;
    harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    assert_eq!(harbour.hook.received().len(), 1, "the others did not wait for it");

    let done = harbour.delivery("hook", EventKind::Opened, State::Delivered).await;
    alerter.stop().await;
    assert_eq!((done.attempt, done.answer_code), (2, 202));
    let hooks = harbour.hook.received();
    assert!(hooks.iter().all(is_signed));
    assert_eq!(hooks[0].header("webhook-id"), hooks[1].header("webhook-id"));
    assert_eq!(hooks[0].body, hooks[1].body);
    assert!(
        hooks[1].at.duration_since(hooks[0].at) >= Duration::from_millis(1_900),
        "Retry-After is honoured"
    );
    let first = tests::text(
        &harbour.store,
        "SELECT answer_code, state, error FROM deliveries FINAL WHERE channel = 'hook' AND attempt = 1",
    )
    .await;
    assert_eq!(first, "503\tretrying\tanswered 503");
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again_until_somebody_asks_for_it() {
    let harbour = Harbour::open().await;
    harbour.hook.answer([Answer { status: 410, retry_after: None }]);
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let failed = harbour.delivery("hook", EventKind::Opened, State::Failed).await;
    assert_eq!((failed.attempt, failed.answer_code), (1, 410));

    let payload = serde_json::json!({"delivery": failed.delivery}).to_string();
    harbour.ask_with(&failed.incident, domain::action::ActionKind::SendAgain, payload).await;
    let done = harbour.delivery("hook", EventKind::Opened, State::Delivered).await;
    alerter.stop().await;
    assert_eq!((done.attempt, done.delivery), (2, failed.delivery));
    let hooks = harbour.hook.received();
    assert_eq!(hooks[0].header("webhook-id"), hooks[1].header("webhook-id"));
}

#[tokio::test]
async fn what_was_on_its_way_is_sent_after_a_restart_and_nothing_twice() {
    let harbour = Harbour::open().await;
    let busy = Answer { status: 503, retry_after: Some("1") };
    harbour.hook.answer([busy]);
    let first = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 3).await;
    harbour.delivery("hook", EventKind::Opened, State::Retrying).await;
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;
    harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    first.stop().await;

    let second = harbour.start();
    let done = harbour.delivery("hook", EventKind::Opened, State::Delivered).await;
    assert_eq!(done.attempt, 2);
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    harbour.delivery("hook", EventKind::Resolved, State::Delivered).await;
    harbour.delivery("oncall", EventKind::Resolved, State::Delivered).await;
    harbour.delivery("mail", EventKind::Resolved, State::Delivered).await;
    second.stop().await;

    assert_eq!(harbour.kinds().await, [EventKind::Opened, EventKind::Resolved]);
    let ids: Vec<String> =
        harbour.hook.received().iter().map(|hook| hook.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 3, "two attempts at the beginning, one at the end");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(harbour.pagerduty.received().len(), 2);
    assert_eq!(harbour.mail.mails().len(), 2);
}

#[tokio::test]
async fn an_event_that_was_written_and_not_told_is_told_by_the_next_process() {
    let harbour = Harbour::open().await;
    // An alerter without channels writes the event; that is where the other one was killed.
    let first = harbour.start_with("listen = \"\"\npoll_ms = 50");
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.event(EventKind::Opened).await;
    first.kill().await;
    assert!(harbour.attempts().await.is_empty());

    let second = harbour.start();
    for channel in ["hook", "oncall", "mail"] {
        harbour.delivery(channel, EventKind::Opened, State::Delivered).await;
    }
    second.stop().await;
    assert_eq!(harbour.kinds().await, [EventKind::Opened]);
}

#[tokio::test]
async fn a_channel_that_is_gone_from_the_configuration_leaves_no_waiting_delivery() {
    let harbour = Harbour::open().await;
    harbour.hook.answer([Answer { status: 503, retry_after: Some("600") }]);
    let first = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.delivery("hook", EventKind::Opened, State::Retrying).await;
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;
    harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    first.stop().await;

    let second = harbour.start_with("listen = \"\"\npoll_ms = 50");
    let failed = harbour.delivery("hook", EventKind::Opened, State::Failed).await;
    assert!(failed.error.contains("no longer configured"), "{}", failed.error);
    second.stop().await;
}

#[tokio::test]
async fn a_stop_during_an_attempt_records_it() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    received(&harbour.hook, 1).await;
    alerter.stop().await;
    let hook = harbour.attempts().await.into_iter().find(|attempt| attempt.channel == "hook");
    assert_eq!(hook.map(|attempt| (attempt.attempt, attempt.state)), Some((1, State::Delivered)));
}

#[tokio::test]
async fn nothing_that_is_recorded_shows_a_secret_or_an_address() {
    let harbour = Harbour::open().await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    for channel in ["hook", "oncall", "mail"] {
        harbour.delivery(channel, EventKind::Opened, State::Delivered).await;
    }
    alerter.stop().await;
    let recorded = tests::text(&harbour.store, "SELECT * FROM deliveries FORMAT JSONEachRow").await;
    for secret in [SECRET, "0123456789abcdef", "ml@example.com", "/hook"] {
        assert!(!recorded.contains(secret), "{secret} in {recorded}");
    }
}

#[tokio::test]
async fn a_store_that_is_killed_delays_and_loses_nothing() {
    let engine = OwnEngine::start().await;
    let harbour = Harbour::on(engine.fresh_store().await).await;
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 3).await;
    received(&harbour.hook, 1).await;
    engine.kill();
    eventually("the engine is back", async || harbour.store.ping().await.is_ok()).await;
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    for channel in ["hook", "oncall", "mail"] {
        harbour.delivery(channel, EventKind::Resolved, State::Delivered).await;
    }
    alerter.stop().await;
    assert_eq!(harbour.kinds().await, [EventKind::Opened, EventKind::Resolved]);
    let opened = harbour.attempts().await.into_iter().filter(|attempt| attempt.event == "opened");
    assert!(opened.into_iter().all(|attempt| attempt.state == State::Delivered));
}

#[tokio::test]
async fn two_alerters_at_once_come_to_the_same_events_and_messages() {
    let harbour = Harbour::open().await;
    let both = [harbour.start(), harbour.start()];
    harbour.evaluate(temp(), Verdict::OffCourse, 3).await;
    let opened = harbour.event(EventKind::Opened).await;
    harbour.ask(&opened.incident, domain::action::ActionKind::Acknowledge).await;
    harbour.event(EventKind::Acknowledged).await;
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    harbour.delivery("hook", EventKind::Resolved, State::Delivered).await;
    for alerter in both {
        alerter.stop().await;
    }
    assert_eq!(harbour.kinds().await, [EventKind::Opened, EventKind::Acknowledged, EventKind::Resolved]);
    let ids: BTreeSet<String> =
        harbour.hook.received().iter().map(|hook| hook.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 3, "whoever gets a message twice can tell");
}

#[tokio::test]
async fn it_serves_its_health_and_is_ready_once_it_has_looked() {
    let harbour = Harbour::open().await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = address.expect("a port");
    let config = harbour.config().replacen("listen = \"\"", &format!("listen = \"{address}\""), 1);
    let alerter = harbour.start_with(&config);
    let client = service::http::client(Duration::from_secs(5));
    eventually("its health is served", async || {
        let answer = client.get(format!("http://{address}/healthz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    eventually("it is ready", async || alerter.health.problems().is_empty()).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_channel_that_never_answers_holds_up_no_other_and_no_stop() {
    let harbour = Harbour::open().await;
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = mute.local_addr().expect("an address");
    let config = harbour.config().replace(&harbour.hook.url, &format!("http://{address}"));
    let alerter = harbour.start_with(&config);
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;
    harbour.evaluate(temp(), Verdict::OnCourse, 1).await;
    harbour.delivery("mail", EventKind::Resolved, State::Delivered).await;
    let hook = harbour.delivery("hook", EventKind::Opened, State::Retrying).await;
    assert_eq!((hook.attempt, hook.answer_code), (0, 0), "its first attempt still waits for an answer");

    alerter.stop().await;
    let hook = harbour.delivery("hook", EventKind::Opened, State::Retrying).await;
    assert_eq!(hook.attempt, 1, "the attempt that was under way is recorded");
    assert!(hook.error.starts_with("no answer in time"), "{}", hook.error);
    let end = harbour.delivery("hook", EventKind::Resolved, State::Retrying).await;
    assert_eq!(end.attempt, 0, "nobody is told of the end before the beginning");
}

#[tokio::test]
async fn routes_say_who_hears_of_what() {
    let harbour = Harbour::open().await;
    let config = harbour.config();
    let (channels, _) = config.split_once("[[routes]]").expect("routes come last");
    let routes = r#"
        [[routes]]
        severities = ["page"]
        channels = ["oncall"]

        [[routes]]
        owners = ["o*"]
        channels = ["mail"]

        [[routes]]
        models = ["fraud"]
        channels = ["hook"]
    "#;
    let alerter = harbour.start_with(&(channels.to_owned() + routes));
    let ticket = subject(Monitor::Unseen, "feature.carrier", "");
    harbour.evaluate(ticket, Verdict::OffCourse, 2).await;
    harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    assert!(harbour.pagerduty.received().is_empty(), "a ticket wakes nobody");
    harbour.evaluate(subject(Monitor::Errors, "", ""), Verdict::OffCourse, 1).await;
    harbour.delivery("oncall", EventKind::Opened, State::Delivered).await;
    alerter.stop().await;
    assert_eq!(harbour.pagerduty.received()[0].json()["payload"]["class"], "service");
    assert_eq!(harbour.mails(2).await.len(), 2);
    assert!(harbour.hook.received().is_empty());
}
