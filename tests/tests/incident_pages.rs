//! The pages of incidents and deliveries, their forms and the log-in, over HTTP, on the real engine.
//!
//! The pages are kept under the build's folder for temporary files, for whoever wants to look at them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::Contract;
use domain::delivery::{Attempt, State};
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::{Clock, HOUR, Instant, Interval, MINUTE, ManualClock};
use sql::Store;
use sql::baseline_sums::Span;
use sql::changes::Change;
use sql::grids::StoredGrid;
use sql::recount::{CountedBy, Stretch, Watched};
use tests::text;

const NOW: &str = "2026-11-20T14:43:10Z";
const INCIDENT: &str = "7f3ck2m9qx";

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn since() -> Instant {
    at("2026-11-20T13:35:00Z")
}

// ---- what is in the store ------------------------------------------------------------------------------------------

/// A day and a half of events, a reading a second in mid-day; from 13:35 on the wind at JFK reads 1.6 times too high.
const EVENTS: &str = "
INSERT INTO predictions (id, model, version, environment, timestamp, received_at, numbers, categories, source)
WITH
    (salt) -> (cityHash64(number, salt) % 1000000 + 0.5) / 1000000 AS u,
    sqrt(-2 * log(u('a'))) * cos(2 * pi() * u('b')) AS normal,
    fromUnixTimestamp64Milli(toInt64(1795089600000 + number * 2500), 'UTC') AS at,
    ['JFK', 'EWR', 'LGA'][1 + (u('o') > 0.35) + (u('o') > 0.71)] AS origin,
    ['B6', 'DL', 'UA', 'AA', 'EV'][1 + toUInt8(u('c') * 5)] AS carrier,
    if(origin = 'JFK' AND at >= toDateTime64('2026-11-20 13:35:00', 3, 'UTC'), 1.609, 1.) AS factor,
    round(greatest(0, 10.4 + 5 * normal) * factor, 1) AS wind,
    round(58 + 9 * sqrt(-2 * log(u('d'))) * cos(2 * pi() * u('e')), 1) AS temp
SELECT
    leftPad(toString(number), 6, '0'), 'flights', 'v7', 'production', at, at,
    map('feature.wind_speed', wind, 'feature.temp', temp, 'feature.visib', if(u('v') < 0.9, 10., round(u('w') * 10, 1)),
        'prediction.score', least(1, 0.1 + wind * 0.008 + 0.02 * u('s'))),
    map('feature.origin', origin, 'feature.carrier', carrier), 'test'
FROM numbers(51000)";

fn grids() -> Vec<Grid> {
    let numbers = |signal: &str, from: f64, step: f64, count: u32| {
        let edges: Vec<f64> = (0..=count).map(|n| from + step * f64::from(n)).collect();
        Grid::new(
            "flights",
            signal,
            Instant::EPOCH,
            Bins::Numbers(Edges::try_from(edges).expect("ascending")),
        )
    };
    let levels = |signal: &str, names: &[&str]| {
        let levels = Levels::of(names.iter().map(|name| (*name).to_owned()));
        Grid::new("flights", signal, Instant::EPOCH, Bins::Categories(levels))
    };
    vec![
        numbers("feature.wind_speed", 0.0, 1.0, 50),
        numbers("feature.temp", 20.0, 2.0, 40),
        numbers("feature.visib", 0.0, 0.5, 20),
        numbers("prediction.score", 0.0, 0.01, 60),
        levels("feature.origin", &["EWR", "LGA", "JFK"]),
        levels("feature.carrier", &["B6", "DL", "UA", "AA", "EV"]),
    ]
}

async fn seed_counts(store: &Store) {
    let (grids, baseline_over) =
        (grids(), Interval::new(at("2026-11-19T12:00:00Z"), at("2026-11-20T00:00:00Z")));
    let stored: Vec<StoredGrid> = grids
        .iter()
        .map(|grid| StoredGrid {
            grid: grid.clone(),
            made_from: "a test".to_owned(),
            made_of: 5_000,
            announced_at: Instant::EPOCH,
            recounted_at: Some(Instant::EPOCH),
        })
        .collect();
    store.write_grids(&stored).await.expect("grids");
    store.reload_grid_dictionaries().await.expect("dictionaries");
    text(store, EVENTS).await;
    let signals: Vec<CountedBy> = grids
        .iter()
        .map(|grid| CountedBy { signal: grid.signal.clone(), grid: grid.id, is_numeric: grid.is_numeric() })
        .collect();
    let watched = |dimension: &str, levels: &[&str]| Watched {
        dimension: dimension.to_owned(),
        signal: format!("feature.{dimension}"),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
    };
    let watched =
        vec![watched("origin", &["EWR", "LGA", "JFK"]), watched("carrier", &["B6", "DL", "UA", "AA", "EV"])];
    let stretch = Stretch {
        model: "flights".to_owned(),
        interval: Interval::new(at("2026-11-19T12:00:00Z"), at("2026-11-21T00:00:00Z")),
        received_before: None,
        signals: signals.clone(),
        watched: watched.clone(),
        whole: true,
        compared: true,
    };
    store.correct_counts(&stretch).await.expect("counts");
    store.correct_moments(&stretch).await.expect("moments");
    store.correct_traffic(&stretch).await.expect("traffic");
    let span = Span {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        window: baseline_over,
        version: String::new(),
    };
    let sums = store.sum_baseline(&span, &signals, &watched, Some("prediction.score")).await.expect("sums");
    let baseline = Baseline {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        name: "initial".to_owned(),
        window: baseline_over,
        source: "window".to_owned(),
        events: 17_280,
        created_at: at("2026-11-20T00:00:00Z"),
    };
    store.write_baseline(&baseline, &sums).await.expect("a baseline");
}

fn subject(signal: &str, segment: &str) -> Subject {
    Subject {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor: Monitor::Drift,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// A statistic that is small, and from the onset on climbs to `most` within the hour of a window.
fn evaluations(subject: &Subject, small: f64, most: f64, sentence: &str) -> Vec<Evaluation> {
    let step = MINUTE * 5;
    (0..80_u32)
        .map(|index| {
            let end = at("2026-11-20T08:05:00Z").saturating_add(step * index);
            let into = (end.since(since()).as_secs_f64() / 3_600.0).min(1.0);
            let value = small * (1.0 + 0.4 * f64::from(index * 7 % 5) / 5.0) + most * into;
            let verdict = if value > 0.1 { Verdict::OffCourse } else { Verdict::OnCourse };
            Evaluation {
                subject: subject.clone(),
                window: Interval::ending_at(end, HOUR),
                baseline: "initial".to_owned(),
                statistic: "psi".to_owned(),
                value,
                threshold: 0.1,
                recovery: 0.07,
                noise: 0.02,
                n_baseline: 17_280,
                n_current: if subject.segment.is_empty() { 1_440 } else { 504 },
                verdict,
                severity: if subject.signal.starts_with("prediction") {
                    Severity::Page
                } else {
                    Severity::Ticket
                },
                since: since(),
                streak: 12,
                numbers: BTreeMap::new(),
                sentence: sentence.to_owned(),
                evaluated_at: end.saturating_add(MINUTE),
            }
        })
        .filter(|evaluation| evaluation.window.end < at(NOW))
        .collect()
}

fn finding(evaluation: &Evaluation, since: Instant) -> Finding {
    Finding {
        subject: evaluation.subject.clone(),
        severity: evaluation.severity,
        since,
        window_end: evaluation.window.end,
        statistic: evaluation.statistic.clone(),
        value: evaluation.value,
        threshold: evaluation.threshold,
        n_current: evaluation.n_current,
        sentence: evaluation.sentence.clone(),
        standing: true,
    }
}

async fn seed_evaluations(store: &Store) -> Vec<Finding> {
    let told = [
        (
            "feature.wind_speed",
            "origin=JFK",
            0.03,
            1.66,
            "wind_speed at origin=JFK reads 1.609 times as high as in the baseline: km/h where mph was sent would explain it; mean 16.6, baseline 10.4",
        ),
        ("prediction.score", "", 0.02, 0.21, "the prediction score moved from 0.19 to 0.21 on average"),
        ("feature.wind_speed", "", 0.02, 0.24, "wind_speed moved: mean 12.5, baseline 10.4"),
        ("feature.temp", "", 0.06, 0.06, "temp is 1.1 higher than in the baseline"),
    ];
    let mut findings = Vec::new();
    for (signal, segment, small, most, sentence) in told {
        let subject = subject(signal, segment);
        let evaluations = evaluations(&subject, small, most, sentence);
        let token = format!("{signal}{segment}");
        store.write_evaluations(&evaluations, &token).await.expect("evaluations");
        let later = if signal.ends_with("temp") { MINUTE * 15 } else { Duration::ZERO };
        findings.push(finding(evaluations.last().expect("some"), since().saturating_add(later)));
    }
    findings
}

fn event(sequence: u32, kind: EventKind, minute: u64, findings: &[Finding]) -> IncidentEvent {
    let when = since().saturating_add(MINUTE * minute as u32);
    IncidentEvent {
        incident: INCIDENT.to_owned(),
        sequence,
        kind,
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Page,
        at: when,
        recorded_at: when,
        since: since(),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "wind_speed moved at origin = JFK, and 2 more signals moved since 13:35 UTC, 20 November"
            .to_owned(),
        findings: findings.to_vec(),
        until: None,
        action: String::new(),
    }
}

fn past(id: &str, model: &str, title: &str, days: u32, hours: u32) -> Vec<IncidentEvent> {
    let opened = at(NOW).saturating_sub(HOUR * 24 * days);
    let with = |sequence, kind, at: Instant, actor: &str, reason: &str| IncidentEvent {
        incident: id.to_owned(),
        model: model.to_owned(),
        title: title.to_owned(),
        severity: if days.is_multiple_of(2) { Severity::Page } else { Severity::Ticket },
        at,
        since: opened,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        ..event(sequence, kind, 0, &[])
    };
    vec![
        with(1, EventKind::Opened, opened, "leeway", ""),
        with(2, EventKind::Acknowledged, opened.saturating_add(MINUTE * 7), "ada", ""),
        with(3, EventKind::Resolved, opened.saturating_add(HOUR * hours), "leeway", "back on course"),
    ]
}

fn attempt(delivery: &str, number: u32, channel: (&str, &str), state: State) -> Attempt {
    let failed = matches!(state, State::Retrying | State::Failed);
    let when =
        since().saturating_add(MINUTE * 10).saturating_add(Duration::from_secs(u64::from(number) * 30));
    Attempt {
        delivery: delivery.to_owned(),
        attempt: number,
        incident: INCIDENT.to_owned(),
        sequence: 1,
        model: "flights".to_owned(),
        channel: channel.1.to_owned(),
        kind: channel.0.to_owned(),
        event: "opened".to_owned(),
        state,
        target: "hooks.example.com".to_owned(),
        answer_code: if failed { 503 } else { 202 },
        answer: if failed { "upstream is away".to_owned() } else { "Event processed".to_owned() },
        error: if failed { "answered 503 Service Unavailable".to_owned() } else { String::new() },
        next_attempt_at: (state == State::Retrying).then(|| when.saturating_add(MINUTE)),
        took_ms: 412,
        at: when,
    }
}

/// A store with an open incident and all of its evidence, two that are over, deliveries and a deployment.
async fn seeded() -> Store {
    let store = tests::fresh_store().await;
    seed_counts(&store).await;
    let findings = seed_evaluations(&store).await;
    let mut held = event(3, EventKind::RetrainingHeldBack, 11, &[]);
    held.reason = "the data are at fault, not the world: a new model would learn it".to_owned();
    let mut events = vec![
        event(1, EventKind::Opened, 10, &findings[..2]),
        event(2, EventKind::Updated, 20, &findings),
        held,
    ];
    events.extend(past(
        "p1aaaaaaaa",
        "flights",
        "temp is missing at origin = EWR since 02:10 UTC, 18 November",
        2,
        3,
    ));
    events.extend(past("p2bbbbbbbb", "car-loan", "salary_range moved since 5 November 2026", 15, 90));
    store.write_incident_events(&events).await.expect("events");
    let attempts = [
        attempt("msg_pager", 1, ("pagerduty", "pagerduty"), State::Delivered),
        attempt("msg_mail", 1, ("email", "ops-forecast"), State::Delivered),
        attempt("msg_hook", 1, ("webhook", "lake"), State::Retrying),
        attempt("msg_hook", 2, ("webhook", "lake"), State::Failed),
    ];
    store.write_attempts(&attempts).await.expect("attempts");
    let change = Change {
        id: "c1".to_owned(),
        at: at("2026-11-20T13:31:00Z"),
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        kind: "deployment".to_owned(),
        title: "weather-feed 4.2".to_owned(),
        detail: String::new(),
        actor: "ci".to_owned(),
        link: String::new(),
    };
    store.write_changes(&[change]).await.expect("a change");
    store
}

// ---- the pages, served ---------------------------------------------------------------------------------------------

struct Served {
    address: SocketAddr,
    client: reqwest::Client,
    clock: ManualClock,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Answer {
    /// The cookie that this answer sets, as a request sends it back.
    fn cookie(&self) -> String {
        let set = self.headers.get("set-cookie").expect("a cookie").to_str().expect("ASCII");
        set.split(';').next().unwrap_or_default().to_owned()
    }

    fn location(&self) -> &str {
        self.headers.get("location").expect("a location").to_str().expect("ASCII")
    }

    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let opening = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&opening).unwrap_or_else(|| panic!("a field {name}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

async fn serve(store: &Store, users: &[(&str, &str)]) -> Served {
    service::http::install_tls();
    let clock = ManualClock::starting_at(at(NOW));
    let contract = Contract {
        owner: "ops-forecast".to_owned(),
        description: "late arrivals".to_owned(),
        playbook: "https://wiki.example.com/unit-slips".to_owned(),
        segments: vec!["origin".to_owned(), "carrier".to_owned()],
        ..Contract::default()
    };
    let contracts = BTreeMap::from([("flights".to_owned(), contract)]);
    let context = service::Context::quiet(Clock::Manual(clock.clone()), contracts);
    let config = dashboards::Config {
        users: users.iter().map(|(name, hash)| ((*name).to_owned(), service::Secret::new(*hash))).collect(),
        ..dashboards::Config::default()
    };
    let router = dashboards::run::router(config, context.clone(), store.clone()).expect("pages");
    let listener = service::http::listen("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(service::http::serve(listener, router, context.stopper));
    Served { address, client: service::http::client(Duration::from_secs(30)), clock }
}

impl Served {
    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = self.client.get(format!("http://{}{path}", self.address));
        answer(request.header("cookie", cookie).header("accept", "text/html")).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let request = self
            .client
            .post(format!("http://{}{path}", self.address))
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        answer(request).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.expect("a text") }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Keeps a page with its style sheet where somebody can open it.
fn keep(name: &str, page: &Answer) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).expect("a folder");
    for asset in ["leeway.css", "leeway.js", "icon.svg"] {
        let content = dashboards::assets::content(asset).expect("an asset");
        std::fs::write(folder.join(asset), content).expect("written");
    }
    let (head, _) = dashboards::assets::url("leeway.css")
        .rsplit_once('/')
        .map(|(head, _)| (head.to_owned(), ()))
        .expect("a path");
    let body = page.body.replace(&format!("{head}/"), "");
    std::fs::write(folder.join(format!("{name}.html")), body).expect("written");
}

// ---- tests ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_incidents_page_says_what_why_where_and_who_was_told() {
    let store = seeded().await;
    let served = serve(&store, &[]).await;
    let page = served.get(&format!("/incidents/{INCIDENT}"), "").await;
    keep("incident", &page);
    assert_eq!(page.status, 200, "{}", page.body);
    for part in [
        "wind_speed moved at origin = JFK",
        "moves the score from",
        "km/h where mph was sent",
        "origin = JFK",
        "incident opened",
        "PagerDuty told",
        "not reached",
        "weather-feed 4.2",
        "nobody has acknowledged",
        "Noise explains up to 0.02",
        "https://wiki.example.com/unit-slips",
    ] {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    assert!(page.body.len() < 150_000, "{} bytes", page.body.len());
    assert_eq!(served.get("/incidents/nothing", "").await.status, 404);
}

#[tokio::test]
async fn lists_name_every_incident_and_delivery_and_answer_in_other_forms() {
    let store = seeded().await;
    let served = serve(&store, &[]).await;
    let list = served.get("/incidents", "").await;
    keep("incidents", &list);
    for part in ["wind_speed moved", "temp is missing", "salary_range moved", "acknowledged by"] {
        assert!(list.body.contains(part), "{part} in {}", list.body);
    }
    let resolved = served.get("/incidents?state=resolved&model=car-loan", "").await.body;
    assert!(resolved.contains("salary_range") && !resolved.contains("wind_speed moved"), "{resolved}");
    let deliveries = served.get("/deliveries", "").await;
    keep("deliveries", &deliveries);
    for part in ["1\u{a0}message did not arrive", "2\u{a0}attempts", "answered 503", "ops-forecast"] {
        assert!(deliveries.body.contains(part), "{part} in {}", deliveries.body);
    }
    let changes = served.get("/changes", "").await;
    keep("changes", &changes);
    for part in ["weather-feed 4.2", "retraining held back", "acknowledged", "?who=ada"] {
        assert!(changes.body.contains(part), "{part} in {}", changes.body);
    }
    let deployments = served.get("/changes?kind=deployments", "").await.body;
    assert!(deployments.contains("weather-feed") && !deployments.contains("acknowledged"), "{deployments}");
    for path in ["/incidents", "/deliveries", "/changes", &format!("/incidents/{INCIDENT}")] {
        let json = served.get(&format!("{path}?format=json"), "").await.body;
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
        let questions = served.get(&format!("{path}?format=sql"), "").await.body;
        for question in questions.split(";\n").map(str::trim).filter(|question| question.contains("SELECT")) {
            let question: String =
                question.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
            store.ask(&question, "Null").await.unwrap_or_else(|error| panic!("{error:?}: {question}"));
        }
    }
    for wrong in [
        "/incidents?state=ajar",
        "/incidents?severity=loud",
        "/deliveries?state=lost",
        "/changes?kind=weather",
    ] {
        assert_eq!(served.get(wrong, "").await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_form_asks_once_and_only_with_the_token_of_its_session() {
    let store = seeded().await;
    let served = serve(&store, &[]).await;
    let path = format!("/incidents/{INCIDENT}");
    let page = served.get(&path, "").await;
    let (cookie, csrf, id) = (page.cookie(), page.field("csrf"), page.field("id"));
    let fields =
        [("kind", "acknowledge"), ("csrf", csrf.as_str()), ("id", id.as_str()), ("back", path.as_str())];
    let post_to = format!("{path}/actions");
    for (cookie, fields) in [
        (cookie.as_str(), &fields[..1]),
        ("", &fields[..]),
        ("leeway_visit=AAAAAAAAAAAAAAAAAAAAAA", &fields[..]),
    ] {
        let refused = served.post(&post_to, cookie, fields).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    assert!(store.actions_after(Instant::EPOCH).await.expect("actions").is_empty());
    for _ in 0..2 {
        let taken = served.post(&post_to, &cookie, &fields).await;
        assert_eq!((taken.status, taken.location()), (303, path.as_str()), "{}", taken.body);
    }
    let actions = store.actions_after(Instant::EPOCH).await.expect("actions");
    let [action] = actions.as_slice() else { panic!("one action: {actions:?}") };
    assert_eq!((action.incident.as_str(), action.actor.as_str()), (INCIDENT, "local"));
    let after = served.get(&path, &cookie).await;
    keep("incident-asked", &after);
    assert!(after.body.contains("Acknowledgement asked for by local"), "{}", after.body);
    assert!(!after.body.contains("value=\"acknowledge\""), "it cannot be asked for twice");
    let no_reason = served.post(&post_to, &cookie, &[("kind", "resolve"), ("csrf", &csrf)]).await;
    assert_eq!(no_reason.status, 400, "{}", no_reason.body);
    let again = [("csrf", csrf.as_str()), ("incident", INCIDENT)];
    assert_eq!(served.post("/deliveries/msg_hook/again", &cookie, &again).await.status, 303);
    assert!(served.get("/deliveries", &cookie).await.body.contains("asked for, waiting for the alerter"));
    assert_eq!(served.post("/deliveries/msg_none/again", &cookie, &again).await.status, 404);
}

#[tokio::test]
async fn a_foreign_name_that_points_here_is_refused() {
    let store = tests::fresh_store().await;
    let served = serve(&store, &[]).await;
    let request = served.client.get(format!("http://{}/incidents", served.address));
    assert_eq!(answer(request.header("host", "evil.example")).await.status, 403);
    let request = served.client.post(format!("http://{}/incidents/x/actions", served.address));
    assert_eq!(answer(request.header("origin", "http://evil.example")).await.status, 403);
}

#[tokio::test]
async fn people_log_in_act_under_their_name_and_log_out() {
    let store = seeded().await;
    let hash = dashboards::auth::hash("correct horse").expect("a hash");
    let served = serve(&store, &[("ada", &hash)]).await;
    let path = format!("/incidents/{INCIDENT}");
    let turned_away = served.get(&path, "").await;
    assert_eq!(turned_away.status, 303);
    assert!(turned_away.location().starts_with("/login?then=%2Fincidents"), "{}", turned_away.location());
    assert_eq!(served.get(&format!("{path}?format=json"), "").await.status, 401);
    let login = served.get(turned_away.location(), "").await;
    keep("login", &login);
    let then = login.field("then");
    let wrong = served.post("/login", "", &[("name", "ada"), ("password", "guess"), ("then", &then)]).await;
    assert_eq!(wrong.status, 401);
    let right = [("name", "ada"), ("password", "correct horse"), ("then", then.as_str())];
    let welcome = served.post("/login", "", &right).await;
    assert_eq!((welcome.status, welcome.location()), (303, path.as_str()));
    let set = welcome.headers["set-cookie"].to_str().expect("ASCII");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && !set.contains("Secure"), "{set}");
    let cookie = welcome.cookie();
    let page = served.get(&path, &cookie).await;
    let csrf = page.field("csrf");
    let acknowledge = [("kind", "acknowledge"), ("csrf", csrf.as_str())];
    assert_eq!(served.post(&format!("{path}/actions"), &cookie, &acknowledge).await.status, 303);
    let actions = store.actions_after(Instant::EPOCH).await.expect("actions");
    assert_eq!(actions[0].actor, "ada");
    let out = served.post("/logout", &cookie, &[("csrf", &csrf)]).await;
    assert!(out.headers["set-cookie"].to_str().expect("ASCII").contains("Max-Age=0"));
    served.clock.advance(HOUR * 13);
    assert_eq!(served.get(&path, &cookie).await.status, 303, "a session ends");
}

#[tokio::test]
async fn programs_act_and_report_by_the_api() {
    let store = seeded().await;
    let mut requested = event(4, EventKind::RetrainingRequested, 30, &[]);
    requested.actor = "ada".to_owned();
    store.write_incident_events(&[requested]).await.expect("an event");
    let hash = dashboards::auth::hash("correct horse").expect("a hash");
    let served = serve(&store, &[("airflow", &hash)]).await;
    let post = async |password: &str, body: &str| {
        let request =
            served.client.post(format!("http://{}/v1/incidents/{INCIDENT}/actions", served.address));
        let request =
            request.basic_auth("airflow", Some(password)).header("content-type", "application/json");
        answer(request.body(body.to_owned())).await
    };
    let report = r#"{"kind":"retraining_report","id":"run-7-running","status":"running","detail":"epoch 3"}"#;
    assert_eq!(post("guess", report).await.status, 401);
    for _ in 0..2 {
        let taken = post("correct horse", report).await;
        assert_eq!((taken.status, taken.body.as_str()), (202, r#"{"action":"run-7-running"}"#));
    }
    let odd = post("correct horse", r#"{"kind":"retraining_report","status":"bored"}"#).await;
    assert_eq!(odd.status, 400);
    assert!(odd.body.contains("known: accepted, running"), "{}", odd.body);
    let actions = store.actions_after(Instant::EPOCH).await.expect("actions");
    let [action] = actions.as_slice() else { panic!("one action: {actions:?}") };
    assert_eq!(action.actor, "airflow");
    assert_eq!(action.payload, r#"{"status":"running","detail":"epoch 3"}"#);
    let json = served.client.get(format!("http://{}/incidents?format=json", served.address));
    assert_eq!(answer(json.basic_auth("airflow", Some("correct horse"))).await.status, 200);
}

#[tokio::test]
async fn who_guesses_passwords_must_wait() {
    let store = tests::fresh_store().await;
    let hash = dashboards::auth::hash("correct horse").expect("a hash");
    let served = serve(&store, &[("ada", &hash)]).await;
    for _ in 0..10 {
        assert_eq!(served.post("/login", "", &[("name", "ada"), ("password", "guess")]).await.status, 401);
    }
    let right = [("name", "ada"), ("password", "correct horse")];
    let waits = served.post("/login", "", &right).await;
    assert_eq!(waits.status, 429);
    assert!(waits.headers.contains_key("retry-after"));
    served.clock.advance(MINUTE * 6);
    assert_eq!(served.post("/login", "", &right).await.status, 303);
}
