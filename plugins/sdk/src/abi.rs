//! The C table: `#[repr(C)]` data and function pointers, and nothing else. Depends on nothing.
//!
//! `include/boxvault_plugin.h` is generated from these files, comments included, so the comments
//! speak to somebody who writes C. Rules that hold everywhere:
//!
//! - Structs grow only at the end. Their `size` says how much is there; what is missing is zero.
//! - Whoever allocated frees: bytes and handles carry their own `release`.
//! - Borrowed text is UTF-8, not terminated, and valid only until the called function returns.
//! - Every function pointer may be called from any thread.
//! - Nothing unwinds across: no exception, no panic, no `longjmp`.
//!
//! Not here: what makes this safe for Rust (`crossing`, `export`).

mod auth;
mod bytes;
mod call;
mod error;
mod handshake;
mod storage;

pub use auth::*;
pub use bytes::*;
pub use call::*;
pub use error::*;
pub use handshake::*;
pub use storage::*;

/// The same struct, all zero: no function, no text, no size.
///
/// # Safety
/// Implemented only for `#[repr(C)]` structs of integers, raw pointers and optional function
/// pointers, for which all zero bits are a valid value.
#[expect(unsafe_code, reason = "says of each table that zero bits are valid")]
pub unsafe trait Zeroable: Copy {}
