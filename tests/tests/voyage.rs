//! From a log line to a page and back: every role as a process of its own, stopped and started in between; a real mail
//! server, a webhook receiver that checks signatures, a PagerDuty stand-in, and a real browser.

use std::path::PathBuf;
use std::time::Duration;

use domain::time::{Clock, Instant, MINUTE};
use fantoccini::Locator;
use leeway::demo::outbox::{Message, Outbox};
use leeway::demo::smtp;
use serde_json::{Value, json};
use sql::Store;
use tests::{Browser, Folder, Process, Sight, eventually_some, free_port};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ROLES: [&str; 4] = ["collector", "analyzer", "alerter", "dashboards"];

/// A whole system on a database of its own.
struct System {
    folder: Folder,
    collector: String,
    pages: String,
    outbox: Outbox,
    roles: Vec<(&'static str, Process)>,
    stopper: CancellationToken,
}

impl System {
    async fn start() -> Self {
        let folder = Folder::new();
        let store = tests::fresh_store().await;
        let stopper = CancellationToken::new();
        let outbox = Outbox::new(Clock::System, SECRET.to_owned(), |_| ());
        let mail = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let hooks = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ports = [mail.local_addr().expect("bound").port(), hooks.local_addr().expect("bound").port()];
        let keep = outbox.clone();
        tokio::spawn(smtp::serve(mail, move |mail| keep.keep_mail(mail), stopper.clone()));
        tokio::spawn(service::http::serve(hooks, outbox.router(), stopper.clone()));
        let [collector, analyzer, alerter, pages] =
            std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
        let listens = [&collector, &analyzer, &alerter, &pages];
        let text = configuration(&store, folder.path().join("spool"), listens, ports);
        std::fs::write(folder.path().join("leeway.toml"), text).expect("written");
        let mut system = Self {
            folder,
            collector: format!("http://{collector}"),
            pages: format!("http://{pages}"),
            outbox,
            roles: Vec::new(),
            stopper,
        };
        for role in ROLES {
            system.start_role(role);
        }
        system
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_role(&mut self, role: &'static str) {
        let process = Process::start(&[role], &self.file("leeway.toml"), &self.file("log"));
        self.roles.push((role, process));
    }

    fn take_role(&mut self, role: &str) -> Process {
        let place = self.roles.iter().position(|(name, _)| *name == role).expect("the role runs");
        self.roles.swap_remove(place).1
    }

    /// Stops a role as an operator does, and starts it again.
    async fn restart(&mut self, role: &'static str) {
        let status = self.take_role(role).terminate().await;
        assert!(status.success(), "the {role} ended with {status}\n{}", self.log());
        self.start_role(role);
    }

    /// Kills a role in the middle of whatever it does, and starts it again.
    async fn kill(&mut self, role: &'static str) {
        self.take_role(role).kill().await;
        self.start_role(role);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Posts events, again and again until they were taken, as a client has to.
    async fn send(&self, path: &str, lines: &[Value]) {
        let body = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let client = service::http::client(Duration::from_secs(30));
        let url = format!("{}{path}", self.collector);
        let answer = eventually_some("the collector takes events", async || {
            let request = client.post(&url).header("content-type", "application/x-ndjson").body(body.clone());
            request.send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        let answer: Value = answer.json().await.expect("an answer in JSON");
        assert_eq!(answer["accepted"], lines.len(), "{answer}");
    }

    async fn message(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        eventually_some(what, async || self.outbox.messages().into_iter().find(|message| wanted(message)))
            .await
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("What the roles logged:\n{}", self.log());
        }
    }
}

fn configuration(store: &Store, spool: PathBuf, listens: [&String; 4], [mail, hooks]: [u16; 2]) -> String {
    let config = store.config();
    let [collector, analyzer, alerter, pages] = listens;
    let spool = spool.display();
    format!(
        r#"
[clickhouse]
url = "{url}"
user = "{user}"
password = "{password}"
database = "{database}"

[collector]
listen = "{collector}"
spool_dir = "{spool}"
[collector.grids]
values = 1500
lead_ms = 2000
refresh_ms = 300
settle_ms = 500

[analyzer]
listen = "{analyzer}"
tick_s = 1
late_check_s = 1

[alerter]
listen = "{alerter}"
poll_ms = 200
base_url = "http://{pages}"
[alerter.channels.oncall]
kind = "pagerduty"
routing_key = "0123456789abcdef0123456789abcdef"
endpoint = "http://127.0.0.1:{hooks}/pagerduty"
[alerter.channels.mail]
kind = "email"
from = "Leeway <leeway@localhost>"
to = ["oncall@localhost"]
host = "127.0.0.1"
port = {mail}
tls = "none"
[alerter.channels.hook]
kind = "webhook"
url = "http://127.0.0.1:{hooks}/webhook"
secret = "{SECRET}"

[dashboards]
listen = "{pages}"

[models.fraud]
owner = "payments"
[[models.fraud.watches]]
name = "five minutes"
window_s = 300
step_s = 300
grace_s = 0
least_events = 50
monitors = ["drift", "missing", "invalid", "unseen"]
"#,
        url = config.url,
        user = config.user,
        password = config.password,
        database = config.database,
    )
}

/// One event a second from `start` to `end`; amounts go missing where `broken`.
fn events(start: Instant, end: Instant, broken: bool) -> Vec<Value> {
    let seconds = end.since(start).as_secs();
    (0..seconds)
        .map(|second| {
            let at = start.saturating_add(Duration::from_secs(second));
            // Spread without a random source: multiples of the golden ratio fill [0, 1) evenly.
            let part = (second as f64 * 0.618_033_988_749_895).fract();
            let amount = (!broken).then_some(100.0 * part);
            json!({
                "id": format!("{}", at.millis()), "model": "fraud", "version": "1", "timestamp": at.to_string(),
                "features": {"amount": amount, "country": if part < 0.7 { "BR" } else { "AR" }},
                "prediction": {"score": (part * 7.0).fract()}, "latency_ms": 5.0 + part,
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_becomes_a_page_and_a_page_ends() {
    let mut system = System::start().await;
    let now = Clock::System.now().floor(5 * MINUTE);
    let before = |minutes: u32| now.saturating_sub(minutes * MINUTE);

    // A healthy hour makes grids and a baseline; the collector is stopped and started meanwhile.
    system.send("/v1/predictions", &events(before(150), before(90), false)).await;
    system.restart("collector").await;
    baseline_stands(&system).await;
    system.kill("analyzer").await;

    // Ten healthy minutes, then the amount goes missing.
    let mut lines = events(before(90), before(60), false);
    lines.extend(events(before(60), before(20), true));
    system.send("/v1/predictions", &lines).await;
    let trigger = system
        .message("PagerDuty is told", |message| {
            message.kind == "PagerDuty" && message.title.starts_with("trigger")
        })
        .await;
    assert!(trigger.title.contains("amount"), "{}", trigger.title);
    let mail = system.message("a mail comes", |message| message.kind == "mail").await;
    assert!(mail.title.contains("fraud"), "{}", mail.title);
    let hook = system.message("a webhook comes", |message| message.kind == "webhook").await;
    assert!(hook.title.contains("opened"), "{}", hook.title);

    // The alerter dies: nobody is told twice when it is back.
    system.kill("alerter").await;
    let incident = see_the_pages(&system).await;
    acknowledge(&system, &incident).await;
    system.restart("dashboards").await;
    system.restart("alerter").await;

    // Healthy again: the incident ends, once, under the same key.
    system.send("/v1/predictions", &events(before(20), now, false)).await;
    let resolve = system
        .message("PagerDuty is told of the end", |message| {
            message.kind == "PagerDuty" && message.title.starts_with("resolve")
        })
        .await;
    assert_eq!(dedup_key(&resolve), dedup_key(&trigger));
    let triggers = system.outbox.messages().into_iter().filter(|message| {
        message.kind == "PagerDuty"
            && message.title.starts_with("trigger")
            && dedup_key(message) == dedup_key(&trigger)
    });
    let ids: Vec<Value> =
        triggers.map(|message| serde_json::from_str(&message.body).expect("JSON")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "somebody was told the same twice: {ids:?}");

    for role in ROLES {
        let status = system.take_role(role).terminate().await;
        assert!(status.success(), "the {role} ended with {status}\n{}", system.log());
    }
    system.stopper.cancel();
}

fn dedup_key(message: &Message) -> String {
    let body: Value = serde_json::from_str(&message.body).expect("PagerDuty events are JSON");
    body["dedup_key"].as_str().expect("a key").to_owned()
}

/// Waits until the page of the model knows a baseline.
async fn baseline_stands(system: &System) {
    let config = std::fs::read_to_string(system.file("leeway.toml")).expect("the configuration");
    let config: toml::Table = config.parse().expect("TOML");
    let clickhouse: sql::Config = config["clickhouse"].clone().try_into().expect("the store's section");
    let store = Store::connect(&clickhouse).expect("the store");
    eventually_some("a baseline is made", async || {
        let counted = "SELECT uniqExact(signal) FROM baseline_bins WHERE model = 'fraud'";
        (tests::text(&store, counted).await.parse::<u32>().ok()? >= 4).then_some(())
    })
    .await;
}

/// Goes from the first page to the incident as a person does, and keeps what was seen. Gives the incident's address.
async fn see_the_pages(system: &System) -> String {
    let browser = Browser::open(Sight::DESK).await;
    let client = &browser.client;
    eventually_some("the pages are served", async || {
        client.goto(&system.pages).await.ok()?;
        browser.text().await.contains("fraud").then_some(())
    })
    .await;
    browser.keep_picture("overview").await;
    let link = client
        .find(Locator::Css("a[href*='/incidents/']"))
        .await
        .expect("the open incident is on the first page");
    link.click().await.expect("it is a link");
    let text = browser.text().await;
    assert!(text.contains("amount"), "the incident names the signal:\n{text}");
    browser.keep_picture("incident").await;
    let address = client.current_url().await.expect("an address").to_string();
    client.goto(&format!("{}/models/fraud/production", system.pages)).await.expect("the model's page");
    let text = browser.text().await;
    assert!(
        text.contains("amount") && text.contains("payments"),
        "the model's page names signal and owner:\n{text}"
    );
    browser.keep_picture("model").await;
    for (name, sight) in [("incident-night", Sight::NIGHT), ("incident-telephone", Sight::TELEPHONE)] {
        let other = Browser::open(sight).await;
        other.client.goto(&address).await.expect("the incident's page");
        other.keep_picture(name).await;
    }
    address
}

/// Presses the button, and waits until PagerDuty knows.
async fn acknowledge(system: &System, incident: &str) {
    let browser = Browser::open(Sight::DESK).await;
    browser.client.goto(incident).await.expect("the incident's page");
    let button = browser.client.find(Locator::XPath("//button[contains(., 'Acknowledge')]")).await;
    button.expect("a button to acknowledge").click().await.expect("it can be pressed");
    system
        .message("PagerDuty is told that somebody cares", |message| {
            message.kind == "PagerDuty" && message.title.starts_with("acknowledge")
        })
        .await;
}
