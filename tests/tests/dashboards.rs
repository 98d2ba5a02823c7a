//! The pages of models and signals over HTTP, on the real engine: every one answers, links to what answers, asks nothing of
//! other hosts, and can show the questions behind its numbers.

#[path = "dashboards/seed.rs"]
mod seed;
#[path = "dashboards/served.rs"]
mod served;

use std::collections::{BTreeSet, VecDeque};

use seed::HOSTILE;
use served::{Page, Served};
use tests::flights::NOW;

const MODEL: &str = "/models/flights/production";
const SIGNALS: [&str; 6] = [
    "feature.wind_speed",
    "feature.temp",
    "feature.origin",
    "feature.carrier",
    "prediction.score",
    "latency_ms",
];

fn paths() -> Vec<String> {
    let mut paths = vec!["/".to_owned(), MODEL.to_owned(), "/changes".to_owned()];
    paths.extend(SIGNALS.map(|signal| format!("{MODEL}/signals/{signal}")));
    paths.push(format!("{MODEL}/signals/feature.wind_speed?segment=origin%3DJFK"));
    paths.push(format!("{MODEL}/signals/feature.wind_speed?segment=origin%3DJFK&baseline=nothing"));
    paths
}

fn with(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_answers_over_every_range_and_is_its_own() {
    let served = Served::over(&seed::flights().await).await;
    for path in paths() {
        for range in ["", "from=-1h", "from=-24h&tz=America/New_York", "from=-30d", "from=-365d"] {
            let page = served.get(&with(&path, range)).await;
            assert_eq!(page.status, 200, "{path} {range}: {}", page.body);
            page.is_its_own();
            assert!(page.body.len() < 500_000, "{path} {range} has {} bytes", page.body.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_what_is_wrong_first() {
    let served = Served::over(&seed::flights().await).await;
    let page = served.get("/").await;
    let headline = page.body.find("1 model is off course").expect("the headline");
    let card = page.body.find("wind_speed moved at origin = JFK").expect("the incident's card");
    let line = page.body.find("late arrivals · ops-forecast").expect("the model's line");
    assert!(headline < card && card < line);
    let data = served.json("/").await;
    assert_eq!(data["open"]["pages"], 1);
    let flights = &data["models"][0];
    assert_eq!(flights["model"], "flights");
    assert!(flights["events"].as_u64().is_some_and(|events| events > 8_000), "{flights}");
    assert!(
        flights["p95_ms"].as_f64().is_some_and(|p95| (9.0..15.0).contains(&p95)),
        "{}",
        flights["p95_ms"]
    );
    assert!(flights["verdicts"].as_array().is_some_and(|marks| marks.iter().any(|mark| mark == "page")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_ranks_what_moves_and_the_signal_shows_how() {
    let served = Served::over(&seed::flights().await).await;
    let model = served.json(MODEL).await;
    let movers = model["movers"].as_array().expect("movers");
    assert_eq!(movers[0]["evaluation"]["subject"]["signal"], "prediction.score");
    assert_eq!(movers[1]["evaluation"]["subject"]["signal"], "feature.wind_speed");
    assert!(movers[1]["bars"]["bars"].as_array().is_some_and(|bars| bars.len() > 5), "{}", movers[1]);
    assert!(model["rows"].as_array().is_some_and(|rows| rows.len() >= 4));
    let signal = served.json(&format!("{MODEL}/signals/feature.wind_speed?segment=origin%3DJFK")).await;
    let compared = &signal["compared"];
    let (before, now) = (compared["mean"]["baseline"].as_f64(), compared["mean"]["now"].as_f64());
    assert!(before.zip(now).is_some_and(|(before, now)| now / before > 1.5), "{before:?} {now:?}");
    assert!(compared["psi"].as_f64().is_some_and(|psi| psi > 0.3), "{compared}");
    let all = served.json(&format!("{MODEL}/signals/feature.wind_speed")).await;
    let first = &all["parts"].as_array().expect("dimensions")[1]["parts"][0];
    assert_eq!(first["segment"], "origin=JFK", "{}", all["parts"]);
    assert!(first["shift"].as_f64().is_some_and(|shift| shift > 0.8), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_can_be_asked_again() {
    let store = seed::flights().await;
    let served = Served::over(&store).await;
    for path in paths() {
        let page = served.get(&with(&path, "format=sql")).await;
        assert_eq!(page.status, 200, "{path}");
        let questions: Vec<&str> =
            page.body.split(";\n").map(str::trim).filter(|it| it.contains("SELECT")).collect();
        assert!(!questions.is_empty(), "{path}");
        for question in questions {
            let sql: Vec<&str> = question.lines().filter(|line| !line.starts_with("--")).collect();
            let answer = store.ask(&sql.join("\n"), "JSONCompact").await;
            assert!(answer.is_ok(), "{path}: {question}\n{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_somewhere() {
    let served = Served::over(&seed::flights().await).await;
    let (mut waiting, mut seen) = (VecDeque::from(["/".to_owned()]), BTreeSet::new());
    while let Some(path) = waiting.pop_front() {
        // Enough to have seen every kind of page over several ranges.
        if seen.len() > 150 || !seen.insert(path.clone()) {
            continue;
        }
        let page = served.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let mut links = page.links();
        links.retain(|link| link.starts_with('/') && !seen.contains(link));
        waiting.extend(links);
    }
    assert!(seen.iter().any(|path| path.starts_with("/incidents/")), "{seen:?}");
    assert!(seen.iter().any(|path| path.contains("/signals/")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_page_stays_as_it_is() {
    let served = Served::over(&seed::flights().await).await;
    let pinned = format!("{MODEL}?from=2026-11-20T08:00:00Z&to=2026-11-20T14:00:00Z&tz=Europe/Berlin");
    let before = served.get(&pinned).await;
    assert!(!before.body.contains("data-live"));
    assert!(before.body.contains("Follow the time again"));
    let again = served.get(&pinned).await;
    assert_eq!(before.body, again.body);
    assert!(served.get(MODEL).await.body.contains("data-live"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_and_keeps_the_shell() {
    let served = Served::over(&seed::flights().await).await;
    let missing = [
        ("/nothing", "No page has this address"),
        ("/models/nobody/production", "No model called &#34;nobody&#34;"),
        ("/models/flights/moon", "known: production"),
        ("/models/nobody/production/signals/feature.x", "No model called &#34;nobody&#34;"),
    ];
    for (path, words) in missing {
        let page = served.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(
            page.body.contains(words) && page.body.contains("aria-label=\"Main\""),
            "{path}: {}",
            page.body
        );
        page.is_its_own();
    }
    for query in ["from=yesterday", "from=-1h&to=-2h", "tz=Mars", "format=xml", "from=-900d"] {
        let page = served.get(&format!("/?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(page.body.contains("aria-label=\"Main\""), "{query}");
    }
    let json = served.get("/models/nobody/production?format=json").await;
    assert_eq!(json.status, 404);
    assert!(json.body.starts_with('{'), "{}", json.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_says_how_to_send_the_first_event() {
    let served = Served::over(&tests::fresh_store().await).await;
    let page = served.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Waiting for the first event"), "{}", page.body);
    assert!(page.body.contains("/v1/predictions -H"), "{}", page.body);
    for path in ["/incidents", "/deliveries", "/changes"] {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_stay_text() {
    let served = Served::over(&seed::hostile().await).await;
    let overview = served.get("/").await;
    overview.is_its_own();
    assert!(!overview.body.contains("<script>alert"), "{}", overview.body);
    let links: Vec<String> =
        overview.links().into_iter().filter(|link| link.starts_with("/models/")).collect();
    assert_eq!(links.len(), HOSTILE.len(), "{links:?}");
    for link in links {
        let page = served.get(&link).await;
        assert_eq!(page.status, 200, "{link}");
        page.is_its_own();
        assert!(!page.body.contains("<script>alert"), "{link}");
        for signal in page.links().into_iter().filter(|link| link.contains("/signals/")) {
            let page = served.get(&signal).await;
            assert_eq!(page.status, 200, "{signal}");
            page.is_its_own();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_signals_are_searched_and_paged() {
    let served = Served::over(&seed::wide(2_000).await).await;
    let page = served.get("/models/wide/production?from=-6h").await;
    assert_eq!(page.status, 200);
    assert!(page.body.len() < 500_000, "{} bytes", page.body.len());
    assert!(page.body.contains("Pages of signals"));
    let found = served.json("/models/wide/production?from=-6h&q=feature.f1234").await;
    assert_eq!(found["found"], 1);
    assert_eq!(found["rows"][0]["name"], "feature.f1234");
    let none = served.get("/models/wide/production?from=-6h&q=nosuchthing").await;
    assert!(none.body.contains("No signal is called like"), "{}", none.body);
    let last = served.json("/models/wide/production?from=-6h&page=50").await;
    assert_eq!(last["rows"].as_array().map(Vec::len), Some(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_leaves_the_shell() {
    let config = sql::Config { url: "http://127.0.0.1:9".to_owned(), ..sql::Config::default() };
    let served = Served::over(&sql::Store::connect(&config).expect("a sound configuration")).await;
    for path in ["/", MODEL, "/incidents"] {
        let page: Page = served.get(path).await;
        assert_eq!(page.status, 503, "{path}: {}", page.body);
        assert!(page.body.contains("The store does not answer"), "{}", page.body);
        assert!(page.body.contains("aria-label=\"Main\""));
        assert_eq!(page.header("retry-after"), "10");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_page_is_the_clock_of_the_process() {
    let served = Served::over(&seed::flights().await).await;
    let page = served.get("/?tz=America/New_York").await;
    assert!(page.body.contains("09:43:10 EST"), "{NOW} is said in New York's time: {}", page.body);
}
