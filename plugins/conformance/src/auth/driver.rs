//! Whoever holds the browser and the provider while a plugin is judged that sends people to another site.
//!
//! The kit knows neither how people sign in there nor how that site is made to misbehave. Whoever runs it names a program
//! that does: it reads a line, does it, and answers with a line, until its input ends.
//!
//! | Line | What it does | What it answers |
//! |---|---|---|
//! | `visit NAME URL` | goes to the address as that person's browser, signs in | where it is led in the end |
//! | `decline URL` | goes there, and does not sign in | the same |
//! | `stop`, `start` | the provider is away; it is back | anything |
//! | `rotate` | it signs with another key from now on | anything |
//! | `twist KIND` | what it vouches with is wrong from now on in this way; `none` is right again | anything |
//! | `notice KIND SUBJECT SESSION` | nothing; the session ended there (`good`), or somebody pretends so | what a provider sends then |
//!
//! `unknown` is an answer, too: that cannot be done here, and the case is skipped. `failed: …` fails it.
//!
//! While the network between the plugin and its provider fails, browsers still have to reach the provider: on a way of
//! their own, not by the tunnel.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
    time::timeout,
};

use crate::case::Finding;

/// A browser that takes longer is lost.
const DEADLINE: Duration = Duration::from_secs(30);

/// The program, and the words that it is told. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Driver {
    talk: Arc<Mutex<Talk>>,
    /// Where the provider sends browsers back to; it has to know the address.
    pub(crate) callback_url: String,
}

#[derive(Debug)]
struct Talk {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    // ends with its input, and at the latest with this
    _child: Child,
}

impl Driver {
    /// Starts the program: its path, and its arguments.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(command: &[String], callback_url: impl Into<String>) -> io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no program"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("it has no input or output");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let talk = Arc::new(Mutex::new(Talk { input, output, _child: child }));
        Ok(Self { talk, callback_url: callback_url.into() })
    }

    /// Has a line done.
    pub(crate) async fn tell(&self, line: &str) -> Result<String, Finding> {
        let mut talk = self.talk.lock().await;
        let asked = async {
            talk.input.write_all(format!("{line}\n").as_bytes()).await?;
            talk.input.flush().await?;
            let mut answer = String::new();
            match talk.output.read_line(&mut answer).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(answer.trim().to_owned()),
            }
        };
        let word = line.split(' ').next().unwrap_or_default();
        let failed = |why: &dyn std::fmt::Display| {
            Finding::Failed(format!("the driver did not {word:?}: {why}"))
        };
        let answer = match timeout(DEADLINE, asked).await {
            Ok(answer) => answer.map_err(|error: io::Error| failed(&error))?,
            Err(_) => return Err(failed(&"no answer in time")),
        };
        match answer.strip_prefix("failed") {
            Some(why) => Err(failed(&why.trim_start_matches(": "))),
            None if answer == "unknown" => {
                Err(Finding::Skipped(format!("the driver cannot do {line:?}")))
            }
            None => Ok(answer),
        }
    }

    /// What the provider vouches with is wrong in this way from now on.
    pub(crate) async fn twist(&self, kind: &str) -> Result<(), Finding> {
        self.tell(&format!("twist {kind}")).await.map(drop)
    }

    /// Has everything as it was before the first case.
    pub(crate) async fn straighten(&self) {
        for line in ["start", "twist none"] {
            // who cannot do it has not done the opposite either
            drop(self.tell(line).await);
        }
    }
}
