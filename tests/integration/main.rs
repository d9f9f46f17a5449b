//! The list of test modules.
//!
//! What each is about stands in its own head; how to write one stands in `tests/README.md`.
#![forbid(unsafe_code)]

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod authz_matrix;
#[cfg(test)]
mod boxes;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod endpoint_coverage;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod names;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod organizations;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod reliability;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod vagrant;
#[cfg(test)]
mod vagrant_dialect;
#[cfg(test)]
mod versions;
