//! Signed addresses, version 4: what is signed, and how it stands in the address.
//!
//! Source: "V4 signing process with your own program", and Google's own examples in `googleapis/conformance-tests`.

use std::time::Duration;

use boxvault_plugin_sdk::{PluginError, Result};
use boxvault_storage_opendal::query;
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::account::Account;

/// An address that gives whoever has it the right to one request.
pub(crate) struct Grant<'a> {
    /// The request's method.
    pub(crate) method: &'a str,
    /// Where the store is for clients, without a slash at the end.
    pub(crate) endpoint: &'a str,
    /// Bucket and object, written as in an address; with a slash at the beginning.
    pub(crate) path: &'a str,
    /// What the address asks for besides.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// For how long.
    pub(crate) expires_in: Duration,
}

impl Grant<'_> {
    /// The address.
    pub(crate) fn signed_by(&self, account: &Account, now: DateTime<Utc>) -> Result<String> {
        let (text, query) = self.text(&account.email, now)?;
        let signature = HEXLOWER.encode(&account.sign(text.as_bytes())?);
        let Self { endpoint, path, .. } = self;
        Ok(format!("{endpoint}{path}?{query}&X-Goog-Signature={signature}"))
    }

    /// What is signed, and the query that it signs.
    fn text(&self, email: &str, now: DateTime<Utc>) -> Result<(String, String)> {
        let no_host = || PluginError::invalid_config("endpoint: there is no host in it");
        let (_, rest) = self.endpoint.split_once("://").ok_or_else(no_host)?;
        let (host, folder) =
            rest.split_once('/').map_or((rest, ""), |(host, folder)| (host, folder));
        let mark = if folder.is_empty() { "" } else { "/" };
        let date = now.format("%Y%m%d");
        let scope = format!("{date}/auto/storage/goog4_request");
        let credential = format!("{email}/{scope}");
        let moment = now.format("%Y%m%dT%H%M%SZ").to_string();
        let seconds = self.expires_in.as_secs().to_string();
        let mut pairs = vec![
            ("X-Goog-Algorithm", "GOOG4-RSA-SHA256"),
            ("X-Goog-Credential", &*credential),
            ("X-Goog-Date", &*moment),
            ("X-Goog-Expires", &*seconds),
            ("X-Goog-SignedHeaders", "host"),
        ];
        pairs.extend(self.query);
        pairs.sort_unstable();
        let query = query(&pairs);
        let request = format!(
            "{}\n{mark}{folder}{}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD",
            self.method, self.path
        );
        let digest = HEXLOWER.encode(&Sha256::digest(request.as_bytes()));
        Ok((format!("GOOG4-RSA-SHA256\n{moment}\n{scope}\n{digest}"), query))
    }
}

#[cfg(test)]
mod tests {
    use boxvault_storage_opendal::in_path;

    use super::*;

    const EMAIL: &str = "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com";

    /// The hash in what is signed.
    fn signed(grant: &Grant<'_>, now: &str) -> String {
        let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        let (text, _) = grant.text(EMAIL, now).unwrap();
        text.rsplit('\n').next().unwrap().to_owned()
    }

    /// `storage/v1/v4_signatures.json` of `googleapis/conformance-tests`, by the names that its cases have there.
    #[test]
    fn what_is_signed_is_what_google_says_it_should_be() {
        let google = "https://storage.googleapis.com";
        let slashes = format!(
            "/test-bucket/{}",
            in_path("/path/with/slashes/under_score/amper&sand/file.ext")
        );
        let (early, late) = ("2019-02-01T09:00:00Z", "2019-03-01T09:00:00Z");
        let get = Grant {
            method: "GET",
            endpoint: google,
            path: "/test-bucket/test-object",
            query: &[],
            expires_in: Duration::from_secs(10),
        };
        for (case, grant, now, expected) in [
            (
                "Simple GET",
                Grant { method: "GET", ..get },
                early,
                "00e2fb794ea93d7adb703edaebdd509821fcc7d4f1a79ac5c8d2b394df109320",
            ),
            (
                "Simple PUT",
                Grant { method: "PUT", ..get },
                early,
                "78742860705da91404222d5d66ff89850292471199c3c2808d116ad12e6177b4",
            ),
            (
                "Vary expiration and timestamp",
                Grant { expires_in: Duration::from_secs(20), ..get },
                late,
                "779f19fdb6fd381390e2d5af04947cf21750277ee3c20e0c97b7e46a1dff8907",
            ),
            (
                "Vary bucket and object",
                Grant { path: "/test-bucket2/test-object2", ..get },
                early,
                "a139afbf35ac30e9864f63197f79609731ab1b0ca166e2a456dba156fcd3f9ce",
            ),
            (
                "Forward Slashes should not be stripped",
                Grant { path: &slashes, ..get },
                early,
                "63c601ecd6ccfec84f1113fc906609cbdf7651395f4300cecd96ddd2c35164f8",
            ),
        ] {
            assert_eq!(signed(&grant, now), expected, "{case}");
        }
    }
}
