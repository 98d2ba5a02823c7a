//! A real Apache Kafka broker: one process in KRaft mode on free ports of loopback, its files in a folder of the test
//! process, its classes fetched once by Maven into the cache where the engine's library lies.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::folder::Folder;
use crate::process::free_port;
use crate::waiting::eventually;

/// The version that Leeway is tested with; the cache holds each in a folder of its own.
pub const VERSION: &str = "4.0.0";

/// The one user that brokers with passwords know.
pub const KAFKA_USER: &str = "leeway";
pub const KAFKA_PASSWORD: &str = "correct horse";

/// How a broker is spoken to from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doors {
    Plain,
    /// TLS and a password, by PLAIN or SCRAM; and a second door that wants a certificate instead. All in PEM.
    Secure {
        ca: String,
        certificate: String,
        key: String,
    },
}

/// A broker. Dropped, or when the test process ends in any way, it is killed.
pub struct Broker {
    port: u16,
    internal: u16,
    certificates: u16,
    folder: Folder,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Ends the process when it is closed.
    child: Child,
}

/// The broker of this test binary, started at the first call.
pub async fn broker() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    let start = || SHARED.get_or_init(|| Broker::begin(&Doors::Plain));
    let broker = tokio::task::spawn_blocking(start).await.expect("a broker starts");
    broker.answers().await;
    broker
}

impl Broker {
    /// A broker that a test has for itself.
    pub async fn start(doors: Doors) -> Self {
        let begin = move || Self::begin(&doors);
        let broker = tokio::task::spawn_blocking(begin).await.expect("a broker starts");
        broker.answers().await;
        broker
    }

    fn begin(doors: &Doors) -> Self {
        let folder = Folder::new();
        let [port, internal, controller, certificates] = std::array::from_fn(|_| free_port());
        let properties = properties(folder.path(), doors, [port, internal, controller, certificates]);
        std::fs::write(folder.path().join("server.properties"), properties).expect("the broker's settings");
        let mut format = java();
        format.args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            "MkU3OEVBNTcwNTJENDM2Qk",
            "--config",
        ]);
        format.arg(folder.path().join("server.properties"));
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let user = format!("{mechanism}=[name={KAFKA_USER},password={KAFKA_PASSWORD}]");
            format.args(["--add-scram", &user]);
        }
        let formatted = format.output().expect("java is installed (./test does that)");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let broker = Self { port, internal, certificates, folder, running: Mutex::new(None) };
        broker.run();
        broker
    }

    fn run(&self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log file");
        // The shell kills the broker when its own input ends, and that ends with the test process, however it ends.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "\"$@\" </dev/null & broker=$!; cat >/dev/null; kill -9 $broker; wait",
            "broker",
        ]);
        let java = java();
        command.arg(java.get_program()).args(java.get_args());
        command.arg("kafka.Kafka").arg(self.folder.path().join("server.properties"));
        let child = command
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .expect("a shell");
        *self.lock() = Some(Running { child });
    }

    /// Kills it as a crash does.
    pub fn kill(&self) {
        if let Some(Running { mut child }) = self.lock().take() {
            drop(child.stdin.take());
            child.wait().expect("its end is told");
        }
    }

    /// Starts it again after [`Broker::kill`], at the same address with the same files.
    pub async fn start_again(&self) {
        self.run();
        self.answers().await;
    }

    /// Where clients find it.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Where clients with a certificate find it.
    pub fn certificates_address(&self) -> String {
        format!("localhost:{}", self.certificates)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    async fn answers(&self) {
        let address = format!("127.0.0.1:{}", self.internal);
        let log = self.log();
        eventually(&format!("the broker listens; its log is {}", log.display()), async || {
            tokio::net::TcpStream::connect(&address).await.is_ok()
        })
        .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a client is told to reach it in the clear.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // The door that asks nobody for a password.
        config.set("bootstrap.servers", format!("localhost:{}", self.internal));
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("a client")
    }

    /// Makes a topic; it is there when this returns.
    pub async fn make_topic(&self, name: &str, partitions: i32) {
        let admin = self.admin();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        eventually("the topic is made", async || {
            let made = admin.create_topics([&topic], &options()).await;
            made.is_ok_and(|results| {
                results.iter().all(|result| match result {
                    Ok(_) => true,
                    Err((_, code)) => *code == rdkafka::error::RDKafkaErrorCode::TopicAlreadyExists,
                })
            })
        })
        .await;
        self.wait_for(name).await;
    }

    async fn wait_for(&self, name: &str) {
        let admin = self.admin();
        let name = name.to_owned();
        let wait = move || {
            let since = std::time::Instant::now();
            loop {
                let found = admin.inner().fetch_metadata(Some(&name), Duration::from_secs(5));
                let is_led = found.is_ok_and(|metadata| {
                    metadata.topics().iter().all(|topic| {
                        topic.error().is_none() && topic.partitions().iter().all(|p| p.leader() >= 0)
                    })
                });
                if is_led {
                    return;
                }
                assert!(since.elapsed() < crate::PATIENCE, "the topic {name} has no leader");
            }
        };
        tokio::task::spawn_blocking(wait).await.expect("the topic is led");
    }

    pub async fn delete_topic(&self, name: &str) {
        let results = self.admin().delete_topics(&[name], &options()).await.expect("an answer");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    /// Removes what lies before `offset` from a log, as retention does.
    pub async fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        self.admin().delete_records(&list, &options()).await.expect("an answer");
    }

    /// The first offset that is in the log of a partition, and the first that is not there yet.
    pub async fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        let (admin, topic) = (self.admin(), topic.to_owned());
        let ask = move || admin.inner().fetch_watermarks(&topic, partition, Duration::from_secs(10));
        tokio::task::spawn_blocking(ask).await.expect("no panic").expect("an answer")
    }

    /// What a group has committed of a partition.
    pub async fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer =
            self.client().set("group.id", group).create().expect("a consumer that joins nothing");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let ask = move || consumer.committed_offsets(list, Duration::from_secs(10));
        let list = tokio::task::spawn_blocking(ask).await.expect("no panic").expect("an answer");
        list.elements().first().and_then(|element| element.offset().to_raw()).filter(|offset| *offset >= 0)
    }

    /// Sets what a group has committed, as its operator does while nobody of it is there.
    pub async fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let consumer: BaseConsumer =
            self.client().set("group.id", group).create().expect("a consumer that joins nothing");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        let commit = move || consumer.commit(&list, CommitMode::Sync);
        tokio::task::spawn_blocking(commit).await.expect("no panic").expect("committed");
    }

    /// The members of a group.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let (admin, group) = (self.admin(), group.to_owned());
        let ask = move || {
            let groups = admin.inner().fetch_group_list(Some(&group), Duration::from_secs(10));
            let groups = groups.expect("an answer");
            let members = groups.groups().iter().flat_map(|group| group.members());
            members.map(|member| member.id().to_owned()).collect()
        };
        tokio::task::spawn_blocking(ask).await.expect("no panic")
    }

    pub fn producer(&self) -> FutureProducer {
        let mut config = self.client();
        config.set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "5");
        config.create().expect("a producer")
    }

    /// Produces messages to a partition, in order.
    pub async fn produce(&self, topic: &str, partition: i32, bodies: &[String]) {
        let producer = self.producer();
        let sent: Vec<_> = bodies
            .iter()
            .map(|body| {
                let record = FutureRecord::<(), String>::to(topic).partition(partition).payload(body);
                producer.send_result(record).expect("the producer has room")
            })
            .collect();
        for delivery in sent {
            delivery.await.expect("the producer lives").expect("the broker takes it");
        }
    }

    /// Kafka's own console producer: lines of `input` become messages.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn console_produce(&self, topic: &str, compression: &str, options: &[&str], input: String) {
        let mut command = java();
        command.args([
            "org.apache.kafka.tools.ConsoleProducer",
            "--bootstrap-server",
            &format!("localhost:{}", self.internal),
        ]);
        command.args(["--topic", topic, "--compression-codec", compression]).args(options);
        let produce = move || {
            use std::io::Write as _;
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("java is installed (./test does that)");
            let mut stdin = child.stdin.take().expect("a pipe");
            stdin.write_all(input.as_bytes()).expect("it reads");
            drop(stdin);
            child.wait_with_output().expect("it ends")
        };
        let output = tokio::task::spawn_blocking(produce).await.expect("no panic");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)))
}

fn properties(folder: &Path, doors: &Doors, [port, internal, controller, certificates]: [u16; 4]) -> String {
    let data = folder.join("data");
    let protocol = match doors {
        Doors::Plain => "PLAINTEXT",
        Doors::Secure { .. } => "SASL_SSL",
    };
    let mut doors_open = format!("CLIENTS://localhost:{port},INTERNAL://localhost:{internal}");
    if let Doors::Secure { .. } = doors {
        let _ = write!(doors_open, ",CERTIFICATES://localhost:{certificates}");
    }
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:{controller}\n\
         listeners={doors_open},CONTROLLER://localhost:{controller}\nadvertised.listeners={doors_open}\n\
         listener.security.protocol.map=CLIENTS:{protocol},INTERNAL:PLAINTEXT,CERTIFICATES:SSL,\
         CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\ninter.broker.listener.name=INTERNAL\nlog.dirs={}\n\
         offsets.topic.num.partitions=4\noffsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=1000\n\
         auto.create.topics.enable=false\n\
         broker.session.timeout.ms=2000\nbroker.heartbeat.interval.ms=500\nnum.network.threads=2\nnum.io.threads=4\n\
         log.cleaner.enable=false\n",
        data.display()
    );
    if let Doors::Secure { ca, certificate, key } = doors {
        let one_line = |pem: &str| pem.trim().replace('\n', "\\n");
        let plain = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{KAFKA_USER}\" \
             password=\"{KAFKA_PASSWORD}\" user_{KAFKA_USER}=\"{KAFKA_PASSWORD}\";"
        );
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let _ = write!(
            text,
            "ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n\
             ssl.truststore.type=PEM\nssl.truststore.certificates={}\n\
             listener.name.certificates.ssl.client.auth=required\n\
             listener.name.clients.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.clients.plain.sasl.jaas.config={plain}\n\
             listener.name.clients.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.clients.scram-sha-512.sasl.jaas.config={scram}\n",
            one_line(certificate),
            one_line(key),
            one_line(ca)
        );
    }
    text
}

/// `java` with Kafka's classes.
fn java() -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.arg("-cp").arg(classes().join("*"));
    command
}

/// The folder of Kafka's classes; fetched by the first who asks.
fn classes() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("LEEWAY_CACHE_DIR")
            .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("leeway")))
            .or_else(|| set("HOME").map(|home| home.join(".cache").join("leeway")))
            .expect("a cache directory: set LEEWAY_CACHE_DIR or HOME");
        fetched(&cache.join("kafka").join(VERSION))
    })
}

fn fetched(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("the cache can be written");
    let (classes, unfinished) = (folder.join("classes"), folder.join("unfinished"));
    let lock =
        File::options().create(true).truncate(false).write(true).open(folder.join("lock")).expect("a lock");
    lock.lock().expect("the lock of the cache");
    if classes.is_dir() {
        return classes;
    }
    // Under the lock nobody else fetches, so what is left there is of a process that died.
    let _ = std::fs::remove_dir_all(&unfinished);
    std::fs::write(folder.join("pom.xml"), project()).expect("the cache can be written");
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", unfinished.display()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("Maven is installed (./test does that)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    std::fs::rename(&unfinished, &classes).expect("the classes have their name");
    classes
}

/// What Maven is asked for.
fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>leeway</groupId><artifactId>kafka-under-test</artifactId><version>1</version>\
         <dependencies>{}{}{}</dependencies></project>",
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.apache.kafka", "kafka-tools", VERSION),
        dependency("org.slf4j", "slf4j-simple", "1.7.36")
    )
}
