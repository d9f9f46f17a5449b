//! Refusals: everything but the right password, all with the same words.

use boxvault_plugin_sdk::{PluginErrorKind, auth::PASSWORD_BYTES_MAX};

use super::{Case, Entry, cases};
use crate::case::{Finding, Verdict, ensure};

pub(super) const CASES: &[Entry] = cases! {
    PASSWORD:
        a_wrong_password_is_refused,
        an_unknown_user_is_refused_with_the_same_words,
        an_empty_password_or_name_is_refused,
        a_password_is_compared_as_a_whole,
        an_overlong_password_is_refused,
        a_nul_does_not_cut_a_password_short,
        unicode_passwords_are_compared_as_they_are,
        names_that_look_like_queries_are_refused,
        a_disabled_account_is_refused;
};

async fn a_wrong_password_is_refused(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    case.ensure_refused(&username, "certainly wrong", "a wrong password").await
}

async fn an_unknown_user_is_refused_with_the_same_words(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    let wrong_password = case.try_pair(&username, "certainly wrong").await;
    let unknown_user = case.try_pair("nobody-of-this-name", "certainly wrong").await;
    match (wrong_password, unknown_user) {
        (Err(one), Err(other)) if one == other => Ok(()),
        (one, other) => Err(Finding::Failed(format!(
            "told apart: wrong password {:?}, unknown user {:?}",
            one.map(drop),
            other.map(drop)
        ))),
    }
}

async fn an_empty_password_or_name_is_refused(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    let password = case.fixture.credentials.password.expose().to_owned();
    case.ensure_refused(&username, "", "an empty password").await?;
    case.ensure_refused("", &password, "an empty name").await?;
    case.ensure_refused(" ", &password, "a name of one space").await?;
    case.ensure_refused("", "", "an empty pair").await
}

async fn a_password_is_compared_as_a_whole(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    let password = case.fixture.credentials.password.expose().to_owned();
    for (wrong, what) in [
        (format!("{password} "), "with a space behind"),
        (format!(" {password}"), "with a space in front"),
        (format!("{password}{password}"), "twice"),
        (password.chars().skip(1).collect(), "without its first letter"),
        (password.chars().take(password.chars().count() - 1).collect(), "without its last letter"),
    ] {
        case.ensure_refused(&username, &wrong, &format!("the password {what}")).await?;
    }
    Ok(())
}

async fn an_overlong_password_is_refused(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    for length in [PASSWORD_BYTES_MAX, PASSWORD_BYTES_MAX + 1, 1 << 20] {
        let long = "p".repeat(length);
        case.ensure_refused(&username, &long, &format!("a password of {length} bytes")).await?;
    }
    let long = "u".repeat(1 << 20);
    case.ensure_refused(&long, "password", "a name of a megabyte").await
}

async fn a_nul_does_not_cut_a_password_short(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    let password = case.fixture.credentials.password.expose().to_owned();
    let longer = format!("{password}\0anything");
    case.ensure_refused(&username, &longer, "the password, a NUL and more").await?;
    let name = format!("{username}\0anything");
    case.ensure_refused(&name, &password, "the name, a NUL and more").await
}

async fn unicode_passwords_are_compared_as_they_are(case: Case) -> Verdict {
    let username = case.fixture.credentials.username.clone();
    for wrong in ["pässwörd", "密码", "🔑🔑🔑🔑", "\u{202e}drowssap", "e\u{301}"] {
        case.ensure_refused(&username, wrong, "a wrong password in Unicode").await?;
    }
    Ok(())
}

async fn names_that_look_like_queries_are_refused(case: Case) -> Verdict {
    let password = case.fixture.credentials.password.expose().to_owned();
    for name in ["*", "*)(uid=*", "' OR '1'='1", "admin'--", "../../etc/passwd", "a\r\nb", "%00"] {
        case.ensure_refused(name, &password, &format!("the name {name:?}")).await?;
    }
    Ok(())
}

async fn a_disabled_account_is_refused(case: Case) -> Verdict {
    let Some(disabled) = case.fixture.disabled.clone() else {
        return Err(Finding::Skipped("the fixture knows no disabled account".into()));
    };
    match case.provider.authenticate_password(disabled.clone()).await {
        Ok(_) => Err(Finding::Failed("a disabled account signed in".into())),
        Err(error) => {
            let refused = matches!(
                error.kind,
                PluginErrorKind::AccountDisabled | PluginErrorKind::BadCredentials
            );
            ensure!(refused, "expected account disabled, got {error}");
            // Only who knows the password may learn that the account is disabled.
            case.ensure_refused(&disabled.username, "certainly wrong", "a disabled account").await
        }
    }
}
