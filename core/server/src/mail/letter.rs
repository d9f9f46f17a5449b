//! What mails are about, and how they are laid out. Their words are in the files of messages, by language.
//!
//! One more is one more variant of [`Template`], with what its words may name in [`Template::parts`], and its words in
//! every file. A letter is paragraphs and at most one link; both forms, text and HTML, are laid out from them by
//! `templates/mail/`, where HTML escapes every value. Links are made by the caller, from the public URL.

use askama::Template as _;
use boxvault_types::identity::Role;
use serde::{Deserialize, Serialize};

use crate::{
    error::{AppError, Result},
    language::{Language, MailWords},
};

/// Every message that the server sends.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// Shows an operator that messages arrive.
    Test,
    /// Proves a new or changed address.
    VerifyEmail { username: String, link: String, valid_for: String },
    /// Lets somebody choose a new password.
    ResetPassword { username: String, link: String, valid_for: String },
    /// Lets somebody choose a new password whose present one an admin has ended.
    PasswordEnded { username: String, link: String, valid_for: String },
    /// Lets somebody choose the first password of an account that was made for them.
    AccountMade { username: String, link: String, valid_for: String },
    /// Tells that the password is another one now.
    PasswordChanged { username: String },
    /// Tells the present address that another one was asked for.
    EmailChangeRequested { username: String, new_email: String },
    /// Asks somebody into an organization.
    Invitation {
        organization: String,
        invited_by: String,
        role: Role,
        link: String,
        valid_for: String,
    },
    /// Tells those who decide that somebody wants to join an organization.
    JoinRequest { organization: String, username: String, message: String, link: String },
    /// Tells somebody what became of their request: the role that they have now, or none.
    JoinRequestDecided { organization: String, role: Option<Role> },
    /// Tells that signing in does or does not need a code from now on.
    SecondFactorChanged { username: String, enabled: bool },
    /// Tells whoever watches a box, `organization/box`, of a new version.
    Released { name: String, version: String, link: String, stop: Stop },
}

/// The way out of messages that nobody has to get.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// The page for people.
    pub(crate) page: String,
    /// Where mail programs post their one click (RFC 8058).
    pub(crate) address: String,
}

/// What a message is made of, whatever its language.
struct Parts<'a> {
    /// Its name in the files of messages, in numbers and in the log.
    kind: &'static str,
    values: Vec<(&'static str, Value<'a>)>,
    link: Option<&'a str>,
    stop: Option<&'a Stop>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    /// The same in every language.
    Text(&'a str),
    /// Words that the files know, such as `admin` or `2 days`.
    Words(&'a str),
}

impl<'a> Parts<'a> {
    fn of(kind: &'static str) -> Self {
        Self { kind, values: Vec::new(), link: None, stop: None }
    }

    fn text(mut self, name: &'static str, value: &'a str) -> Self {
        self.values.push((name, Value::Text(value)));
        self
    }

    fn words(mut self, name: &'static str, value: &'a str) -> Self {
        self.values.push((name, Value::Words(value)));
        self
    }

    fn link(self, link: &'a str) -> Self {
        Self { link: Some(link), ..self }
    }

    /// A message with a link that somebody follows to get at their account.
    fn of_account(
        kind: &'static str,
        username: &'a str,
        link: &'a str,
        valid_for: &'a str,
    ) -> Self {
        Self::of(kind).text("username", username).words("valid_for", valid_for).link(link)
    }

    fn value(&self, name: &str, language: Language) -> Option<String> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
        Some(match value {
            Value::Text(text) => (*text).to_owned(),
            Value::Words(words) => {
                words.split(' ').map(|word| language.word(word)).collect::<Vec<_>>().join(" ")
            }
        })
    }
}

impl Template {
    fn parts(&self) -> Parts<'_> {
        match self {
            Self::Test => Parts::of("test"),
            Self::VerifyEmail { username, link, valid_for } => {
                Parts::of_account("verify_email", username, link, valid_for)
            }
            Self::ResetPassword { username, link, valid_for } => {
                Parts::of_account("reset_password", username, link, valid_for)
            }
            Self::PasswordEnded { username, link, valid_for } => {
                Parts::of_account("password_ended", username, link, valid_for)
            }
            Self::AccountMade { username, link, valid_for } => {
                Parts::of_account("account_made", username, link, valid_for)
            }
            Self::PasswordChanged { username } => {
                Parts::of("password_changed").text("username", username)
            }
            Self::EmailChangeRequested { username, new_email } => {
                Parts::of("email_change_requested")
                    .text("username", username)
                    .text("new_email", new_email)
            }
            Self::Invitation { organization, invited_by, role, link, valid_for } => {
                Parts::of("invitation")
                    .text("organization", organization)
                    .text("invited_by", invited_by)
                    .words("role", role.as_str())
                    .words("valid_for", valid_for)
                    .link(link)
            }
            Self::JoinRequest { organization, username, message, link } => {
                let parts = Parts::of("join_request")
                    .text("organization", organization)
                    .text("username", username)
                    .link(link);
                if message.is_empty() { parts } else { parts.text("message", message) }
            }
            Self::JoinRequestDecided { organization, role: Some(role) } => {
                Parts::of("join_request_approved")
                    .text("organization", organization)
                    .words("role", role.as_str())
            }
            Self::JoinRequestDecided { organization, role: None } => {
                Parts::of("join_request_denied").text("organization", organization)
            }
            Self::SecondFactorChanged { username, enabled } => {
                let kind = if *enabled { "second_factor_on" } else { "second_factor_off" };
                Parts::of(kind).text("username", username)
            }
            Self::Released { name, version, link, stop } => Parts {
                stop: Some(stop),
                ..Parts::of("released").text("name", name).text("version", version).link(link)
            },
        }
    }
}

/// A message to somebody.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    to: String,
    language: Language,
    template: Template,
}

impl Mail {
    /// A message to an address.
    pub(crate) fn new(to: impl Into<String>, language: Language, template: Template) -> Self {
        Self { to: to.into(), language, template }
    }

    /// Lays it out. `server` is the public URL, by which the reader knows who writes.
    pub(crate) fn write(self, server: &str) -> Result<(&'static str, Letter)> {
        let (language, parts) = (self.language, self.template.parts());
        let words = language.mail(parts.kind, |name| parts.value(name, language));
        let words = words.ok_or_else(|| {
            AppError::internal(format!("no words for {} in {}", parts.kind, language.tag()))
        })?;
        let MailWords { subject, paragraphs, link: label } = words;
        let label = label.unwrap_or_default();
        let link = parts.link.map(|url| Link { label: &label, url });
        let stop = parts.stop.map(|stop| stop.page.as_str());
        let text = TextPart { paragraphs: &paragraphs, link, stop, server, language };
        let html =
            HtmlPart { paragraphs: &paragraphs, link, stop, server, language, subject: &subject };
        let letter = Letter {
            to: self.to.clone(),
            text: text.render().map_err(AppError::internal)?,
            html: html.render().map_err(AppError::internal)?,
            unsubscribe: parts.stop.map(|stop| stop.address.clone()),
            subject,
        };
        Ok((parts.kind, letter))
    }
}

/// A message as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// Where mail programs post that the reader wants no more of these.
    #[serde(default)]
    pub(crate) unsubscribe: Option<String>,
}

#[derive(Clone, Copy)]
struct Link<'a> {
    label: &'a str,
    url: &'a str,
}

#[derive(askama::Template)]
#[template(path = "mail/letter.txt")]
struct TextPart<'a> {
    paragraphs: &'a [String],
    link: Option<Link<'a>>,
    stop: Option<&'a str>,
    server: &'a str,
    language: Language,
}

#[derive(askama::Template)]
#[template(path = "mail/letter.html")]
struct HtmlPart<'a> {
    paragraphs: &'a [String],
    link: Option<Link<'a>>,
    stop: Option<&'a str>,
    server: &'a str,
    language: Language,
    subject: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_template() -> Vec<Template> {
        let (username, link) = ("ann".to_owned(), "https://boxes.test/x#token=t".to_owned());
        let (organization, valid_for) = ("acme".to_owned(), "2 days".to_owned());
        let stop = Stop { page: "https://p.test".to_owned(), address: "https://a.test".to_owned() };
        macro_rules! of_account {
            ($($kind:ident),+) => {
                [$(Template::$kind { username: username.clone(), link: link.clone(), valid_for: valid_for.clone() }),+]
            };
        }
        let mut all: Vec<_> =
            of_account!(VerifyEmail, ResetPassword, PasswordEnded, AccountMade).into();
        all.extend([
            Template::Test,
            Template::PasswordChanged { username: username.clone() },
            Template::EmailChangeRequested {
                username: username.clone(),
                new_email: "new@example.com".to_owned(),
            },
            Template::Invitation {
                organization: organization.clone(),
                invited_by: username.clone(),
                role: Role::Admin,
                link: link.clone(),
                valid_for,
            },
            Template::JoinRequest {
                organization: organization.clone(),
                username: username.clone(),
                message: "<b>".to_owned(),
                link: link.clone(),
            },
            Template::JoinRequestDecided { organization: organization.clone(), role: None },
            Template::JoinRequestDecided { organization, role: Some(Role::Owner) },
            Template::SecondFactorChanged { username: username.clone(), enabled: true },
            Template::SecondFactorChanged { username, enabled: false },
            Template::Released {
                name: "acme/web".to_owned(),
                version: "1.0.0".to_owned(),
                link,
                stop,
            },
        ]);
        all
    }

    #[test]
    fn every_language_has_the_words_of_every_mail_and_no_others() {
        for tag in ["en", "de"] {
            let language = Language::of_tag(tag).unwrap();
            let mut kinds: Vec<_> =
                every_template().iter().map(|template| template.parts().kind).collect();
            kinds.sort_unstable();
            assert_eq!(kinds, language.mail_kinds(), "{tag}");
            for template in every_template() {
                let parts = template.parts();
                let words = language.mail(parts.kind, |name| parts.value(name, language)).unwrap();
                assert_eq!(words.link.is_some(), parts.link.is_some(), "{tag}: {}", parts.kind);
                // every paragraph has values that are known
                let all = language.mail(parts.kind, |name| Some(name.to_owned())).unwrap();
                assert_eq!(words.paragraphs.len(), all.paragraphs.len(), "{tag}: {}", parts.kind);
            }
        }
    }

    #[test]
    fn a_letter_is_in_one_language_from_its_subject_to_its_last_line() {
        let template = Template::Released {
            name: "acme/web".to_owned(),
            version: "1.0.0".to_owned(),
            link: "https://boxes.test/acme".to_owned(),
            stop: Stop { page: "https://p.test".to_owned(), address: "https://a.test".to_owned() },
        };
        let german = Language::of_tag("de").unwrap();
        let (kind, letter) =
            Mail::new("a@b.test", german, template).write("https://x.test").unwrap();
        assert_eq!((kind, &*letter.subject), ("released", "acme/web 1.0.0 ist freigegeben"));
        assert!(letter.html.contains("<html lang=\"de\">"), "{}", letter.html);
        for part in [&letter.text, &letter.html] {
            for said in ["Version 1.0.0 von acme/web", "Die Box ansehen", "Keine solchen"] {
                assert!(part.contains(said), "{said} is missing in {part}");
            }
            assert!(!part.contains("No more"), "{part}");
        }
        assert!(letter.html.contains("Wenn der Knopf nicht geht"), "{}", letter.html);
    }

    #[test]
    fn words_of_values_are_said_in_the_language_and_nothing_is_said_of_no_message() {
        let german = Language::of_tag("de").unwrap();
        let letter = |template| Mail::new("a@b.test", german, template).write("s").unwrap().1.text;
        let invitation = |template: &Template| matches!(template, Template::Invitation { .. });
        let text = letter(every_template().into_iter().find(invitation).unwrap());
        assert!(text.contains("als Admin") && text.contains("von 2 Tagen"), "{text}");
        let text = letter(Template::JoinRequest {
            organization: "acme".to_owned(),
            username: "ann".to_owned(),
            message: String::new(),
            link: "https://x.test".to_owned(),
        });
        assert!(!text.contains("schreibt"), "{text}");
    }
}
