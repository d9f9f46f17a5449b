//! What messages say. One more is one more variant of [`Template`], with its words in [`Template::words`].
//!
//! A letter is paragraphs and at most one link; both forms, text and HTML, are laid out from them by
//! `templates/mail/`, where HTML escapes every value. Links are made by the caller, from the public URL.

use askama::Template as _;
use boxvault_types::identity::Role;
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Result};

/// Every message that the server sends.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// Shows an operator that messages arrive.
    Test,
    /// Proves a new or changed address.
    VerifyEmail { username: String, link: String, valid_for: String },
    /// Lets somebody choose a new password.
    ResetPassword { username: String, link: String, valid_for: String },
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
    JoinRequest { organization: String, username: String, message: String },
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

/// The words of one message.
struct Words {
    /// For numbers and logs.
    kind: &'static str,
    subject: String,
    paragraphs: Vec<String>,
    link: Option<Link>,
    stop: Option<Stop>,
}

struct Link {
    label: &'static str,
    url: String,
}

impl Template {
    fn words(&self) -> Words {
        match self {
            Self::Test => {
                told("test", "Test message", ["Messages from this server arrive.".to_owned()])
            }
            Self::VerifyEmail { username, link, valid_for } => Words {
                link: Some(Link { label: "Confirm the address", url: link.clone() }),
                ..told(
                    "verify_email",
                    "Confirm your e-mail address",
                    [
                        format!("This address was given for the account {username}."),
                        format!("Confirm within {valid_for} that it is yours."),
                        "If you know nothing of it, do nothing: it stays unconfirmed.".to_owned(),
                    ],
                )
            },
            Self::ResetPassword { username, link, valid_for } => Words {
                link: Some(Link { label: "Choose a new password", url: link.clone() }),
                ..told(
                    "reset_password",
                    "Choose a new password",
                    [
                        format!("A new password was asked for, for the account {username}."),
                        format!("The link works once, within {valid_for}, and ends every session."),
                        "If it was not you, do nothing: the password stays as it is.".to_owned(),
                    ],
                )
            },
            Self::AccountMade { username, link, valid_for } => Words {
                link: Some(Link { label: "Choose a password", url: link.clone() }),
                ..account_made(username, valid_for)
            },
            Self::Invitation { organization, invited_by, role, link, valid_for } => Words {
                link: Some(Link { label: "Accept the invitation", url: link.clone() }),
                ..invitation(organization, invited_by, *role, valid_for)
            },
            Self::JoinRequest { organization, username, message } => {
                join_request(organization, username, message)
            }
            Self::JoinRequestDecided { organization, role } => {
                join_request_decided(organization, *role)
            }
            Self::PasswordChanged { username } => told(
                "password_changed",
                "Your password was changed",
                [format!("The account {username} has a new password."), NOT_YOU.to_owned()],
            ),
            Self::EmailChangeRequested { username, new_email } => told(
                "email_change_requested",
                "Your account is to get another address",
                [
                    format!("The account {username} is to be reached at {new_email} from now on."),
                    "This address stays in force until the new one is confirmed.".to_owned(),
                    NOT_YOU.to_owned(),
                ],
            ),
            Self::SecondFactorChanged { username, enabled } => {
                let needs =
                    if *enabled { "needs a code from now on" } else { "needs no code any more" };
                told(
                    "second_factor_changed",
                    "How you sign in has changed",
                    [format!("Signing in to the account {username} {needs}."), NOT_YOU.to_owned()],
                )
            }
            Self::Released { name, version, link, stop } => released(name, version, link, stop),
        }
    }
}

/// What to do about a change that somebody else made.
const NOT_YOU: &str =
    "If it was not you, reset the password now, and tell whoever runs the server.";

fn account_made(username: &str, valid_for: &str) -> Words {
    told(
        "account_made",
        "Choose a password for your new account",
        [
            format!("An admin of this server has made the account {username} for you."),
            format!("The link works once, within {valid_for}."),
            "When that is over, ask for another one where you sign in.".to_owned(),
        ],
    )
}

fn invitation(organization: &str, invited_by: &str, role: Role, valid_for: &str) -> Words {
    told(
        "invitation",
        &format!("You are invited to {organization}"),
        [
            format!("{invited_by} invites you to {organization}, as {role}."),
            format!("The link works once, within {valid_for}, for this address alone."),
            "If you know nothing of it, do nothing.".to_owned(),
        ],
    )
}

fn join_request_decided(organization: &str, role: Option<Role>) -> Words {
    let outcome = match role {
        Some(role) => format!("You are now in {organization}, as {role}."),
        None => format!("Your request to join {organization} was denied."),
    };
    told("join_request_decided", &format!("Your request to join {organization}"), [outcome])
}

fn join_request(organization: &str, username: &str, message: &str) -> Words {
    let mut words = told(
        "join_request",
        &format!("{username} asks to join {organization}"),
        [
            format!("The user {username} of this server asks to join {organization}."),
            "Every admin and owner of it can approve or deny the request.".to_owned(),
        ],
    );
    if !message.is_empty() {
        words.paragraphs.push(format!("{username} writes: {message}"));
    }
    words
}

fn released(name: &str, version: &str, link: &str, stop: &Stop) -> Words {
    Words {
        link: Some(Link { label: "Look at the box", url: link.to_owned() }),
        stop: Some(stop.clone()),
        ..told(
            "released",
            &format!("{name} {version} was released"),
            [
                format!("Version {version} of {name} was released."),
                "You get this message because you watch this box.".to_owned(),
            ],
        )
    }
}

/// A message without a link.
fn told<const N: usize>(kind: &'static str, subject: &str, paragraphs: [String; N]) -> Words {
    let paragraphs = paragraphs.into();
    Words { kind, subject: subject.to_owned(), paragraphs, link: None, stop: None }
}

/// A message to somebody.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    to: String,
    template: Template,
}

impl Mail {
    /// A message to an address.
    pub(crate) fn new(to: impl Into<String>, template: Template) -> Self {
        Self { to: to.into(), template }
    }

    /// Lays it out. `server` is the public URL, by which the reader knows who writes.
    pub(crate) fn write(self, server: &str) -> Result<(&'static str, Letter)> {
        let words = self.template.words();
        let (paragraphs, link) = (&words.paragraphs, words.link.as_ref());
        let stop = words.stop.as_ref().map(|stop| stop.page.as_str());
        let text = TextPart { paragraphs, link, stop, server };
        let html = HtmlPart { paragraphs, link, stop, server, subject: &words.subject };
        let letter = Letter {
            to: self.to,
            text: text.render().map_err(AppError::internal)?,
            html: html.render().map_err(AppError::internal)?,
            subject: words.subject,
            unsubscribe: words.stop.map(|stop| stop.address),
        };
        Ok((words.kind, letter))
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

#[derive(askama::Template)]
#[template(path = "mail/letter.txt")]
struct TextPart<'a> {
    paragraphs: &'a [String],
    link: Option<&'a Link>,
    stop: Option<&'a str>,
    server: &'a str,
}

#[derive(askama::Template)]
#[template(path = "mail/letter.html")]
struct HtmlPart<'a> {
    paragraphs: &'a [String],
    link: Option<&'a Link>,
    stop: Option<&'a str>,
    server: &'a str,
    subject: &'a str,
}
