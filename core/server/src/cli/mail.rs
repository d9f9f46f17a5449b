//! `boxvault mail`: whether messages arrive, and what became of those that do not.

use std::process::ExitCode;

use boxvault_catalog::outbox::MailState;
use clap::Subcommand;

use super::{CliError, EXIT_FAILED, answer};
use crate::app::App;

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Send a test message, and say what the mail server answers
    #[command(after_help = "Example:\n  boxvault mail test ann@example.com")]
    Test {
        /// Where to
        address: String,
    },
    /// List messages that could not be sent yet, or were given up, and why
    #[command(after_help = "Example:\n  boxvault mail list")]
    List,
    /// Try every message again that was given up
    #[command(after_help = "Example:\n  boxvault mail retry")]
    Retry,
}

pub(super) async fn run(command: MailCommand, app: &App) -> Result<ExitCode, CliError> {
    match command {
        MailCommand::Test { address } => match app.send_test_mail(address).await? {
            None => answer("sent")?,
            Some(state) => {
                answer(format_args!("not sent: {}", line(&state)))?;
                return Ok(EXIT_FAILED.into());
            }
        },
        MailCommand::List => {
            let (failed, total) = app.list_failed_mail().await?;
            for state in &failed {
                answer(line(state))?;
            }
            answer(format_args!("{total} messages could not be sent"))?;
        }
        MailCommand::Retry => {
            let count = app.retry_mail().await?;
            answer(format_args!("{count} messages will be tried again by the running server"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(state: &MailState) -> String {
    let MailState { id, kind, created_at, attempts, next_attempt_at, problem } = state;
    let next = match next_attempt_at {
        Some(next) => format!("again at {}", next.format("%F %T UTC")),
        None => "given up".to_owned(),
    };
    let problem = problem.as_deref().unwrap_or("no attempt yet");
    let written = created_at.format("%F %T UTC");
    format!("{id} {kind}, written {written}, {attempts} failed attempts, {next}: {problem}")
}
