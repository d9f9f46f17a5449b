//! The process of an auth provider is killed, or its directory is away: nobody gets in by that.

use std::{future::Future, sync::Arc};

use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Credentials, PluginError, PluginErrorKind, Result,
};

use super::{AuthVictim, Tunnel};
use crate::{
    auth::Fixture,
    case::{self, Finding, Verdict, ensure, eventually},
    report::{CaseReport, Outcome, Report},
};

/// Runs the suite of kills. `make` opens the provider in a process of its own.
pub async fn auth<F, M>(make: M, fixture: &Fixture) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<AuthVictim>>,
{
    let outcome = match make().await {
        Err(error) => Outcome::Failed { reason: format!("no instance: {error}") },
        Ok(victim) if !victim.it.facets().contains(AuthFacets::PASSWORD) => {
            Outcome::NotClaimed { claim: "password".to_owned() }
        }
        Ok(victim) => case::outcome(killed(victim, fixture.clone())).await,
    };
    let name = "a_kill_lets_nobody_in_and_keeps_nobody_out";
    let cases = vec![CaseReport { name: name.into(), outcome }];
    Report { suite: "faults".into(), cases }
}

/// Runs the suite of networks that fail, on a provider that reaches its service through the tunnel alone.
pub async fn auth_network<F, M>(make: M, fixture: &Fixture, tunnel: &Tunnel) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn AuthProvider>>>,
{
    tunnel.mend();
    let outcome = match make().await {
        Err(error) => Outcome::Failed { reason: format!("no instance: {error}") },
        Ok(provider) => case::outcome(away(provider, fixture.clone(), tunnel.clone())).await,
    };
    let name = "a_service_that_is_away_lets_nobody_in_and_comes_back";
    let cases = vec![CaseReport { name: name.into(), outcome }];
    Report { suite: "network".into(), cases }
}

/// A failure that says to come again, and not that the password was wrong.
fn is_passing(error: &PluginError) -> bool {
    matches!(error.kind, PluginErrorKind::Unavailable | PluginErrorKind::DeadlineExceeded)
}

fn wrong(fixture: &Fixture) -> Credentials {
    Credentials::new(fixture.credentials.username.clone(), "certainly wrong")
}

async fn killed(victim: AuthVictim, fixture: Fixture) -> Verdict {
    let provider = &victim.it;
    for _ in 0..3 {
        provider.authenticate_password(fixture.credentials.clone()).await?;
        (victim.kill)();
        for credentials in [fixture.credentials.clone(), wrong(&fixture)] {
            let is_right = credentials == fixture.credentials;
            match provider.authenticate_password(credentials).await {
                Ok(_) => ensure!(is_right, "a wrong password was accepted"),
                Err(error) if is_passing(&error) => {}
                Err(error) => ensure!(!is_right, "the right password was refused: {error}"),
            }
        }
        works_again(provider, &fixture).await?;
    }
    Ok(())
}

async fn away(provider: Arc<dyn AuthProvider>, fixture: Fixture, tunnel: Tunnel) -> Verdict {
    provider.authenticate_password(fixture.credentials.clone()).await?;
    tunnel.close();
    for credentials in [fixture.credentials.clone(), wrong(&fixture)] {
        match provider.authenticate_password(credentials).await {
            Ok(_) => {
                return Err(Finding::Failed("somebody signed in without the service".to_owned()));
            }
            Err(error) => ensure!(is_passing(&error), "expected unavailable, got {error}"),
        }
    }
    let health = provider.health().await;
    ensure!(health.is_err(), "it says that it is well while its service is away");
    tunnel.mend();
    works_again(&provider, &fixture).await
}

async fn works_again(provider: &Arc<dyn AuthProvider>, fixture: &Fixture) -> Verdict {
    eventually("the provider to work again", || async {
        match provider.authenticate_password(fixture.credentials.clone()).await {
            Ok(_) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    let refused = provider.authenticate_password(wrong(fixture)).await;
    ensure!(
        refused.is_err_and(|error| error.kind == PluginErrorKind::BadCredentials),
        "a wrong password is not refused any more"
    );
    Ok(())
}
