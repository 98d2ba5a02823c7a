//! The pages of incidents and deliveries, their forms and the log-in, over HTTP, on the real engine.
//!
//! The pages are kept under the build's folder for temporary files, for whoever wants to look at them.

#[path = "incident_pages/seed.rs"]
mod seed;
#[path = "incident_pages/served.rs"]
mod served;
#[path = "incident_pages/tokens.rs"]
mod tokens;

use domain::incident::EventKind;
use domain::time::{HOUR, Instant, MINUTE};
use seed::{INCIDENT, event, seeded};
use served::{answer, keep, serve};

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
        "(mph to km/h, or miles to km?)",
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
