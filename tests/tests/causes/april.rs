//! Real flights: in April the temperature is far from winter's, the report ranks by what moved the score, and a season is
//! no other unit.

use std::collections::BTreeMap;

use collector::baseline::{self, Request};
use collector::import::Plan;
use domain::contract::{Contract, DEFAULT_ENVIRONMENT, Rfc3339, Watch};
use domain::evaluation::{Cause, Monitor, Severity, Subject};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::{Clock, DAY, Instant, Interval, ManualClock};

use crate::system::{MODEL, flights, flights_mapping, import};

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn opened(since: Instant, window_end: Instant) -> IncidentEvent {
    let finding = Finding {
        subject: Subject {
            model: MODEL.to_owned(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            watch: "monthly".to_owned(),
            monitor: Monitor::Performance,
            signal: "prediction.score".to_owned(),
            segment: String::new(),
        },
        severity: Severity::Page,
        since,
        window_end,
        statistic: "auc_fall".to_owned(),
        value: 0.11,
        threshold: 0.02,
        n_current: 28_000,
        sentence: "AUC 0.65 (0.76 before)".to_owned(),
        standing: true,
    };
    IncidentEvent {
        incident: "april".to_owned(),
        sequence: 1,
        kind: EventKind::Opened,
        model: MODEL.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        cause: Cause::Performance,
        severity: Severity::Page,
        at: window_end,
        recorded_at: window_end,
        since,
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "the predictions got worse (AUC fell)".to_owned(),
        findings: vec![finding],
        until: None,
        action: String::new(),
    }
}

/// The baseline that is called so.
async fn winter(context: &service::Context, store: &sql::Store) {
    let request = Request {
        model: MODEL.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        name: "winter".to_owned(),
        window: Some(Interval::new(at("2013-01-01T00:00:00Z"), at("2013-04-01T00:00:00Z"))),
        version: String::new(),
    };
    let (winter, counts) = baseline::of_stored(&request, context, store).await.expect("a baseline");
    store.write_baseline(&winter, &counts).await.expect("stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn april_is_explained_by_what_moved_the_score_and_not_by_what_moved_farthest() {
    let store = tests::fresh_store().await;
    import(Plan::new(flights(), MODEL, flights_mapping()), &store).await.expect("imported");
    let (spring, may) = (at("2013-04-01T00:00:00Z"), at("2013-05-01T00:00:00Z"));
    let watch = Watch {
        name: "monthly".to_owned(),
        window_s: DAY.as_secs() * 30,
        step_s: DAY.as_secs(),
        baseline: "winter".to_owned(),
        from: Some(Rfc3339(at("2100-01-01T00:00:00Z"))),
        ..Watch::default()
    };
    let contract =
        Contract { segments: vec!["origin".to_owned()], watches: vec![watch], ..Contract::default() };
    let clock = ManualClock::starting_at(may.saturating_add(DAY));
    let contracts = BTreeMap::from([(MODEL.to_owned(), contract)]);
    let context = service::Context::quiet(Clock::Manual(clock), contracts);
    winter(&context, &store).await;
    store.write_incident_events(&[opened(spring, may)]).await.expect("stored");
    let config = analyzer::Config::default();
    analyzer::Analyzer::new(config, context, store.clone()).pass().await.expect("a pass");
    let why = store.causes_of("april").await.expect("the store answers").expect("worked out");

    let inputs: Vec<_> = why.signals.iter().filter(|signal| !signal.is_consequence).collect();
    let farthest = inputs.iter().max_by(|one, other| one.psi.total_cmp(&other.psi)).expect("signals moved");
    assert_eq!(farthest.signal, "feature.temp", "the temperature is farthest from winter's");
    assert!((farthest.psi - 3.4).abs() < 0.3, "{farthest:?}");
    // What moved after the prediction did is no cause of it, whatever its part.
    let before = inputs.iter().filter(|signal| !signal.sentence.contains("no cause"));
    let parts: Vec<f64> = before.map(|signal| signal.part_of_move.unwrap_or(0.0).abs()).collect();
    let most = parts.iter().copied().fold(0.0, f64::max);
    assert!(parts[0] > 0.9 * most.min(1.5), "the first did most to the score: {inputs:#?}");
    assert!(
        inputs.iter().all(|signal| signal.mix.is_some()),
        "the baseline knows the mean score of each bin"
    );
    assert_eq!(why.signals.last().map(|signal| signal.signal.as_str()), Some("prediction.score"));
    assert!(
        why.measure.is_some_and(|measure| measure.is_split && measure.name == "mean of prediction score")
    );
}

/// The demonstration's season over its whole year: temperatures of May are 1.6 times winter's, gusts of June 0.87 times, as
/// if told in km/h and in knots, and none of it is another unit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_season_is_movement_and_no_unit_however_far_from_winter_it_is() {
    let store = tests::fresh_store().await;
    import(Plan::new(flights(), MODEL, flights_mapping()), &store).await.expect("imported");
    let watch = Watch {
        name: "season".to_owned(),
        window_s: 28 * DAY.as_secs(),
        step_s: 4 * DAY.as_secs(),
        grace_s: 0,
        baseline: "winter".to_owned(),
        from: Some(Rfc3339(at("2013-01-29T00:00:00Z"))),
        until: Some(Rfc3339(at("2014-01-01T00:00:00Z"))),
        history: true,
        monitors: vec![Monitor::Drift],
        drift_floor: Some(0.8),
        ..Watch::default()
    };
    let contract =
        Contract { segments: vec!["origin".to_owned()], watches: vec![watch], ..Contract::default() };
    let clock = ManualClock::starting_at(at("2014-01-02T00:00:00Z"));
    let contracts = BTreeMap::from([(MODEL.to_owned(), contract)]);
    let context = service::Context::quiet(Clock::Manual(clock), contracts);
    winter(&context, &store).await;
    let mut analyzer = analyzer::Analyzer::new(analyzer::Config::default(), context, store.clone());
    while analyzer.pass().await.expect("a pass").is_more {}
    let count = async |what: &str| -> u64 {
        let statement = format!("SELECT count() FROM evaluations FINAL WHERE watch = 'season' AND {what}");
        tests::text(&store, &statement).await.parse().expect("a number")
    };
    let off = count("signal = 'feature.temp' AND segment = '' AND verdict = 'off_course'").await;
    assert!(off > 15, "May to July are far from winter in {off} windows");
    assert_eq!(count("mapContains(numbers, 'unit_factor')").await, 0);
}
