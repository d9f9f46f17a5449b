//! The way out of a message: a mail server (SMTP), or without one a folder of files.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::timeout};
use tracing::info;

use super::letter::Letter;
use crate::{
    config::{Config, MailTls, PublicUrl},
    data_dir::{create_private_dir, replace_file},
};

/// What a mail server answers for ever: no such mailbox, not for you, too large for it, a name that it does not take.
/// Any other refusal may pass, since it can come from how the two servers are set up.
const FINAL_CODES: &[u16] = &[550, 551, 552, 553, 556];

/// A line of a message has at most 998 characters (RFC 5322); this leaves room for the header's name.
const HEADER_CHARS_MAX: usize = 900;

/// Why messages cannot be sent with this configuration.
#[derive(Debug, Error)]
pub enum MailSetupError {
    /// The certificates cannot be read.
    #[error("could not read mail.ca_file {}", path.display())]
    CaFile {
        /// What `mail.ca_file` says.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("could not set up TLS for the mail server; check mail.host and mail.ca_file")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The sender is no address.
    #[error("mail.from, or the address that stands in for it, is no sender")]
    From(#[source] lettre::address::AddressError),
}

/// Why a message was not sent.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// It never will be: no such address, or the mail server refuses it for good.
    #[error("refused for good")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A later attempt may succeed.
    #[error("not now")]
    NotNow(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The mail server took too long.
    #[error("the mail server did not take it within {0:?} (mail.timeout)")]
    TooSlow(Duration),
}

enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(PathBuf),
}

/// Where messages go.
pub(crate) struct Transport {
    way: Way,
    from: Mailbox,
    /// What message ids end with.
    domain: String,
    patience: Duration,
}

impl Transport {
    /// As the configuration says. Talks to nobody yet.
    pub(crate) fn new(config: &Config, public_url: &PublicUrl) -> Result<Self, MailSetupError> {
        let mail = &config.mail;
        let host = public_url.host();
        let domain = match host.parse::<IpAddr>() {
            Ok(_) => "localhost".to_owned(),
            Err(_) => host.clone(),
        };
        let from = mail.from.clone().unwrap_or_else(|| format!("BoxVault <boxvault@{domain}>"));
        let patience = Duration::from(mail.timeout);
        let way = match &mail.host {
            None => Way::Folder(
                mail.folder.clone().unwrap_or_else(|| config.server.data_dir.join("mail")),
            ),
            Some(server) => {
                let tls = tls(server, mail.tls, mail.ca_file.as_deref())?;
                let mut smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
                    .port(mail.port)
                    .tls(tls)
                    .timeout(Some(patience))
                    .hello_name(hello(&host));
                if let (Some(name), Some(password)) = (&mail.username, &mail.password) {
                    let password = password.expose().to_owned();
                    smtp = smtp.credentials(Credentials::new(name.clone(), password));
                }
                Way::Smtp(Box::new(smtp.build()))
            }
        };
        Ok(Self { way, from: from.parse().map_err(MailSetupError::From)?, domain, patience })
    }

    /// Where messages are put down instead of being sent.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Smtp(_) => None,
            Way::Folder(path) => Some(path),
        }
    }

    /// Sends a message, once. The same id always makes the same `Message-ID`, so that a message that is sent twice
    /// after a crash is recognized as one.
    pub(crate) async fn send(
        &self,
        id: &str,
        kind: &str,
        written_at: DateTime<Utc>,
        letter: Letter,
    ) -> Result<(), SendError> {
        let message = self.message(id, written_at, letter)?;
        match &self.way {
            Way::Smtp(smtp) => match timeout(self.patience, smtp.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(verdict(error)),
                Err(_) => Err(SendError::TooSlow(self.patience)),
            },
            Way::Folder(folder) => {
                let name = format!("{}-{kind}-{id}.eml", written_at.format("%Y%m%dT%H%M%S%3fZ"));
                let path = folder.join(name);
                let (folder, file) = (folder.clone(), path.clone());
                spawn_blocking(move || {
                    create_private_dir(&folder)?;
                    replace_file(&file, &message.formatted(), 0o600)
                })
                .await
                .map_err(io::Error::other)
                .flatten()
                .map_err(|error| SendError::NotNow(error.into()))?;
                info!(
                    kind,
                    file = %path.display(),
                    "no mail server is set (mail.host), so a message became the file {}",
                    path.display()
                );
                Ok(())
            }
        }
    }

    fn message(
        &self,
        id: &str,
        written_at: DateTime<Utc>,
        letter: Letter,
    ) -> Result<Message, SendError> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| SendError::Refused(error);
        let to = Mailbox::new(None, letter.to.parse().map_err(|error| refused(Box::new(error)))?);
        // names of things stand in subjects; a line end would begin another header
        let subject: String = letter.subject.chars().filter(|c| !c.is_control()).collect();
        let raw = |name, value: String| {
            let name = HeaderName::new_from_ascii_str(name);
            HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
        };
        let mut message = Message::builder();
        if let Some(address) = letter.unsubscribe.filter(|address| is_plain(address)) {
            message = message
                .raw_header(raw("List-Unsubscribe", format!("<{address}>")))
                .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        message
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .date(SystemTime::from(written_at))
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()))
            .multipart(
                MultiPart::alternative()
                    .singlepart(plain(&letter.text))
                    .singlepart(SinglePart::html(letter.html)),
            )
            .map_err(|error| refused(Box::new(error)))
    }
}

/// Whether an address stands in a header as it is, unbroken, as RFC 8058 wants it.
fn is_plain(address: &str) -> bool {
    address.len() <= HEADER_CHARS_MAX
        && address.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>'))
}

/// The text as it stands, where mail allows that: a link stays in one piece, so that whoever opens the file of a message
/// can copy it from there.
fn plain(text: &str) -> SinglePart {
    /// What a line may have (RFC 5322, section 2.1.1).
    const LINE_BYTES_MAX: usize = 998;
    if text.is_ascii() && text.lines().all(|line| line.len() <= LINE_BYTES_MAX) {
        let lines: String = text.lines().flat_map(|line| [line, "\r\n"]).collect();
        let body =
            Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit);
        return SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body);
    }
    SinglePart::plain(text.to_owned())
}

fn tls(server: &str, tls: MailTls, ca_file: Option<&Path>) -> Result<Tls, MailSetupError> {
    if tls == MailTls::Off {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(server.to_owned());
    if let Some(path) = ca_file {
        let unreadable = |source| MailSetupError::CaFile { path: path.to_owned(), source };
        #[expect(clippy::disallowed_methods, reason = "a small file, before anything is served")]
        let pem = std::fs::read(path).map_err(unreadable)?;
        let trusted = Certificate::from_pem(&pem).map_err(MailSetupError::Tls)?;
        parameters = parameters.add_root_certificate(trusted);
    }
    let parameters = parameters.build().map_err(MailSetupError::Tls)?;
    Ok(match tls {
        MailTls::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

/// How we introduce ourselves to the mail server.
fn hello(host: &str) -> ClientId {
    match host.parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}

fn verdict(error: lettre::transport::smtp::Error) -> SendError {
    let code = error.status().map(u16::from);
    if code.is_some_and(|code| FINAL_CODES.contains(&code)) {
        SendError::Refused(error.into())
    } else {
        SendError::NotNow(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(to: &str, subject: &str) -> Letter {
        Letter {
            to: to.to_owned(),
            subject: subject.to_owned(),
            text: "text".to_owned(),
            html: "<p>html</p>".to_owned(),
            unsubscribe: None,
        }
    }

    fn transport() -> Transport {
        let url: PublicUrl = "https://boxes.example.com:5001".parse().unwrap();
        Transport::new(&Config::default(), &url).unwrap()
    }

    #[test]
    fn what_stands_in_a_subject_begins_no_header() {
        let letter = letter("ann@example.com", "You\r\nBcc: all@example.com\0 were invited");
        let message = transport().message("1", Utc::now(), letter).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(!text.contains("\r\nBcc:"), "{text}");
        assert!(text.contains("From: BoxVault <boxvault@boxes.example.com>"), "{text}");
        assert!(text.contains("Message-ID: <1@boxes.example.com>"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(text.contains("text/plain") && text.contains("text/html"), "{text}");
    }

    #[test]
    fn a_mail_program_is_told_how_to_stop_messages_and_nothing_else_gets_in_by_that() {
        let address = format!("https://boxes.example.com/stop?token={}", "a".repeat(200));
        let text_of = |unsubscribe: &str| {
            let unsubscribe = Some(unsubscribe.to_owned());
            let letter = Letter { unsubscribe, ..letter("ann@example.com", "s") };
            let message = transport().message("1", Utc::now(), letter).unwrap();
            String::from_utf8(message.formatted()).unwrap()
        };
        let text = text_of(&address);
        for line in [
            &format!("List-Unsubscribe: <{address}>"),
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        ] {
            assert!(text.lines().any(|one| one == line), "{text}");
        }
        for bad in ["https://a\r\nBcc: all@example.com", "https://a>, <https://b", &"a".repeat(999)]
        {
            let text = text_of(bad);
            assert!(!text.contains("List-Unsubscribe") && !text.contains("Bcc"), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_for_good() {
        for to in ["", "a", "a@b\r\nRCPT TO:<c@d>", "a@b>,<c@d", "a b@c"] {
            let outcome = transport().message("1", Utc::now(), letter(to, "s"));
            assert!(matches!(outcome, Err(SendError::Refused(_))), "{to:?}");
        }
    }
}
