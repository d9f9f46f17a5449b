//! Who may do what: Casbin policy files behind our own words.
//!
//! [`Policy`] is built from files, checked, and never changes; [`PolicyHandle`] holds the one in force and swaps it as
//! a whole. [`AccessRequest`] is the question, [`Decision`] the answer. Nothing here knows HTTP or SQL: memberships
//! come with the caller's identity, and how the caller stands to a thing comes as [`Relations`].
//!
//! The decision worth knowing: Casbin evaluates, but never reads files. A strict parser of our own stands in front of
//! it, because Casbin's reader silently drops what it does not understand, and what it drops may be a deny.
#![forbid(unsafe_code)]

mod error;
mod evaluator;
mod files;
mod handle;
mod index;
mod matrix;
mod pattern;
mod policy;
mod request;
mod rules;
mod subjects;
mod validate;
mod watch;

#[cfg(test)]
mod tests;

pub use error::{PolicyError, Problem};
pub use handle::{PolicyHandle, PolicyState};
pub use matrix::matrix;
pub use pattern::is_asked;
pub use policy::Policy;
pub use request::{AccessRequest, Decision, Reason, Relations, RuleRef};
pub use validate::{CheckReport, check_dir};
pub use watch::watch;
