//! Signing in: the right password works, again and for many at once.

use futures_util::future::try_join_all;

use super::{Case, Entry, cases};
use crate::case::{Verdict, ensure};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        a_healthy_provider_says_so,
        some_facet_is_declared;
    PASSWORD:
        the_right_password_signs_in,
        signing_in_again_names_the_same_account,
        many_sign_ins_at_once_work;
};

async fn a_healthy_provider_says_so(case: Case) -> Verdict {
    Ok(case.provider.health().await?)
}

async fn some_facet_is_declared(case: Case) -> Verdict {
    ensure!(case.provider.facets().names().next().is_some(), "nobody can ever sign in");
    Ok(())
}

async fn the_right_password_signs_in(case: Case) -> Verdict {
    Ok(case.sign_in().await?.check()?)
}

async fn signing_in_again_names_the_same_account(case: Case) -> Verdict {
    let (first, second) = (case.sign_in().await?, case.sign_in().await?);
    let same = first.issuer == second.issuer && first.subject == second.subject;
    ensure!(same, "the account changed its issuer or subject");
    Ok(())
}

async fn many_sign_ins_at_once_work(case: Case) -> Verdict {
    let sign_ins = (0..16).map(|index| {
        let case = case.clone();
        async move {
            if index % 2 == 0 {
                case.sign_in().await.map(drop)?;
                Ok(())
            } else {
                let username = &case.fixture.credentials.username;
                case.ensure_refused(username, "wrong", "a wrong password in between").await
            }
        }
    });
    try_join_all(sign_ins).await.map(drop)
}
