//! What is counted, and its text form for Prometheus. One registry per server, never global.

mod plugins;

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use boxvault_catalog::QueryFacts;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use self::plugins::PluginFamilies;
use crate::app::plugins::Counted;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabels {
    store: String,
}

/// The numbers of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    durations: Family<RouteLabels, Histogram>,
    in_flight: Gauge<i64, AtomicI64>,
    uploads: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    uploads_in_flight: Gauge<i64, AtomicI64>,
    upload_bytes: Counter<u64, AtomicU64>,
    download_bytes: Counter<u64, AtomicU64>,
    downloads_redirected: Counter<u64, AtomicU64>,
    decisions: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    sign_ins: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    swept: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    audited: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    queries: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    query_durations: Histogram,
    policy_problems: Gauge<i64, AtomicI64>,
    verified: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    damaged_files: Gauge<i64, AtomicI64>,
    store_up: Family<StoreLabels, Gauge<i64, AtomicI64>>,
    store_files: Family<StoreLabels, Gauge<i64, AtomicI64>>,
    store_bytes: Family<StoreLabels, Gauge<i64, AtomicI64>>,
    moved_files: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    moved_bytes: Counter<u64, AtomicU64>,
    mails: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    mail_queue: Family<StateLabels, Gauge<i64, AtomicI64>>,
    plugins: PluginFamilies,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("boxvault");
        let durations = Family::<RouteLabels, Histogram>::new_with_constructor(|| {
            // 0.5 ms to about 8 s
            Histogram::new(exponential_buckets(0.0005, 4.0, 8))
        });
        let metrics = Self {
            requests: Family::default(),
            durations,
            in_flight: Gauge::default(),
            uploads: Family::default(),
            uploads_in_flight: Gauge::default(),
            upload_bytes: Counter::default(),
            download_bytes: Counter::default(),
            downloads_redirected: Counter::default(),
            decisions: Family::default(),
            sign_ins: Family::default(),
            swept: Family::default(),
            audited: Family::default(),
            queries: Family::default(),
            // 0.1 ms to about 1.6 s
            query_durations: Histogram::new(exponential_buckets(0.0001, 4.0, 8)),
            policy_problems: Gauge::default(),
            verified: Family::default(),
            damaged_files: Gauge::default(),
            store_up: Family::default(),
            store_files: Family::default(),
            store_bytes: Family::default(),
            moved_files: Family::default(),
            moved_bytes: Counter::default(),
            mails: Family::default(),
            mail_queue: Family::default(),
            plugins: PluginFamilies::default(),
            registry: Registry::default(),
        };
        registry.register(
            "http_requests",
            "Requests by route and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time to the head of the answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests being handled",
            metrics.in_flight.clone(),
        );
        metrics.register_transfers(&mut registry);
        metrics.register_policy(&mut registry);
        registry.register("sign_ins", "Sign-ins by outcome", metrics.sign_ins.clone());
        metrics.register_audit(&mut registry);
        metrics.register_queries(&mut registry);
        registry.register("swept", "Leftovers removed, by kind", metrics.swept.clone());
        metrics.register_verification(&mut registry);
        metrics.register_stores(&mut registry);
        metrics.register_mail(&mut registry);
        metrics.plugins.register(&mut registry);
        Self { registry, ..metrics }
    }

    fn register_transfers(&self, registry: &mut Registry) {
        registry.register("uploads", "Uploads by outcome", self.uploads.clone());
        registry.register(
            "uploads_in_flight",
            "Uploads being received",
            self.uploads_in_flight.clone(),
        );
        registry.register_with_unit(
            "upload",
            "File bytes received",
            Unit::Bytes,
            self.upload_bytes.clone(),
        );
        registry.register_with_unit(
            "download",
            "File bytes promised",
            Unit::Bytes,
            self.download_bytes.clone(),
        );
        registry.register(
            "downloads_redirected",
            "Answers that send a download to the object store",
            self.downloads_redirected.clone(),
        );
    }

    fn register_policy(&self, registry: &mut Registry) {
        registry.register("policy_decisions", "Decisions by outcome", self.decisions.clone());
        registry.register(
            "policy_problems",
            "Problems in the policy files",
            self.policy_problems.clone(),
        );
    }

    fn register_queries(&self, registry: &mut Registry) {
        registry.register(
            "database_queries",
            "Statements sent to the database, by outcome",
            self.queries.clone(),
        );
        registry.register_with_unit(
            "database_query_duration",
            "Time of a statement",
            Unit::Seconds,
            self.query_durations.clone(),
        );
    }

    fn register_verification(&self, registry: &mut Registry) {
        registry.register(
            "verified_files",
            "Stored files that were read again, by what was found",
            self.verified.clone(),
        );
        registry.register(
            "damaged_files",
            "Stored files that are known to be damaged",
            self.damaged_files.clone(),
        );
    }

    fn register_stores(&self, registry: &mut Registry) {
        registry.register("store_up", "Whether a store answers", self.store_up.clone());
        registry.register("store_files", "Files in a store", self.store_files.clone());
        registry.register_with_unit(
            "store",
            "Size of the files in a store",
            Unit::Bytes,
            self.store_bytes.clone(),
        );
        registry.register(
            "moved_files",
            "Files that were to go to another store, by outcome",
            self.moved_files.clone(),
        );
        registry.register_with_unit(
            "moved",
            "Size of the files that went to another store",
            Unit::Bytes,
            self.moved_bytes.clone(),
        );
    }

    fn register_mail(&self, registry: &mut Registry) {
        registry.register("mails", "Messages by the outcome of an attempt", self.mails.clone());
        registry.register(
            "mail_queue",
            "Messages in the outbox, by whether another attempt follows",
            self.mail_queue.clone(),
        );
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn request_started(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an upload until the guard is dropped.
    pub(crate) fn upload_started(&self) -> InFlight {
        self.uploads_in_flight.inc();
        InFlight(self.uploads_in_flight.clone())
    }

    /// Counts an answer.
    pub(crate) fn request_ended(&self, method: &str, route: &str, status: u16, time: Duration) {
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&RouteLabels { route: labels.route })
            .observe(time.as_secs_f64());
    }

    /// Counts a finished upload.
    pub(crate) fn upload_ended(&self, outcome: &'static str, bytes: u64) {
        self.uploads.get_or_create(&OutcomeLabels { outcome }).inc();
        self.upload_bytes.inc_by(bytes);
    }

    /// Counts the bytes of an answer that carries a file.
    pub(crate) fn download_started(&self, bytes: u64) {
        self.download_bytes.inc_by(bytes);
    }

    /// Counts an answer that sends a download to the object store.
    pub(crate) fn download_redirected(&self) {
        self.downloads_redirected.inc();
    }

    /// Counts a decision.
    pub(crate) fn decided(&self, allowed: bool) {
        let outcome = if allowed { "allowed" } else { "denied" };
        self.decisions.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a sign-in.
    pub(crate) fn signed_in(&self, outcome: &'static str) {
        self.sign_ins.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts an attempt to send a message.
    pub(crate) fn mailed(&self, outcome: &'static str) {
        self.mails.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Shows how many messages wait, and how many were given up.
    pub(crate) fn set_mail_queue(&self, waiting: u64, given_up: u64) {
        for (state, count) in [("waiting", waiting), ("given_up", given_up)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.mail_queue.get_or_create(&StateLabels { state }).set(count);
        }
    }

    fn register_audit(&self, registry: &mut Registry) {
        registry.register(
            "audit_entries",
            "Rows of the audit log by kind: change, refusal, and what was dropped or failed",
            self.audited.clone(),
        );
    }

    /// Counts a statement that the database answered.
    pub(crate) fn queried(&self, facts: QueryFacts) {
        let outcome = if facts.failed { "failed" } else { "done" };
        self.queries.get_or_create(&OutcomeLabels { outcome }).inc();
        self.query_durations.observe(facts.elapsed.as_secs_f64());
    }

    /// Counts rows of the audit log, or what did not become one.
    pub(crate) fn audited(&self, outcome: &'static str, count: usize) {
        let counter = self.audited.get_or_create(&OutcomeLabels { outcome });
        counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Counts what the sweep removed.
    pub(crate) fn swept(&self, outcome: &'static str, count: u64) {
        self.swept.get_or_create(&OutcomeLabels { outcome }).inc_by(count);
    }

    /// Shows the number of problems in the policy files.
    pub(crate) fn set_policy_problems(&self, count: usize) {
        self.policy_problems.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Shows whether a store answers.
    pub(crate) fn set_store_up(&self, store: &str, is_up: bool) {
        let labels = StoreLabels { store: store.to_owned() };
        self.store_up.get_or_create(&labels).set(i64::from(is_up));
    }

    /// Shows what a store holds.
    pub(crate) fn set_store_contents(&self, store: &str, files: i64, bytes: i64) {
        let labels = StoreLabels { store: store.to_owned() };
        self.store_files.get_or_create(&labels).set(files);
        self.store_bytes.get_or_create(&labels).set(bytes);
    }

    /// Counts a file that was to go to another store.
    pub(crate) fn moved(&self, outcome: &'static str, bytes: u64) {
        self.moved_files.get_or_create(&OutcomeLabels { outcome }).inc();
        self.moved_bytes.inc_by(bytes);
    }

    /// Counts a stored file that was read again.
    pub(crate) fn verified(&self, outcome: &'static str) {
        self.verified.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Shows the number of damaged files.
    pub(crate) fn set_damaged_files(&self, count: u64) {
        self.damaged_files.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Shows what plugins did, as they say now.
    pub(crate) fn set_plugins(&self, counted: &[Counted]) {
        self.plugins.set(counted);
    }

    /// The text form.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Something that is being counted as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight(Gauge<i64, AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_can_be_read() {
        let metrics = Metrics::new();
        let guard = metrics.request_started();
        metrics.request_ended("GET", "api/version", 200, Duration::from_millis(3));
        let text = metrics.encode().unwrap();
        assert!(text.contains("boxvault_http_requests_in_flight 1"), "{text}");
        assert!(
            text.contains("boxvault_http_requests_total{method=\"GET\",route=\"api/version\",status=\"200\"} 1"),
            "{text}"
        );
        drop(guard);
        assert!(metrics.encode().unwrap().contains("boxvault_http_requests_in_flight 0"));
    }
}
