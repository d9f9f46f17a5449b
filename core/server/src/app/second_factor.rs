//! The second factor: one-time codes of an authenticator app (TOTP, RFC 6238), and recovery codes.
//!
//! A code is good for its own step of 30 seconds and one on either side, since clocks differ, and only once. The
//! secret is sealed; recovery codes are random enough for a fast hash, which their user's id goes into.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use boxvault_catalog::{
    second_factors,
    users::{self, User},
};
use boxvault_types::{
    error::ErrorCode,
    identity::Caller,
    ids::UserId,
    params::account::{CodeParams, PasswordParams, Secret},
    views::account::{NewSecondFactorView, RecoveryCodesView, SecondFactorView},
};
use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::info;

use super::{App, accounts::language_of, sessions::attempt_keys};
use crate::{
    error::{AppError, Result},
    mail::letter::{Mail, Template},
};

/// The length of a step, in seconds; what every app assumes.
const STEP_S: i64 = 30;
/// The steps around the present one whose codes are good.
const STEPS: [i64; 3] = [0, -1, 1];
/// The digits of a code.
const DIGITS: usize = 6;
/// The secret, in bytes: what RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// The randomness of a recovery code, in bytes.
const RECOVERY_CODE_BYTES: usize = 10;

impl App {
    /// Whether signing in to the caller's account needs a code.
    pub(crate) async fn second_factor(&self, user: UserId) -> Result<SecondFactorView> {
        let factor = second_factors::find(&self.catalog, user).await?;
        let enabled_at = factor.and_then(|factor| factor.confirmed_at);
        let recovery_codes_left = second_factors::count_recovery_codes(&self.catalog, user).await?;
        Ok(SecondFactorView { enabled: enabled_at.is_some(), enabled_at, recovery_codes_left })
    }

    /// Begins to set up a second factor; nothing needs it before it is confirmed.
    pub(crate) async fn begin_second_factor(
        &self,
        caller: &Caller,
        params: PasswordParams,
        address: IpAddr,
    ) -> Result<NewSecondFactorView> {
        let user = self.own_account(caller, &params.current_password, address).await?;
        let secret: [u8; SECRET_BYTES] = rand::random();
        let sealed = self.sealer.seal(&purpose(user.id), &secret)?;
        if !second_factors::begin(&self.catalog, user.id, sealed).await? {
            return Err(wrong_state("the second factor is on already; turn it off first"));
        }
        let secret = BASE32_NOPAD.encode(&secret);
        let issuer = format!("BoxVault {}", self.public_url.host());
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (issuer, name) = (encode(&issuer), encode(user.name.as_str()));
        let uri = format!(
            "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&digits={DIGITS}&period={STEP_S}"
        );
        Ok(NewSecondFactorView { secret, uri })
    }

    /// Turns the second factor on, since the app shows the right code.
    pub(crate) async fn confirm_second_factor(
        &self,
        caller: &Caller,
        params: CodeParams,
        address: IpAddr,
    ) -> Result<RecoveryCodesView> {
        let keys = attempt_keys(caller.name.as_str(), address);
        self.refuse_while_locked(&keys).await?;
        let factor = second_factors::find(&self.catalog, caller.user_id).await?;
        let begun = factor.filter(|factor| factor.confirmed_at.is_none());
        let begun = begun.ok_or_else(not_begun)?;
        let secret = self.sealer.open(&purpose(caller.user_id), &begun.secret)?;
        let Some(step) = step_of(&secret, params.code.expose(), self.catalog.now()) else {
            self.note_failure(&keys).await?;
            let why = "is not the code that the app shows now";
            return Err(
                AppError::new(ErrorCode::CodeWrong, format!("code: {why}")).with_field("code", why)
            );
        };
        let (codes, hashes) = new_recovery_codes(caller.user_id);
        if !second_factors::confirm(&self.catalog, caller.user_id, step, &hashes).await? {
            return Err(not_begun());
        }
        self.tell_second_factor(caller.user_id, true).await?;
        info!(user = %caller.name, "{} turned the second factor on", caller.name);
        Ok(RecoveryCodesView { recovery_codes: codes })
    }

    /// Gives new recovery codes in the place of the old ones.
    pub(crate) async fn renew_recovery_codes(
        &self,
        caller: &Caller,
        params: PasswordParams,
        address: IpAddr,
    ) -> Result<RecoveryCodesView> {
        let user = self.own_account(caller, &params.current_password, address).await?;
        let (codes, hashes) = new_recovery_codes(user.id);
        if !second_factors::renew_recovery_codes(&self.catalog, user.id, &hashes).await? {
            return Err(wrong_state("the second factor is off; turn it on first"));
        }
        Ok(RecoveryCodesView { recovery_codes: codes })
    }

    /// Turns the caller's own second factor off.
    pub(crate) async fn disable_second_factor(
        &self,
        caller: &Caller,
        params: PasswordParams,
        address: IpAddr,
    ) -> Result<()> {
        let user = self.own_account(caller, &params.current_password, address).await?;
        self.remove_second_factor(&user).await
    }

    /// Turns somebody's second factor off, for whoever was allowed to.
    pub(crate) async fn remove_second_factor(&self, user: &User) -> Result<()> {
        if !second_factors::remove(&self.catalog, user.id).await? {
            return Err(wrong_state("the second factor is off"));
        }
        self.tell_second_factor(user.id, false).await?;
        info!(user = %user.name, "the second factor of {} was turned off", user.name);
        Ok(())
    }

    /// Asks for the second factor of an account that has one.
    ///
    /// # Errors
    /// `SECOND_FACTOR_REQUIRED` without a code, `SECOND_FACTOR_INVALID` with a wrong or used one.
    pub(super) async fn check_second_factor(
        &self,
        user: UserId,
        code: Option<&Secret>,
    ) -> Result<()> {
        let factor = second_factors::find(&self.catalog, user).await?;
        let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else {
            return Ok(());
        };
        let Some(code) = code.map(Secret::expose).filter(|code| !code.trim().is_empty()) else {
            return Err(AppError::new(
                ErrorCode::SecondFactorRequired,
                "this account needs a second factor; send the code of the app, or a recovery code, as `code`",
            ));
        };
        let secret = self.sealer.open(&purpose(user), &factor.secret)?;
        let good = if let Some(step) = step_of(&secret, code, self.catalog.now()) {
            second_factors::use_step(&self.catalog, user, step).await?
        } else {
            let hash = recovery_hash(user, code);
            second_factors::use_recovery_code(&self.catalog, user, &hash).await?
        };
        if good {
            return Ok(());
        }
        Err(AppError::new(
            ErrorCode::SecondFactorInvalid,
            "this code is wrong or was used before; wait for the next one",
        ))
    }

    async fn tell_second_factor(&self, user: UserId, enabled: bool) -> Result<()> {
        let Some(user) = users::find(&self.catalog, user).await? else { return Ok(()) };
        let Some(email) = user.email.clone() else { return Ok(()) };
        let template = Template::SecondFactorChanged { username: user.name.to_string(), enabled };
        self.queue_mail(Mail::new(email, language_of(&user), template)).await?;
        Ok(())
    }
}

/// What a secret is sealed for: no row can be moved to another account.
fn purpose(user: UserId) -> String {
    format!("second-factor:{user}")
}

fn wrong_state(why: &str) -> AppError {
    AppError::new(ErrorCode::SecondFactorState, why)
}

fn not_begun() -> AppError {
    wrong_state("there is no second factor to confirm; begin with POST /api/user/second-factor")
}

/// The step whose code it is, among those that are good now.
fn step_of(secret: &[u8], presented: &str, now: DateTime<Utc>) -> Option<i64> {
    let presented: String = presented.chars().filter(|c| !c.is_whitespace()).collect();
    if presented.len() != DIGITS || !presented.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let present = now.timestamp().div_euclid(STEP_S);
    let candidates = STEPS.iter().map(|offset| present + offset);
    // each is looked at, whichever fits
    let fitting: Vec<i64> = candidates
        .filter(|step| bool::from(code_of(secret, *step).as_bytes().ct_eq(presented.as_bytes())))
        .collect();
    fitting.first().copied()
}

/// RFC 4226, section 5.3.
fn code_of(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let digest = tag.as_ref();
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let word = digest.get(offset..offset + 4).and_then(|part| part.try_into().ok());
    let number = u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff;
    format!("{:0DIGITS$}", number % 10_u32.pow(6))
}

fn new_recovery_codes(user: UserId) -> (Vec<String>, Vec<[u8; 32]>) {
    let codes = (0..RECOVERY_CODES).map(|_| {
        let bytes: [u8; RECOVERY_CODE_BYTES] = rand::random();
        let text = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        let groups: Vec<&str> =
            text.as_bytes().chunks(4).filter_map(|part| str::from_utf8(part).ok()).collect();
        groups.join("-")
    });
    let codes: Vec<String> = codes.collect();
    let hashes = codes.iter().map(|code| recovery_hash(user, code)).collect();
    (codes, hashes)
}

/// Blanks, hyphens and case do not matter.
fn recovery_hash(user: UserId, code: &str) -> [u8; 32] {
    let plain = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    Sha256::digest(format!("{user}:{}", plain.to_ascii_lowercase())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, cut to six digits
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(RFC_SECRET, seconds / STEP_S), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_one_on_either_side() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let code = code_of(RFC_SECRET, 100);
        for (seconds, step) in
            [(2969, None), (2970, Some(100)), (3000, Some(100)), (3059, Some(100)), (3060, None)]
        {
            assert_eq!(step_of(RFC_SECRET, &code, at(seconds)), step, "{seconds}");
        }
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(step_of(RFC_SECRET, &spaced, at(3000)), Some(100));
        for wrong in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"] {
            assert_eq!(step_of(RFC_SECRET, wrong, at(3000)), None, "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_differ_and_are_read_as_people_write_them() {
        let user = UserId::new();
        let (codes, hashes) = new_recovery_codes(user);
        assert_eq!((codes.len(), hashes.len()), (10, 10));
        assert_eq!(codes[0].len(), 19, "{}", codes[0]);
        let written = format!(" {} ", codes[0].to_uppercase().replace('-', " "));
        assert_eq!(recovery_hash(user, &written), hashes[0]);
        assert_ne!(recovery_hash(UserId::new(), &codes[0]), hashes[0], "good for another account");
        assert_ne!(hashes[0], hashes[1]);
    }
}
