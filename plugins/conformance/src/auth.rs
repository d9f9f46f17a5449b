//! The auth suite: what [`AuthProvider`] promises, case by case.

mod claims;
mod driver;
mod ending;
mod login;
mod redirect;
mod refusal;
pub(crate) mod trip;

use std::{future::Future, sync::Arc};

use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, PluginError, PluginErrorKind, Result,
};
use futures_util::future::BoxFuture;

use crate::{
    case::{self, Finding, Shared, Verdict},
    report::{CaseReport, Outcome, Report},
};

pub use driver::Driver;

/// Somebody whom the provider under test knows.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// What signs them in.
    pub credentials: Credentials,
    /// What the provider says about them; times are not compared.
    pub claims: Claims,
    /// Somebody who may not sign in although the password is right, if the provider can say so.
    pub disabled: Option<Credentials>,
    /// Whoever signs in at another site, for a provider that sends people there.
    pub driver: Option<Driver>,
}

/// What a case works with.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) provider: Arc<dyn AuthProvider>,
    pub(crate) fixture: Fixture,
}

/// A named case, and the facet that a plugin must declare for it.
pub(crate) struct Entry {
    name: &'static str,
    needs: AuthFacets,
    run: fn(Case) -> BoxFuture<'static, Verdict>,
}

/// Lists cases: each function's name is the promise.
macro_rules! cases {
    ($($needs:ident: $($function:ident),+ $(,)?;)+) => {
        &[$($($crate::auth::Entry::new(
            stringify!($function),
            boxvault_plugin_sdk::AuthFacets::$needs,
            |case| Box::pin($function(case)),
        )),+),+]
    };
}
pub(crate) use cases;

impl Entry {
    pub(crate) const fn new(
        name: &'static str,
        needs: AuthFacets,
        run: fn(Case) -> BoxFuture<'static, Verdict>,
    ) -> Self {
        Self { name, needs, run }
    }
}

/// Runs the suite. `make` makes an instance that knows the fixture's people; it serves until a case fails.
pub async fn run<F, M>(make: M, fixture: &Fixture) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn AuthProvider>>>,
{
    let mut shared = Shared::new();
    let mut cases = Vec::new();
    for entry in [login::CASES, claims::CASES, refusal::CASES, redirect::CASES, ending::CASES]
        .into_iter()
        .flatten()
    {
        if let Some(driver) = &fixture.driver {
            driver.straighten().await;
        }
        let outcome = shared.run(&make, |provider| run_one(entry, provider, fixture)).await;
        cases.push(CaseReport { name: entry.name.into(), outcome });
    }
    if let Some(driver) = &fixture.driver {
        driver.straighten().await;
    }
    Report { suite: "auth".into(), cases }
}

async fn run_one(entry: &Entry, provider: Arc<dyn AuthProvider>, fixture: &Fixture) -> Outcome {
    if !provider.facets().contains(entry.needs) {
        let claim = entry.needs.names().collect::<Vec<_>>().join(", ");
        return Outcome::NotClaimed { claim };
    }
    let case = Case { provider, fixture: fixture.clone() };
    case::outcome((entry.run)(case)).await
}

impl Fixture {
    /// Whoever signs in at the other site.
    ///
    /// # Errors
    /// `Skipped` where there is nobody.
    pub(crate) fn driver(&self) -> Result<&Driver, Finding> {
        let none = || Finding::Skipped("nobody was named who signs in at the provider".to_owned());
        self.driver.as_ref().ok_or_else(none)
    }
}

impl Case {
    pub(crate) fn driver(&self) -> Result<&Driver, Finding> {
        self.fixture.driver()
    }

    pub(crate) async fn sign_in(&self) -> Result<Claims> {
        self.provider.authenticate_password(self.fixture.credentials.clone()).await
    }

    pub(crate) async fn try_pair(&self, username: &str, password: &str) -> Result<Claims> {
        self.provider.authenticate_password(Credentials::new(username, password)).await
    }

    /// Fails unless the pair is refused like any wrong one, without a word about it.
    pub(crate) async fn ensure_refused(
        &self,
        username: &str,
        password: &str,
        what: &str,
    ) -> Verdict {
        match self.try_pair(username, password).await {
            Ok(_) => Err(Finding::Failed(format!("{what} was accepted"))),
            Err(error) if error.kind != PluginErrorKind::BadCredentials => Err(Finding::Failed(
                format!("{what}: expected bad credentials, got {}", error.kind),
            )),
            Err(error) if shows(&error.message, password) => {
                Err(Finding::Failed(format!("{what}: the error shows the password")))
            }
            Err(_) => Ok(()),
        }
    }
}

/// A failure that says to come again, and not that somebody is not who they say.
pub(crate) fn is_passing(error: &PluginError) -> bool {
    matches!(error.kind, PluginErrorKind::Unavailable | PluginErrorKind::DeadlineExceeded)
}

/// Says whether a message shows a password. Words that the usual refusal uses anyway do not count.
fn shows(message: &str, password: &str) -> bool {
    !password.is_empty()
        && message.contains(password)
        && !PluginError::bad_credentials().message.contains(password)
}
