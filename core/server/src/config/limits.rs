//! `[limits]`: what one caller, one request and one file may cost.
//!
//! Every limit on untrusted input has its key here; a limit that is no key is a named constant
//! beside the code that keeps it.

use boxvault_types::byte_count::ByteCount;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// How much of a box archive is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveCheck {
    /// Up to its `metadata.json`.
    Metadata,
    /// To its end: all of it is decompressed.
    Whole,
}

/// Limits on sizes, times, counts and rates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The body of a request that carries JSON. Default 1 MiB.
    pub json_body_bytes_max: ByteCount,
    /// The body of a request that carries the files of a policy, as JSON. Default 16 MiB.
    pub policy_body_bytes_max: ByteCount,
    /// The picture of a user. Default 512 KiB.
    pub avatar_bytes_max: ByteCount,
    /// The picture of a box. Default 1 MiB.
    pub artwork_bytes_max: ByteCount,
    /// One uploaded file. Default 200 GiB.
    pub upload_bytes_max: ByteCount,
    /// The files of one organization together, each file counted, unless a platform admin set another quota; zero is
    /// no limit. Default 0 B.
    pub organization_bytes_max: ByteCount,
    /// One file of an organization, unless a platform admin set another quota; zero is no limit. Default 0 B.
    pub organization_file_bytes_max: ByteCount,
    /// The rules of one organization's own, as a text. Default 64 KiB.
    pub organization_policy_bytes_max: ByteCount,
    /// The lines of the rules of one organization's own. Default 500.
    pub organization_policy_lines_max: usize,
    /// Uploads that run at once on this server; more get 503. Default 64.
    pub uploads_concurrent_max: usize,
    /// The longest pause between two pieces of an upload. Default 60 s.
    pub upload_idle_timeout: HumanDuration,
    /// Uploads that can be continued, of one user, that are not finished. Default 32.
    pub uploads_open_per_user_max: u64,
    /// What an upload that can be continued keeps as one part: the most that is lost when a server dies. Default 64 MiB.
    pub upload_part_bytes_max: ByteCount,
    /// The age at which an upload that nobody finished is swept. Default 1 day.
    pub uploads_abandoned_after: HumanDuration,
    /// How long a download link works. Default 1 h.
    pub download_link_ttl: HumanDuration,
    /// How long a ticket for an upload works: until its first byte. Default 12 h.
    pub upload_ticket_ttl: HumanDuration,
    /// How long the token works that a service account gets by OAuth. Default 1 h.
    pub service_token_ttl: HumanDuration,
    /// How long the address works that a download is sent to at the object store, until its first byte. Default 5 min.
    pub presigned_download_ttl: HumanDuration,
    /// How long an address works that takes a part of a file at the object store, until its first byte. Default 1 h.
    pub presigned_upload_ttl: HumanDuration,
    /// The longest time a client may take no byte of an answer. Default 60 s.
    pub download_write_timeout: HumanDuration,
    /// The time to send a request's head. Default 30 s.
    pub header_timeout: HumanDuration,
    /// The time to answer a request that moves no file. Default 30 s.
    pub request_timeout: HumanDuration,
    /// The longest pause on a connection between two requests. Default 120 s (2 min).
    pub connection_idle_timeout: HumanDuration,
    /// Requests that one user, or one address without a user, may make in a minute, but for files of
    /// the web page; zero is no limit. Default 1200.
    pub requests_per_minute: u32,
    /// Requests beyond that rate that are let through at once. Default 600.
    pub requests_burst: u32,
    /// Sign-ins and other guesses at a password that one address may make in a minute; zero is no
    /// limit. Default 30.
    pub sign_in_requests_per_minute: u32,
    /// Streams of events that are open at once on this server. Default 1000.
    pub event_streams_max: usize,
    /// Streams of events of one user that are open at once: tabs of one browser share one. Default 20.
    pub event_streams_per_user_max: usize,
    /// What a box archive may unpack to while its `metadata.json` is looked for. Default 1 TiB.
    pub archive_decompressed_bytes_max: ByteCount,
    /// How much of a box archive is looked at. Default `metadata`.
    pub archive_check: ArchiveCheck,
    /// The size of the `metadata.json` in a box archive. Default 1 MiB.
    pub archive_metadata_bytes_max: ByteCount,
    /// How long the answer to a request with an `Idempotency-Key` is kept, and given again. Default
    /// 1 day.
    pub idempotency_keys_kept_for: HumanDuration,
    /// Items on a page of a list, when the caller does not say. Default 30.
    pub page_size_default: u32,
    /// Items on a page of a list, at most. Default 200.
    pub page_size_max: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            json_body_bytes_max: ByteCount(MIB),
            policy_body_bytes_max: ByteCount(16 * MIB),
            avatar_bytes_max: ByteCount(MIB / 2),
            artwork_bytes_max: ByteCount(MIB),
            upload_bytes_max: ByteCount(200 * GIB),
            organization_bytes_max: ByteCount(0),
            organization_file_bytes_max: ByteCount(0),
            organization_policy_bytes_max: ByteCount(MIB / 16),
            organization_policy_lines_max: 500,
            uploads_concurrent_max: 64,
            upload_idle_timeout: HumanDuration::from_mins(1),
            uploads_open_per_user_max: 32,
            upload_part_bytes_max: ByteCount(64 * MIB),
            uploads_abandoned_after: HumanDuration::from_days(1),
            download_link_ttl: HumanDuration::from_hours(1),
            upload_ticket_ttl: HumanDuration::from_hours(12),
            service_token_ttl: HumanDuration::from_hours(1),
            presigned_download_ttl: HumanDuration::from_mins(5),
            presigned_upload_ttl: HumanDuration::from_hours(1),
            download_write_timeout: HumanDuration::from_mins(1),
            header_timeout: HumanDuration::from_secs(30),
            request_timeout: HumanDuration::from_secs(30),
            connection_idle_timeout: HumanDuration::from_mins(2),
            requests_per_minute: 1200,
            requests_burst: 600,
            sign_in_requests_per_minute: 30,
            event_streams_max: 1000,
            event_streams_per_user_max: 20,
            archive_decompressed_bytes_max: ByteCount(TIB),
            archive_check: ArchiveCheck::Metadata,
            archive_metadata_bytes_max: ByteCount(MIB),
            idempotency_keys_kept_for: HumanDuration::from_days(1),
            page_size_default: 30,
            page_size_max: 200,
        }
    }
}
