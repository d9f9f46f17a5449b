//! From the safe traits to the C table: what the export macros call.
//!
//! This is the only unsafe code that a plugin author ever runs, and it keeps the promises of the
//! table for them: one answer to every call, also after a panic or a dropped task; no unwinding
//! across; handles that release themselves.
#![expect(unsafe_code, reason = "answers calls of the C table and owns its handles")]

mod auth;
mod storage;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    ffi::c_void,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::OnceLock,
};

use bytes::Bytes;
use futures_util::FutureExt;

pub use auth::auth_handshake;
pub use storage::storage_handshake;

use crate::{
    abi,
    crossing::{self, lend},
    error::{PluginError, Result},
    runtime,
};

/// The longest message of an error that crosses, in bytes; the host takes no more either.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Exports a [`StoragePlugin`](crate::StoragePlugin) as this library's one plugin.
///
/// Name, version and license go into the handshake; the last two come from `Cargo.toml`.
///
/// ```
/// # use boxvault_plugin_sdk::*;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config {}
/// struct Nowhere;
///
/// impl StoragePlugin for Nowhere {
///     type Config = Config;
///
///     async fn create(_: Config) -> Result<Box<dyn StorageBackend>> {
///         Err(PluginError::unavailable("there is no nowhere"))
///     }
/// }
///
/// export_storage_backend!(Nowhere, name = "nowhere");
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_storage_backend {
    ($plugin:ty, name = $name:literal) => {
        $crate::export_plugin!($crate::export::storage_handshake::<$plugin>, $name);
    };
}

/// Exports an [`AuthPlugin`](crate::AuthPlugin) as this library's one plugin.
///
/// Name, version and license go into the handshake; the last two come from `Cargo.toml`.
#[macro_export]
macro_rules! export_auth_provider {
    ($plugin:ty, name = $name:literal) => {
        $crate::export_plugin!($crate::export::auth_handshake::<$plugin>, $name);
    };
}

/// The one symbol; used by the two macros above.
#[doc(hidden)]
#[macro_export]
macro_rules! export_plugin {
    ($handshake:expr, $name:literal) => {
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn boxvault_plugin_entry() -> *const $crate::abi::Handshake {
                static ENTRY: $crate::export::Entry = $crate::export::Entry::new();
                ENTRY.handshake(|| {
                    $handshake($crate::export::Identity {
                        name: $name,
                        version: env!("CARGO_PKG_VERSION"),
                        license: env!("CARGO_PKG_LICENSE"),
                    })
                })
            }
        };
    };
}

/// Who a plugin is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The name, as in the configuration.
    pub name: &'static str,
    /// The plugin's own version.
    pub version: &'static str,
    /// An SPDX expression.
    pub license: &'static str,
}

/// The static handshake of a library, made at the first call.
#[derive(Debug, Default)]
pub struct Entry(OnceLock<Option<Exported>>);

#[derive(Debug)]
struct Exported(abi::Handshake);

// SAFETY: a handshake is plain data with pointers to static data; nobody changes it.
unsafe impl Send for Exported {}
// SAFETY: as above.
unsafe impl Sync for Exported {}

impl Entry {
    /// No handshake yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The handshake; null if making it panicked.
    pub fn handshake(
        &'static self,
        make: impl FnOnce() -> abi::Handshake,
    ) -> *const abi::Handshake {
        let exported =
            self.0.get_or_init(|| catch_unwind(AssertUnwindSafe(make)).ok().map(Exported));
        exported.as_ref().map_or(ptr::null(), |exported| ptr::from_ref(&exported.0))
    }
}

/// A handshake with everything in it but the extension.
fn handshake(
    kind: u32,
    identity: Identity,
    config_schema: String,
    table: *const c_void,
) -> abi::Handshake {
    abi::Handshake {
        magic: abi::MAGIC,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        size: crossing::size_of_table::<abi::Handshake>(),
        kind,
        reserved: 0,
        name: lend(identity.name),
        version: lend(identity.version),
        license: lend(identity.license),
        target: lend(crossing::TARGET),
        config_schema: lend(Box::leak(config_schema.into_boxed_str())),
        table,
        extension: None,
    }
}

/// The duty to answer a call exactly once. Dropped without an answer, it answers `Cancelled`.
struct Done(Option<abi::Completion>);

// SAFETY: the table says that a completion may be answered from any thread.
unsafe impl Send for Done {}

impl Done {
    const fn new(completion: abi::Completion) -> Self {
        Self(Some(completion))
    }

    fn send(mut self, outcome: &abi::Outcome) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: &abi::Outcome) {
        let Some(abi::Completion { host, call, done: Some(done) }) = self.0.take() else { return };
        // SAFETY: the host's function with the host's values; taken, so never called again.
        unsafe { done(host, call, ptr::from_ref(outcome)) };
    }

    fn ok(self) {
        self.send(&crossing::outcome(abi::STATUS_OK));
    }

    fn end(self) {
        self.send(&crossing::outcome(abi::STATUS_END));
    }

    fn data(self, data: Bytes) {
        let outcome =
            abi::Outcome { data: crossing::own(data), ..crossing::outcome(abi::STATUS_OK) };
        self.send(&outcome);
    }

    fn handle<T: Send>(self, value: T) {
        let outcome = abi::Outcome {
            handle: Box::into_raw(Box::new(value)).cast::<c_void>(),
            release: Some(release::<T>),
            ..crossing::outcome(abi::STATUS_OK)
        };
        self.send(&outcome);
    }

    fn error(mut self, error: PluginError) {
        self.fail(error);
    }

    fn fail(&mut self, mut error: PluginError) {
        // what was passed in may be quoted in it, whatever its length
        error.message.truncate(error.message.floor_char_boundary(MESSAGE_BYTES_MAX));
        let outcome = abi::Outcome {
            retry: u32::from(error.retry),
            data: crossing::own(error.message.into()),
            ..crossing::outcome(error.kind.number())
        };
        self.answer(&outcome);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.fail(PluginError::new(
                crate::PluginErrorKind::Cancelled,
                "the plugin gave the operation up",
            ));
        }
    }
}

unsafe extern "C" fn release<T>(handle: *mut c_void) {
    if handle.is_null() {
        return;
    }
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `Done::handle` made this pointer from a Box<T>; the host releases it once.
        let value = unsafe { Box::from_raw(handle.cast::<T>()) };
        runtime::with_context(|| drop(value));
    }));
    if let Err(payload) = dropped {
        tracing::error!("dropping a handle: {}", PluginError::from_panic(&*payload));
    }
}

/// Looks at a handle.
///
/// # Safety
/// The handle is null, or was made by [`Done::handle`] from a `T`, and is not released during `'a`.
unsafe fn peek<'a, T>(handle: *mut c_void) -> Result<&'a T> {
    // SAFETY: the caller keeps the promise.
    let value = unsafe { handle.cast::<T>().as_ref() };
    value.ok_or_else(|| crossing::violation("the host passed no handle"))
}

/// Waits for a piece of the author's code; a panic becomes an error.
async fn caught<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(result) => result,
        Err(payload) => Err(panicked(&*payload)),
    }
}

fn panicked(payload: &(dyn Any + Send)) -> PluginError {
    PluginError::from_panic(payload)
}

/// Where the first part of an operation runs.
#[derive(Clone, Copy)]
enum Start {
    /// On the caller's thread, up to the first wait.
    Eagerly,
    /// On the plugin's threads: for work that computes, or that runs once.
    OnThePluginsThreads,
}

/// Runs the author's code for a call, and answers it.
fn run<T: Send + 'static>(
    start: Start,
    completion: abi::Completion,
    future: Result<impl Future<Output = Result<T>> + Send + 'static>,
    answer: impl FnOnce(Done, T) + Send + 'static,
) {
    let done = Done::new(completion);
    let future = match future {
        Ok(future) => future,
        Err(error) => return done.error(error),
    };
    let task = async move {
        match caught(future).await {
            Ok(value) => answer(done, value),
            Err(error) => done.error(error),
        }
    };
    let started = catch_unwind(AssertUnwindSafe(|| match start {
        Start::Eagerly => runtime::spawn_eagerly(task),
        Start::OnThePluginsThreads => runtime::spawn(task),
    }));
    // Otherwise the task was dropped, and its `Done` has answered.
    if !matches!(started, Ok(Ok(()))) {
        tracing::error!("could not start an operation");
    }
}
