//! Messages: through a real mail server, past one that refuses or is away, and into a folder without any.

use std::os::unix::fs::PermissionsExt as _;

use boxvault_tests::{
    TestServer,
    mail::{self, ARRIVAL_DEADLINE, Secured, SmtpServer},
    server::TestServerBuilder,
    skip, wait_for,
};

const NO_SERVER: &str = "aiosmtpd is not installed (python3-aiosmtpd)";

/// A server whose messages go to a mail server without encryption.
fn through(smtp: &SmtpServer) -> TestServerBuilder {
    TestServer::builder()
        .set("mail.host", "127.0.0.1")
        .set("mail.port", &smtp.address().port().to_string())
        .set("mail.tls", "off")
        .set("mail.from", "BoxVault <boxvault@example.com>")
        .set("mail.retry_first", "100 ms")
        .set("mail.retry_longest", "500 ms")
}

/// Runs `boxvault mail …`; tells whether it went well, and what it said.
async fn command(server: &TestServer, arguments: &[&str]) -> (bool, String) {
    let output = server.command(&[&["mail"], arguments].concat(), "").await;
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_message_crosses_encrypted_and_authenticated_in_text_and_html() {
    // a server that is not asked for anything else makes the certificate
    let other = TestServer::start().await;
    let pem = other.data_dir().join("tls/self-signed.pem");
    let (name, password) = ("boxvault", "canary-mail-password");
    let Some(smtp) = SmtpServer::start_secured(Secured { pem: &pem, name, password }).await else {
        return skip(
            "mail::a_message_crosses_encrypted_and_authenticated_in_text_and_html",
            NO_SERVER,
        );
    };
    let password_file = other.scratch().join("password");
    tokio::fs::write(&password_file, format!("{password}\n")).await.unwrap();
    let secured = || {
        through(&smtp)
            .set("mail.host", "localhost")
            .set("mail.tls", "starttls")
            .set("mail.username", name)
            .set("mail.password_file", password_file.to_str().unwrap())
    };
    let trusting = || secured().set("mail.ca_file", pem.to_str().unwrap());

    let server = trusting().set("server.public_url", "https://boxes.example.com").start().await;
    let (sent, said) = command(&server, &["test", "ann@example.com"]).await;
    assert!(sent, "{said}\n{}", server.log());
    let message = smtp.message_to("ann@example.com").await;
    assert!(message.tls && message.authenticated, "{message:?}");
    assert_eq!(message.from, "boxvault@example.com");
    for part in ["text/plain", "text/html", "Subject: Test message", "https://boxes.example.com"] {
        assert!(message.content.contains(part), "{part} is missing in {}", message.content);
    }
    assert!(!server.log().contains(password));

    // neither to a server that nobody vouches for, nor with a wrong password
    let strange = secured().start().await;
    let wrong =
        trusting().set("mail.password_file", "").set("mail.password", "wrong").start().await;
    for server in [strange, wrong] {
        let (sent, said) = command(&server, &["test", "bob@example.com"]).await;
        assert!(!sent && said.contains("again at"), "{said}");
    }
    assert_eq!(smtp.received().len(), 1);
}

#[tokio::test]
async fn a_message_without_encryption_is_not_sent_where_encryption_is_asked_for() {
    let Some(smtp) = SmtpServer::start().await else {
        return skip(
            "mail::a_message_without_encryption_is_not_sent_where_encryption_is_asked_for",
            NO_SERVER,
        );
    };
    let server = through(&smtp).set("mail.tls", "starttls").start().await;
    let (sent, said) = command(&server, &["test", "ann@example.com"]).await;
    assert!(!sent, "{said}");
    assert!(smtp.received().is_empty());
}

#[tokio::test]
async fn messages_wait_while_the_mail_server_is_away_and_arrive_once_when_it_is_back() {
    let Some(mut smtp) = SmtpServer::start().await else {
        return skip(
            "mail::messages_wait_while_the_mail_server_is_away_and_arrive_once_when_it_is_back",
            NO_SERVER,
        );
    };
    let mut server = through(&smtp).set("mail.attempts_max", "1000000").start().await;
    smtp.stop().await;
    let (sent, said) = command(&server, &["test", "ann@example.com"]).await;
    assert!(!sent && said.contains("again at"), "{said}");
    // the message outlives the server that was to send it
    server.kill9().await;
    server.restart().await;
    let (_, said) = command(&server, &["list"]).await;
    assert!(said.ends_with("1 messages could not be sent\n"), "{said}");
    smtp.restart().await;
    smtp.message_to("ann@example.com").await;
    wait_for("an empty outbox", ARRIVAL_DEADLINE, async || {
        let metrics = server.anonymous().get("/metrics").await.text();
        metrics.contains("boxvault_mail_queue{state=\"waiting\"} 0").then_some(())
    })
    .await;
    assert_eq!(smtp.received().len(), 1);
}

#[tokio::test]
async fn a_refused_recipient_is_given_up_at_once_and_shown_to_the_operator() {
    let Some(smtp) = SmtpServer::start().await else {
        return skip(
            "mail::a_refused_recipient_is_given_up_at_once_and_shown_to_the_operator",
            NO_SERVER,
        );
    };
    let server = through(&smtp).start().await;
    let (sent, said) = command(&server, &["test", "refused@example.com"]).await;
    assert!(!sent && said.contains("given up") && said.contains("no such mailbox"), "{said}");
    let (_, said) = command(&server, &["list"]).await;
    assert!(
        said.contains("given up") && said.ends_with("1 messages could not be sent\n"),
        "{said}"
    );
    wait_for("the number of messages that were given up", ARRIVAL_DEADLINE, async || {
        let metrics = server.anonymous().get("/metrics").await.text();
        metrics.contains("boxvault_mail_queue{state=\"given_up\"} 1").then_some(())
    })
    .await;
    // nor is one that the server would take later tried for ever
    let server = through(&smtp).set("mail.attempts_max", "2").start().await;
    let (sent, said) = command(&server, &["test", "later@example.com"]).await;
    assert!(!sent && said.contains("1 failed attempts, again at"), "{said}");
    wait_for("a message that was given up", ARRIVAL_DEADLINE, async || {
        let (_, said) = command(&server, &["list"]).await;
        said.contains("2 failed attempts, given up").then_some(())
    })
    .await;
    wait_for("a line in the log", ARRIVAL_DEADLINE, async || {
        server.log().contains("gave a message up").then_some(())
    })
    .await;
    assert!(!server.log().contains("later@example.com"), "{}", server.log());
    let (done, said) = command(&server, &["retry"]).await;
    assert!(done && said.starts_with("1 messages"), "{said}");
    let (sent, said) = command(&server, &["test", "not-an-address"]).await;
    assert!(!sent && said.contains("given up"), "{said}");
    assert!(smtp.received().is_empty());
}

#[tokio::test]
async fn without_a_mail_server_messages_become_files_and_the_log_says_so() {
    let server = TestServer::start().await;
    let (sent, said) = command(&server, &["test", "ann@example.com"]).await;
    assert!(sent, "{said}");
    let messages = mail::files(&server.data_dir().join("mail"));
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("To: ann@example.com"), "{}", messages[0]);
    assert!(messages[0].contains(&server.url()), "{}", messages[0]);
    assert!(server.log().contains("no mail server is set"), "{}", server.log());
    // whoever can read them can take over accounts
    let folder = std::fs::metadata(server.data_dir().join("mail")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}
