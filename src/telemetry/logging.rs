//! Logs: one line an event, to standard error, as text or as flat JSON.
//!
//! What holds when nobody reads the pipe: lines are handed to a thread of their own through a
//! queue of [`WAITING`] lines. While the pipe is blocked, only that thread stands still; once the
//! queue is full, further lines are dropped and counted, and the first line that gets through
//! again says how many. The price: lines of a process that is killed may be missing. A process
//! that ends by itself keeps [`Logs`] until then, whose end waits for the queue for a second.

mod pipe;

use std::io;

use tracing::Subscriber;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;

pub use pipe::{Logs, WAITING};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For collectors: an object a line, the fields beside the message.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error("failed to read the log filter {filter:?}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// It is one word, and no level.
    #[error(
        "{level:?} is no log level: use error, warn, info, debug or trace, or directives such as info,kube_client=debug"
    )]
    Level {
        /// As it was given.
        level: String,
    },
    /// The thread that writes could not be started.
    #[error("failed to start the log writer")]
    Thread(#[source] io::Error),
    /// Somebody else has set up logging.
    #[error("failed to set up logging")]
    Taken(#[source] SetGlobalDefaultError),
}

/// Sets up logging for the process. The result is kept until the process ends.
///
/// `filter` is a level (`info`), which is that of our own lines, those of libraries being shown
/// from `warn` on; or a list of directives (`info,kube_client=debug`), taken as it is.
///
/// # Errors
/// When the filter cannot be read, or logging was set up before.
pub fn init(format: Format, filter: &str) -> Result<Logs, LoggingError> {
    let filter = parse(filter)?;
    let (pipe, logs) = pipe::open(format, io::stderr()).map_err(LoggingError::Thread)?;
    match format {
        Format::Text => tracing::subscriber::set_global_default(text(filter, pipe)),
        Format::Json => tracing::subscriber::set_global_default(json(filter, pipe)),
    }
    .map_err(LoggingError::Taken)?;
    Ok(logs)
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    let is_one_level = filter.parse::<tracing::metadata::LevelFilter>().is_ok();
    if !is_one_level && filter.chars().all(|it| it.is_ascii_alphanumeric()) {
        // Taken as a directive it would be the name of a module, and silence everything else.
        return Err(LoggingError::Level { level: filter.to_owned() });
    }
    let directives = if is_one_level { format!("warn,punctual={filter}") } else { filter.to_owned() };
    EnvFilter::try_new(directives).map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })
}

fn text(filter: EnvFilter, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl Subscriber {
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).finish()
}

fn json(filter: EnvFilter, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl Subscriber {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests;
