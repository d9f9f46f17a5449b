//! What plugins did. The host of the plugins counts; here its numbers are only shown, when somebody asks for them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::app::plugins::Counted;

/// An entry of the configuration and the plugin that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    entry: String,
    plugin: String,
    kind: &'static str,
}

type Counts = Family<PluginLabels, Counter<u64, AtomicU64>>;
type Gauges = Family<PluginLabels, Gauge<i64, AtomicI64>>;

/// The numbers of all plugins.
#[derive(Debug, Default)]
pub(super) struct PluginFamilies {
    calls: Counts,
    errors: Counts,
    panics: Counts,
    deadlines: Counts,
    violations: Counts,
    restarts: Counts,
    in_flight: Gauges,
    hung: Gauges,
    up: Gauges,
}

impl PluginFamilies {
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, family) in [
            ("plugin_calls", "Calls of plugins", &self.calls),
            ("plugin_errors", "Calls of plugins that ended with any error", &self.errors),
            ("plugin_panics", "Calls of plugins that ended with a caught panic", &self.panics),
            ("plugin_deadlines_exceeded", "Calls of plugins that took too long", &self.deadlines),
            ("plugin_violations", "Answers that break the contract", &self.violations),
            ("plugin_restarts", "Processes of plugins started again", &self.restarts),
        ] {
            registry.register(name, help, family.clone());
        }
        for (name, help, family) in [
            ("plugin_calls_in_flight", "Calls of plugins that are open", &self.in_flight),
            ("plugin_calls_hung", "Calls of plugins open beyond their deadline", &self.hung),
            ("plugin_up", "1 where a plugin can be asked, else 0", &self.up),
        ] {
            registry.register(name, help, family.clone());
        }
    }

    pub(super) fn set(&self, counted: &[Counted]) {
        for Counted { entry, plugin, kind, is_up, restarts, counters } in counted {
            let labels = PluginLabels { entry: entry.clone(), plugin: plugin.clone(), kind };
            for (family, count) in [
                (&self.calls, counters.calls),
                (&self.errors, counters.errors),
                (&self.panics, counters.panics),
                (&self.deadlines, counters.deadlines_exceeded),
                (&self.violations, counters.violations),
                (&self.restarts, *restarts),
            ] {
                // only ever grows, like what it shows
                let counter = family.get_or_create(&labels);
                counter.inner().fetch_max(count, Ordering::Relaxed);
            }
            for (family, count) in [
                (&self.in_flight, counters.in_flight),
                (&self.hung, counters.hung),
                (&self.up, u64::from(*is_up)),
            ] {
                family.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}
