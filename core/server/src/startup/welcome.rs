//! What a person at a terminal reads when a server has started.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use super::StartupError;
use crate::app::App;

/// Tells a person at a terminal what to do next. The set-up token goes here and nowhere else: not into the log.
pub(super) async fn welcome(
    app: &App,
    http: &[SocketAddr],
    https: &[SocketAddr],
    fingerprint: Option<&str>,
) -> Result<(), StartupError> {
    let mut text = String::from("\nBoxVault is running.\n");
    let mut line =
        |label: &str, value: &str| text.extend(["  ", &format!("{label:<22}"), value, "\n"]);
    line("web page", &app.public_url.to_string());
    line("API document", &format!("{}/api-docs/", app.public_url));
    for address in http {
        line("HTTP", &format!("http://{address}"));
    }
    for address in https {
        line("HTTPS", &format!("https://{address}"));
    }
    if let Some(fingerprint) = fingerprint {
        line("certificate (sha256)", fingerprint);
    }
    line("data folder", &app.config.server.data_dir.display().to_string());
    if let Some(token) = app.new_setup_token().await? {
        let page = if boxvault_web::has_interface() {
            // behind "#", so that the token reaches no log on the way
            format!("in the browser:\n\n  {}/setup#token={token}\n\nor ", app.public_url)
        } else {
            "for instance ".to_owned()
        };
        let invitation = format!(
            "\nThis server has no account yet. Make the first platform admin with the one-time token\n\n  {token}\n\n\
             {page}so (the README goes on from there):\n\n  \
             curl -fsS {}/api/setup --json '{{\"token\": \"{token}\", \"username\": \"admin\", \
             \"email\": \"admin@example.com\", \"password\": \"CHANGE-THIS-PASSWORD\"}}'\n",
            app.public_url
        );
        text.push_str(&invitation);
    }
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        // started by something that does not listen; the server runs all the same
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
