//! The end of a session: where signing out leads, and what a provider says of sessions that ended there.

use std::time::{SystemTime, UNIX_EPOCH};

use boxvault_plugin_sdk::{LogoutNotice, PluginError, Secret};

use super::{Case, Entry, cases};
use crate::case::{Finding, Verdict, ensure, eventually};

pub(super) const CASES: &[Entry] = cases! {
    LOGOUT:
        signing_out_leads_to_an_address_or_nowhere;
    LOGOUT_NOTICE:
        what_the_provider_says_of_ended_sessions_is_read,
        what_somebody_else_says_of_ended_sessions_is_refused,
        a_notice_by_a_new_key_is_read;
};

/// How far the provider's clock may be away, in seconds.
const SKEW_S: u64 = 300;

impl Case {
    /// What the provider, or somebody who pretends to be it, sends of the person of the fixture.
    async fn notice(&self, kind: &str, session: &str) -> Result<Secret, Finding> {
        let subject = &self.fixture.claims.subject;
        self.driver()?.tell(&format!("notice {kind} {subject} {session}")).await.map(Secret::new)
    }

    async fn ensure_notice_refused(&self, notice: Secret, what: &str) -> Verdict {
        match self.provider.read_logout_notice(notice).await {
            Err(error) if error == PluginError::bad_credentials() => Ok(()),
            Err(error) => {
                Err(Finding::Failed(format!("{what}: expected the usual refusal, got {error}")))
            }
            Ok(_) => Err(Finding::Failed(format!("{what} was believed"))),
        }
    }
}

async fn signing_out_leads_to_an_address_or_nowhere(case: Case) -> Verdict {
    let Some(url) = case.provider.logout(&case.fixture.claims.subject).await? else {
        return Ok(());
    };
    let parsed = reqwest::Url::parse(&url)
        .map_err(|error| Finding::Failed(format!("{url:?} is no address: {error}")))?;
    ensure!(matches!(parsed.scheme(), "http" | "https"), "{url:?} is nothing for a browser");
    Ok(())
}

async fn what_the_provider_says_of_ended_sessions_is_read(case: Case) -> Verdict {
    let subject = Some(case.fixture.claims.subject.clone());
    for session in [Some("a-session"), None] {
        let notice = case.notice("good", session.unwrap_or("-")).await?;
        let found = case.provider.read_logout_notice(notice).await?;
        let session = session.map(str::to_owned);
        let expected = LogoutNotice { subject: subject.clone(), session, issued: found.issued };
        ensure!(found == expected, "expected {expected:?}, found {found:?}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        ensure!(found.issued.abs_diff(now) < SKEW_S, "it was said at {}", found.issued);
    }
    Ok(())
}

async fn what_somebody_else_says_of_ended_sessions_is_refused(case: Case) -> Verdict {
    for kind in [
        "expired",
        "old",
        "early",
        "foreign",
        "unknown",
        "unsigned",
        "secret",
        "audience",
        "issuer",
        "nonce",
        "noevent",
        "otherevent",
        "nobody",
    ] {
        let notice = case.notice(kind, "a-session").await?;
        case.ensure_notice_refused(notice, &format!("a notice that is {kind:?}")).await?;
    }
    let good = case.notice("good", "a-session").await?;
    let half = good.expose().len() / 2;
    let cut = good.expose().get(..half).unwrap_or_default();
    for garbage in ["", "x", "a.b.c", "\0", cut, &"x".repeat(1 << 20)] {
        case.ensure_notice_refused(Secret::new(garbage), "a text that is no notice").await?;
    }
    Ok(())
}

async fn a_notice_by_a_new_key_is_read(case: Case) -> Verdict {
    case.provider.read_logout_notice(case.notice("good", "-").await?).await?;
    case.driver()?.tell("rotate").await?;
    eventually("the new key to be known", || async {
        let notice = case.notice("good", "-").await?;
        Ok(case.provider.read_logout_notice(notice).await.is_ok())
    })
    .await
}
