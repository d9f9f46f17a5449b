//! Whether the server can work, part by part.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use boxvault_types::views::{
    plugins::PluginState,
    system::{PartView, ReadyView},
};
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::warn;

use super::App;
use crate::config::MetricsAccess;

/// What the parts begin with that sign people in.
const AUTH_PART: &str = "auth:";
/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl App {
    /// Asks every part. What is wrong is named in a few words; the details are in the log.
    pub(crate) async fn readiness(&self) -> ReadyView {
        let mut parts = BTreeMap::new();
        parts.insert("catalog".to_owned(), ask("catalog", self.catalog.ping()).await);
        parts.extend(self.ask_stores().await);
        let providers = self.auth_providers.iter().map(|(name, provider)| async move {
            let part = format!("{AUTH_PART}{name}");
            let view = ask(&part, provider.health()).await;
            (part, view)
        });
        parts.extend(join_all(providers).await);
        parts.insert("policy".to_owned(), self.policy_part());
        // who has a session, or a token, works on without the directory that they signed in through
        let needed = |name: &str| !name.starts_with(AUTH_PART) && !self.plugins.is_optional(name);
        for (name, part) in &mut parts {
            part.plugin = self.plugins.state_of_part(name);
            if part.plugin == Some(PluginState::Restarting) {
                part.problem = Some("its plugin has ended and is being started again".to_owned());
            }
        }
        ReadyView { ready: parts.iter().all(|(name, part)| part.ok || !needed(name)), parts }
    }

    /// Asks every store, and notes for the metrics whether it answers.
    pub(super) async fn ask_stores(&self) -> Vec<(String, PartView)> {
        let stores = self.stores.iter().map(|(name, store)| async move {
            let part = format!("store:{name}");
            let view = ask(&part, store.health()).await;
            self.metrics.set_store_up(name, view.ok);
            (part, view)
        });
        join_all(stores).await
    }

    /// Whether the configuration shows the metrics to an address, whatever the policy says.
    pub(crate) fn metrics_are_public_to(&self, address: IpAddr) -> bool {
        match self.config.metrics.access {
            MetricsAccess::Public => true,
            MetricsAccess::Loopback => address.to_canonical().is_loopback(),
            MetricsAccess::Authenticated => false,
        }
    }

    /// A refused change of the policy files does not stop the server, but somebody should look.
    fn policy_part(&self) -> PartView {
        let state = self.policy.state();
        self.metrics.set_policy_problems(state.problems.len());
        let closed = self.policy.load().closed_organizations().count();
        match state.problems.len() {
            // the server works, and so does every other organization
            0 if closed > 0 => PartView {
                ok: true,
                plugin: None,
                problem: Some(format!(
                    "the rules of {closed} organizations' own cannot be read (told in the log); only platform admins get at what those have"
                )),
            },
            0 => PartView { ok: true, problem: None, plugin: None },
            count => PartView {
                ok: false,
                plugin: None,
                problem: Some(format!(
                    "the policy files are refused ({count} told in the log); the policy before them stays in force"
                )),
            },
        }
    }
}

async fn ask<E: std::fmt::Display>(
    part: &str,
    question: impl Future<Output = Result<(), E>>,
) -> PartView {
    let problem = match timeout(PATIENCE, question).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            warn!(part, %error, "a part of the server is not well");
            Some("it is out of reach".to_owned())
        }
        Err(_) => Some(format!("it did not answer within {} s", PATIENCE.as_secs())),
    };
    PartView { ok: problem.is_none(), problem, plugin: None }
}
