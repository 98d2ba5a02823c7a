//! Thousands of connections that say little or nothing.

use std::process::Command;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::victim::{HEADERS_WITHIN, MIB, Victim};

const CONNECTIONS: usize = 10_000;

/// Lets this process, and the one that it starts, have as many files open as the system allows.
fn allow_many_files() {
    let pid = std::process::id().to_string();
    let hard = Command::new("prlimit")
        .args(["--pid", &pid, "--nofile", "--noheadings", "--output", "HARD"])
        .output();
    let hard = String::from_utf8(hard.expect("prlimit is there").stdout).expect("text").trim().to_owned();
    let limit = format!("--nofile={hard}:{hard}");
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status().expect("prlimit is there");
    assert!(set.success(), "the limit of open files can be raised to {hard}");
    let enough = hard == "unlimited" || hard.parse::<usize>().is_ok_and(|hard| hard > CONNECTIONS + 2_000);
    assert!(enough, "this test needs more than {CONNECTIONS} open files; the system allows {hard}");
}

/// Opens a connection and sends headers that do not end.
async fn half_a_request(address: &str, n: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!("POST /v1/predictions HTTP/1.1\r\nhost: x\r\nx-n: {n}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_that_never_end_their_headers_are_turned_away_or_cut_off() {
    allow_many_files();
    let victim = Victim::start().await;
    let before = victim.resident();
    victim.forget_peak();
    let began = Instant::now();
    let mut held = Vec::with_capacity(CONNECTIONS);
    for n in 0..CONNECTIONS {
        held.extend(half_a_request(&victim.address, n).await);
    }
    let grown = victim.peak().saturating_sub(before);
    assert!(grown < 128 * MIB, "{} MiB for {CONNECTIONS} connections", grown / MIB);
    // Those beyond the bound were told so, or closed at once where too many came.
    let mut told = 0;
    let mut open = 0;
    for stream in &held {
        let mut answer = [0; 64];
        match stream.try_read(&mut answer) {
            Ok(n) if answer[..n].starts_with(b"HTTP/1.1 503") => told += 1,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => open += 1,
            _ => {}
        }
    }
    assert!(told > 0, "nobody was told");
    assert!(open <= service::http::Bounds::default().connections, "{open} are open");
    // The others lose their places when their headers do not end.
    let limit = HEADERS_WITHIN + tests::PATIENCE;
    for stream in &mut held {
        let left = limit.saturating_sub(began.elapsed());
        let ended = tokio::time::timeout(left, async {
            let mut rest = [0; 256];
            while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        });
        ended.await.expect("every connection is closed");
    }
    victim.still_serves().await;
    let left = victim.resident().saturating_sub(before);
    assert!(left < 96 * MIB, "{} MiB stay", left / MIB);
    victim.stop().await;
}
