//! Bodies that are too large, packed or not, or never end.

use std::io::{Read, Write};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::victim::{ENDPOINTS, MIB, Victim, reason, send};

/// What the process may grow by beyond what its limits allow at once: 32 MiB of bodies.
const GROWTH: u64 = 96 * MIB;

fn gzip_bomb(bytes: u64) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(b' ').take(bytes), &mut encoder).expect("packed");
    encoder.finish().expect("packed")
}

fn zstd_bomb(bytes: u64) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
    std::io::copy(&mut std::io::repeat(b' ').take(bytes), &mut encoder).expect("packed");
    encoder.flush().expect("packed");
    encoder.finish().expect("packed")
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_on_every_endpoint_and_memory_stays_flat() {
    let victim = Victim::start().await;
    let bombs = [("gzip", gzip_bomb(1_024 * MIB)), ("zstd", zstd_bomb(4_096 * MIB))];
    assert!(bombs.iter().all(|(_, bomb)| (bomb.len() as u64) < 2 * MIB), "they are small");
    let before = victim.resident();
    victim.forget_peak();
    for (packing, bomb) in &bombs {
        let requests = ENDPOINTS.iter().cycle().take(42).map(|path| {
            send(victim.post_as_usual(path).header("content-encoding", *packing).body(bomb.clone()))
        });
        for answer in futures_util::future::join_all(requests).await {
            // Too large, or too many at once.
            assert!(matches!(answer.status, 413 | 429), "{answer:?}");
            assert!(!reason(&answer).is_empty(), "{answer:?}");
        }
    }
    // Without a header that says so, payloads are unpacked by their first bytes.
    for path in &ENDPOINTS[3..] {
        let answer = send(victim.post_as_usual(path).body(bombs[0].1.clone())).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(reason(&answer).contains("is larger than"), "{answer:?}");
    }
    let grown = victim.peak().saturating_sub(before);
    assert!(grown < GROWTH, "{} MiB for {before}", grown / MIB);
    victim.still_serves().await;
    victim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_two_gigabytes_is_refused_before_it_is_read() {
    let victim = Victim::start().await;
    let before = victim.resident();
    victim.forget_peak();
    for path in ENDPOINTS {
        // Stated: nobody waits for the first byte of it.
        let mut stream = TcpStream::connect(&victim.address).await.expect("connected");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2147483648\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 512];
        let n = stream.read(&mut answer).await.expect("an answer");
        assert!(
            answer[..n].starts_with(b"HTTP/1.1 413"),
            "{path}: {}",
            String::from_utf8_lossy(&answer[..n])
        );
        // Unstated: read up to the limit.
        let part = vec![b'['; 1 << 20];
        let endless =
            futures_util::stream::iter(std::iter::repeat_n(part, 2_048)).map(Ok::<_, std::io::Error>);
        let request = victim.post_as_usual(path).body(reqwest::Body::wrap_stream(endless));
        match request.send().await {
            Ok(answer) => assert_eq!(answer.status(), 413, "{path}"),
            // The answer may be overtaken by the end of the connection on which the sender still writes.
            Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
        }
    }
    let grown = victim.peak().saturating_sub(before);
    assert!(grown < GROWTH, "{} MiB", grown / MIB);
    victim.still_serves().await;
    victim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_given_up_on_every_endpoint() {
    let victim = Victim::start().await;
    let dripping = ENDPOINTS.map(|path| {
        let drip = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        });
        send(victim.post_as_usual(path).body(reqwest::Body::wrap_stream(drip)))
    });
    for answer in futures_util::future::join_all(dripping).await {
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(reason(&answer).contains("did not come within 2 s"), "{answer:?}");
    }
    victim.still_serves().await;
    victim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_things_in_one_body_take_no_more_memory_than_they_may() {
    let victim = Victim::start().await;
    let before = victim.resident();
    victim.forget_peak();
    let many = |unit: &str, bytes: usize| {
        let mut text = String::with_capacity(bytes + unit.len());
        while text.len() < bytes {
            text.push_str(unit);
        }
        text.pop();
        text
    };
    let bodies = [
        ("/v1/predictions", format!("[{}]", many("{},", 4_000_000))),
        (
            "/v1/logs",
            format!(
                r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
                many("{},", 4_000_000)
            ),
        ),
        ("/v1/kserve", format!(r#"{{"instances":[{}]}}"#, many("1,", 4_000_000))),
        ("/v1/kserve", format!(r#"{{"instances":[[{}]]}}"#, many("1,", 4_000_000))),
        ("/v1/kserve", format!(r#"{{"inputs":[{}]}}"#, many("{},", 4_000_000))),
        ("/v1/kserve", format!(r#"{{{}}}"#, many("\"a\":1,", 4_000_000))),
    ];
    for (path, body) in bodies {
        for _ in 0..4 {
            let answer = send(victim.post_as_usual(path).body(body.clone())).await;
            assert!(matches!(answer.status, 200 | 400), "{path}: {answer:?}");
        }
    }
    // An empty log record takes two bytes in protobuf, and a hundred times that once it is decoded.
    let records: Vec<u8> = [0x12, 0x00].repeat(1_900_000);
    let nested = |tag: u8, message: Vec<u8>| {
        let (mut length, mut out) = (message.len(), vec![tag]);
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(message);
        out
    };
    let request = nested(0x0a, nested(0x12, records));
    let answer =
        send(victim.post("/v1/logs").header("content-type", "application/x-protobuf").body(request)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let grown = victim.peak().saturating_sub(before);
    assert!(grown < 3 * GROWTH, "{} MiB", grown / MIB);
    victim.still_serves().await;
    victim.stop().await;
}
