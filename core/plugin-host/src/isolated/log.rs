//! What a plugin's process logs, on its way to the server's log.
//!
//! The smallest subscriber that does that: a line is its message and its fields as text, and spans
//! are not kept.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use boxvault_plugin_sdk::abi;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// The longest line; the rest is cut off.
const LINE_BYTES_MAX: usize = 8192;

/// Where lines go: their level, and their text.
pub(super) type Sink = Arc<dyn Fn(u32, String) + Send + Sync>;

/// Sends each event somewhere.
pub(super) struct Forward {
    level_max: u32,
    sink: Sink,
}

impl Forward {
    pub(super) fn new(level_max: u32, sink: Sink) -> Self {
        Self { level_max, sink }
    }
}

fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => abi::LOG_ERROR,
        Level::WARN => abi::LOG_WARN,
        Level::INFO => abi::LOG_INFO,
        Level::DEBUG => abi::LOG_DEBUG,
        Level::TRACE => abi::LOG_TRACE,
    }
}

fn filter(level_max: u32) -> LevelFilter {
    match level_max {
        0 => LevelFilter::OFF,
        abi::LOG_ERROR => LevelFilter::ERROR,
        abi::LOG_WARN => LevelFilter::WARN,
        abi::LOG_INFO => LevelFilter::INFO,
        abi::LOG_DEBUG => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= self.level_max
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.level_max))
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let mut text = line.message + &line.fields;
        if text.len() > LINE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
        }
        (self.sink)(number(*event.metadata().level()), text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // the server says by itself whose line it is
            "plugin" => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
        debug_assert!(written.is_ok(), "a text takes what is written to it");
    }
}
