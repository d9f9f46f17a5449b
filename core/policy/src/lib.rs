//! Who may do what: Casbin policy files behind our own words.
//!
//! [`Policy`] is built from files, checked, and never changes; [`PolicyHandle`] holds the one in force and swaps it as
//! a whole. [`AccessRequest`] is the question, [`Decision`] the answer. Nothing here knows HTTP or SQL: memberships
//! come with the caller's identity, and how the caller stands to a thing comes as [`Relations`].
//!
//! The decision worth knowing: Casbin evaluates, but never reads files. A strict parser of our own stands in front of
//! it, because Casbin's reader silently drops what it does not understand, and what it drops may be a deny.
#![forbid(unsafe_code)]

mod diff;
mod domain;
mod error;
mod evaluator;
mod expectations;
mod explain;
mod files;
mod grid;
mod handle;
mod index;
mod lint;
mod matrix;
mod overlay;
mod pattern;
mod policy;
mod print;
mod question;
mod request;
mod rules;
mod site;
mod subjects;
mod validate;
mod watch;
mod who_can;

#[cfg(test)]
mod tests;

pub use diff::{Change, PolicyDiff, diff, diff_of_organization};
pub use error::{PolicyError, Problem};
pub use expectations::{TestFailure, TestReport};
pub use explain::{Cause, Explanation, NearRule, explain};
pub use files::PolicyFiles;
pub use handle::{PolicyHandle, PolicyState};
pub use matrix::{Matrix, MatrixRow, matrix};
pub use overlay::{Overlay, OverlayLimits, OverlayState};
pub use pattern::is_asked;
pub use policy::Policy;
pub use print::{format_dir, format_file, save_file};
pub use request::{AccessRequest, Decision, QuestionError, Reason, Relations, RuleRef};
pub use validate::{CheckReport, check};
pub use watch::watch;
pub use who_can::{Grant, Holder, Listing, WhoCan, list, who_can};
