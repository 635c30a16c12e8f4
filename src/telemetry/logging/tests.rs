use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Format, LoggingError, WAITING, json, parse, pipe, text};

/// What was written, readable by the test.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A page that nobody reads until it is opened.
struct Blocked(Receiver<()>, Page);

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once the other side is gone, this returns at once.
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged under this filter.
fn logged(format: Format, filter: &str, log: impl FnOnce()) -> String {
    let page = Page::default();
    let (pipe, logs) = pipe::open(format, page.clone()).expect("a thread");
    let filter = parse(filter).expect("a filter");
    match format {
        Format::Text => tracing::subscriber::with_default(text(filter, pipe), log),
        Format::Json => tracing::subscriber::with_default(json(filter, pipe), log),
    }
    drop(logs);
    page.text()
}

#[test]
fn json_is_flat_and_one_line_an_event() {
    let lines = logged(Format::Json, "info", || {
        tracing::info!(target: "punctual::shell", schedule = "nightly", count = 3, "started\nruns");
        tracing::warn!(target: "punctual::shell", "second");
    });
    let objects: Vec<serde_json::Value> = lines.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["message"], "started\nruns");
    assert_eq!(objects[0]["schedule"], "nightly");
    assert_eq!(objects[0]["count"], 3);
    assert_eq!(objects[0]["level"], "INFO");
    assert!(objects[0]["timestamp"].as_str().is_some_and(|it| it.ends_with('Z')));
    assert!(objects[0].as_object().is_some_and(|it| it.values().all(|value| !value.is_object())));
}

#[test]
fn nobody_can_write_a_line_of_their_own_or_move_the_cursor() {
    let lines = logged(Format::Text, "info", || {
        let forged = "harmless\n2026-06-01T10:00:00Z ERROR punctual: forged\r\u{1b}[2K\u{9b}2K";
        tracing::info!(target: "punctual::shell", text = forged, "{forged}");
    });
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(!lines.trim_end().contains(|it: char| it.is_control()), "{lines:?}");
}

#[test]
fn a_level_is_ours_and_libraries_speak_from_warn_on() {
    let lines = logged(Format::Text, "debug", || {
        tracing::debug!(target: "punctual::shell", "ours");
        tracing::trace!(target: "punctual::shell", "too fine");
        tracing::info!(target: "hyper::client", "theirs");
        tracing::warn!(target: "hyper::client", "their warning");
    });
    assert!(lines.contains("ours") && lines.contains("their warning"), "{lines}");
    assert!(!lines.contains("theirs") && !lines.contains("too fine"), "{lines}");
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn directives_are_taken_as_they_are() {
    let lines = logged(Format::Text, "off,hyper=info", || {
        tracing::error!(target: "punctual::shell", "ours");
        tracing::info!(target: "hyper::client", "theirs");
    });
    assert!(lines.contains("theirs") && !lines.contains("ours"), "{lines}");
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    let error = parse("punctual=loud").expect_err("refused");
    assert!(matches!(&error, LoggingError::Filter { filter, .. } if filter == "punctual=loud"));
}

#[test]
fn a_pipe_that_nobody_reads_stops_nobody_and_the_loss_is_told() {
    let page = Page::default();
    let (open, gate): (Sender<()>, _) = channel();
    let (mut pipe, logs) = pipe::open(Format::Json, Blocked(gate, page.clone())).expect("a thread");
    let before = Instant::now();
    for number in 0..WAITING + 100 {
        pipe.write_all(format!("{{\"number\":{number}}}\n").as_bytes()).expect("taken");
    }
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert_eq!(page.text(), "");
    drop(open);
    // The end of the process finds a full queue at first, and waits for no line it cannot ask for.
    while !page.text().contains(&format!("{{\"number\":{}}}\n", WAITING - 1)) {
        assert!(before.elapsed() < Duration::from_secs(10), "nothing was written");
        std::thread::yield_now();
    }
    drop(logs);
    let text = page.text();
    let told = text.lines().find(|it| it.contains("dropped")).expect("the loss is told");
    let told: serde_json::Value = serde_json::from_str(told).expect("JSON");
    let written = text.lines().filter(|it| it.contains("number")).count();
    assert_eq!(told["count"].as_u64(), u64::try_from(WAITING + 100 - written).ok());
    assert!((WAITING..WAITING + 100).contains(&written), "{written}");
}

#[test]
fn the_end_of_the_process_does_not_wait_for_a_blocked_pipe_for_long() {
    let (_open, gate): (Sender<()>, _) = channel();
    let (mut pipe, logs) = pipe::open(Format::Text, Blocked(gate, Page::default())).expect("a thread");
    pipe.write_all(b"stuck\n").expect("taken");
    let before = Instant::now();
    drop(logs);
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
}
