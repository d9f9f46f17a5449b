//! An OpenDAL operator as a BoxVault storage backend.
//!
//! All logic that the backends share lives here: keys, ranges, listings, errors. A backend adds its
//! configuration, its operator, and what only it can do, such as local files.

mod backend;
mod error;
mod list;
mod local;
mod stream;

pub use backend::OpendalBackend;
pub use error::from_opendal;
pub use local::LocalFiles;
pub use opendal::{Operator, services};
