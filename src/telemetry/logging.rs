//! Log lines on standard error.

use std::fmt;
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// From which level on is logged; can be changed while the process runs.
pub struct LogLevel(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl LogLevel {
    /// Sets it.
    pub fn set(&self, level: &str) {
        (self.0)(filter(level));
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

/// Starts logging to standard error at this level.
///
/// # Panics
///
/// If called twice in one process.
pub fn init_logging(format: LogFormat, level: &str) -> LogLevel {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A filter that is gone is that of a process that ends.
    match format {
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            LogLevel(Box::new(move |filter| drop(handle.reload(filter))))
        }
        LogFormat::Pretty => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            LogLevel(Box::new(move |filter| drop(handle.reload(filter))))
        }
    }
}

/// Pingora's own lines stay at `info` whatever is asked: below that it logs whole
/// request headers, credentials included. The parser of HTTP/2 is kept to errors: a stranger
/// could have it warn of every frame.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!(
        "{level},pingora=info,pingora_core=info,pingora_proxy=info,pingora_pool=info,\
         pingora_load_balancing=info,h2=error,hyper=info,sqlx=warn"
    ))
}
