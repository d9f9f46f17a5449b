//! The list of test modules.
//!
//! What each is about stands in its own head; how to write one stands in `tests/README.md`.
#![forbid(unsafe_code)]

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod audit_accounts;
#[cfg(test)]
mod authz_matrix;
#[cfg(test)]
mod backup;
mod badges;
#[cfg(test)]
mod box_life;
#[cfg(test)]
mod box_pages;
#[cfg(test)]
mod boxes;
#[cfg(test)]
mod browsers;
mod cloud;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod defects;
#[cfg(test)]
mod directories;
#[cfg(test)]
mod discover;
#[cfg(test)]
mod download_links;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod endpoint_coverage;
#[cfg(test)]
mod events;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_plugins;
#[cfg(test)]
mod huge;
#[cfg(test)]
mod import;
#[cfg(test)]
mod invitations;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod join_requests;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod looking_after;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod mirrors;
#[cfg(test)]
mod names;
#[cfg(test)]
mod object_stores;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod organization_lives;
#[cfg(test)]
mod organizations;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod own_policies;
#[cfg(test)]
mod plugin_calls;
#[cfg(test)]
mod plugin_check;
#[cfg(test)]
mod plugin_limits;
#[cfg(test)]
mod plugin_state;
#[cfg(test)]
mod plugin_template;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod policy_remote;
#[cfg(test)]
mod profile;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod reliability;
#[cfg(test)]
mod resumable;
#[cfg(test)]
mod second_factor;
#[cfg(test)]
mod service_accounts;
#[cfg(test)]
mod several_stores;
#[cfg(test)]
mod sign_in;
mod single_sign_on;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod store_moves;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod two_servers;
#[cfg(test)]
mod typescript;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod users;
#[cfg(test)]
mod vagrant;
#[cfg(test)]
mod vagrant_dialect;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod watches;
#[cfg(test)]
mod web_ui;
