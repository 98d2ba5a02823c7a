//! Serving: a bounded number of connections, each of which must say what it wants within bounds. Whoever sends headers
//! drop by drop, or opens connections and says nothing, takes a place for some seconds and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::stop;

/// What strangers may take of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. Each takes some 20 KiB while it is idle. Never more than half of the files that the process may
    /// have open: the other half is for what it does.
    pub connections: usize,
    /// How long the headers of a request may take, and how long a connection may be idle between two. Longer than the
    /// minute for which proxies keep theirs, or they meet connections that close under them.
    pub headers_within: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 4_096, headers_within: Duration::from_secs(75) }
    }
}

/// The longest headers of a request. Longer ones are answered with 431.
const HEADER_BYTES: usize = 128 * 1_024;
/// Connections that are being told that there is no place for them; beyond it they are closed without a word.
const MOST_TURNED_AWAY: usize = 256;
/// How long that may take.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(1);
/// How long to wait where the system gives no more connections.
const NO_MORE_PAUSE: Duration = Duration::from_millis(200);
/// More open files than this are not asked for.
const MOST_FILES: u64 = 65_536;

const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
                    content-type: text/plain\r\ncontent-length: 38\r\n\r\ntoo many connections; try again later\n";

/// Serves `router` until `stopper` is cancelled, then finishes the requests that run, up to [`stop::DEADLINE`].
pub async fn serve(listener: TcpListener, router: Router, stopper: CancellationToken) -> anyhow::Result<()> {
    serve_within(Bounds::default(), listener, router, stopper).await
}

/// The same within bounds of one's own.
pub async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    router: Router,
    stopper: CancellationToken,
) -> anyhow::Result<()> {
    let server = Server::new(router, bounds);
    loop {
        tokio::select! {
            () = stopper.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => server.welcome(stream, address),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(NO_MORE_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // Whoever does not finish in time is cut off.
    let _ = tokio::time::timeout(stop::DEADLINE, server.connections.shutdown()).await;
    Ok(())
}

/// Whether a connection ended before it began, which says nothing about the next one.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Server {
    router: Router,
    builder: Builder,
    connections: GracefulShutdown,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl Server {
    fn new(router: Router, bounds: Bounds) -> Self {
        let mut builder = Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.headers_within)
            .max_buf_size(HEADER_BYTES);
        let connections = bounds.connections.min(open_files() / 2).max(1);
        Self {
            router,
            builder,
            connections: GracefulShutdown::new(),
            places: Arc::new(Semaphore::new(connections)),
            turned_away: Arc::new(Semaphore::new(MOST_TURNED_AWAY)),
        }
    }

    fn welcome(&self, stream: TcpStream, address: SocketAddr) {
        let free = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        if let Some(place) = free(&self.places) {
            return self.talk(stream, address, place);
        }
        if let Some(place) = free(&self.turned_away) {
            tokio::spawn(async move {
                let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, turn_away(stream)).await;
                drop(place);
            });
        }
    }

    fn talk(&self, stream: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
        // Small answers should not wait for more.
        let _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            router.clone().oneshot(request)
        });
        let connection =
            self.builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = self.connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
}

/// How many files the process may have open, once it has asked for all that it can get. What is usual, 1,024, is less than
/// the connections of a busy collector.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(MOST_FILES).min(MOST_FILES);
    let wanted = Rlimit { current: Some(most), ..limit };
    let have = match limit.current {
        Some(current) if current < most && setrlimit(Resource::Nofile, wanted).is_ok() => most,
        Some(current) => current,
        None => most,
    };
    usize::try_from(have).unwrap_or(usize::MAX)
}

/// Says that there is no place, and lets the other side read it before the connection is gone.
async fn turn_away(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(FULL.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1_024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let (head, body) = FULL.split_once("\r\n\r\n").expect("head and body");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
