//! A collector as a process of its own, with its configuration in a file.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub struct Settings {
    folder: TempDir,
    file: PathBuf,
    pub port: u16,
    store: String,
    kafka: Option<Kafka>,
    database: sql::Config,
    more: String,
}

struct Kafka {
    brokers: String,
    topic: String,
    session_ms: u64,
}

impl Settings {
    /// Of a collector that consumes a topic, beside what it does otherwise.
    pub fn at(brokers: &str, topic: &str, database: &sql::Config) -> Self {
        let kafka = Kafka { brokers: brokers.to_owned(), topic: topic.to_owned(), session_ms: 6_000 };
        let settings = Self { kafka: Some(kafka), ..Self::without_kafka(database) };
        settings.write();
        settings
    }

    pub fn without_kafka(database: &sql::Config) -> Self {
        service::http::install_tls();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("leeway.toml");
        let settings = Self {
            file,
            port: tests::free_port(),
            store: database.url.clone(),
            kafka: None,
            database: database.clone(),
            more: String::new(),
            folder,
        };
        settings.write();
        settings
    }

    pub fn with_store(self, url: String) -> Self {
        let settings = Self { store: url, ..self };
        settings.write();
        settings
    }

    pub fn with_session_ms(self, session_ms: u64) -> Self {
        let kafka = self.kafka.map(|kafka| Kafka { session_ms, ..kafka });
        let settings = Self { kafka, ..self };
        settings.write();
        settings
    }

    /// With more sections at the end.
    pub fn with_more(self, more: String) -> Self {
        let settings = Self { more, ..self };
        settings.write();
        settings
    }

    fn write(&self) {
        let Self { port, store, database, .. } = self;
        let sql::Config { user, password, database, .. } = database;
        let data = self.folder.path().display();
        let mut text = format!(
            "data_dir = \"{data}\"\n[clickhouse]\nurl = \"{store}\"\nuser = \"{user}\"\npassword = \"{password}\"\n\
             database = \"{database}\"\n[collector]\nlisten = \"127.0.0.1:{port}\"\n[collector.grids]\nvalues = 500\n\
             first_hour_s = 2\nlead_ms = 1500\nrefresh_ms = 100\nsettle_ms = 1500\n"
        );
        if let Some(Kafka { brokers, topic, session_ms }) = &self.kafka {
            text += &format!(
                "[collector.kafka]\nbrokers = \"{brokers}\"\ngroup = \"{topic}\"\n[[collector.kafka.topics]]\n\
                 name = \"{topic}\"\nkind = \"predictions\"\n[collector.kafka.batch]\nrows = 500\nage_ms = 50\n\
                 [collector.kafka.limits]\nsession_ms = {session_ms}\n"
            );
        }
        text += &self.more;
        std::fs::write(&self.file, text).expect("written");
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Where batches lie until they are stored.
    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    async fn get(&self, path: &str) -> Option<String> {
        reqwest::get(format!("http://127.0.0.1:{}{path}", self.port)).await.ok()?.text().await.ok()
    }
}

/// What `/readyz` says; empty where nobody answers.
pub async fn readiness(settings: &Settings) -> String {
    settings.get("/readyz").await.unwrap_or_default()
}

/// The value of the first metric whose line begins so.
pub async fn metric(settings: &Settings, begins: &str) -> Option<f64> {
    let text = settings.get("/metrics").await?;
    let line = text.lines().find(|line| line.starts_with(begins))?;
    line.rsplit_once(' ')?.1.parse().ok()
}
