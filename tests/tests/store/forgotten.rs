//! A ClickHouse server of somebody's own that was killed knows tokens of inserts whose rows it has lost. Whoever inserts again
//! gets the rows in all the same, once.

use std::collections::BTreeMap;

use domain::action::{Action, ActionKind};
use domain::contract::Contract;
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::{HOUR, Instant, Interval};
use sql::Store;
use sql::changes::Change;
use sql::contracts::StoredContract;
use sql::evaluations::Watched;
use sql::kafka_ranges::{Life, Place, Range};
use tests::{OwnEngine, eventually, text};

use crate::batches::START_S;

fn at(second: i64) -> Instant {
    Instant::from_seconds(START_S + second)
}

/// An engine whose parts stay as they are inserted.
async fn plain_server() -> (OwnEngine, Store) {
    let own = OwnEngine::start().await;
    let store = own.plain_store().await;
    (own, store)
}

/// Has the newest insert into a table forgotten, but for its token.
async fn forget(own: &OwnEngine, store: &Store, table: &str) {
    own.forget_rows(store, &[table]).await;
    eventually("the engine is back", async || store.ping().await.is_ok()).await;
    own.stop_merges(store).await;
}

fn drift(window_end: Instant) -> Evaluation {
    let subject = Subject {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor: Monitor::Drift,
        signal: "feature.x".to_owned(),
        segment: String::new(),
    };
    Evaluation {
        subject,
        window: Interval::ending_at(window_end, HOUR),
        baseline: "initial".to_owned(),
        statistic: "psi".to_owned(),
        value: 0.4,
        threshold: 0.2,
        recovery: 0.15,
        noise: 0.01,
        n_baseline: 5_000,
        n_current: 300,
        verdict: Verdict::OffCourse,
        severity: Severity::Ticket,
        since: window_end,
        streak: 1,
        numbers: BTreeMap::new(),
        sentence: "x has drifted".to_owned(),
        evaluated_at: window_end,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_stored_though_its_token_is_known_and_a_second_analyzers_changes_nothing() {
    let (own, store) = plain_server().await;
    let watched = |performance| Watched {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        performance,
    };
    let (before, lost) = (drift(at(0)), drift(at(3_600)));
    store.write_evaluations(&[before], "m/0/first").await.expect("stored");
    store.write_evaluations(std::slice::from_ref(&lost), "m/3600/first").await.expect("stored");
    forget(&own, &store, "evaluations").await;
    assert_eq!(store.evaluations_progress(&watched(false)).await.expect("progress"), Some(at(0)));

    store.write_evaluations(std::slice::from_ref(&lost), "m/3600/first").await.expect("stored");
    assert_eq!(store.evaluations_progress(&watched(false)).await.expect("progress"), Some(at(3_600)));
    // Another analyzer judges the window as well, later and otherwise.
    let other = Evaluation { verdict: Verdict::OnCourse, evaluated_at: at(3_700), ..lost.clone() };
    store.write_evaluations(&[other], "m/3600/first").await.expect("stored");
    let found = "SELECT count(), any(verdict) FROM evaluations WHERE window_end = '2026-11-20 19:00:00'";
    assert_eq!(text(&store, found).await, "1\toff_course");
    // What is said of outcomes of the same window is something else.
    let subject = Subject { monitor: Monitor::Performance, signal: String::new(), ..lost.subject.clone() };
    let told = [Evaluation { subject, ..lost }];
    store.write_evaluations(&told, "m/3600/outcomes").await.expect("stored");
    forget(&own, &store, "evaluations").await;
    assert_eq!(store.evaluations_progress(&watched(true)).await.expect("progress"), None);
    store.write_evaluations(&told, "m/3600/outcomes").await.expect("stored");
    assert_eq!(store.evaluations_progress(&watched(true)).await.expect("progress"), Some(at(3_600)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_contract_is_stated_though_its_token_is_known_and_only_once() {
    let (own, store) = plain_server().await;
    let stated = |owner: &str| StoredContract {
        model: "m".to_owned(),
        version: 1,
        contract: Contract { owner: owner.to_owned(), ..Contract::default() },
        actor: owner.to_owned(),
        written_at: at(0),
    };
    assert!(store.write_contract(&stated("ada")).await.expect("answered"));
    forget(&own, &store, "contracts").await;
    assert_eq!(store.contracts(Some("m")).await.expect("contracts"), []);
    let (ada, eve) = (stated("ada"), stated("eve"));
    let (one, other) = tokio::join!(store.write_contract(&ada), store.write_contract(&eve));
    let (one, other) = (one.expect("answered"), other.expect("answered"));
    assert!(one != other, "of two that are stated as one version one holds");
    let kept = store.contracts(Some("m")).await.expect("contracts");
    assert_eq!(kept, [if one { ada } else { eve }]);
    assert_eq!(text(&store, "SELECT count() FROM contracts").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_one_gets_a_range_of_kafka_though_its_token_is_known() {
    let (own, store) = plain_server().await;
    let place = Place { group: "g".to_owned(), topic: "t".to_owned(), partition: 3 };
    let life = Life { topic_id: "id".to_owned(), era: 0 };
    let range = |first: i64, next: i64| Range {
        first,
        next,
        messages: u32::try_from(next - first).expect("small"),
        received_at: at(next),
        repeated: Vec::new(),
    };
    let claim = async |range: Range, who: &str| {
        let claims = store.claim_kafka_range(&place, &life, &range, who, at(9)).await.expect("claimed");
        assert_eq!(claims.len(), 1);
        claims[0].range.clone()
    };
    assert_eq!(claim(range(0, 100), "who died").await, range(0, 100));
    assert_eq!(claim(range(100, 200), "who died").await, range(100, 200));
    // The claim of its token is known and gone: whoever comes next has it, once.
    forget(&own, &store, "kafka_ranges").await;
    assert_eq!(store.kafka_ranges(&place).await.expect("claims")[0].range, range(0, 100));
    let (one, other) = tokio::join!(claim(range(100, 150), "one"), claim(range(100, 170), "other"));
    assert_eq!(one, other, "both are told the same");
    let rows = "SELECT count() FROM kafka_ranges WHERE first_offset = 100";
    assert_eq!(text(&store, rows).await, "1");
    // And once more: a further token may be forgotten as well.
    forget(&own, &store, "kafka_ranges").await;
    assert_eq!(claim(range(100, 160), "a third").await, range(100, 160));
    assert_eq!(claim(range(100, 110), "a fourth").await, range(100, 160), "claimed is claimed");
}

fn opened() -> IncidentEvent {
    IncidentEvent {
        incident: "i1".to_owned(),
        sequence: 1,
        kind: EventKind::Opened,
        model: "m".to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Ticket,
        at: at(0),
        recorded_at: at(1),
        since: at(0),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "x has drifted".to_owned(),
        findings: Vec::new(),
        until: None,
        action: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_replaces_itself_leaves_no_token_and_comes_again_once() {
    let (own, store) = plain_server().await;
    let action = Action {
        id: "a1".to_owned(),
        incident: "i1".to_owned(),
        kind: ActionKind::Acknowledge,
        actor: "ada".to_owned(),
        reason: String::new(),
        until: None,
        payload: String::new(),
        asked_at: at(0),
    };
    let change = Change {
        id: "c1".to_owned(),
        at: at(0),
        model: "m".to_owned(),
        environment: "production".to_owned(),
        kind: "deployment".to_owned(),
        title: "v2".to_owned(),
        detail: String::new(),
        actor: "ada".to_owned(),
        link: String::new(),
    };
    let write = async || {
        store.write_incident_events(&[opened()]).await.expect("written");
        store.write_action(&action).await.expect("written");
        store.write_changes(std::slice::from_ref(&change)).await.expect("written");
    };
    write().await;
    let tables = ["incident_events", "actions", "changes"];
    own.forget_rows(&store, &tables).await;
    eventually("the engine is back", async || store.ping().await.is_ok()).await;
    assert_eq!(store.incident_events(None).await.expect("events"), []);
    // Whoever was not answered writes again, perhaps more than once.
    write().await;
    write().await;
    assert_eq!(store.incident_events(None).await.expect("events"), [opened()]);
    let asked = store.actions_after(Instant::EPOCH).await.expect("actions");
    assert_eq!(asked, std::slice::from_ref(&action));
    for table in tables {
        assert_eq!(text(&store, &format!("SELECT count() FROM {table} FINAL")).await, "1", "{table}");
    }
}
