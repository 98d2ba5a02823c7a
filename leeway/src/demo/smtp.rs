//! A small mail server that keeps what it is sent: what a mailbox would have shown.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mailin::{Action, Handler, Response, Session, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Larger messages than this are refused; ours are a few kilobytes.
const MOST_BYTES: usize = 1024 * 1024;
/// A client that says nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, as RFC 5322 has them.
    pub text: String,
}

struct Mailbox<F> {
    from: String,
    to: Vec<String>,
    data: Vec<u8>,
    keep: F,
}

impl<F: Fn(Mail)> Handler for Mailbox<F> {
    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.from = from.to_owned();
        self.to = to.to_vec();
        self.data.clear();
        response::START_DATA
    }

    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        response::OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.data.len() + bytes.len() > MOST_BYTES {
            return Err(io::Error::other("the message is too large"));
        }
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        (self.keep)(Mail {
            from: std::mem::take(&mut self.from),
            to: std::mem::take(&mut self.to),
            text: String::from_utf8_lossy(&self.data).into_owned(),
        });
        response::OK
    }
}

/// Takes mail on `listener` until stopped; `keep` gets each message.
pub async fn serve(
    listener: TcpListener,
    keep: impl Fn(Mail) + Clone + Send + 'static,
    stopper: CancellationToken,
) {
    while let Some(accepted) = stopper.run_until_cancelled(listener.accept()).await {
        let Ok((stream, peer)) = accepted else { continue };
        let mailbox = Mailbox { from: String::new(), to: Vec::new(), data: Vec::new(), keep: keep.clone() };
        let session = SessionBuilder::new("leeway-demo").build(peer.ip(), mailbox);
        tokio::spawn(converse(stream, peer, session));
    }
}

async fn converse<F: Fn(Mail)>(stream: TcpStream, peer: SocketAddr, mut session: Session<Mailbox<F>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut answer = session.greeting();
    loop {
        let text = answer.buffer().unwrap_or_default();
        if !matches!(answer.action, Action::NoReply) && write.write_all(&text).await.is_err() {
            return;
        }
        if matches!(answer.action, Action::Close) {
            return;
        }
        let mut line = Vec::new();
        match tokio::time::timeout(PATIENCE, lines.read_until(b'\n', &mut line)).await {
            Ok(Ok(read)) if read > 0 => answer = session.process(&line),
            Ok(_) => return,
            Err(_) => {
                tracing::debug!(%peer, "a mail client said nothing for too long");
                return;
            }
        }
    }
}
