//! What a plugin says about itself before anything else is called, and what the host offers it.

use std::ffi::c_void;

use super::{Str, Zeroable};

/// The first eight bytes of every handshake: "BOXVAULT" in a little-endian integer.
pub const MAGIC: u64 = 0x544C_5541_5658_4F42;
/// Must be the same on both sides.
pub const ABI_MAJOR: u16 = 1;
/// May differ: the newer side knows what the older one lacks.
pub const ABI_MINOR: u16 = 2;

/// `Handshake::kind` of a storage backend; `table` is a `StorageTable`.
pub const KIND_STORAGE: u32 = 1;
/// `Handshake::kind` of an auth provider; `table` is an `AuthTable`.
pub const KIND_AUTH: u32 = 2;

/// Log levels, for `Host::log`: somebody must act.
pub const LOG_ERROR: u32 = 1;
/// Something went wrong, and was coped with.
pub const LOG_WARN: u32 = 2;
/// One line for a meaningful event.
pub const LOG_INFO: u32 = 3;
/// For those who look for a defect.
pub const LOG_DEBUG: u32 = 4;
/// Everything.
pub const LOG_TRACE: u32 = 5;

/// What a plugin is. Static: valid and unchanged for the life of the process.
///
/// The one exported symbol is `const Handshake *boxvault_plugin_entry(void)`. It has no side
/// effects, may be called more than once, and returns NULL only if the plugin cannot work at all.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Handshake {
    /// `MAGIC`.
    pub magic: u64,
    /// `ABI_MAJOR` of the header that the plugin was built with.
    pub abi_major: u16,
    /// `ABI_MINOR` of the header that the plugin was built with.
    pub abi_minor: u16,
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// `KIND_STORAGE` or `KIND_AUTH`.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// The name, as in the configuration: small letters, digits, `-` and `_`.
    pub name: Str,
    /// The plugin's own version.
    pub version: Str,
    /// An SPDX expression, for instance `Apache-2.0 OR MIT`.
    pub license: Str,
    /// What it was built for: `<arch>-<os>-<libc>`, for instance `x86_64-linux-gnu`.
    pub target: Str,
    /// JSON Schema (2020-12) of the configuration. The host checks against it first.
    /// `writeOnly` marks secrets.
    pub config_schema: Str,
    /// The functions, by kind. Static.
    pub table: *const c_void,
    /// Looks up an optional table by name, for instance `EXTENSION_LOCAL_PATH`; NULL for an unknown
    /// one. What it returns is static. May be NULL.
    pub extension: Option<unsafe extern "C" fn(name: Str) -> *const c_void>,
}

/// What the host offers. Static: valid and unchanged for the life of the process.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Host {
    /// `sizeof` of this struct, as the host knows it.
    pub size: u32,
    /// The host's `ABI_MAJOR`.
    pub abi_major: u16,
    /// The host's `ABI_MINOR`.
    pub abi_minor: u16,
    /// The most talkative level that the host wants to see; one of the `LOG_…`.
    pub log_level_max: u32,
    /// 0.
    pub reserved: u32,
    /// For `log`; means nothing to the plugin.
    pub context: *mut c_void,
    /// Takes one line for the server's log: who speaks, and what they say. Does not block. Never
    /// log secrets.
    pub log:
        Option<unsafe extern "C" fn(context: *mut c_void, level: u32, target: Str, message: Str)>,
}

#[expect(unsafe_code, reason = "integers, raw pointers and optional functions only")]
// SAFETY: every field is an integer, a raw pointer or an optional function pointer.
unsafe impl Zeroable for Handshake {}

#[expect(unsafe_code, reason = "integers, raw pointers and optional functions only")]
// SAFETY: every field is an integer, a raw pointer or an optional function pointer.
unsafe impl Zeroable for Host {}
