//! The pages behind a port, asked as a browser asks: with cookies and forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use domain::contract::Contract;
use domain::time::{Clock, ManualClock};
use service::token::Token;
use sql::Store;
use tests::flights::NOW;

use crate::seed::at;

pub struct Served {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub clock: ManualClock,
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The cookie that this answer sets, as a request sends it back.
    pub fn cookie(&self) -> String {
        let set = self.headers.get("set-cookie").expect("a cookie").to_str().expect("ASCII");
        set.split(';').next().unwrap_or_default().to_owned()
    }

    pub fn location(&self) -> &str {
        self.headers.get("location").expect("a location").to_str().expect("ASCII")
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let opening = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&opening).unwrap_or_else(|| panic!("a field {name}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

pub async fn serve(store: &Store, users: &[(&str, &str)]) -> Served {
    serve_to(store, users, Vec::new()).await
}

/// The same where programs come with tokens.
pub async fn serve_to(store: &Store, users: &[(&str, &str)], tokens: Vec<Token>) -> Served {
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
        tokens,
        ..dashboards::Config::default()
    };
    let router = dashboards::run::router(config, context.clone(), store.clone()).expect("pages");
    let listener = service::http::listen("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(service::http::serve(listener, router, context.stopper));
    Served { address, client: service::http::client(Duration::from_secs(30)), clock }
}

impl Served {
    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = self.client.get(format!("http://{}{path}", self.address));
        answer(request.header("cookie", cookie).header("accept", "text/html")).await
    }

    pub async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
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

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.expect("a text") }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Keeps a page with its style sheet where somebody can open it.
pub fn keep(name: &str, page: &Answer) {
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
