//! The queue between those who log and the thread that writes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::Format;

/// Lines that wait at most.
pub const WAITING: usize = 8_192;
/// How long the end of the process waits for lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What the thread is given.
enum Message {
    Line(Vec<u8>),
    /// Everything before it is written: say so by letting go of this.
    Flush(#[expect(dead_code, reason = "its end is the message")] Sender<()>),
}

/// Takes lines, and never waits.
#[derive(Clone)]
pub(super) struct Pipe {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Keeps logging alive; when it goes, what waits is written first.
#[must_use = "the last lines are lost without it"]
pub struct Logs {
    queue: SyncSender<Message>,
}

impl Drop for Logs {
    fn drop(&mut self) {
        let (done, written) = channel();
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // Either way we are done: nothing is ever sent.
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}

/// Starts the thread that writes.
pub(super) fn open(format: Format, into: impl Write + Send + 'static) -> io::Result<(Pipe, Logs)> {
    let (queue, waiting) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let pipe = Pipe { queue: queue.clone(), dropped: Arc::clone(&dropped) };
    std::thread::Builder::new().name("logs".to_owned()).spawn(move || write_all(format, &waiting, &dropped, into))?;
    Ok((pipe, Logs { queue }))
}

fn write_all(format: Format, waiting: &Receiver<Message>, dropped: &AtomicU64, mut into: impl Write) {
    for message in waiting {
        if let Message::Line(line) = message {
            // There is nowhere left to complain to.
            let _ = into.write_all(&line);
            match dropped.swap(0, Ordering::Relaxed) {
                0 => {}
                count => {
                    let _ = into.write_all(confession(format, count).as_bytes());
                }
            }
        }
    }
}

fn confession(format: Format, count: u64) -> String {
    let message = "log lines were dropped because nobody read them in time";
    match format {
        Format::Text => format!("WARN punctual: {message} count={count}\n"),
        Format::Json => format!("{{\"level\":\"WARN\",\"message\":\"{message}\",\"count\":{count}}}\n"),
    }
}

/// The subscriber writes a line with one call.
impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(one_line(line))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The line, whatever was logged: what looks like the next one, or tells a terminal what to do, is
/// made harmless. JSON has none of it.
fn one_line(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let (text, end) = text.strip_suffix('\n').map_or((text.as_ref(), ""), |it| (it, "\n"));
    let harmless = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    harmless.chain(end.chars()).collect::<String>().into_bytes()
}

impl<'a> MakeWriter<'a> for Pipe {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
