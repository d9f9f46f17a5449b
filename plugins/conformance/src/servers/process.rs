//! A process that is a server for one test: it says when it is ready, does what it is told, and ends with the test.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a server may take until it is ready, and how often it is started. Node has hung once in some thousand starts,
/// before its script had done anything.
const START_PATIENCE: Duration = Duration::from_secs(30);
const STARTS_MAX: usize = 2;

/// The first line of an output, unless it does not come in time.
fn first_line(mut output: BufReader<ChildStdout>) -> Option<(BufReader<ChildStdout>, String)> {
    let (send, receive) = mpsc::channel();
    // ends with the output, which is closed when the process is killed
    thread::spawn(move || {
        let mut line = String::new();
        let read = output.read_line(&mut line);
        drop(send.send((output, read.map_or_else(|_| String::new(), |_| line))));
    });
    receive.recv_timeout(START_PATIENCE).ok()
}

/// A script of `plugins/conformance/servers`. It ends with its standard input, so also when this process is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it and waits for the line that it prints when it is ready.
    pub(super) fn start(script: &str) -> Result<(Self, Vec<String>), String> {
        Self::start_with(script, &[])
    }

    pub(super) fn start_with(
        script: &str,
        arguments: &[&str],
    ) -> Result<(Self, Vec<String>), String> {
        let folder = folder()?;
        if !folder.join("installed.txt").is_file() {
            let install = "plugins/conformance/servers/install";
            return Err(format!("there are no servers in {}; run {install}", folder.display()));
        }
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("servers").join(script);
        let interpreter = match script.extension() {
            Some(end) if end == "mjs" => PathBuf::from("node"),
            _ => folder.join("bin/python"),
        };
        let mut command = Command::new(interpreter);
        command.arg(&script).arg(&folder).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        for _ in 0..STARTS_MAX {
            let mut child = command
                .spawn()
                .map_err(|error| format!("{} did not start: {error}", script.display()))?;
            let output = BufReader::new(child.stdout.take().ok_or("its output is not piped")?);
            let Some((output, line)) = first_line(output) else {
                child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                continue;
            };
            let words: Vec<_> = line.split_whitespace().map(ToOwned::to_owned).collect();
            if words.is_empty() {
                drop(child.wait());
                return Err(format!("{} ended before it was ready", script.display()));
            }
            return Ok((Self { child, output }, words));
        }
        Err(format!("{} said nothing for {START_PATIENCE:?}, each time", script.display()))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(_) => line,
            Err(_) => String::new(),
        }
    }

    /// Tells it something, and waits for its answer.
    pub(super) fn tell(&mut self, word: &str) -> String {
        let input = self.child.stdin.as_mut().expect("it was started with an input");
        writeln!(input, "{word}").expect("it reads what it is told");
        let answer = self.line();
        assert!(!answer.is_empty(), "a server of a test did not {word}");
        answer.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it ends with its input, and removes what it made
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Where the servers are installed.
fn folder() -> Result<PathBuf, String> {
    if let Some(cache) = std::env::var_os("BOXVAULT_CACHE") {
        return Ok(PathBuf::from(cache).join("storage-servers"));
    }
    let home = std::env::var_os("HOME").ok_or("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/boxvault/storage-servers"))
}
