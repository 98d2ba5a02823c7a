//! A ClickHouse server of somebody's own that dies at the worst moment: after it wrote an insert's token into a table's log, and
//! before the rows had their place. Nobody mends its logs, as Leeway does for the embedded engine's.
//!
//! ClickHouse passes over a log that it cannot read; `engine/src/tokens.rs` leaves the logs of a table alone where one of
//! them is not understood. So a log of one line that nobody understands makes the embedded engine such a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sql::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::harness::{OwnEngine, text};

impl OwnEngine {
    /// An empty, migrated database on it, as that of a server of somebody's own.
    pub async fn plain_store(&self) -> Store {
        let migrated = self.fresh_store().await;
        let config = sql::Config { embedded: false, ..migrated.config().clone() };
        let store = Store::connect(&config).expect("a sound configuration");
        self.stop_merges(&store).await;
        store
    }

    /// Keeps parts as they are inserted, so that the newest part of a table is its newest insert.
    pub async fn stop_merges(&self, store: &Store) {
        store.ask("SYSTEM STOP MERGES", "Null").await.expect("merges stop");
    }

    /// Has the engine die as a plain server may: of the newest insert into each of these tables it remembers the token and not
    /// the rows. It comes back by itself at the same address.
    pub async fn forget_rows(&self, store: &Store, tables: &[&str]) {
        let mut lost = Vec::new();
        for table in tables {
            let newest = format!(
                "SELECT path FROM system.parts WHERE database = currentDatabase() AND table = '{table}' AND active \
                 ORDER BY max_block_number DESC LIMIT 1"
            );
            let path = PathBuf::from(text(store, &newest).await);
            assert!(path.is_dir(), "{table} has no rows to forget: \"{}\"", path.display());
            lost.push(path);
        }
        self.signal("STOP");
        for part in lost {
            std::fs::remove_dir_all(&part).expect("a part's folder");
            leave_alone(part.parent().expect("a part lies in its table"));
        }
        self.kill();
    }
}

fn leave_alone(table: &Path) {
    let log = table.join("deduplication_logs/deduplication_log_0.txt");
    std::fs::write(log, "this is not ours\n").expect("the folder of a table's logs");
}

/// A connection to a store on which answers to inserts can be lost.
pub struct Link {
    url: String,
    is_losing: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    /// Cancelled to cut the connections whose answers were lost.
    cut: std::sync::Mutex<CancellationToken>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Link {
    /// A way to the same store through this link.
    pub async fn to(store: &Store) -> (Arc<Self>, Store) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let far = store.config().url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (is_losing, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let link = Arc::new_cyclic(|link: &std::sync::Weak<Self>| {
            let link = link.clone();
            let accepting = tokio::spawn(async move {
                while let Ok((near, _)) = listener.accept().await {
                    // The store may be away; then so is the link.
                    let (Some(link), Ok(far)) = (link.upgrade(), TcpStream::connect(&far).await) else {
                        continue;
                    };
                    tokio::spawn(async move { link.carry(near, far).await });
                }
            });
            Self { url: url.clone(), is_losing, lost, cut: Default::default(), accepting }
        });
        let config = sql::Config { url: link.url.clone(), ..store.config().clone() };
        (link, Store::connect(&config).expect("a sound configuration"))
    }

    /// From now on answers to inserts are lost, and their senders wait, until [`Self::cut`].
    pub fn lose_answers(&self) {
        self.lost.store(0, Ordering::SeqCst);
        self.is_losing.store(true, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    /// Breaks the connections whose answers were lost; later ones hold.
    pub fn cut(&self) {
        self.is_losing.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.cut.lock().expect("nobody panics with it")).cancel();
    }

    async fn carry(&self, near: TcpStream, far: TcpStream) {
        let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
        let inserts = AtomicBool::new(false);
        tokio::select! {
            () = forth(from_near, to_far, &inserts) => {}
            () = self.back(from_far, to_near, &inserts) => {}
        }
    }

    async fn back(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, inserts: &AtomicBool) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            if self.is_losing.load(Ordering::SeqCst) && inserts.load(Ordering::SeqCst) {
                let cut = self.cut.lock().expect("nobody panics with it").clone();
                self.lost.fetch_add(1, Ordering::SeqCst);
                return cut.cancelled().await;
            }
            if to.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries requests; notes whether the newest is an insert.
async fn forth(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, inserts: &AtomicBool) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        let sent = &bytes[..n];
        if sent.starts_with(b"POST ") || sent.starts_with(b"GET ") {
            inserts.store(is_insert(sent), Ordering::SeqCst);
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
    }
}

/// Whether a request inserts a batch: a statement of the address that names one of the doors.
fn is_insert(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    ["intake", "outcomes", "rejected_events"]
        .iter()
        .any(|door| line.contains(&format!("INSERT+INTO+{door}+")))
}
