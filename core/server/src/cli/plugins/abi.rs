//! The suite of a plugin's table, in a process of its own: what crashes there is told, and crashes nothing else.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
    process::{ExitStatus, Stdio},
};

use boxvault_plugin_conformance::{
    CaseReport, Outcome, Report,
    abi::{self, Listener},
};
use boxvault_plugin_host::{PluginHost, PluginKind, PluginSource};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, process::Command, task::spawn_blocking};

use super::CliError;
use crate::config::Config;

/// What the process says, a line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Begins(String),
    Ended(CaseReport),
    /// All cases have run.
    Done,
}

struct Tell;

impl Tell {
    fn say(said: &Said) {
        let mut output = io::stdout().lock();
        // where nobody reads any more, nobody is there to be told
        let told = serde_json::to_writer(&mut output, said);
        drop(told.map(|()| output.write_all(b"\n").and_then(|()| output.flush())));
    }
}

impl Listener for Tell {
    fn begins(&mut self, name: &str) {
        Self::say(&Said::Begins(name.to_owned()));
    }

    fn ended(&mut self, case: &CaseReport) {
        Self::say(&Said::Ended(case.clone()));
    }
}

/// Judges a table; the configuration comes by standard input, since it may hold secrets.
pub(super) async fn judge(
    host: &PluginHost,
    source: PluginSource,
    kind: PluginKind,
) -> Result<(), CliError> {
    let entry = host.entry(source, kind).await?;
    let judged = spawn_blocking(move || {
        let mut config = String::new();
        io::stdin().read_to_string(&mut config)?;
        abi::run(entry, &config, &mut Tell);
        Ok::<_, io::Error>(())
    });
    match judged.await {
        Ok(result) => result.map_err(CliError::Input)?,
        Err(error) => return Err(CliError::Input(io::Error::other(error))),
    }
    Tell::say(&Said::Done);
    Ok(())
}

/// What was found of a table.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) report: Report,
    /// Whether the plugin has taken the process with it.
    pub(super) crashed: bool,
}

/// Judges a table in a process of its own.
pub(super) async fn run(
    config: &Config,
    plugin: &str,
    kind: PluginKind,
    table: &serde_json::Value,
) -> Result<Judged, CliError> {
    // this very program, also when another version was put in its place meanwhile
    let running = Path::new("/proc/self/exe");
    let mut command = if running.exists() {
        Command::new(running)
    } else {
        Command::new(std::env::current_exe().map_err(CliError::Input)?)
    };
    command.args(["plugin", "check-table", plugin, "--kind", kind.as_str()]);
    let paths: Vec<_> = config.plugins.search_paths.iter().map(|path| path.display()).collect();
    if !paths.is_empty() {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        command.arg("--set").arg(format!("plugins.search_paths={}", paths.join(",")));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(CliError::Input)?;
    if let Some(mut input) = child.stdin.take() {
        // a process that has crashed does not read
        drop(input.write_all(table.to_string().as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(CliError::Input)?;
    Ok(report(&output.stdout, output.status))
}

/// What the process found, and what its end says.
fn report(said: &[u8], status: ExitStatus) -> Judged {
    let (mut cases, mut running, mut is_done) = (Vec::<CaseReport>::new(), None, false);
    for line in said.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Said::Begins(name)) => running = Some(name),
            Ok(Said::Ended(case)) => {
                cases.push(case);
                running = None;
            }
            Ok(Said::Done) => is_done = true,
            // what the plugin itself has printed
            Err(_) => {}
        }
    }
    if !is_done {
        let name = running.unwrap_or_else(|| "the_library_loads".to_owned());
        let reason = format!("the plugin ended the process ({status})");
        cases.push(CaseReport { name: name.into(), outcome: Outcome::Failed { reason } });
    }
    Judged { report: Report { suite: "abi".into(), cases }, crashed: !is_done }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_crash_is_the_failure_of_the_case_that_ran() {
        let said = b"hello\n{\"begins\":\"one\"}\n{\"ended\":{\"name\":\"one\",\"outcome\":\"passed\"}}\n{\"begins\":\"two\"}\n";
        let Judged { report, crashed } = report(said, ExitStatus::from_raw(6));
        assert!(crashed);
        assert!(!report.passed());
        assert_eq!(report.outcome("one"), Some(&Outcome::Passed));
        let Some(Outcome::Failed { reason }) = report.outcome("two") else { panic!("{report}") };
        assert!(reason.contains("signal: 6"), "{reason}");
    }
}
