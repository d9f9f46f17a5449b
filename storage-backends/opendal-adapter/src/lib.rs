//! An OpenDAL operator as a BoxVault storage backend.
//!
//! All logic that the backends share lives here: keys, ranges, listings, errors. A backend adds its
//! configuration, its operator, and what only it can do, such as writing plain files.

mod backend;
mod error;
mod list;
mod stream;

pub use backend::OpendalBackend;
pub use error::from_opendal;
pub use opendal::{Operator, services};
