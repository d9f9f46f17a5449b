//! Another registry, read over HTTP: which boxes it has, what its catalogues say, and the bytes of its files.
//!
//! Anything that serves Vagrant's catalogues will do: another BoxVault, Vagrant Cloud and what speaks its API, or one
//! `metadata.json` on a web server. Knows nothing of what is done with it: `app` imports and mirrors. Alone in the
//! server it asks addresses that somebody else wrote down, so what it may reach is decided here ([`Reach`]).

mod address;
mod catalogue;
mod reach;
mod reader;

use reqwest::StatusCode;

pub(crate) use self::{
    address::Upstream,
    catalogue::{UpstreamBox, UpstreamFile, UpstreamVersion},
    reach::{Hosts, Reach},
    reader::{Answer, FileBody, Options, Reader, certificates},
};

/// Why an upstream gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It is no address of a registry or a catalogue.
    #[error("{0}")]
    Address(String),
    /// The host is not one that may be asked.
    #[error("the host {0} is not one that this server may fetch from (mirror.upstream_hosts)")]
    HostRefused(String),
    /// The host is at a private address.
    #[error(
        "the host {0} has a private address, which this server does not fetch from (mirror.private_addresses_allowed)"
    )]
    PrivateAddress(String),
    /// It does not answer, or not to the end.
    #[error("{host} does not answer")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("{host} sent nothing for {seconds} s")]
    TooSlow {
        /// The host.
        host: String,
        /// How long that was.
        seconds: u64,
    },
    /// It has no such thing, or hides it.
    #[error("{0} has no such thing, or shows it only with a token")]
    NotFound(String),
    /// It answers otherwise.
    #[error("{host} answers {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: StatusCode,
    },
    /// It leads from address to address.
    #[error("{host} leads to more than {max} other addresses in a row")]
    TooManyRedirects {
        /// The host.
        host: String,
        /// How many are followed.
        max: usize,
    },
    /// It leads to an address that is not followed.
    #[error("{host} leads to an address that is not followed: {why}")]
    BadRedirect {
        /// The host.
        host: String,
        /// Why not.
        why: String,
    },
    /// What it says is longer than is read.
    #[error("{host} sends a document of more than {max} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// Bytes.
        max: u64,
    },
    /// What it says is something else.
    #[error("what {host} sends is no catalogue of a box: {why}")]
    NotACatalogue {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// The client cannot be made.
    #[error("cannot make requests")]
    Client(#[source] reqwest::Error),
}

impl UpstreamError {
    /// Whether the upstream as a whole does not answer now, rather than not as it should.
    pub(crate) fn is_of_all(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// Whether the upstream says that the thing is not there, rather than nothing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }
}
