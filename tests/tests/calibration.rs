//! What windows are compared with, and what is learned of the past for it, on the real engine.

#[path = "calibration/recorded.rs"]
#[expect(dead_code, reason = "the backtest's tests use the rest")]
mod recorded;

use domain::contract::{Against, Bad, Contract, Rfc3339, Watch};
use domain::evaluation::{Cause, Severity};
use domain::incident::{EventKind, IncidentEvent};
use recorded::{AMOUNT, MODEL, ROWS, Recorded, SCORE, at, day, hourly, wave};

fn contract(watch: Watch) -> Contract {
    Contract { watches: vec![watch], ..Contract::default() }
}

fn against(first: i64, against: Against) -> Contract {
    contract(Watch { against: Some(against), ..hourly(first) })
}

#[tokio::test]
async fn the_same_hours_of_past_weeks_bear_a_daily_wave_and_see_a_small_shift_within_it() {
    let shifted = day(28) + 24;
    let mut recorded = Recorded::new(contract(hourly(day(28)))).await;
    recorded.write(0, shifted, wave).await;
    recorded.write(shifted, shifted + 3, |hour| wave(hour) + 0.2).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, shifted + 3).await;
    let verdicts = recorded.said("verdict", AMOUNT, day(28)).await;
    assert_eq!(verdicts[..24], ["on_course"; 24]);
    assert_eq!(verdicts[24..], ["suspect", "off_course", "off_course"]);
    let told = recorded.said("baseline, n_baseline, severity, sentence", AMOUNT, shifted + 2).await;
    let expected = format!("the same hours of 4 weeks\t{}\tticket\tamount moved", 4 * ROWS);
    assert!(told[0].starts_with(&expected), "{told:?}");
    // Four weeks before the last whole week, of which the recording has 24 days.
    for part in ["floor 0.01, noise 0.005", "8,000 events in the baseline", "from 576 windows in 24 days"] {
        assert!(told[0].contains(part), "{part} in {told:?}");
    }
    assert!(told[0].contains("healthy windows reach this less than once in"), "{told:?}");
    let moved = recorded.said("verdict, severity", SCORE, shifted + 2).await;
    assert_eq!(moved[0], "off_course\tpage", "a prediction that moved is a page once its habits are known");
}

#[tokio::test]
async fn before_two_weeks_are_known_movement_is_a_ticket_by_wide_limits() {
    // What was wrong early is not to be learned as usual.
    let early = Bad { from: Rfc3339(at(day(13))), to: Rfc3339(at(day(13) + 3)), why: String::new() };
    let contract = Contract { known_bad: vec![early], ..contract(hourly(day(13))) };
    let mut recorded = Recorded::new(contract).await;
    recorded.write(0, day(13), |_| 0.0).await;
    recorded.write(day(13), day(13) + 3, |_| 1.0).await;
    recorded.write(day(13) + 3, day(15), |_| 0.0).await;
    recorded.write(day(15), day(15) + 3, |_| 1.0).await;
    let first_day = domain::time::Interval::new(at(0), at(24));
    let request = collector::baseline::Request {
        model: MODEL.to_owned(),
        environment: domain::contract::DEFAULT_ENVIRONMENT.to_owned(),
        name: domain::baseline::INITIAL.to_owned(),
        window: Some(first_day),
        version: String::new(),
    };
    let (baseline, counts) = collector::baseline::of_stored(&request, &recorded.context, &recorded.store)
        .await
        .expect("a baseline");
    recorded.store.write_baseline(&baseline, &counts).await.expect("the baseline is stored");
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(15) + 3).await;
    let early = recorded.said("baseline, verdict, severity", SCORE, day(13) + 2).await;
    assert_eq!(early[0], "initial\toff_course\tticket");
    let early = recorded.said("sentence", SCORE, day(13) + 2).await;
    assert!(early[0].contains("(assumed until more days are known)"), "{early:?}");
    let later = recorded.said("baseline, verdict, severity", SCORE, day(15) + 2).await;
    assert_eq!(later[0], "the same hours of 4 weeks\toff_course\tpage");
}

#[tokio::test]
async fn windows_may_be_compared_with_the_last_days() {
    let mut recorded = Recorded::new(against(day(20), Against::Rolling { days: 7 })).await;
    recorded.write(0, day(20) + 4, |_| 0.0).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(20) + 4).await;
    let told = recorded.said("baseline, n_baseline, verdict", AMOUNT, day(20)).await;
    assert_eq!(told, vec![format!("the last 7 days\t{}\ton_course", 7 * 24 * ROWS); 4]);
}

#[tokio::test]
async fn windows_may_be_compared_with_a_stated_stretch() {
    let (from, to) = (Rfc3339(at(day(1))), Rfc3339(at(day(16))));
    let mut recorded = Recorded::new(against(day(20), Against::Window { from, to })).await;
    recorded.write(0, day(20), |_| 0.0).await;
    recorded.write(day(20), day(20) + 2, |_| 0.3).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(20) + 2).await;
    let told = recorded.said("baseline, n_baseline, verdict", AMOUNT, day(20)).await;
    let name = "2026-03-03T00:00:00Z to 2026-03-18T00:00:00Z";
    let expected =
        ["off_course", "off_course"].map(|verdict| format!("{name}\t{}\t{verdict}", 15 * 24 * ROWS));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_challenger_is_compared_with_the_champion_in_the_same_hours() {
    let version = "1".to_owned();
    let mut recorded = Recorded::new(against(day(20), Against::Version { version })).await;
    recorded.write(0, day(20) + 4, wave).await;
    recorded.write_of(0, day(20) + 2, "2", "production", wave).await;
    recorded.write_of(day(20) + 2, day(20) + 4, "2", "production", |hour| wave(hour) + 0.4).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(20) + 4).await;
    let told = recorded.said("baseline, n_baseline, n_current, verdict", AMOUNT, day(20)).await;
    let expected = ["on_course", "on_course", "off_course", "off_course"];
    assert_eq!(told, expected.map(|verdict| format!("version 1\t{ROWS}\t{ROWS}\t{verdict}")));
}

#[tokio::test]
async fn an_environment_is_compared_with_another_in_the_same_hours() {
    let environment = "staging".to_owned();
    let mut recorded = Recorded::new(against(day(20), Against::Environment { environment })).await;
    recorded.write(0, day(20) + 4, wave).await;
    recorded.write_of(0, day(20) + 2, "1", "staging", wave).await;
    recorded.write_of(day(20) + 2, day(20) + 4, "1", "staging", |hour| wave(hour) + 0.4).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(20) + 4).await;
    let told = recorded.said("baseline, n_baseline, verdict", AMOUNT, day(20)).await;
    let expected = ["on_course", "on_course", "off_course", "off_course"];
    assert_eq!(told, expected.map(|verdict| format!("environment staging\t{ROWS}\t{verdict}")));
}

#[tokio::test]
async fn known_bad_stretches_are_no_part_of_what_is_usual() {
    let bad =
        Bad { from: Rfc3339(at(day(21))), to: Rfc3339(at(day(22))), why: "a sensor was off".to_owned() };
    let contract = Contract { known_bad: vec![bad], ..contract(hourly(day(28))) };
    let mut recorded = Recorded::new(contract).await;
    recorded.write(0, day(21), |_| 0.0).await;
    recorded.write(day(21), day(22), |_| 2.0).await;
    recorded.write(day(22), day(28) + 26, |_| 0.0).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(28) + 26).await;
    let told = recorded.said("n_baseline, numbers['history_windows'], verdict", AMOUNT, day(28)).await;
    // The first day is the same weekday as the bad one, so one week of four is left out.
    assert_eq!(told[..23], vec![format!("{}\t552\ton_course", 3 * ROWS); 23]);
    assert_eq!(told[25], format!("{}\t552\ton_course", 4 * ROWS));
}

#[tokio::test]
async fn acknowledged_incidents_are_left_out_and_false_ones_are_not() {
    let mut recorded = Recorded::new(contract(hourly(day(28)))).await;
    recorded.write(0, day(28) + 3, |_| 0.0).await;
    let event = |incident: &str, sequence: u32, kind: EventKind, hour: i64| IncidentEvent {
        incident: incident.to_owned(),
        sequence,
        kind,
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Ticket,
        at: at(hour),
        recorded_at: at(hour),
        since: at(day(21)),
        actor: "ada".to_owned(),
        reason: String::new(),
        title: String::new(),
        findings: Vec::new(),
        until: None,
        action: String::new(),
    };
    let acknowledged = |incident: &str| {
        [
            event(incident, 1, EventKind::Opened, day(21)),
            event(incident, 2, EventKind::Acknowledged, day(21) + 1),
            event(incident, 3, EventKind::Resolved, day(22)),
        ]
    };
    let mut events = acknowledged("one").to_vec();
    events.extend(acknowledged("two").map(|event| IncidentEvent { since: at(day(14)), ..event }));
    events.push(event("two", 4, EventKind::MarkedFalse, day(22)));
    recorded.store.write_incident_events(&events).await.expect("events are stored");
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(28) + 2).await;
    let told = recorded.said("n_baseline, numbers['history_windows']", AMOUNT, day(28)).await;
    assert_eq!(told[1], format!("{}\t552", 3 * ROWS));
}

#[tokio::test]
async fn where_too_few_weeks_are_clean_the_same_hours_of_all_days_stand_for_them() {
    let week =
        |n: i64| Bad { from: Rfc3339(at(day(7 * n))), to: Rfc3339(at(day(7 * n + 1))), why: String::new() };
    let contract = Contract { known_bad: (0..3).map(week).collect(), ..contract(hourly(day(28))) };
    let mut recorded = Recorded::new(contract).await;
    recorded.write(0, day(28) + 3, |_| 0.0).await;
    let mut analyzer = recorded.analyzer();
    recorded.pass(&mut analyzer, day(28) + 2).await;
    let told = recorded.said("n_baseline", AMOUNT, day(28) + 1).await;
    assert_eq!(told[0], (25 * ROWS).to_string());
}

#[tokio::test]
async fn a_model_may_have_a_budget_of_its_own() {
    let mut limits = Vec::new();
    for false_pages_a_month in [None, Some(100.0)] {
        let contract = Contract { false_pages_a_month, ..contract(hourly(day(28))) };
        let mut recorded = Recorded::new(contract).await;
        recorded.write(0, day(28) + 1, |_| 0.0).await;
        let mut analyzer = recorded.analyzer();
        recorded.pass(&mut analyzer, day(28) + 1).await;
        let told = recorded.said("threshold", SCORE, day(28) + 1).await;
        limits.push(told[0].parse::<f64>().expect("a number"));
    }
    assert!(limits[1] < limits[0], "{limits:?}");
}

#[tokio::test]
async fn a_restart_learns_the_same_and_the_past_is_learned_anew_each_week() {
    let (from, to) = (day(30), day(40));
    let mut recorded = Recorded::new(contract(hourly(from))).await;
    recorded.write(0, to, wave).await;
    for hour in [from + 30, from + 31, to] {
        // The last analyzer judges a week's end on its way.
        recorded.pass(&mut recorded.analyzer(), hour).await;
    }
    let learned = recorded.said("numbers['history_greatest']", AMOUNT, from).await;
    let mut weeks = learned.clone();
    weeks.dedup();
    assert_eq!((learned.len(), weeks.len()), (day(10) as usize, 3), "{weeks:?}");
}

#[tokio::test]
async fn two_analyzers_share_models_and_never_double_a_verdict() {
    let mut recorded = Recorded::new(contract(hourly(day(20)))).await;
    recorded.write(0, day(20) + 6, |_| 0.0).await;
    let (mut one, mut other) = (recorded.analyzer(), recorded.analyzer());
    recorded.pass(&mut one, day(20) + 3).await;
    recorded.pass(&mut other, day(20) + 3).await;
    recorded.turn_to(day(20) + 5);
    let (left, right) = tokio::join!(one.pass(), other.pass());
    assert_eq!((left.expect("a pass").windows, right.expect("a pass").windows), (2, 2), "both judge them");
    recorded.pass(&mut one, day(20) + 6).await;
    let rows = "SELECT count(), uniqExact(window_end) FROM evaluations WHERE model = 'payments' AND monitor = 'drift' \
                AND signal = 'feature.amount'";
    assert_eq!(
        tests::text(&recorded.store, rows).await.trim(),
        "6\t6",
        "each verdict is stored once, also unmerged"
    );
}

#[tokio::test]
async fn an_analyzer_leaves_the_models_of_other_shards_alone() {
    let mut recorded = Recorded::new(contract(hourly(day(20)))).await;
    recorded.write(0, day(20) + 3, |_| 0.0).await;
    let halves = ["1/2", "2/2"].map(|half| half.parse::<analyzer::shard::Shard>().expect("a shard"));
    let [mine, others] = if halves[0].holds(MODEL) { halves } else { [halves[1], halves[0]] };
    let config = |shard| analyzer::Config { shard, ..analyzer::Config::default() };
    recorded.pass(&mut recorded.analyzer_of(config(others)), day(20) + 3).await;
    assert_eq!(recorded.said("verdict", AMOUNT, 0).await.len(), 0);
    recorded.pass(&mut recorded.analyzer_of(config(mine)), day(20) + 3).await;
    assert_eq!(recorded.said("verdict", AMOUNT, 0).await.len(), 3);
}
