//! The pages behind a port, and what every page must be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use domain::contract::{Contract, LatencyObjective, Objectives};
use domain::time::{Clock, ManualClock};
use sql::Store;
use tests::flights::NOW;

use crate::seed::at;

pub struct Served {
    address: SocketAddr,
    client: reqwest::Client,
}

pub struct Page {
    pub path: String,
    pub status: u16,
    pub body: String,
    headers: reqwest::header::HeaderMap,
}

impl Served {
    pub async fn over(store: &Store) -> Self {
        service::http::install_tls();
        let contract = Contract {
            owner: "ops-forecast".to_owned(),
            description: "late arrivals".to_owned(),
            playbook: "https://wiki.example.com/unit-slips".to_owned(),
            segments: vec!["origin".to_owned(), "carrier".to_owned()],
            objectives: Objectives {
                latency: Some(LatencyObjective { limit_ms: 50.0, target: 0.99 }),
                availability: Some(0.999),
                ..Objectives::default()
            },
            ..Contract::default()
        };
        let clock = Clock::Manual(ManualClock::starting_at(at(NOW)));
        let context = service::Context::quiet(clock, BTreeMap::from([("flights".to_owned(), contract)]));
        let router = dashboards::run::router(dashboards::Config::default(), context.clone(), store.clone())
            .expect("pages on loopback");
        let listener = service::http::listen("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(service::http::serve(listener, router, context.stopper));
        Self { address, client: service::http::client(Duration::from_secs(60)) }
    }

    pub async fn get(&self, path: &str) -> Page {
        let response =
            self.client.get(format!("http://{}{path}", self.address)).send().await.expect("an answer");
        Page {
            path: path.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a text"),
        }
    }

    pub async fn json(&self, path: &str) -> serde_json::Value {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = self.get(&format!("{path}{separator}format=json")).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        serde_json::from_str(&page.body).expect("JSON")
    }
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The addresses of all links, as a browser reads them.
    pub fn links(&self) -> Vec<String> {
        let quoted = self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        quoted
            .map(|link| {
                link.split('#').next().unwrap_or_default().replace("&amp;", "&").replace("&#38;", "&")
            })
            .filter(|link| !link.is_empty() && !link.starts_with("/assets/"))
            .collect()
    }

    /// Nothing from elsewhere, no script or style but the two files, a policy that says so.
    pub fn is_its_own(&self) {
        let policy = self.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{}: {policy}",
            self.path
        );
        for loaded in
            ["src=\"http", "src=\"//", "url(http", "@import", "<iframe", "style=\"", " onclick=", "<style"]
        {
            assert!(!self.body.contains(loaded), "{} holds {loaded}", self.path);
        }
        for script in self.body.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/assets/"), "{} holds a script of its own", self.path);
        }
        for link in self.links().iter().filter(|link| link.contains("://")) {
            assert_eq!(link, "https://wiki.example.com/unit-slips", "{}", self.path);
        }
        assert_eq!(self.body.matches("<h1").count(), 1, "{} has one headline", self.path);
        assert!(self.body.contains("<html lang=\"en\">"), "{}", self.path);
    }
}
