//! What the operator says while it is simulated: its log, and its panics.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    static SPEAKER: RefCell<String> = const { RefCell::new(String::new()) };
    static SAID: RefCell<Vec<Said>> = const { RefCell::new(Vec::new()) };
}

/// One line of a life's log.
#[derive(Clone, Debug)]
pub struct Said {
    pub by: String,
    pub line: String,
    pub is_panic: bool,
}

/// Takes down what is said on this thread from now on, until the guard is dropped.
pub fn listen() -> DefaultGuard {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let speaker = SPEAKER.with_borrow(Clone::clone);
            if speaker.is_empty() {
                usual(panic);
            } else {
                note(panic.to_string(), true);
            }
        }));
    });
    SAID.take();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .without_time()
        .with_ansi(false)
        .with_writer(Notebook)
        .finish();
    tracing::subscriber::set_default(subscriber)
}

/// What was said since this was last asked.
pub fn take() -> Vec<Said> {
    SAID.take()
}

/// Whatever is said until this is dropped is said by a life of a replica.
pub struct Speaking;

pub fn speaking(name: &str) -> Speaking {
    SPEAKER.with_borrow_mut(|it| name.clone_into(it));
    Speaking
}

impl Drop for Speaking {
    fn drop(&mut self) {
        SPEAKER.with_borrow_mut(String::clear);
    }
}

fn note(line: String, is_panic: bool) {
    let by = SPEAKER.with_borrow(Clone::clone);
    SAID.with_borrow_mut(|it| it.push(Said { by, line, is_panic }));
}

struct Notebook;

impl io::Write for Notebook {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        note(String::from_utf8_lossy(line).trim().to_owned(), false);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Notebook {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
