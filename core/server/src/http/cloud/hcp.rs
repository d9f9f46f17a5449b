//! The HCP Vagrant Registry API of 2022-09-30, as Packer's `vagrant-registry` speaks it, and the token that it begins with:
//! one more dress of what `api/` does. Nothing takes long here, so each operation is done once it is answered.
//!
//! Source: `cloud-vagrant-box-registry/stable/2022-09-30` of HashiCorp's SDK for Go.

pub(crate) mod architectures;
pub(crate) mod boxes;
pub(crate) mod operations;
pub(crate) mod providers;
pub(crate) mod uploads;
pub(crate) mod versions;

/// Whether a route or a path speaks this dialect.
pub(crate) fn is_of_dialect(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    ["vagrant/2022-09-30/", "operation/2020-05-05/"].iter().any(|it| path.starts_with(it))
}
