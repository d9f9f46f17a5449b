//! An OpenDAL operator as a BoxVault storage backend.
//!
//! All logic that the backends share lives here: keys, ranges, listings, parts, patience, errors, and the keys of the
//! configuration that several of them have. A backend adds its configuration, its operator, and what only it can do:
//! `service.rs` has the shapes of that.

#[cfg(feature = "http")]
mod addresses;
mod backend;
mod error;
#[cfg(feature = "http")]
mod http;
pub mod keys;
mod list;
mod parts;
mod patience;
mod service;
#[cfg(feature = "signed")]
mod signed;
mod staged;
mod stream;

#[cfg(feature = "http")]
pub use addresses::{built, folder, in_path, in_query, query};
pub use backend::OpendalBackend;
pub use error::{answered, from_opendal};
#[cfg(feature = "http")]
pub use http::{HttpOptions, http_client, http_transport};
pub use list::{Found, Page, rows_of};
pub use opendal::{Buffer, HttpTransporter, OperationContext, Operator, services};
pub use parts::Parts;
pub use patience::{Failures, Patience};
#[cfg(feature = "signed")]
pub use reqsign_core::{
    Context as SigningContext, Error as SigningError, ProvideCredential, ProvideCredentialChain,
    hash::base64_hmac_sha256, time::Timestamp as SigningTime,
};
pub use service::{CheckStore, FindUnfinished, OpenWriter, SignAddresses};
#[cfg(feature = "signed")]
pub use signed::{SignedRequests, find_credentials, read_json, read_xml, refused};
pub use staged::{STAGING, StagedFiles, abort_staged, list_staged, staged};
