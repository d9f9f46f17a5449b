//! The network between an auth provider and its service is slow, breaks, or is gone: nobody gets in by that, nobody is
//! known by less than is said of them, and whoever was kept out gets in afterwards.

use std::{future::Future, sync::Arc};

use boxvault_plugin_sdk::{AuthFacets, AuthProvider, Claims, PluginErrorKind, Result};

use super::{
    Tunnel,
    auth::{Attempt, sign_in, works_again},
};
use crate::{
    auth::{Fixture, is_passing},
    case::{self, Finding, Verdict, ensure},
    report::{CaseReport, Report},
};

/// A sign-in is cut at so many places.
const CUTS: u64 = 8;

/// Runs the suite of networks that fail, on a provider that reaches its service through the tunnel alone. Where people
/// are sent to another site, their browsers reach that on a way of their own.
pub async fn auth_network<F, M>(make: M, fixture: &Fixture, tunnel: &Tunnel) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn AuthProvider>>>,
{
    let case = Case { make, fixture, tunnel };
    let slow = case::outcome(case.slow()).await;
    tunnel.mend();
    let cut = case::outcome(case.cut()).await;
    tunnel.mend();
    let away = case::outcome(case.away()).await;
    tunnel.mend();
    let late = case::outcome(case.away_from_the_start()).await;
    tunnel.mend();
    let cases = [
        ("a_slow_network_keeps_nobody_out_and_lets_nobody_in", slow),
        ("a_connection_cut_in_a_sign_in_is_told_as_such_and_changes_nobody", cut),
        ("a_service_that_is_away_lets_nobody_in_and_comes_back", away),
        ("a_service_that_was_away_from_the_start_is_taken_when_it_comes", late),
    ];
    let cases = cases.map(|(name, outcome)| CaseReport { name: name.into(), outcome });
    Report { suite: "network".into(), cases: cases.into() }
}

/// What the cases work with.
struct Case<'a, M> {
    make: M,
    fixture: &'a Fixture,
    tunnel: &'a Tunnel,
}

impl<F, M> Case<'_, M>
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn AuthProvider>>>,
{
    async fn slow(&self) -> Verdict {
        self.tunnel.slow();
        let provider = (self.make)().await?;
        self.ensure_known(&sign_in(&*provider, self.fixture, Attempt::Right).await??)?;
        match sign_in(&*provider, self.fixture, Attempt::Wrong).await? {
            Ok(_) => Err(Finding::Failed("somebody was let in who was not them".to_owned())),
            Err(error) => {
                let is_refusal = error.kind == PluginErrorKind::BadCredentials;
                ensure!(is_refusal, "who is not them: expected bad credentials, got {error}");
                Ok(())
            }
        }
    }

    /// Each time with a provider that knows nothing of its service yet, so that whatever it asks for is cut once.
    async fn cut(&self) -> Verdict {
        let before = self.tunnel.passed();
        let provider = (self.make)().await?;
        sign_in(&*provider, self.fixture, Attempt::Right).await??;
        let whole = self.tunnel.passed() - before;
        ensure!(whole > 0, "it does not reach its service through the tunnel");
        for part in 0..CUTS {
            let provider = (self.make)().await?;
            let after = whole * part / CUTS + 1;
            self.tunnel.cut_after(after);
            match sign_in(&*provider, self.fixture, Attempt::Right).await? {
                Ok(claims) => self.ensure_known(&claims)?,
                Err(error) => ensure!(
                    is_passing(&error),
                    "cut after {after} of {whole} bytes: expected unavailable, got {error}"
                ),
            }
            self.tunnel.cut_after(after);
            match sign_in(&*provider, self.fixture, Attempt::Wrong).await? {
                Ok(_) => {
                    return Err(Finding::Failed("somebody was let in who was not them".to_owned()));
                }
                Err(error) => ensure!(
                    is_passing(&error) || error.kind == PluginErrorKind::BadCredentials,
                    "who is not them, cut after {after} bytes: got {error}"
                ),
            }
            self.tunnel.mend();
            works_again(&provider, self.fixture).await?;
        }
        Ok(())
    }

    async fn away(&self) -> Verdict {
        let provider = (self.make)().await?;
        self.ensure_known(&sign_in(&*provider, self.fixture, Attempt::Right).await??)?;
        self.tunnel.close();
        self.ensure_away(&*provider).await?;
        self.tunnel.mend();
        works_again(&provider, self.fixture).await
    }

    async fn away_from_the_start(&self) -> Verdict {
        self.tunnel.close();
        let Ok(provider) = (self.make)().await else {
            let reason = "it is not made without its service; the server tries that again";
            return Err(Finding::Skipped(reason.to_owned()));
        };
        self.ensure_away(&*provider).await?;
        self.tunnel.mend();
        works_again(&provider, self.fixture).await
    }

    async fn ensure_away(&self, provider: &dyn AuthProvider) -> Verdict {
        let is_redirect = !provider.facets().contains(AuthFacets::PASSWORD);
        for attempt in [Attempt::Right, Attempt::Wrong] {
            match sign_in(provider, self.fixture, attempt).await? {
                Ok(_) => {
                    let problem = "somebody signed in without the service";
                    return Err(Finding::Failed(problem.to_owned()));
                }
                Err(error) => {
                    // what a browser brought may be told to be wrong without asking anybody
                    let may_be_refused = is_redirect && attempt == Attempt::Wrong;
                    let is_refused = error.kind == PluginErrorKind::BadCredentials;
                    let is_told = is_passing(&error) || (may_be_refused && is_refused);
                    ensure!(is_told, "expected unavailable, got {error}");
                }
            }
        }
        match provider.health().await {
            Ok(()) => Err(Finding::Failed("it is well without its service".to_owned())),
            Err(error) => {
                ensure!(is_passing(&error), "health: expected unavailable, got {error}");
                Ok(())
            }
        }
    }

    /// Fails unless all is known that was said of them. What a provider calls itself may change with its address.
    fn ensure_known(&self, claims: &Claims) -> Verdict {
        let plain = |claims: &Claims| Claims {
            issuer: String::new(),
            expires: None,
            session: None,
            ..claims.clone()
        };
        let (found, expected) = (plain(claims), plain(&self.fixture.claims));
        ensure!(found == expected, "expected {expected:?}, found {found:?}");
        Ok(())
    }
}
