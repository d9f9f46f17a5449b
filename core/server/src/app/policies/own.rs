//! The rules of organizations' own: read, looked at, changed, brought back, and held in force beside the site's.
//!
//! A text is kept with the name that its organization had, and read with the one that it has now, so a rename needs
//! nothing from anybody. What is in force is always the whole list of the catalog: [`App::renew_overlays`].

use std::collections::HashMap;

use boxvault_catalog::{
    audit::NewEntry,
    organizations::{self, Organization},
    policies::{self, NewVersion, Origin, OwnHead, OwnText, Version},
};
use boxvault_policy::{
    AccessRequest, Overlay, OverlayLimits, Policy, Relations, diff_of_organization,
};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
    names::OrganizationName,
    params::{
        ListQuery,
        policies::{
            CheckOrganizationPolicyParams, PutOrganizationPolicyParams, RollBackPolicyParams,
        },
    },
    views::{
        PageView,
        policies::{
            OrganizationPolicyVersionView, OrganizationPolicyView, PolicyCheckView,
            PolicyVersionView,
        },
    },
};
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::{
    App, Built, Reason, build, check_view, invalid, lost_race, message, no_version, problem_views,
    refused_view, version_view,
};
use crate::{
    app::{audit::By, lists},
    error::{AppError, Result},
};

/// Ends the name under which a text is kept: that of its organization.
const ENDING: &str = ".csv";
/// What stands for a text that the catalog does not give back.
const UNREADABLE: &str = "what is stored cannot be read";

impl App {
    /// The rules of an organization's own that are in force.
    pub(crate) async fn own_policy_view(
        &self,
        organization: &Organization,
    ) -> Result<OrganizationPolicyView> {
        self.follow_policy().await?;
        let newest = policies::find_newest(&self.catalog, Some(organization.id)).await?;
        let policy = self.policy.load();
        let key = organization.name.key();
        let state = policy.overlay(&key).map(|(_, state)| state);
        let head = newest.as_ref().map(|newest| &newest.head);
        let text = newest.as_ref().map(|newest| text_of(&key, newest));
        let problems = state.map(|state| problem_views(&state.problems)).unwrap_or_default();
        Ok(OrganizationPolicyView {
            organization: organization.name.to_string(),
            version: head.map_or(0, |head| head.number),
            text: text.unwrap_or_default(),
            in_force: problems.is_empty(),
            author: head.and_then(|head| head.author.clone()),
            message: head.map(|head| head.message.clone()).unwrap_or_default(),
            updated_at: head.map(|head| head.created_at),
            rules: state.map_or(0, |state| state.rules as u64),
            bindings: state.map_or(0, |state| state.bindings as u64),
            warnings: state.map(|state| problem_views(&state.warnings)).unwrap_or_default(),
            problems,
        })
    }

    /// Looks at rules of an organization's own as if they were to come into force.
    pub(crate) async fn check_own_policy(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: CheckOrganizationPolicyParams,
    ) -> Result<PolicyCheckView> {
        self.follow_policy().await?;
        let key = organization.name.key();
        let overlay = Overlay::new(&key, 0, &params.text, &key);
        let editor = editor(identity, &organization.name);
        let candidate = match self.own_candidate(overlay, Some(editor)).await? {
            Ok(candidate) => candidate,
            Err(refusal) => return Ok(refused_view(&refusal)),
        };
        let state = candidate.overlay(&key).map(|(_, state)| state);
        let warnings = state.map(|state| problem_views(&state.warnings)).unwrap_or_default();
        let before = self.policy.load();
        let difference =
            spawn_blocking(move || diff_of_organization(&before, &candidate, &key)).await;
        Ok(check_view(warnings, difference.map_err(AppError::internal)?))
    }

    /// Puts rules of an organization's own in force.
    pub(crate) async fn put_own_policy(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: PutOrganizationPolicyParams,
        audit: NewEntry,
    ) -> Result<OrganizationPolicyView> {
        let reason = reason(identity, &params.message, None)?;
        let editor = editor(identity, &organization.name);
        self.follow_policy().await?;
        self.accept_own(organization, &params.text, reason, Some(editor), audit).await?;
        self.own_policy_view(organization).await
    }

    /// Puts an earlier version of them in force again, by whoever may write it now.
    pub(crate) async fn roll_own_policy_back(
        &self,
        identity: &Identity,
        organization: &Organization,
        number: i64,
        params: RollBackPolicyParams,
        audit: NewEntry,
    ) -> Result<OrganizationPolicyView> {
        let reason = reason(identity, &params.message, Some(number))?;
        let editor = editor(identity, &organization.name);
        let text = text_of(&organization.name.key(), &self.find_own(organization, number).await?);
        self.follow_policy().await?;
        self.accept_own(organization, &text, reason, Some(editor), audit).await?;
        self.own_policy_view(organization).await
    }

    /// The same by a command, whoever may write it; 0 takes all of them out. The new version's number.
    pub(crate) async fn roll_own_policy_back_by_command(
        &self,
        organization: &str,
        number: i64,
        why: &str,
    ) -> Result<i64> {
        let organization = self.organization_named(organization).await?;
        let message = message(why)?;
        let (text, restores) = if number == 0 {
            (String::new(), None)
        } else {
            let found = self.find_own(&organization, number).await?;
            (text_of(&organization.name.key(), &found), Some(number))
        };
        let reason = Reason { origin: Origin::Command, author: None, message, restores };
        let audit = NewEntry {
            organization: Some(organization.name.clone()),
            organization_id: Some(organization.id),
            ..self.own_entry(By::Command, Action::Update, "rules")
        };
        self.accept_own(&organization, &text, reason, None, audit).await
    }

    /// The text of a version, or of the newest one, with its number.
    pub(crate) async fn own_policy_text(
        &self,
        organization: &str,
        number: Option<i64>,
    ) -> Result<(i64, String)> {
        let organization = self.organization_named(organization).await?;
        let found = match number {
            Some(number) => self.find_own(&organization, number).await?,
            None => policies::find_newest(&self.catalog, Some(organization.id))
                .await?
                .ok_or_else(no_version)?,
        };
        Ok((found.head.number, text_of(&organization.name.key(), &found)))
    }

    /// The versions, newest first.
    pub(crate) async fn list_own_policy_versions(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<PolicyVersionView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = policies::list(&self.catalog, Some(organization.id), page).await?;
        Ok((found.items.into_iter().map(version_view).collect(), lists::view(page, found.total)))
    }

    /// A version with its text.
    pub(crate) async fn own_policy_version(
        &self,
        organization: &Organization,
        number: i64,
    ) -> Result<OrganizationPolicyVersionView> {
        let found = self.find_own(organization, number).await?;
        let text = text_of(&organization.name.key(), &found);
        Ok(OrganizationPolicyVersionView { version: version_view(found.head), text })
    }

    /// Finds an organization for a command.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`.
    pub(crate) async fn organization_named(&self, name: &str) -> Result<Organization> {
        let parsed = OrganizationName::parse(name)
            .map_err(|error| AppError::invalid("organization", error))?;
        organizations::find(&self.catalog, &parsed).await?.ok_or_else(|| {
            let message = format!("there is no organization {name:?}");
            AppError::new(ErrorCode::OrganizationNotFound, message)
        })
    }

    async fn find_own(&self, organization: &Organization, number: i64) -> Result<Version> {
        let found = policies::find(&self.catalog, Some(organization.id), number).await?;
        found.ok_or_else(no_version)
    }

    /// Checks a text, makes it the next version together with its row in the audit log, and puts it in force.
    async fn accept_own(
        &self,
        organization: &Organization,
        text: &str,
        reason: Reason,
        editor: Option<AccessRequest>,
        audit: NewEntry,
    ) -> Result<i64> {
        let _guard = self.policy.changing().await;
        let newest = policies::find_newest(&self.catalog, Some(organization.id)).await?;
        let key = organization.name.key();
        let overlay = Overlay::new(&key, 0, text, &key);
        let digest = overlay.digest();
        self.own_candidate(overlay, editor).await?.map_err(|refusal| invalid(&refusal))?;
        let mut audit = audit
            .with_detail("digest", digest.as_str())
            .with_detail("message", reason.message.as_str());
        if let Some(before) = &newest {
            audit = audit.with_detail("policyDigestBefore", before.head.digest.as_str());
        }
        let version = NewVersion {
            scope: Some(organization.id),
            digest,
            files: vec![(format!("{key}{ENDING}"), text.to_owned())],
            origin: reason.origin,
            author: reason.author,
            message: reason.message,
            restores: reason.restores,
        };
        let expected = newest.map_or(0, |newest| newest.head.number);
        let head = policies::add(&self.catalog, version, expected, Some(audit))
            .await?
            .ok_or_else(lost_race)?;
        if let Err(error) = self.renew_overlays().await {
            warn!(cause = error.causes(), "could not put an organization's rules in force yet");
        }
        Ok(head.number)
    }

    /// Builds the policy with a new text; the inner error is its author's.
    async fn own_candidate(
        &self,
        overlay: Overlay,
        editor: Option<AccessRequest>,
    ) -> Result<Built> {
        let limits = OverlayLimits {
            bytes_max: self.config.limits.organization_policy_bytes_max.bytes(),
            lines_max: self.config.limits.organization_policy_lines_max,
        };
        let policy = self.policy.load();
        build(move || policy.with_new_overlay(overlay, limits, editor.as_ref())).await
    }

    /// Puts in force what the catalog has of organizations' own rules, if that is something else. The caller has waited
    /// for everybody else who changes the policy.
    pub(super) async fn renew_overlays(&self) -> Result<()> {
        let heads = policies::list_newest_of_organizations(&self.catalog).await?;
        let policy = self.policy.load();
        let mut overlays = Vec::with_capacity(heads.len());
        let mut new = HashMap::new();
        for OwnHead { organization, number } in heads {
            let key = organization.key();
            let known = policy.overlay(&key).filter(|(overlay, _)| overlay.version() == number);
            match known {
                Some((overlay, _)) => overlays.push(overlay.clone()),
                None => drop(new.insert(number, key)),
            }
        }
        if new.is_empty() && policy.overlays().len() == overlays.len() {
            return Ok(());
        }
        let numbers: Vec<i64> = new.keys().copied().collect();
        let texts = policies::load_own_texts(&self.catalog, &numbers).await?;
        overlays
            .extend(texts.iter().filter_map(|text| Some(overlay_of(new.get(&text.number)?, text))));
        let renewed = spawn_blocking(move || policy.with_overlays(overlays)).await;
        let renewed = renewed.map_err(AppError::internal)?;
        for (name, state) in renewed.closed_organizations() {
            let problem = state.problems.first().map(ToString::to_string).unwrap_or_default();
            error!(
                organization = name,
                policy.version = state.version,
                "the rules of organization {name}'s own cannot be read, so only platform admins get at what it has: {problem}"
            );
        }
        info!(organizations = renewed.overlays().len(), "rules of organizations' own changed");
        self.policy.renew(renewed);
        Ok(())
    }

    /// A policy of the site with the rules of organizations' own that are in force.
    pub(super) async fn with_overlays_in_force(&self, policy: Policy) -> Policy {
        let overlays = self.policy.load().overlays().cloned().collect();
        spawn_blocking(move || policy.with_overlays(overlays))
            .await
            .expect("what cannot be read closes an organization, and stops nothing")
    }
}

/// Whoever writes rules, with all that they are in the organization.
fn editor(identity: &Identity, organization: &OrganizationName) -> AccessRequest {
    let resource = Resource::Rules(organization.clone());
    AccessRequest::new(identity, &resource, Action::Update, Relations::default())
}

fn reason(identity: &Identity, why: &str, restores: Option<i64>) -> Result<Reason> {
    let author = identity.caller().map(|caller| caller.name.to_string());
    Ok(Reason { origin: Origin::Api, author, message: message(why)?, restores })
}

fn overlay_of(organization: &str, own: &OwnText) -> Overlay {
    match &own.file {
        Some((name, text)) => Overlay::new(organization, own.number, text, written_for(name)),
        None => Overlay::new(organization, own.number, UNREADABLE, organization),
    }
}

/// A version's text, about the organization by its present name.
fn text_of(organization: &str, version: &Version) -> String {
    let Some((name, text)) = version.files.first() else { return String::new() };
    Overlay::new(organization, version.head.number, text, written_for(name)).text().to_owned()
}

/// The name that the organization had when a text was written.
fn written_for(file: &str) -> &str {
    file.strip_suffix(ENDING).unwrap_or(file)
}
