//! A real mail server that keeps what it is sent: in the clear, with STARTTLS, or with TLS from the first byte.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How a server wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    Clear,
    StartTls,
    Tls,
}

/// The one who may log in, where the server speaks TLS.
pub const USER: &str = "leeway";
pub const PASSWORD: &str = "correct horse";

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, as RFC 5322 has them.
    pub text: String,
}

impl Mail {
    /// A header's value, unfolded; empty where it is not there.
    pub fn header(&self, name: &str) -> String {
        let mut lines = self.text.lines().take_while(|line| !line.is_empty());
        let beginning = format!("{name}: ");
        let Some(first) = lines.by_ref().find_map(|line| line.strip_prefix(&beginning)) else {
            return String::new();
        };
        let folded = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        std::iter::once(first).chain(folded).collect::<Vec<_>>().join(" ")
    }
}

/// A server on loopback; it ends with the test.
pub struct MailServer {
    pub port: u16,
    /// The certificate (PEM) that a client must trust, where the server speaks TLS.
    pub ca: String,
    mails: Arc<Mutex<Vec<Mail>>>,
    refusals: Arc<Mutex<usize>>,
    server: tokio::task::JoinHandle<()>,
}

impl MailServer {
    pub async fn open(speech: Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (ca, acceptor) = certificates();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let refusals = Arc::new(Mutex::new(0));
        let mailbox = Mailbox { mails: mails.clone(), refusals: refusals.clone(), ..Mailbox::default() };
        let server = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(converse(stream, peer, mailbox.clone(), speech, acceptor.clone()));
            }
        });
        Self { port, ca, mails, refusals, server }
    }

    /// Refuses the next messages for now, as a server with a full disk does.
    pub fn refuse_next(&self, messages: usize) {
        *self.refusals.lock().expect("unpoisoned") = messages;
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("unpoisoned").clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An authority of this test's own, and a server for `localhost` that it vouches for.
fn certificates() -> (String, TlsAcceptor) {
    service::http::install_tls();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&authority_key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).expect("a name").signed_by(&key, &issuer);
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate").der().clone()], private.into())
        .expect("key and certificate belong together");
    (ca, TlsAcceptor::from(Arc::new(config)))
}

#[derive(Clone, Default)]
struct Mailbox {
    from: String,
    to: Vec<String>,
    data: Vec<u8>,
    mails: Arc<Mutex<Vec<Mail>>>,
    refusals: Arc<Mutex<usize>>,
}

impl Handler for Mailbox {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        let mut refusals = self.refusals.lock().expect("unpoisoned");
        if *refusals == 0 {
            return response::OK;
        }
        *refusals -= 1;
        response::OUT_OF_SPACE
    }

    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        if user == USER && password == PASSWORD { response::AUTH_OK } else { response::INVALID_CREDENTIALS }
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        from.clone_into(&mut self.from);
        self.to = to.to_vec();
        self.data.clear();
        response::START_DATA
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let text = String::from_utf8_lossy(&self.data).into_owned();
        let mail = Mail { from: self.from.clone(), to: self.to.clone(), text };
        self.mails.lock().expect("unpoisoned").push(mail);
        response::OK
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, mailbox: Mailbox, speech: Speech, tls: TlsAcceptor) {
    let mut builder = SessionBuilder::new("mail.test");
    if speech == Speech::StartTls {
        builder.enable_start_tls();
    }
    if speech != Speech::Clear {
        builder.enable_auth(AuthMechanism::Plain);
    }
    let mut session = builder.build(peer.ip(), mailbox);
    let greeting = session.greeting();
    if speech == Speech::Tls {
        session.tls_active();
        if let Ok(stream) = tls.accept(stream).await {
            talk(&mut BufReader::new(stream), &mut session, Some(greeting)).await;
        }
        return;
    }
    let mut stream = BufReader::new(stream);
    if talk(&mut stream, &mut session, Some(greeting)).await == Some(Action::UpgradeTls)
        && let Ok(stream) = tls.accept(stream.into_inner()).await
    {
        session.tls_active();
        talk(&mut BufReader::new(stream), &mut session, None).await;
    }
}

/// Answers line by line; ends where the conversation does, or has to go on in TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    session: &mut Session<Mailbox>,
    greeting: Option<Response>,
) -> Option<Action> {
    let mut answer = greeting;
    loop {
        if let Some(answer) = answer.filter(|answer| answer.action != Action::NoReply) {
            stream.write_all(&answer.buffer().unwrap_or_default()).await.ok()?;
            stream.flush().await.ok()?;
            if matches!(answer.action, Action::Close | Action::UpgradeTls) {
                return Some(answer.action);
            }
        }
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        answer = Some(session.process(&line));
    }
}
