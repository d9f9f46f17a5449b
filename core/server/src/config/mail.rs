//! `[mail]`: how messages reach users.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{duration::HumanDuration, secret::Secret};

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// After a first word in plain text; without it nothing is sent.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    Off,
}

/// `[mail]`: messages to users.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server. Default: none; messages become files in a folder.
    pub host: Option<String>,
    /// Its port. Default 587.
    pub port: u16,
    /// How the connection is encrypted: `starttls`, `tls` or `off`. Default `starttls`.
    pub tls: MailTls,
    /// Certificates in PEM form that are trusted besides those of the system. Default: none.
    pub ca_file: Option<PathBuf>,
    /// The name that the mail server wants. Default: none.
    pub username: Option<String>,
    /// Its password. Set both or neither.
    pub password: Option<Secret>,
    /// Who the messages come from. Needed with a host; default: `boxvault` at the public URL's host.
    pub from: Option<String>,
    /// How long the mail server may take for one message. Default 30 s.
    pub timeout: HumanDuration,
    /// Attempts to send one message. Default 8.
    pub attempts_max: u32,
    /// The pause after the first failed attempt; each further one is twice as long. Default 1 min.
    pub retry_first: HumanDuration,
    /// The longest pause between two attempts. Default 1 h.
    pub retry_longest: HumanDuration,
    /// The folder of messages without a mail server. Default: `mail` in the data folder.
    pub folder: Option<PathBuf>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            tls: MailTls::Starttls,
            ca_file: None,
            username: None,
            password: None,
            from: None,
            timeout: HumanDuration::from_secs(30),
            attempts_max: 8,
            retry_first: HumanDuration::from_mins(1),
            retry_longest: HumanDuration::from_hours(1),
            folder: None,
        }
    }
}
