//! An auth plugin in a process of its own, as the trait that its author wrote.

use std::sync::Arc;

use async_trait::async_trait;
use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, LogoutNotice, PluginError, RedirectFinish,
    RedirectRequest, RedirectStart, Result, Secret, crossing,
};

use super::{
    supervisor::Supervisor,
    wire::{Answer, Question},
};
use crate::status::PluginStatus;

/// An instance of an auth plugin in a process of its own. Cloning is cheap and shares the instance.
#[derive(Clone, Debug)]
pub struct IsolatedAuthProvider {
    supervisor: Arc<Supervisor>,
}

impl IsolatedAuthProvider {
    pub(crate) const fn new(supervisor: Arc<Supervisor>) -> Self {
        Self { supervisor }
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        self.supervisor.status()
    }

    /// Ends the process, as a crash would; another one is started.
    pub fn kill(&self) {
        self.supervisor.kill();
    }

    async fn ask(&self, operation: &'static str, question: Question) -> Result<Answer> {
        let deadline = self.supervisor.deadlines().authenticate;
        Ok(self.supervisor.ask(operation, question, deadline).await?.0)
    }

    async fn claims(&self, operation: &'static str, question: Question) -> Result<Claims> {
        match self.ask(operation, question).await? {
            Answer::Claims(claims) => {
                claims.check()?;
                Ok(*claims)
            }
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> PluginError {
    crossing::violation("the plugin's process answered with something else")
}

#[async_trait]
impl AuthProvider for IsolatedAuthProvider {
    fn facets(&self) -> AuthFacets {
        AuthFacets::from_bits(self.supervisor.declared())
    }

    async fn health(&self) -> Result<()> {
        match self.ask("health", Question::Health).await? {
            Answer::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        credentials.check()?;
        let Credentials { username, password } = credentials;
        let question = Question::Password(username, password.expose().to_owned());
        self.claims("sign-in", question).await
    }

    async fn start_redirect(&self, request: RedirectRequest) -> Result<RedirectStart> {
        match self.ask("redirect", Question::StartRedirect(request)).await? {
            Answer::Redirect(start) => Ok(start),
            _ => Err(unexpected()),
        }
    }

    async fn finish_redirect(&self, callback: RedirectFinish) -> Result<Claims> {
        self.claims("callback", Question::FinishRedirect(callback)).await
    }

    async fn introspect_token(&self, token: Secret) -> Result<Claims> {
        let question = Question::IntrospectToken(token.expose().to_owned());
        self.claims("introspection", question).await
    }

    async fn read_logout_notice(&self, notice: Secret) -> Result<LogoutNotice> {
        let question = Question::LogoutNotice(notice.expose().to_owned());
        match self.ask("notice", question).await? {
            Answer::Notice(notice) => {
                notice.check()?;
                Ok(notice)
            }
            _ => Err(unexpected()),
        }
    }

    async fn refresh(&self, subject: &str) -> Result<Claims> {
        self.claims("refresh", Question::Refresh(subject.to_owned())).await
    }

    async fn logout(&self, subject: &str) -> Result<Option<String>> {
        match self.ask("sign-out", Question::Logout(subject.to_owned())).await? {
            Answer::Text(url) => Ok((!url.is_empty()).then_some(url)),
            _ => Err(unexpected()),
        }
    }

    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        match self.ask("groups", Question::Groups(subject.to_owned())).await? {
            Answer::Texts(groups) => Ok(groups),
            _ => Err(unexpected()),
        }
    }
}
