//! A real browser: headless Chromium, driven as a person would use it, its sight kept as pictures.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::process::free_port;
use crate::{Folder, eventually_some};

/// A browser with a profile of its own. Close it at the end of a test; dropped, it is killed.
pub struct Browser {
    pub client: Client,
    _driver: Child,
    _profile: Folder,
}

/// How wide and high the window is, and whether its user likes the dark.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

impl Sight {
    pub const DESK: Self = Self { width: 1280, height: 800, dark: false };
    pub const NIGHT: Self = Self { dark: true, ..Self::DESK };
    pub const TELEPHONE: Self = Self { width: 390, height: 844, dark: false };
}

impl Browser {
    /// # Panics
    /// Where chromedriver or Chromium is not installed; `./test` installs both.
    pub async fn open(sight: Sight) -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed (./test does that)");
        let profile = Folder::new();
        let capabilities = capabilities(sight, profile.path());
        let url = format!("http://127.0.0.1:{port}");
        let client = eventually_some("the browser opens", async || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone()).connect(&url).await.ok()
        })
        .await;
        client.set_window_size(sight.width, sight.height).await.expect("a window can be sized");
        Self { client, _driver: driver, _profile: profile }
    }

    /// Keeps what the browser shows as `tests/artefacts/NAME.png`.
    pub async fn keep_picture(&self, name: &str) {
        let png = self.client.screenshot().await.expect("a picture");
        let folder = artefacts();
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("the picture is written");
    }

    /// The visible text of the page.
    pub async fn text(&self) -> String {
        let body = self.client.find(fantoccini::Locator::Css("body")).await.expect("a page has a body");
        body.text().await.expect("the text can be read")
    }
}

/// Where pictures are kept, for whoever looks at a failed run, or at the pages.
pub fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("artefacts")
}

fn capabilities(sight: Sight, profile: &Path) -> Capabilities {
    let scheme = if sight.dark {
        "--blink-settings=preferredColorScheme=0"
    } else {
        "--blink-settings=preferredColorScheme=1"
    };
    let options = json!({"args": [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        format!("--user-data-dir={}", profile.display()), scheme,
    ]});
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities.insert("pageLoadStrategy".to_owned(), json!("normal"));
    capabilities.insert("timeouts".to_owned(), json!({"pageLoad": Duration::from_secs(20).as_millis()}));
    capabilities
}
