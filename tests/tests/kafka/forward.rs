//! A way to the store that can be closed and opened again, as networks do.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

pub struct Forward {
    port: u16,
    to: String,
    open: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

impl Forward {
    /// # Panics
    /// Where the address is not `http://host:port`.
    pub async fn to(url: &str) -> Self {
        let to = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let forward = Self { port: tests::free_port(), to, open: Arc::default() };
        forward.open().await;
        forward
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn open(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("its own port");
        let to = self.to.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut inside, _)) = listener.accept().await {
                let to = to.clone();
                connections.spawn(async move {
                    if let Ok(mut outside) = TcpStream::connect(&to).await {
                        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                    }
                });
            }
        });
        *self.open.lock().await = Some(task);
    }

    /// Breaks every connection and takes no more.
    pub async fn close(&self) {
        if let Some(task) = self.open.lock().await.take() {
            task.abort();
            let _ = task.await;
        }
    }
}
