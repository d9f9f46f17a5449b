//! Signing in at another site: what a browser brings back is good once, and only with what began it.

use std::collections::BTreeMap;

use boxvault_plugin_sdk::{Claims, PluginError, PluginErrorKind, RedirectFinish, Result};
use futures_util::future::join_all;

use super::{
    Case, Entry, cases, is_passing,
    trip::{self, forged},
};
use crate::case::{Finding, Verdict, ensure, eventually};

pub(super) const CASES: &[Entry] = cases! {
    REDIRECT:
        whoever_comes_back_is_known_with_all_that_is_said_of_them,
        many_sign_ins_at_once_do_not_mix,
        what_a_browser_brings_back_is_good_once,
        what_a_browser_brings_back_is_good_only_with_what_began_it,
        what_was_forged_or_cut_is_refused,
        who_declines_is_refused,
        a_token_of_another_time_is_refused,
        a_token_of_another_sign_in_is_refused,
        a_token_of_another_issuer_or_for_another_client_is_refused,
        a_token_that_the_provider_did_not_sign_is_refused,
        a_token_that_is_none_lets_nobody_in,
        the_provider_may_change_its_keys_and_takes_the_old_ones_back,
        a_provider_that_is_away_is_told_as_such_and_comes_back;
};

impl Case {
    /// Begins a sign-in, signs in at the provider, and gives what the browser brings back.
    async fn trip(&self) -> Result<RedirectFinish, Finding> {
        let driver = self.driver()?;
        let begun = trip::begin(&*self.provider, driver).await?;
        begun.visit(driver, &self.fixture.credentials.username).await
    }

    async fn whole_trip(&self) -> Result<Result<Claims>, Finding> {
        let who = &self.fixture.credentials.username;
        trip::sign_in(&*self.provider, self.driver()?, who).await
    }

    fn ensure_known(&self, claims: &Claims) -> Verdict {
        claims.check()?;
        // of this sign-in alone
        let found = Claims { expires: None, session: None, ..claims.clone() };
        let expected = Claims { expires: None, session: None, ..self.fixture.claims.clone() };
        ensure!(found == expected, "expected {expected:?}, found {found:?}");
        Ok(())
    }

    async fn ensure_finish_refused(&self, back: RedirectFinish, what: &str) -> Verdict {
        ensure_refused(&self.provider.finish_redirect(back).await, what)
    }

    /// Signs in while the provider vouches in each of these wrong ways, and fails unless all are refused.
    async fn ensure_twists_refused(&self, kinds: &[&str]) -> Verdict {
        for kind in kinds {
            self.driver()?.twist(kind).await?;
            ensure_refused(&self.whole_trip().await?, &format!("a token that is {kind:?}"))?;
        }
        self.driver()?.twist("none").await?;
        // not because nobody is let in any more
        self.ensure_known(&self.whole_trip().await??)
    }
}

fn ensure_refused(answer: &Result<Claims>, what: &str) -> Verdict {
    match answer {
        Ok(_) => Err(Finding::Failed(format!("{what} was accepted"))),
        Err(error) if *error != PluginError::bad_credentials() => {
            Err(Finding::Failed(format!("{what}: expected the usual refusal, got {error}")))
        }
        Err(_) => Ok(()),
    }
}

async fn whoever_comes_back_is_known_with_all_that_is_said_of_them(case: Case) -> Verdict {
    for _ in 0..2 {
        case.ensure_known(&case.whole_trip().await??)?;
    }
    Ok(())
}

async fn many_sign_ins_at_once_do_not_mix(case: Case) -> Verdict {
    let mut brought = Vec::new();
    for number in 0..8 {
        let back = case.trip().await?;
        let back = if number % 2 == 0 { back } else { forged(back, "another") };
        brought.push(case.provider.finish_redirect(back));
    }
    for (number, answer) in join_all(brought).await.into_iter().enumerate() {
        if number % 2 == 0 {
            case.ensure_known(&answer?)?;
        } else {
            ensure_refused(&answer, "a forged answer in between")?;
        }
    }
    Ok(())
}

async fn what_a_browser_brings_back_is_good_once(case: Case) -> Verdict {
    let back = case.trip().await?;
    case.ensure_known(&case.provider.finish_redirect(back.clone()).await?)?;
    for _ in 0..2 {
        case.ensure_finish_refused(back.clone(), "an answer that came again").await?;
    }
    let back = case.trip().await?;
    let at_once = (0..4).map(|_| case.provider.finish_redirect(back.clone()));
    let answers = join_all(at_once).await;
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    ensure!(accepted <= 1, "an answer that came four times at once was accepted {accepted} times");
    Ok(())
}

async fn what_a_browser_brings_back_is_good_only_with_what_began_it(case: Case) -> Verdict {
    let (one, other) = (case.trip().await?, case.trip().await?);
    let mixed = RedirectFinish { parameters: one.parameters, ..other };
    case.ensure_finish_refused(mixed, "an answer to another sign-in").await?;
    let back = case.trip().await?;
    let changed = RedirectFinish { nonce: format!("{}x", back.nonce), ..back };
    case.ensure_finish_refused(changed, "another nonce").await?;
    let back = case.trip().await?;
    let changed = RedirectFinish { nonce: String::new(), ..back };
    case.ensure_finish_refused(changed, "no nonce").await?;
    let back = case.trip().await?;
    let changed = RedirectFinish { code_verifier: format!("{}x", back.code_verifier), ..back };
    case.ensure_finish_refused(changed, "another verifier").await?;
    let back = case.trip().await?;
    let changed = RedirectFinish { callback_url: format!("{}x", back.callback_url), ..back };
    case.ensure_finish_refused(changed, "another address to come back to").await
}

async fn what_was_forged_or_cut_is_refused(case: Case) -> Verdict {
    let back = case.trip().await?;
    let nothing = RedirectFinish { parameters: BTreeMap::new(), ..back.clone() };
    case.ensure_finish_refused(nothing, "nothing").await?;
    let mut state_alone = back.clone();
    state_alone.parameters.retain(|name, _| name == "state");
    case.ensure_finish_refused(state_alone, "a state alone").await?;
    for text in ["", "x", "a\0b", "\u{202e}🔑", "' OR '1'='1", "../../token", "a\r\nb: c", "%00"]
    {
        case.ensure_finish_refused(forged(back.clone(), text), &format!("{text:?}")).await?;
    }
    let long = forged(back, &"x".repeat(4096));
    case.ensure_finish_refused(long, "4096 letters").await
}

async fn who_declines_is_refused(case: Case) -> Verdict {
    let begun = trip::begin(&*case.provider, case.driver()?).await?;
    let back = begun.decline(case.driver()?).await?;
    case.ensure_finish_refused(back, "who declined to sign in").await
}

async fn a_token_of_another_time_is_refused(case: Case) -> Verdict {
    case.ensure_twists_refused(&["expired", "early", "notyet", "endless"]).await
}

async fn a_token_of_another_sign_in_is_refused(case: Case) -> Verdict {
    case.ensure_twists_refused(&["nonce", "nononce"]).await
}

async fn a_token_of_another_issuer_or_for_another_client_is_refused(case: Case) -> Verdict {
    case.ensure_twists_refused(&["issuer", "audience", "party", "noparty"]).await
}

async fn a_token_that_the_provider_did_not_sign_is_refused(case: Case) -> Verdict {
    let kinds = ["foreign", "tampered", "unsigned", "secret", "confused", "stranger"];
    case.ensure_twists_refused(&kinds).await
}

async fn a_token_that_is_none_lets_nobody_in(case: Case) -> Verdict {
    case.ensure_twists_refused(&["garbage", "nosubject"]).await?;
    // a provider that is broken is no matter of who signs in
    for kind in ["notoken", "unknown"] {
        case.driver()?.twist(kind).await?;
        ensure!(case.whole_trip().await?.is_err(), "a token that is {kind:?} was accepted");
    }
    Ok(())
}

async fn the_provider_may_change_its_keys_and_takes_the_old_ones_back(case: Case) -> Verdict {
    case.ensure_known(&case.whole_trip().await??)?;
    case.driver()?.tell("rotate").await?;
    eventually("the new key to be known", || async {
        match case.whole_trip().await? {
            Ok(claims) => case.ensure_known(&claims).map(|()| true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    case.driver()?.twist("retired").await?;
    let answer = case.whole_trip().await?;
    ensure!(answer.is_err(), "a key that was taken back still vouches for people");
    Ok(())
}

async fn a_provider_that_is_away_is_told_as_such_and_comes_back(case: Case) -> Verdict {
    let back = case.trip().await?;
    case.driver()?.tell("stop").await?;
    match case.provider.finish_redirect(back).await {
        Ok(_) => return Err(Finding::Failed("somebody signed in without the provider".to_owned())),
        Err(error) => ensure!(is_passing(&error), "expected unavailable, got {error}"),
    }
    match case.provider.health().await {
        Ok(()) => return Err(Finding::Failed("it is well without its provider".to_owned())),
        Err(error) => {
            ensure!(
                error.kind == PluginErrorKind::Unavailable,
                "expected unavailable, got {error}"
            );
        }
    }
    case.driver()?.tell("start").await?;
    eventually("the provider to be back", || async {
        match case.provider.health().await {
            Ok(()) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    case.ensure_known(&case.whole_trip().await??)
}
