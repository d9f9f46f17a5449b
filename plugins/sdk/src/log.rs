//! What a plugin logs goes to the host: its `tracing` events, and its panics.
//!
//! A library has its own copy of `tracing` and of the panic hook, so setting them here changes
//! nothing in the host. Spans are not carried over; an event's fields are put behind its message.
#![expect(unsafe_code, reason = "calls the host's log function")]

use std::{
    fmt::{self, Write},
    panic,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::{abi, crossing};

static LINK: OnceLock<Link> = OnceLock::new();

/// The host's log function.
struct Link(abi::Host);

// SAFETY: the host table says that its context may be used from any thread.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

/// Connects the plugin's logs to the host; the first host wins.
///
/// # Safety
/// `host` is null, or a host table that is valid for ever.
pub(crate) unsafe fn connect(host: *const abi::Host) {
    if host.is_null() || LINK.get().is_some() {
        return;
    }
    // SAFETY: not null; every version of the table starts with its size.
    let size = unsafe { host.cast::<u32>().read() };
    // SAFETY: the host says that so many bytes are there.
    let host = unsafe { crossing::read_sized(host, size) };
    if host.log.is_none() || LINK.set(Link(host)).is_err() {
        return;
    }
    // A plugin that has set its own subscriber keeps it.
    drop(tracing::subscriber::set_global_default(ToHost::default()));
    panic::set_hook(Box::new(|info| say(abi::LOG_ERROR, "panic", &info.to_string())));
}

fn say(level: u32, target: &str, message: &str) {
    let Some(Link(host)) = LINK.get() else { return };
    let Some(log) = host.log else { return };
    // SAFETY: the host's function with the host's context; both texts are lent for the call.
    unsafe { log(host.context, level, crossing::lend(target), crossing::lend(message)) };
}

/// Sends events to the host, and forgets spans.
#[derive(Default)]
struct ToHost {
    spans: AtomicU64,
}

fn level_number(level: Level) -> u32 {
    match level {
        Level::ERROR => abi::LOG_ERROR,
        Level::WARN => abi::LOG_WARN,
        Level::INFO => abi::LOG_INFO,
        Level::DEBUG => abi::LOG_DEBUG,
        Level::TRACE => abi::LOG_TRACE,
    }
}

fn wanted() -> u32 {
    LINK.get().map_or(0, |Link(host)| host.log_level_max)
}

impl Subscriber for ToHost {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && level_number(*metadata.level()) <= wanted()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match wanted() {
            0 => LevelFilter::OFF,
            abi::LOG_ERROR => LevelFilter::ERROR,
            abi::LOG_WARN => LevelFilter::WARN,
            abi::LOG_INFO => LevelFilter::INFO,
            abi::LOG_DEBUG => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        line.message.push_str(&line.fields);
        say(level_number(*metadata.level()), metadata.target(), &line.message);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// One event as a line of text.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
}
