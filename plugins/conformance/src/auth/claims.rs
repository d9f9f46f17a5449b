//! Claims: they say who it is, all of it, and the same on every way.

use boxvault_plugin_sdk::{AuthFacets, PluginErrorKind, RedirectRequest, Secret};

use super::{Case, Entry, cases};
use crate::case::{Finding, Verdict, ensure};

pub(super) const CASES: &[Entry] = cases! {
    PASSWORD:
        the_claims_are_those_of_the_account;
    REFRESH:
        refreshing_says_the_same_account;
    GROUPS:
        the_groups_are_those_of_the_claims;
    NONE:
        undeclared_facets_are_unsupported;
};

async fn the_claims_are_those_of_the_account(case: Case) -> Verdict {
    let mut found = case.sign_in().await?;
    let mut expected = case.fixture.claims.clone();
    found.expires = None;
    expected.expires = None;
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}

async fn refreshing_says_the_same_account(case: Case) -> Verdict {
    let expected = &case.fixture.claims;
    let found = case.provider.refresh(&expected.subject).await?;
    let same = found.issuer == expected.issuer && found.subject == expected.subject;
    ensure!(same, "refreshing says another account");
    match case.provider.refresh("nobody-has-this-subject").await {
        Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
        other => Err(Finding::Failed(format!("an unknown subject: {other:?}"))),
    }
}

async fn the_groups_are_those_of_the_claims(case: Case) -> Verdict {
    let found = case.provider.groups(&case.fixture.claims.subject).await?;
    let expected = &case.fixture.claims.groups;
    ensure!(&found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}

async fn undeclared_facets_are_unsupported(case: Case) -> Verdict {
    let (provider, facets) = (&case.provider, case.provider.facets());
    let subject = &case.fixture.claims.subject;
    let mut answers = Vec::new();
    if !facets.contains(AuthFacets::PASSWORD) {
        answers.push(("password", case.sign_in().await.map(drop)));
    }
    if !facets.contains(AuthFacets::REDIRECT) {
        let request = RedirectRequest::default();
        answers.push(("redirect", provider.start_redirect(request).await.map(drop)));
    }
    if !facets.contains(AuthFacets::INTROSPECT) {
        let token = Secret::new("token");
        answers.push(("introspect", provider.introspect_token(token).await.map(drop)));
    }
    if !facets.contains(AuthFacets::REFRESH) {
        answers.push(("refresh", provider.refresh(subject).await.map(drop)));
    }
    if !facets.contains(AuthFacets::LOGOUT) {
        answers.push(("logout", provider.logout(subject).await.map(drop)));
    }
    if !facets.contains(AuthFacets::LOGOUT_NOTICE) {
        let notice = Secret::new("notice");
        answers.push(("logout_notice", provider.read_logout_notice(notice).await.map(drop)));
    }
    if !facets.contains(AuthFacets::GROUPS) {
        answers.push(("groups", provider.groups(subject).await.map(drop)));
    }
    for (facet, answer) in answers {
        let unsupported =
            matches!(&answer, Err(error) if error.kind == PluginErrorKind::Unsupported);
        ensure!(unsupported, "{facet} is not declared and answers {answer:?}");
    }
    Ok(())
}
