//! The process of an auth provider is killed: nobody gets in by that.

use std::{future::Future, sync::Arc};

use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, PluginError, PluginErrorKind, Result,
};

use super::AuthVictim;
use crate::{
    auth::{
        Fixture, is_passing,
        trip::{self, forged},
    },
    case::{self, Finding, Verdict, ensure, eventually},
    report::{CaseReport, Outcome, Report},
};

/// Runs the suite of kills. `make` opens the provider in a process of its own.
pub async fn auth<F, M>(make: M, fixture: &Fixture) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<AuthVictim>>,
{
    let killed = match make().await {
        Err(error) => Outcome::Failed { reason: format!("no instance: {error}") },
        Ok(victim) if ways(&*victim.it) == AuthFacets::NONE => {
            Outcome::NotClaimed { claim: "password or redirect".to_owned() }
        }
        Ok(victim) => case::outcome(killed(victim, fixture.clone())).await,
    };
    let between = match make().await {
        Err(error) => Outcome::Failed { reason: format!("no instance: {error}") },
        Ok(victim) if !victim.it.facets().contains(AuthFacets::REDIRECT) => {
            Outcome::NotClaimed { claim: "redirect".to_owned() }
        }
        Ok(victim) => case::outcome(killed_between(victim, fixture.clone())).await,
    };
    let cases = [
        ("a_kill_lets_nobody_in_and_keeps_nobody_out", killed),
        ("a_sign_in_that_began_before_a_kill_can_be_finished", between),
    ];
    let cases = cases.map(|(name, outcome)| CaseReport { name: name.into(), outcome });
    Report { suite: "faults".into(), cases: cases.into() }
}

/// Whether somebody tries to sign in as who they are, or as who they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Right,
    Wrong,
}

/// How people can sign in.
fn ways(provider: &dyn AuthProvider) -> AuthFacets {
    let all = AuthFacets::PASSWORD | AuthFacets::REDIRECT;
    AuthFacets::from_bits(provider.facets().bits() & all.bits())
}

/// Signs somebody in by their password, or else at the other site. What the provider answers is the inner result.
pub(super) async fn sign_in(
    provider: &dyn AuthProvider,
    fixture: &Fixture,
    attempt: Attempt,
) -> Result<Result<Claims, PluginError>, Finding> {
    let is_right = attempt == Attempt::Right;
    if ways(provider).contains(AuthFacets::PASSWORD) {
        let credentials = if is_right { fixture.credentials.clone() } else { wrong(fixture) };
        return Ok(provider.authenticate_password(credentials).await);
    }
    let driver = fixture.driver()?;
    let begun = match trip::begin(provider, driver).await {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    let back = begun.visit(driver, &fixture.credentials.username).await?;
    let back = if is_right { back } else { forged(back, "certainly wrong") };
    Ok(provider.finish_redirect(back).await)
}

fn wrong(fixture: &Fixture) -> Credentials {
    Credentials::new(fixture.credentials.username.clone(), "certainly wrong")
}

async fn killed(victim: AuthVictim, fixture: Fixture) -> Verdict {
    let provider = &victim.it;
    for _ in 0..3 {
        sign_in(&**provider, &fixture, Attempt::Right).await??;
        (victim.kill)();
        for attempt in [Attempt::Right, Attempt::Wrong] {
            let is_right = attempt == Attempt::Right;
            match sign_in(&**provider, &fixture, attempt).await? {
                Ok(_) => ensure!(is_right, "somebody was let in who was not them"),
                Err(error) if is_passing(&error) => {}
                Err(error) => ensure!(!is_right, "who they are was refused: {error}"),
            }
        }
        works_again(provider, &fixture).await?;
    }
    Ok(())
}

/// The process ends while the browser is at the other site. What the browser brings back is for the next process, since
/// what binds a sign-in is with the host.
async fn killed_between(victim: AuthVictim, fixture: Fixture) -> Verdict {
    let (provider, driver) = (&*victim.it, fixture.driver()?);
    let who = &fixture.credentials.username;
    let back = trip::begin(provider, driver).await?.visit(driver, who).await?;
    (victim.kill)();
    eventually("the sign-in to be finished", || async {
        match provider.finish_redirect(back.clone()).await {
            Ok(claims) => {
                ensure!(claims.subject == fixture.claims.subject, "somebody else signed in");
                Ok(true)
            }
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Waits until who they are is let in, and fails unless who they are not is refused then.
pub(super) async fn works_again(provider: &Arc<dyn AuthProvider>, fixture: &Fixture) -> Verdict {
    eventually("the provider to work again", || async {
        match sign_in(&**provider, fixture, Attempt::Right).await? {
            Ok(_) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    let refused = sign_in(&**provider, fixture, Attempt::Wrong).await?;
    ensure!(
        refused.is_err_and(|error| error.kind == PluginErrorKind::BadCredentials),
        "who is not them is not refused any more"
    );
    Ok(())
}
