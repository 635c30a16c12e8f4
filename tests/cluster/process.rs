//! The operator's own process and what it is given: replicas replaced, credentials renewed, logs
//! nobody reads, probes held open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::harness::{Operator, Story, now, story};

/// A Schedule is at work; answers its first slot.
async fn started(story: &Story) -> Timestamp {
    let first = story.tick("").await;
    story.until_job("tick", first).await;
    first
}

#[test]
fn replicas_replaced_one_by_one_cost_no_slot() {
    story(async |story| {
        let mut replicas: Vec<Operator> = Vec::new();
        for name in ["a", "b", "c"] {
            replicas.push(story.operator(name).await);
        }
        let first = started(story).await;
        story.until_watching(3).await;
        // As a Deployment does it; the last one gets no time to end by itself.
        for name in ["d", "e", "f"] {
            replicas.push(story.operator(name).await);
            let old = replicas.remove(0);
            if name == "f" {
                old.signal("TERM");
                old.kill9().await;
            } else {
                assert!(old.sigterm().await.success());
            }
            story.tick_goes_on(&mut [], first, &format!("{name} took a place")).await;
        }
        story.tick_is_whole(first).await;
        // A Lease that nobody gave up is waited for.
        story.tick_was_on_time(12);
    });
}

#[test]
fn logs_that_nobody_reads_hold_up_nothing() {
    story(async |story| {
        // A pipe that takes not a single byte more.
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'\n'; 65_536]).unwrap();
        let operator = story.operator_logging_to(writer).await;
        story.leader(&[&operator]).await;
        let first = started(story).await;
        story.tick_goes_on(&mut [], first, "the pipe is full").await;
        // Nor does it matter that the other end goes.
        drop(reader);
        story.tick_goes_on(&mut [], first, "the pipe is closed").await;
        story.tick_is_whole(first).await;
        assert!(operator.sigterm().await.success());
    });
}

/// What the operator answers to a question about its health; nothing when it does not.
fn asked(address: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    let Ok(mut connection) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return answer };
    let patience = connection.set_read_timeout(Some(Duration::from_secs(2)));
    let sent = patience.and_then(|()| write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    drop(sent.and_then(|()| connection.read_to_string(&mut answer)));
    answer
}

#[test]
fn probes_held_open_by_slow_clients_hold_up_nothing() {
    story(async |story| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let operator = story.operator_with("a", &format!("--address={free}"), story.server()).await;
        story.leader(&[&operator]).await;
        let first = started(story).await;
        // More than there may be, each with half a request, and never another word.
        let mut slow = Vec::new();
        for _ in 0..200 {
            let mut connection = TcpStream::connect(free).unwrap();
            drop(connection.write_all(b"GET /metrics HTTP/1.1\r\nHost:"));
            slow.push(connection);
        }
        story.until("a probe is answered", async || asked(free, "/healthz").contains("200 OK").then_some(())).await;
        let metrics = || asked(free, "/metrics").contains("punctual_");
        story.until("metrics are answered", async || metrics().then_some(())).await;
        story.tick_goes_on(&mut [], first, "the probes are held").await;
        drop(slow);
        story.tick_was_on_time(3);
        story.tick_is_whole(first).await;
    });
}

#[test]
fn a_token_that_is_renewed_in_its_file_is_taken_up() {
    story(async |story| {
        let file = story.token_file("first").await;
        let mut operator = story.operator_by_token_file(&file).await;
        let first = started(story).await;
        let used = || {
            story
                .requests()
                .iter()
                .map(|it| it.credential.clone())
                .filter(|it| !it.is_empty())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(used().len(), 1);
        story.renew_token(&file, "second").await;
        story.until("the new token is used", async || (used().len() == 2).then_some(())).await;
        // The one from before is void.
        story.delete("Secret", "first").await;
        story.tick_goes_on(&mut [], first, "with the new token").await;
        let cached = now() + SignedDuration::from_secs(12);
        story.until_past(cached).await;
        story.tick_goes_on(&mut [], first, "the first token is void").await;
        assert!(operator.is_running());
        assert_eq!(story.requests().iter().filter(|it| it.code == 401).count(), 0);
        story.tick_is_whole(first).await;
    });
}
