//! Brokers that want TLS and a password, or a certificate: real ones, with real credentials.

use collector::sources::kafka::config::{Kind, Mechanism, Sasl, Security};
use service::Secret;
use tests::{Authority, Broker, Doors, KAFKA_PASSWORD, KAFKA_USER, Process, eventually, fresh_store, text};

use crate::counted::{holds_exactly, wait_for_stored};
use crate::process::{Settings, readiness};
use crate::running::Running;
use crate::world::{bodies, config};

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_certificates_open_the_doors_that_they_should() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let broker = Broker::start(Doors::Secure { ca: authority.certificate(), certificate, key }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let ca_file = Some(file("ca.pem", &authority.certificate()));
    let password_file = file("password", &format!("{KAFKA_PASSWORD}\n"));
    let (own_certificate, own_key) = authority.issue("leeway");
    let sasl = |mechanism| Security {
        tls: true,
        ca_file: ca_file.clone(),
        sasl: Some(Sasl {
            mechanism,
            user: KAFKA_USER.to_owned(),
            password: Secret::default(),
            password_file: Some(password_file.clone()),
        }),
        ..Security::default()
    };
    let certificates = Security {
        tls: true,
        ca_file: ca_file.clone(),
        cert_file: Some(file("own.pem", &own_certificate)),
        key_file: Some(file("own-key.pem", &own_key)),
        ..Security::default()
    };
    let doors = [
        ("plain", broker.address(), sasl(Mechanism::Plain)),
        ("scram-256", broker.address(), sasl(Mechanism::ScramSha256)),
        ("scram-512", broker.address(), sasl(Mechanism::ScramSha512)),
        ("certificate", broker.certificates_address(), certificates),
    ];
    for (topic, address, security) in doors {
        let store = fresh_store().await;
        broker.make_topic(topic, 1).await;
        broker.produce(topic, 0, &bodies(0..20)).await;
        let mut config = config(&broker, &[(topic, Kind::Predictions)]);
        config.kafka.brokers = address;
        config.kafka.security = security;
        let collector = Running::start_with(&store, config, Default::default()).await;
        wait_for_stored(&store, 20).await;
        collector.stop().await;
        holds_exactly(&store, 20).await;
    }
    // And nothing else does; whoever runs the collector is told why.
    let ca = folder.path().join("ca.pem").display().to_string();
    let sasl = |password: &str| {
        format!(
            "[collector.kafka.security]\ntls = true\nca_file = \"{ca}\"\n[collector.kafka.security.sasl]\n\
             mechanism = \"SCRAM-SHA-256\"\nuser = \"{KAFKA_USER}\"\npassword = \"{password}\"\n"
        )
    };
    let closed = [
        (broker.address(), sasl("sesame"), "uthentication"),
        (broker.address(), "[collector.kafka.security]\ntls = true\n".to_owned(), "certificate"),
    ];
    let store = fresh_store().await;
    for (address, security, reason) in closed {
        let settings = Settings::at(&address, "plain", store.config()).with_more(security.clone());
        let collector = Process::start(&["collector"], settings.file(), &settings.log());
        eventually(&format!("{security} is refused for its {reason}"), async || {
            let said = readiness(&settings).await;
            said.contains("a broker of Kafka refuses the connection: ") && said.contains(reason)
        })
        .await;
        assert!(!readiness(&settings).await.contains("sesame"), "a password is told to nobody");
        assert!(collector.terminate().await.success());
    }
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "0");
}
