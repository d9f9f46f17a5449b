//! The nouns of BoxVault: what every room may talk about.
//!
//! Names are parsed once, at the edge, and trusted from then on. Nothing here does I/O, knows SQL, HTTP or a plugin.
//! The one decision worth knowing: request bodies ([`params`]) and response bodies ([`views`]) live here and not in
//! the server, so that the tests, the catalog and the API document speak of the same shapes.
#![forbid(unsafe_code)]

pub mod action;
pub mod byte_count;
pub mod digest;
pub mod error;
pub mod identity;
pub mod ids;
pub mod names;
pub mod params;
pub mod scope;
pub mod tags;
pub mod version;
pub mod views;
