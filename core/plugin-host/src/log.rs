//! Plugin log lines into `tracing`, with the plugin's name.
#![expect(unsafe_code, reason = "reads the text that a plugin lends for the call")]

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use boxvault_plugin_sdk::{abi, crossing};
use tracing::{Level, debug, error, info, level_filters::LevelFilter, trace, warn};

use crate::bridge::Bridge;

/// The longest line that is taken from a plugin, in bytes; the rest is cut off.
const LINE_BYTES_MAX: usize = 8192;

/// What the host offers to the plugin of this bridge. Lives for ever, like the library.
pub(crate) fn host_table(bridge: &'static Bridge) -> &'static abi::Host {
    Box::leak(Box::new(abi::Host {
        size: crossing::size_of_table::<abi::Host>(),
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        log_level_max: level_number(LevelFilter::current()),
        reserved: 0,
        context: ptr::from_ref(bridge).cast_mut().cast::<c_void>(),
        log: Some(log),
    }))
}

pub(crate) fn level_number(filter: LevelFilter) -> u32 {
    match filter.into_level() {
        None => 0,
        Some(Level::ERROR) => abi::LOG_ERROR,
        Some(Level::WARN) => abi::LOG_WARN,
        Some(Level::INFO) => abi::LOG_INFO,
        Some(Level::DEBUG) => abi::LOG_DEBUG,
        Some(Level::TRACE) => abi::LOG_TRACE,
    }
}

unsafe extern "C" fn log(context: *mut c_void, level: u32, target: abi::Str, message: abi::Str) {
    // SAFETY: `context` is what `host_table` put there, a bridge that lives for ever, or null.
    let Some(bridge) = (unsafe { context.cast::<Bridge>().as_ref() }) else { return };
    // SAFETY: the plugin lends the text for this call.
    let target = unsafe { crossing::borrow(target) }.unwrap_or_default();
    // SAFETY: as above.
    let message = unsafe { crossing::borrow(message) }.unwrap_or_default();
    // A subscriber that panics must not unwind into the plugin.
    drop(catch_unwind(AssertUnwindSafe(|| write(&bridge.plugin, level, target, message))));
}

fn write(plugin: &str, level: u32, target: &[u8], message: &[u8]) {
    let module = String::from_utf8_lossy(target.get(..256).unwrap_or(target));
    let message = String::from_utf8_lossy(message.get(..LINE_BYTES_MAX).unwrap_or(message));
    match level {
        abi::LOG_ERROR => error!(plugin, %module, "{message}"),
        abi::LOG_WARN => warn!(plugin, %module, "{message}"),
        abi::LOG_INFO => info!(plugin, %module, "{message}"),
        abi::LOG_DEBUG => debug!(plugin, %module, "{message}"),
        _ => trace!(plugin, %module, "{message}"),
    }
}
