//! Which passwords may be used. Length first; then what those who guess try first.
//!
//! A list of words with a few rules refuses more than a long list of passwords would: `P4ssw0rd!2025` is `password`.
//! Nothing is asked for that makes passwords hard to remember and no better, such as one sign of each kind.

use std::collections::BTreeSet;

use boxvault_catalog::users::User;
use boxvault_types::params::account::Secret;

use crate::error::{AppError, Result};

/// The longest password, in bytes; hashing reads all of it.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;
/// A password of fewer different characters is one that somebody leaned on a key for.
const DIFFERENT_CHARS_MIN: usize = 4;
/// Shorter parts of an address are no names.
const OWN_WORD_CHARS_MIN: usize = 3;

/// The words, one a line; a line that begins with `#` speaks to the reader.
const COMMON: &str = include_str!("common_words.txt");

/// Whose password it is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) username: &'a str,
    pub(crate) email: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// The owner of an account.
    pub(crate) fn of(user: &'a User) -> Self {
        Self { username: user.name.as_str(), email: user.email.as_deref() }
    }
}

/// Refuses a password that would be guessed.
///
/// # Errors
/// `INVALID_INPUT` for the field.
pub(crate) fn check(
    field: &str,
    password: &Secret,
    owner: Owner<'_>,
    length_min: usize,
) -> Result<()> {
    let text = password.expose();
    let refuse = |why: String| Err(AppError::invalid(field, why));
    if text.chars().count() < length_min {
        return refuse(format!("must have at least {length_min} characters"));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return refuse(format!("must have at most {PASSWORD_BYTES_MAX} bytes"));
    }
    if text.contains('\0') {
        return refuse("must not hold a NUL character".to_owned());
    }
    if is_own(text, owner) {
        return refuse("is made of your own name or address; choose another one".to_owned());
    }
    if is_common(text) {
        return refuse(
            "is one of those that are tried first; choose another one, for instance four words \
             that have nothing to do with each other"
                .to_owned(),
        );
    }
    Ok(())
}

fn is_own(text: &str, owner: Owner<'_>) -> bool {
    let email = owner.email.unwrap_or_default();
    let local = email.split('@').next().unwrap_or_default();
    let words = [owner.username, email, local];
    let mut own = words.iter().filter(|word| word.chars().count() >= OWN_WORD_CHARS_MIN);
    let forms = forms(text);
    own.any(|word| {
        let word = fold(word);
        forms.iter().any(|form| *form == word || is_repeated(form, &word))
    })
}

fn is_common(text: &str) -> bool {
    let different: BTreeSet<char> = text.to_lowercase().chars().collect();
    different.len() < DIFFERENT_CHARS_MIN
        || is_sequence(text)
        || forms(text).iter().any(|form| is_word(form) || unit(form).is_some_and(is_word))
}

fn is_word(form: &str) -> bool {
    COMMON.lines().any(|line| !line.starts_with('#') && fold(line) == form)
}

/// What a password is compared as: whole, and without the digits and signs behind it or around it.
fn forms(text: &str) -> [String; 3] {
    let front = text.trim_end_matches(|c: char| !c.is_alphabetic());
    let bare = front.trim_start_matches(|c: char| !c.is_alphabetic());
    [fold(text), fold(front), fold(bare)]
}

/// Small letters, and the letters that digits and signs stand for. `l` and `i` are one, since `1` is either.
fn fold(text: &str) -> String {
    let letter = |c: char| match c {
        '0' => 'o',
        '1' | '!' | '|' | 'l' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.to_lowercase().chars().map(letter).collect()
}

/// Whether it is each character after the one before, as in `1234567890` and `zyxwvutsrq`.
fn is_sequence(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let steps: BTreeSet<i64> =
        codes.iter().zip(codes.iter().skip(1)).map(|(one, next)| next - one).collect();
    // nine is followed by zero on a keyboard
    let up = steps.iter().all(|step| matches!(step, 1 | -9));
    let down = steps.iter().all(|step| matches!(step, -1 | 9));
    up || down
}

/// What a text is several times in a row, if it is.
fn unit(text: &str) -> Option<&str> {
    let lengths = (1..=text.len() / 2).filter(|length| text.len().is_multiple_of(*length));
    lengths.filter_map(|length| text.get(..length)).find(|unit| is_repeated(text, unit))
}

fn is_repeated(text: &str, unit: &str) -> bool {
    !unit.is_empty() && text.len() > unit.len() && text.replace(unit, "").is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { username: "alice", email: Some("a.cooper@example.com") };

    fn checked(text: &str) -> Result<()> {
        check("password", &Secret::new(text.to_owned()), OWNER, 10)
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        for bad in [
            "short",
            "Password123",
            "P4ssw0rd!2025",
            "passwordpassword",
            "Summer2025!",
            "!!!Welcome99",
            "qwertyuiop",
            "1q2w3e4r5t",
            "1qaz2wsx3edc",
            "1234567890",
            "0123456789",
            "9876543210",
            "abcdefghij",
            "aaaaaaaaaa",
            "abababababab",
            "abcabcabcabc",
            "alicealice",
            "Alice12345",
            "4l1ce-2025!!",
            "a.cooper@example.com",
            "A.Cooper1990",
            "with\0nul-in-it",
        ] {
            let refused = checked(bad).expect_err(bad);
            assert!(refused.fields().contains_key("password"), "{bad}");
            assert!(!refused.message().contains(bad), "the message repeats {bad}");
        }
        assert!(checked(&"x".repeat(2000)).is_err());
    }

    #[test]
    fn long_passwords_of_unrelated_words_are_fine() {
        for good in [
            "four plain words here",
            "correct horse battery",
            "alice went to the moon",
            "kX9#mQ2$vL",
            "пароль с пробелами",
            "password is in the middle of it",
        ] {
            checked(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        let nameless = Owner { username: "bo", email: None };
        assert!(check("p", &Secret::new("bobobo tango zulu".to_owned()), nameless, 10).is_ok());
    }
}
