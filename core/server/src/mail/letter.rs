//! What messages say. One more is one more variant of [`Template`], with its words in [`Template::words`].
//!
//! A letter is paragraphs and at most one link; both forms, text and HTML, are laid out from them by
//! `templates/mail/`, where HTML escapes every value. Links are made by the caller, from the public URL.

use askama::Template as _;
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Result};

/// Every message that the server sends.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// Shows an operator that messages arrive.
    Test,
    /// Tells whoever watches a box of a new version.
    Released {
        /// The box, with its organization.
        name: String,
        /// The version.
        version: String,
        /// The page of the box.
        url: String,
    },
}

/// The words of one message.
struct Words {
    /// For numbers and logs.
    kind: &'static str,
    subject: String,
    paragraphs: Vec<String>,
    link: Option<Link>,
}

struct Link {
    label: &'static str,
    url: String,
}

impl Template {
    fn words(&self) -> Words {
        match self {
            Self::Test => Words {
                kind: "test",
                subject: "Test message".to_owned(),
                paragraphs: vec!["Messages from this server arrive.".to_owned()],
                link: None,
            },
            Self::Released { name, version, url } => Words {
                kind: "released",
                subject: format!("{name} {version} was released"),
                paragraphs: vec![
                    format!("Version {version} of {name} was released."),
                    "You get this message because you watch this box. Its page is where you stop to."
                        .to_owned(),
                ],
                link: Some(Link { label: "Look at the box", url: url.clone() }),
            },
        }
    }
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
        let text = TextPart { paragraphs, link, server };
        let html = HtmlPart { paragraphs, link, server, subject: &words.subject };
        let letter = Letter {
            to: self.to,
            text: text.render().map_err(AppError::internal)?,
            html: html.render().map_err(AppError::internal)?,
            subject: words.subject,
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
}

#[derive(askama::Template)]
#[template(path = "mail/letter.txt")]
struct TextPart<'a> {
    paragraphs: &'a [String],
    link: Option<&'a Link>,
    server: &'a str,
}

#[derive(askama::Template)]
#[template(path = "mail/letter.html")]
struct HtmlPart<'a> {
    paragraphs: &'a [String],
    link: Option<&'a Link>,
    server: &'a str,
    subject: &'a str,
}
