//! Log lines: `tracing` to standard error, as text for people or JSON for machines.
//!
//! Standard output stays free for what a command was asked to print.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter};

use crate::config::{LogConfig, LogFormat};

/// Libraries whose lines say again what ours say. The configuration's filter stands after these and
/// so overrules them, for instance with `salvo_core=info`.
const QUIET_LIBRARIES: &str = "salvo_core=warn,sea_orm_migration=warn";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is malformed.
    #[error("log.filter is not a filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another subscriber is there already.
    #[error("logging is set up already")]
    AlreadySet(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends all log lines of this process to standard error. Colors only where a terminal shows them.
///
/// # Errors
///
/// When the filter is malformed, or logging was set up before.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let colors = if io::stderr().is_terminal() { Colors::Allowed } else { Colors::Never };
    tracing::subscriber::set_global_default(subscriber(config, io::stderr, colors)?)?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colors {
    /// Unless `NO_COLOR` forbids them.
    Allowed,
    Never,
}

fn subscriber<W>(
    config: &LogConfig,
    writer: W,
    colors: Colors,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(format!("{QUIET_LIBRARIES},{}", config.filter))?;
    let builder = fmt().with_env_filter(filter).with_writer(writer);
    // The builder heeds NO_COLOR as long as nobody asks for colors in so many words.
    let builder = if colors == Colors::Never { builder.with_ansi(false) } else { builder };
    Ok(match config.format {
        LogFormat::Text => Box::new(builder.finish()),
        // Fields of the event beside its message, so that a query needs no nesting.
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let config = LogConfig { format, filter: filter.to_owned() };
        let subscriber = subscriber(&config, move || writer.clone(), Colors::Never).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            info!(size_bytes = 7, "stored artifact for acme/debian");
            debug!("only for us");
            info!(target: "salvo_core::server", "what a library says");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_one_object_each_with_the_fields_beside_the_message() {
        let text = logged(LogFormat::Json, "info");
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "stored artifact for acme/debian");
        assert_eq!(line["size_bytes"], 7);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn text_lines_are_plain_and_the_filter_decides_what_is_written() {
        let text = logged(LogFormat::Text, "info");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO") && text.contains("size_bytes=7"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colors outside a terminal: {text:?}");
        assert_eq!(logged(LogFormat::Text, "warn,boxvault::telemetry=debug").lines().count(), 2);
        assert_eq!(logged(LogFormat::Text, "error"), "");
        assert!(logged(LogFormat::Text, "salvo_core=info").contains("what a library says"));
    }

    #[test]
    fn a_malformed_filter_is_an_error() {
        let config = LogConfig { format: LogFormat::Text, filter: "boxvault=loud".to_owned() };
        assert!(subscriber(&config, io::sink, Colors::Never).is_err());
    }
}
