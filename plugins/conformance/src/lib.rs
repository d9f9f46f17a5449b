//! The judge of plugins: one suite, run on both sides of the plugin boundary.
//!
//! [`storage::run`] and [`auth::run`] take a function that makes an instance, try out everything the
//! traits promise, and report case by case. Because the host hands back the trait that the author
//! wrote, the same suite judges the author's code directly and the loaded library. What a plugin
//! does not declare is not asked of it, and the report says so. [`servers`] are those that plugins are judged with;
//! [`auth::Driver`] is a person's browser at one.

pub mod abi;
pub mod auth;
mod bytes;
mod case;
pub mod faults;
mod report;
pub mod servers;
pub mod storage;

pub use report::{CaseReport, Outcome, Report};
