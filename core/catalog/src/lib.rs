//! Everything the database knows. The only SQL in the house.
//!
//! One module per noun, whose functions are the verbs: `boxes::find(&catalog, …)`. What comes back are plain records
//! of our own; nothing of the object-relational mapper is in a public signature. SQLite, PostgreSQL and MariaDB answer
//! alike: texts compare byte by byte, times are UTC in whole microseconds, sizes are `i64`.
//! The one decision worth knowing: every write is one statement or one short transaction that [`Catalog`] begins, and
//! none is ever open while bytes stream.
#![forbid(unsafe_code)]

mod clock;
mod connect;
mod entity;
mod error;
mod held;
mod migration;
mod paging;
mod rows;
mod snapshot;

pub mod accounts;
pub mod archives;
pub mod artifacts;
pub mod attempts;
pub mod audit;
pub mod avatars;
pub mod begun_sign_ins;
pub mod blobs;
pub mod boxes;
pub mod downloads;
pub mod idempotency;
pub mod invitations;
pub mod join_requests;
pub mod links;
pub mod memberships;
pub mod mirrors;
pub mod moves;
pub mod organizations;
pub mod outbox;
pub mod placements;
pub mod policies;
pub mod providers;
pub mod quotas;
pub mod resumable;
pub mod second_factors;
pub mod service_accounts;
pub mod sessions;
pub mod settings;
pub mod signing_keys;
pub mod store_moves;
pub mod tokens;
pub mod uploads;
pub mod usage;
pub mod users;
pub mod verifications;
pub mod versions;
pub mod watches;

#[cfg(test)]
mod suite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use clock::{Clock, SystemClock};
pub use connect::{Catalog, Database, Options, QueryFacts, QueryObserver};
pub use error::{CatalogError, ConflictReason, Noun, Source, Taken};
pub use held::{Held, Thing, state_at};
pub use paging::{Order, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, Paged};
pub use snapshot::sqlite_file;

/// What every function of the catalog answers.
pub type Result<T> = std::result::Result<T, CatalogError>;
